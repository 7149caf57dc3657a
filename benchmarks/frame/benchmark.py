"""The frame of a benchmark: its command line, the machine by name, tables, JSON and a picture."""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
from matplotlib.figure import Figure

from examples.lab.console import make_console, print_table
from examples.lab.device import cores
from examples.lab.files import atomic, write_picture
from examples.lab.options import Parser, output_folder, suggestion

PACKAGES = ("jax", "optax", "torch", "flax", "numpy")


class Machine(NamedTuple):
    """What a figure was measured on."""

    processor: str
    cores: int  # That this process may use.
    device: str  # The accelerator; "" where JAX computes on the processor.

    def __str__(self) -> str:
        processor = f"{self.processor}, {self.cores} cores"
        return f"{self.device} ({processor})" if self.device else processor


def machine() -> Machine:
    """This machine."""
    first = jax.devices()[0]
    return Machine(_processor(), cores(), "" if first.platform == "cpu" else first.device_kind)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def versions() -> dict[str, str]:
    """Of the packages that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


class Benchmark:
    """One run of a benchmark, from its command line to its files.

    Args:
      name: of the benchmark, its module.
      doc: what it measures, for ``--help``.
      arguments: of the command line.
      add_options: adds the benchmark's own options to the parser.

    ``rows`` takes all that is measured, one flat record each; tables are made from it.
    """

    def __init__(
        self,
        name: str,
        doc: str | None,
        arguments: Sequence[str],
        add_options: Callable[[argparse.ArgumentParser], object] = lambda parser: None,
    ):
        parser = Parser(f"python -m benchmarks {name}", description=doc)
        add_options(parser)
        parser.add_argument(
            "--out", type=output_folder, default="out/benchmarks", metavar="DIR", help="default: %(default)s"
        )
        parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the benchmark out")
        self.parser = parser
        self.options = parser.parse_args(arguments)
        self.name = name
        self.console = make_console()
        if not self.console.is_interactive:
            self.console.width = 200  # A pipe has no edge at which tables would have to be cut off.
        self.rows: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.tables: list[dict[str, Any]] = []
        self.head = {
            "benchmark": name,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": machine()._asdict(),
            "versions": versions(),
            "load": os.getloadavg()[0],  # Of other processes, before this one begins.
            "options": {key: value for key, value in vars(self.options).items() if key != "out"},
        }
        self.console.print(f"{machine()}; load {self.head['load']:.1f}", soft_wrap=True)

    def note(self, text: str) -> None:
        """Says once what a reader of the figures has to know, and keeps it beside them."""
        if text not in self.notes:
            self.notes.append(text)
            self.console.print(text, soft_wrap=True)

    def show(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Prints a table."""
        print_table(self.console, title, header, rows)

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Prints a table and keeps it for the report."""
        self.show(title, header, rows)
        self.tables.append({"title": title, "header": list(header), "rows": [list(row) for row in rows]})

    def save(self) -> Path:
        """Writes what there is so far to ``NAME.json``: a long run that ends early is not lost."""
        path = self.options.out / f"{self.name}.json"
        content = self.head | {"notes": self.notes, "tables": self.tables, "rows": self.rows}
        with atomic(path) as partial:
            partial.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", "utf-8")
        return path

    def finish(self, draw: Callable[[], Figure]) -> None:
        """Writes ``NAME.json`` and what is drawn, light and dark: ``NAME.png`` and ``NAME-dark.png``."""
        light, dark = write_picture(self.options.out / f"{self.name}.png", draw)
        self.console.print(f"\nWrote {self.save()}, {light}, {dark}", soft_wrap=True)


def grid(
    rows: Sequence[str], columns: Sequence[str], cell: Callable[[str, str], str | None]
) -> list[tuple[str, ...]]:
    """Rows of a table, a dash where there is no value; rows without any are left out."""
    filled = [(row, [cell(row, column) for column in columns]) for row in rows]
    return [(row, *(c or "-" for c in cells)) for row, cells in filled if any(cells)]


def add_names(
    parser: argparse.ArgumentParser, option: str, names: Sequence[str], default: Sequence[str] = ()
) -> None:
    """Adds ``--option A,B``: some of several names; None where it is not given."""
    usual = f" (default: {', '.join(default)})" if default else ""
    parser.add_argument(
        f"--{option}", type=_names_from(names), metavar="A,B", help=f"of {', '.join(names)}{usual}"
    )


def _names_from(options: Sequence[str]) -> Callable[[str], list[str]]:
    """An argparse type: some of several names, with commas between them."""

    def parse(text: str) -> list[str]:
        names = text.split(",")
        unknown = [name for name in names if name not in options]
        if unknown:
            raise argparse.ArgumentTypeError(
                f"no {unknown[0]!r}{suggestion(unknown[0], options)}; there are: {', '.join(options)}"
            )
        return names

    return parse
