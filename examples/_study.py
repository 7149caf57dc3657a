"""The frame of a study: its sizes, its progress on disk, its files, its verdict on the sources' claims."""

import argparse
import json
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from matplotlib.figure import Figure
from rich.table import Table

from examples._animation import pictures_of, write_gif
from examples._support import (
    atomic,
    device_line,
    interrupts_wait,
    make_console,
    output_folder,
    positive_int,
    task,
    write_csv,
    write_figure,
)
from radam_optax.checkpoint import Checkpoints

SAVE_AFTER = 10.0  # Seconds of work that an interrupt may cost,
SAVE_AT_END_AFTER = 2.0  # and of a loop that has ended.


class Size(NamedTuple):
    """How large a study is in one respect; becomes an option of its command line."""

    full: int
    quick: int
    help: str


class Finding(NamedTuple):
    """A claim of a source beside what the study measured."""

    claim: str
    published: str
    measured: str
    agrees: bool
    note: str = ""  # Where they disagree, what the reason is or may be: a sentence.


class Study:
    """One run of a study, from its command line to its verdict.

    Args:
      name: of the study, its module.
      doc: what it shows, for ``--help``.
      arguments: of the command line.
      sizes: whole numbers that ``--quick`` makes smaller, by the name of their option.
      add_options: adds the study's other options to the parser.

    What comes of it depends on the options alone, to the last bit on one machine; an interrupted
    study goes on where it was when its command is given again.
    """

    def __init__(
        self,
        name: str,
        doc: str | None,
        arguments: Sequence[str],
        sizes: Mapping[str, Size],
        add_options: Callable[[argparse.ArgumentParser], object] = lambda parser: None,
    ):
        parser = argparse.ArgumentParser(f"python -m examples {name}", description=doc)
        for option, size in sizes.items():
            text = f"{size.help} (default: {size.full}; --quick: {size.quick})"
            parser.add_argument(f"--{option}", type=positive_int, metavar="N", help=text)
        add_options(parser)
        parser.add_argument(
            "--out", type=output_folder, default=f"out/{name}", metavar="DIR", help="default: %(default)s"
        )
        parser.add_argument("--quick", action="store_true", help="smaller sizes, for at most a minute")
        self.parser = parser
        self.options = parser.parse_args(arguments)
        for option, size in sizes.items():
            key = option.replace("-", "_")
            if getattr(self.options, key) is None:
                setattr(self.options, key, size.quick if self.options.quick else size.full)
        self.name = name
        self.started = time.monotonic()
        self.console = make_console()
        self.console.print(device_line())
        self.written: list[Path] = []
        self.saved = time.monotonic()
        logging.getLogger("absl").setLevel(logging.CRITICAL)  # Orbax logs what it raises, once per thread.
        self._open_progress()

    def settings(self) -> dict[str, Any]:
        """All that the results depend on, but for the machine."""
        options = {key: value for key, value in vars(self.options).items() if key != "out"}
        versions = {package.__name__: package.__version__ for package in (jax, optax, np)}
        return {"study": self.name, "options": options, "versions": versions}

    def _open_progress(self) -> None:
        """Keeps the progress of an interrupted run of the same settings, and removes that of others."""
        self.progress = self.options.out / f"{self.name}-progress"
        file = self.progress / "settings.json"
        settings = json.dumps(self.settings(), default=str, sort_keys=True)
        if self.progress.exists() and not file.is_file():
            self.parser.error(f"'{self.progress}' is no study's progress: remove it, or choose another --out")
        if file.exists() and file.read_text("utf-8") != settings:
            self.console.print(
                "Starts anew: the progress in this folder is that of other options or versions."
            )
            shutil.rmtree(self.progress)
        self.progress.mkdir(exist_ok=True)
        file.write_text(settings, "utf-8")

    def scan(
        self,
        name: str,
        program: Callable[..., tuple[Any, Any]],
        carry: Any,
        inputs: Callable[[int], tuple[Any, ...]],
        length: int,
        status: Callable[[Any], str],
        steps: int = 1,
    ) -> tuple[Any, Any]:
        """``carry, record = program(carry, *inputs(i))`` for i = 0 ... length - 1, over interrupts.

        Args:
          name: of the loop, unique in the study; shown, and the folder of its progress.
          program: jitted; it may donate its carry.
          carry: tree of arrays to begin with.
          inputs: the other arguments of the call, made on the host.
          length: how many calls.
          status: a few words on a record, for the progress bar.
          steps: how many of what the bar counts a call is.

        Returns:
          The last carry, and the records as one tree of NumPy arrays with a leading axis of ``length``.
        """
        shapes = jax.eval_shape(program, carry, *inputs(0))[1]
        records = jax.tree.map(lambda x: np.zeros((length, *x.shape), x.dtype), shapes)
        first = 0
        folder = self.progress / "".join(c if c.isalnum() else "_" for c in name)
        with Checkpoints(folder, optax.identity(), keep=1) as checkpoints:
            try:
                restored = checkpoints.restore(carry, records)
            except ValueError as error:
                self.parser.error(f"cannot go on: {error} Remove '{self.progress}' to start anew.")
            if restored:
                first, carry, _, records = restored
                self.console.print(f"{name}: goes on at {first * steps}.", soft_wrap=True)
            with task(self.console, name, length * steps) as report:
                for i in range(first, length):
                    carry, record = program(carry, *inputs(i))
                    record = jax.device_get(record)
                    for all_, one in zip(jax.tree.leaves(records), jax.tree.leaves(record), strict=True):
                        all_[i] = one
                    report((i + 1) * steps, status(record))
                    limit = SAVE_AFTER if i + 1 < length else SAVE_AT_END_AFTER
                    if time.monotonic() - self.saved > limit:
                        with interrupts_wait():
                            checkpoints.save(i + 1, carry, optax.EmptyState(), records)
                        self.saved = time.monotonic()
        return carry, records

    def write_csv(self, name: str, columns: Sequence[str], rows: Any) -> None:
        """What is plotted: one row per point."""
        write_csv(self._file(name), columns, rows)

    def write_figure(self, name: str, figure: Figure) -> None:
        """A PNG file."""
        write_figure(self._file(name), figure)

    def write_animation(
        self, name: str, figure: Figure, draw: Callable[[int], None], frames: int, fps: float
    ) -> None:
        """A GIF file of the figure, which is left as in its last frame.

        Args:
          name: of the file.
          figure: of what does not move; laid out once, so that nothing jumps.
          draw: changes the figure to its frame 0, ..., frames - 1; called with the last one first.
          frames: how many.
          fps: frames per second, at most 50.
        """
        with task(self.console, name, frames) as report:
            pictures = pictures_of(figure, draw, frames, report)
        write_gif(self._file(name), pictures, fps)

    def _file(self, name: str) -> Path:
        self.written.append(self.options.out / name)
        return self.written[-1]

    def conclude(self, findings: Sequence[Finding], results: Mapping[str, Any]) -> None:
        """Prints the verdict, writes ``summary.json``, and removes the progress.

        Args:
          findings: the rows of the verdict.
          results: what else is worth keeping, in the types of JSON.
        """
        summary = self.settings() | {"device": device_line(), "findings": [f._asdict() for f in findings]}
        with atomic(self._file("summary.json")) as partial:
            partial.write_text(
                json.dumps(finite(summary | {"results": results}), indent=1, default=str) + "\n", "utf-8"
            )
        shutil.rmtree(self.progress)
        if findings:
            self._print_verdict(findings)
        files = ", ".join(map(str, self.written))
        self.console.print(f"\nWrote {files} after {time.monotonic() - self.started:.0f} s.", soft_wrap=True)

    def _print_verdict(self, findings: Sequence[Finding]) -> None:
        table = Table(box=None, pad_edge=False, title_justify="left", padding=(0, 2, 0, 0))
        for column in ("claim", "published", "measured", ""):
            table.add_column(column, overflow="fold")
        for finding in findings:
            table.add_row(*finding[:3], "agrees" if finding.agrees else "DISAGREES")
        self.console.print("\nThe verdict", style="bold")
        self.console.print(table)
        for finding in findings:
            if finding.note:
                self.console.print(f"- {finding.claim}: {finding.note}", soft_wrap=True)


def finite(value: Any) -> Any:
    """The same in the types of JSON, with None for what is not finite, for which it has no number."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
