"""What a program shows: progress and tables, on a terminal or in a pipe."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

Report = Callable[[int, str], None]  # Steps done so far, and how the task stands.

LINES_PER_TASK = 10  # In a pipe, at most,
SECONDS_PER_LINE = 10  # and at least, but for the last.


def make_console() -> Console:
    """Standard output: colour and bars on a terminal, plain text in a pipe."""
    # Left to itself, rich would follow FORCE_COLOR and put escape codes into a pipe.
    return Console(highlight=False, markup=False, force_terminal=sys.stdout.isatty())


@contextmanager
def task(console: Console, name: str, total: int, place: str = "") -> Iterator[Report]:
    """Shows how far a task of ``total`` steps is: a bar on a terminal, in a pipe a few lines, or one.

    Rate and remaining time leave out all until the first report, which is mostly compilation.

    Args:
      console: to print on.
      name: of the task.
      total: how many steps it has.
      place: of the task among others, ``"2 of 6"``.
    """
    pace = _Pace(total)
    if console.is_interactive:
        columns = (
            *([TextColumn("{task.fields[place]}")] if place else []),
            TextColumn("{task.description:<17}"),
            BarColumn(7),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            TextColumn("{task.fields[status]}"),
        )
        with Progress(*columns, console=console) as bar:
            line = bar.add_task(name, total=total, place=place, pace="", status="compiling")
            yield lambda done, status: bar.update(line, completed=done, pace=pace(done), status=status)
    else:
        title, shown = f"{place:<8}{name:<17}" if place else f"{name:<17}", 0
        said = pace.started

        def report(done: int, status: str) -> None:
            nonlocal shown, said
            times, now = pace(done), time.monotonic()
            part = done * LINES_PER_TASK // total
            if part > shown and (done == total or now - said >= SECONDS_PER_LINE):
                shown, said = part, now
                console.print(f"{title} {done:>5}/{total}  {status}  {times}".rstrip(), soft_wrap=True)

        yield report


class _Pace:
    """How fast a task is, how long it has taken, and how long it still takes, in a few words."""

    def __init__(self, total: int):
        self.total, self.started = total, time.monotonic()
        self.first: tuple[int, float] | None = None

    def __call__(self, done: int) -> str:
        now = time.monotonic()
        self.first = self.first or (done, now)
        begun, since = self.first
        took = f"{clock(now - self.started)} elapsed"
        if done == begun or now == since:
            return took
        rate = (done - begun) / (now - since)
        left = f", {clock((self.total - done) / rate)} left" if done < self.total else ""
        return f"{rate:,.4g}/s, {took}{left}"


def clock(seconds: float) -> str:
    """Minutes and seconds, ``0:05``; with hours, if there are any, ``1:00:05``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def print_table(console: Console, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table whose first column is text and whose other columns are numbers."""
    table = Table(box=box.SIMPLE_HEAD if console.is_interactive else None, pad_edge=False)
    for index, name in enumerate(header):
        table.add_column(name, justify="right" if index else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(f"\n{title}", style="bold", soft_wrap=True)
    console.print(table)
