"""The processes of one run: they join, agree on their settings, and end with a reason instead of waiting."""

import argparse
import json
import os
import socket
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

import jax
import numpy as np
from cyclopts import Group, Parameter
from jax.experimental import multihost_utils

from examples.data.split import DataError
from examples.lab.options import at_least
from examples.lab.settings import Count, from_text

SIZE = 4096  # Bytes that settings may take as JSON.
LEADER_STAYS = 3.0  # Seconds longer than the others, whom JAX aborts at once when process 0 ends.


def address(text: str) -> str:
    """An argparse type: HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
        raise argparse.ArgumentTypeError(f"must be HOST:PORT; got {text!r}")
    return text


PROCESSES = Parameter(
    group=Group(
        "Processes", help="One, or those that SLURM, Open MPI or a TPU pod has started, or:", sort_key=1
    )
)


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """Who takes part in a run."""

    coordinator: Annotated[str, from_text(address, "HOST:PORT"), PROCESSES] | None = None
    """where process 0 can be reached"""
    num_processes: Annotated[Count, PROCESSES] | None = None
    """how many there are (1: look for no others)"""
    process_id: Annotated[int, from_text(int, "I"), PROCESSES] | None = None
    """of this process, from 0"""
    devices: Annotated[Count, PROCESSES] | None = None
    """virtual devices of each process, on CPUs"""
    timeout: Annotated[float, from_text(at_least(1), "S"), PROCESSES] = 300.0
    """seconds to wait for all to join"""
    heartbeat: Annotated[float, from_text(at_least(10), "S"), PROCESSES] = 100.0
    """seconds without a sign of life of a process after which the others end"""


def join(settings: ProcessSettings, run: Mapping[str, Any]) -> None:
    """Joins the other processes, if there are any, and makes sure that they mean the same run.

    To be called before JAX's first computation.

    Args:
      settings: of this process.
      run: what the run depends on, in the types of JSON; the same in every process.

    Raises:
      DataError: the settings or the numbers of devices are not the same in every process, or those
        of this one name no process. All processes raise it.
    """
    if settings.devices:
        jax.config.update("jax_num_cpu_devices", settings.devices)
    count, index = settings.num_processes, settings.process_id
    if count is not None and index is not None and not 0 <= index < count:
        raise DataError(f"--process-id: must be in [0, --num-processes), which is {count}; got {index}")
    if count == 1 and not settings.coordinator:
        return
    if index == 0 and settings.coordinator:
        _check_port(int(settings.coordinator.rpartition(":")[2]))
    with ended_after(settings):
        _initialize(settings)
        if jax.process_count() > 1:
            with ended_together():
                _agree(run)


def _check_port(port: int) -> None:
    try:
        socket.create_server(("", port)).close()
    except OSError as error:  # On which JAX would crash.
        why = os.strerror(error.errno or 0)
        raise DataError(f"--coordinator: cannot listen on port {port}: {why}") from error


def _initialize(settings: ProcessSettings) -> None:
    with warnings.catch_warnings():
        # In Kubernetes, of a package without which JAX cannot look for other processes there.
        warnings.simplefilter("ignore")
        try:
            jax.distributed.initialize(
                settings.coordinator,
                settings.num_processes,
                settings.process_id,
                # JAX would abort the process, with a stack of C++.
                initialization_timeout=int(2 * settings.timeout + 2 * LEADER_STAYS),
                heartbeat_timeout_seconds=int(settings.heartbeat),
                shutdown_timeout_seconds=int(settings.timeout),
            )
        except (ValueError, RuntimeError) as error:
            alone = settings.coordinator is settings.num_processes is settings.process_id is None
            if not (alone and "coordinator_address" in str(error)):
                raise DataError(_line(error)) from error


def _agree(run: Mapping[str, Any]) -> None:
    devices = Counter(device.process_index for device in jax.devices())
    if len(set(devices.values())) > 1:
        found = ", ".join(f"{count} in process {index}" for index, count in sorted(devices.items()))
        raise DataError(f"all processes must have as many devices; there are {found}")
    for index, packed in enumerate(multihost_utils.process_allgather(pack(run))):
        if different := differences(unpack(packed), run):
            raise DataError(f"process {index} was started with other settings: {different}")


def pack(run: Mapping[str, Any]) -> np.ndarray:
    """What a run depends on, in the types of JSON, as an array: uint8 of shape (SIZE,)."""
    text = json.dumps(run).encode()
    if len(text) > SIZE:
        raise DataError(f"the settings take {len(text)} bytes, and {SIZE} is the most")
    return np.frombuffer(text.ljust(SIZE), np.uint8)


def unpack(packed: np.ndarray) -> dict[str, Any]:
    """It again."""
    return json.loads(packed.tobytes())


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any], free: Container[str] = ()) -> str:
    """Which settings differ, besides those that are ``free`` to; empty if none does."""
    names = (name for name in ours if name not in free and theirs.get(name) != ours[name])
    return ", ".join(f"{name} is {theirs.get(name)}, here {ours[name]}" for name in names)


@contextmanager
def ended_after(settings: ProcessSettings) -> Iterator[None]:
    """Ends the process, with a reason, where the block takes longer than ``--timeout``."""
    everyone = f"all {settings.num_processes}" if settings.num_processes else "all"
    reason = (
        f"not {everyone} processes have joined within --timeout {settings.timeout:g} s: "
        "are all of them started, with the same --coordinator and --num-processes?"
    )
    wait = settings.timeout + (0 if settings.process_id else LEADER_STAYS)
    timer = threading.Timer(wait, exit_now, [reason])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def ended_together() -> Iterator[None]:
    """Where the block fails, because another process has ended, say, the process ends at once, with a reason.

    Raises:
      DataError: with the reason, if there is only one process.
    """
    try:
        yield
    except (OSError, jax.errors.JaxRuntimeError) as error:
        if jax.process_count() == 1:
            raise DataError(_line(error)) from error
        # An orderly exit would wait for the others.
        who = f"process {jax.process_index()} of {jax.process_count()}"
        why = "" if isinstance(error, OSError) else ", perhaps because another one has ended"
        exit_now(f"{who} cannot go on{why}: {_line(error)}")


def exit_now(reason: str) -> NoReturn:
    """Ends the process with one line."""
    print(f"train_sharded: {reason}", file=sys.stderr, flush=True)
    os._exit(1)


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
