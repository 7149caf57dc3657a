"""A process of its own whose XLA has another flag, and which takes part in the rounds of this one."""

import multiprocessing
import os
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.subjects.peers import CATALOGUE
from benchmarks.subjects.shapes import SHAPES
from benchmarks.timing.jax_step import JaxStep, gradients_of
from benchmarks.timing.rounds import Timer

MULTI_OUTPUT_FUSION = "--xla_backend_extra_options=xla_cpu_use_multi_output_fusion"


class ChildError(Exception):
    """The other process has ended."""


def _serve(connection: Connection) -> None:
    """Answers (method, arguments) until the other side closes."""
    steps: dict[str, JaxStep] = {}
    timers: dict[str, Timer] = {}
    while True:
        try:
            method, *arguments = connection.recv()
        except EOFError:
            return
        if method == "open":
            steps.clear()
            timers.clear()
            optimizer, shape, packages = arguments
            gradients = gradients_of(SHAPES[shape]())
            for package in packages:
                step = JaxStep(getattr(CATALOGUE[optimizer], package)(), gradients)
                steps[package], timers[package] = step, step.timer()
            connection.send({p: (s.bytes, s.accessed_bytes, s.temp_bytes) for p, s in steps.items()})
        else:
            connection.send(timers[arguments[0]]())


class Child:
    """The steps of some optimizers in a process that was started with ``flag``.

    It is idle, and waits on a pipe, unless it is asked for the time of a step.
    """

    def __init__(self, flag: str):
        # A fork would inherit a JAX that has started, with its flags and half of its threads.
        self._context = multiprocessing.get_context("spawn")
        # The process takes the environment as it is when it starts; this one gets its own back at once.
        before = os.environ.get("XLA_FLAGS")
        os.environ["XLA_FLAGS"] = f"{before or ''} {flag}".strip()
        try:
            self._connection, other = self._context.Pipe()
            self._process = self._context.Process(target=_serve, args=(other,), daemon=True)
            self._process.start()
            other.close()
        finally:
            if before is None:
                del os.environ["XLA_FLAGS"]
            else:
                os.environ["XLA_FLAGS"] = before

    def open(self, optimizer: str, shape: str, packages: list[str]) -> dict[str, tuple[int, int, int]]:
        """Compiles steps of one optimizer; returns their bytes, bytes accessed and temporary bytes."""
        return self._ask("open", optimizer, shape, packages)

    def timer(self, package: str) -> Timer:
        """Of a step that was opened."""
        return lambda: self._ask("time", package)

    def close(self) -> None:
        self._connection.close()
        self._process.join()

    def _ask(self, *question: Any) -> Any:
        try:
            self._connection.send(question)
            return self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            raise ChildError(
                f"The process with the flag ended with exit code {self._process.exitcode}."
            ) from None
