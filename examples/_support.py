"""What every study shares: options, progress, tables, the device line, files written whole or not at all."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import jax
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
    """Shows how far a task of ``total`` steps is: a bar on a terminal, a few lines in a pipe."""
    if console.is_interactive:
        # Narrow enough for a status of 44 characters in a terminal of 80.
        columns = (
            TextColumn("{task.description:<17}"),
            BarColumn(7),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
        )
        with Progress(*columns, console=console) as bar:
            line = bar.add_task(name, total=total, status="compiling")
            yield lambda done, status: bar.update(line, completed=done, status=status)
    else:
        shown = 0

        def report(done: int, status: str) -> None:
            nonlocal shown
            if (part := done * LINES_PER_TASK // total) > shown:
                shown = part
                console.print(f"{name:<17} {done:>5}/{total}  {status}", soft_wrap=True)

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
    kind = device.device_kind if device.platform != "cpu" else f"CPU, {os.cpu_count()} cores"
    return f"JAX {jax.__version__} on {kind}"


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
