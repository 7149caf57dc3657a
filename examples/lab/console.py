"""What a program shows: progress, tables, the device; a terminal or a pipe."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

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
