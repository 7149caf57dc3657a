"""What all examples share: options, progress, tables, the device line, files whole or not at all."""

import argparse
import csv
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

Report = Callable[[int, str], None]  # Steps done so far, and how the task stands.

LINES_PER_TASK = 10  # In a pipe.


def make_console() -> Console:
    """Standard output: colour and bars on a terminal, plain text in a pipe."""
    # Left to itself, rich would follow FORCE_COLOR and put escape codes into a pipe.
    return Console(highlight=False, markup=False, force_terminal=sys.stdout.isatty())


@contextmanager
def task(console: Console, name: str, total: int) -> Iterator[Report]:
    """Shows how far a task of ``total`` steps is: a bar on a terminal, a few lines in a pipe.

    The rate leaves out all until the first report, which is mostly compilation.
    """
    first = None

    def rate(done: int) -> str:
        nonlocal first
        now = time.monotonic()
        first = first or (done, now)
        passed = now - first[1]
        return f"{(done - first[0]) / passed:,.4g}/s" if passed > 0 else ""

    if console.is_interactive:
        columns = (
            TextColumn("{task.description:<17}"),
            BarColumn(7),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[status]}"),
        )
        with Progress(*columns, console=console) as bar:
            line = bar.add_task(name, total=total, rate="", status="compiling")
            yield lambda done, status: bar.update(line, completed=done, rate=rate(done), status=status)
    else:
        shown = 0

        def report(done: int, status: str) -> None:
            nonlocal shown
            speed = rate(done)
            if (part := done * LINES_PER_TASK // total) > shown:
                shown = part
                console.print(f"{name:<17} {done:>5}/{total}  {status}  {speed}".rstrip(), soft_wrap=True)

        yield report


def print_table(console: Console, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table whose first column is text and whose other columns are numbers."""
    table = Table(box=box.SIMPLE_HEAD if console.is_interactive else None, pad_edge=False)
    for index, name in enumerate(header):
        table.add_column(name, justify="right" if index else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(f"\n{title}", style="bold", soft_wrap=True)
    console.print(table)


def device_line() -> str:
    """One line that says what a measurement ran on."""
    device = jax.devices()[0]
    kind = device.device_kind if device.platform != "cpu" else f"CPU, {cores()} cores"
    return f"JAX {jax.__version__} on {kind}"


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def positive_int(text: str) -> int:
    """An argparse type: a whole number >= 1."""
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1; got {text!r}")
    return int(text)


def output_folder(text: str) -> Path:
    """An argparse type: a folder to write to, made here so that a bad one fails before the work."""
    folder = Path(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot make the folder {text!r}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"cannot write to the folder {text!r}")
    return folder


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A path to write to; its file takes the place of ``path`` when the block ends without an error."""
    partial = path.with_stem(f".{path.stem}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV file with a header line; floats with six significant digits."""
    with atomic(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(
            [f"{x:.6g}" if isinstance(x, float | np.floating) else x for x in row] for row in rows
        )


def write_figure(path: Path, figure: Figure) -> None:
    """A PNG file."""
    with atomic(path) as partial:
        figure.savefig(partial, dpi=150)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Ctrl-C takes effect at the end of the block: Orbax would have more than one line to say about it."""
    signals = []
    handler = signal.signal(signal.SIGINT, lambda *_: signals.append(None))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if signals:
            raise KeyboardInterrupt
