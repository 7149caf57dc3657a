"""The frame of a study: its sizes, its progress on disk, its files, its verdict on the sources' claims."""

import argparse
import datetime
import functools
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import flax
import jax
import numpy as np
import optax
from rich.table import Table

import examples
import radam_optax as rx
from examples.lab.console import make_console, task
from examples.lab.device import device_line
from examples.lab.files import atomic, markdown_table, write_csv
from examples.lab.interrupts import if_interrupted
from examples.lab.options import Parser, output_folder, positive_int
from examples.lab.orbax import interrupts_wait, silence_orbax
from examples.lab.pictures import Pictures, draw_pictures
from radam_optax.checkpoint import Checkpoints

SAVE_AFTER = 10.0  # Seconds of work that an interrupt may cost,
SAVE_AT_END_AFTER = 2.0  # and of a loop that has ended.
QUICK = "This run was quick, and is too small to judge the claims by."


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
        parser = Parser(f"python -m examples {name}", description=doc)
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
        self.name, self.sizes = name, sizes
        self.started = time.monotonic()
        self.console = make_console()
        self.console.print(device_line())
        self.written: list[Path] = []
        self.saved = time.monotonic()
        silence_orbax()
        self.loops: set[str] = set()
        self.parts = 0  # How many loops there will be, where a study knows.
        if_interrupted("It goes on where it was", "examples", name, *arguments)

    @functools.cached_property
    def depends_on(self) -> dict[str, Any]:
        """All that the results depend on: options, versions, the code itself, the kind of device."""
        options = {key: value for key, value in vars(self.options).items() if key != "out"}
        versions = {package.__name__: package.__version__ for package in (jax, flax, optax, np)}
        return {
            "study": self.name,
            "options": options,
            "versions": versions,
            "code": code_digest(),
            "device": device_line(),
        }

    @functools.cached_property
    def progress(self) -> Path:
        """The folder of what is done; it is that of an interrupted run that depends on the same, or new."""
        folder = self.options.out / f"{self.name}-progress"
        file = folder / "settings.json"
        now = json.dumps(self.depends_on, default=str, sort_keys=True)
        if folder.exists() and not file.is_file():
            self.parser.error(f"'{folder}' is no study's progress: remove it, or choose another --out")
        if file.exists() and file.read_text("utf-8") != now:
            self.console.print(
                "Starts anew: the progress here is that of other options, code, versions or devices.",
                soft_wrap=True,
            )
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(now, "utf-8")
        return folder

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
        if name in self.loops:
            raise ValueError(f"`name` must be unique in the study; {name!r} is that of an earlier loop.")
        self.loops.add(name)
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
            place = f"{len(self.loops)} of {self.parts}" if self.parts else ""
            with task(self.console, name, length * steps, place) as report:
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

    def _file(self, name: str) -> Path:
        self.written.append(self.options.out / name)
        return self.written[-1]

    def conclude(self, findings: Sequence[Finding], results: Mapping[str, Any], pictures: Pictures) -> None:
        """Prints the verdict, writes it to ``verdict.md``, and all to ``summary.json``; removes the progress.

        Args:
          findings: the rows of the verdict.
          results: what else is worth keeping, in the types of JSON.
          pictures: of the summary and the tables that were written before.
        """
        summary = self.depends_on | {"findings": [f._asdict() for f in findings]}
        with atomic(self._file("summary.json")) as partial:
            partial.write_text(
                json.dumps(finite(summary | {"results": results}), indent=1, default=str) + "\n", "utf-8"
            )
        if findings:
            self._write_verdict(findings)
        self.written += draw_pictures(self.console, self.options.out, pictures)
        if self.loops:
            shutil.rmtree(self.progress, ignore_errors=True)  # There may have been nothing to save.
        if findings:
            self._print_verdict(findings)
        files = ", ".join(map(str, self.written))
        self.console.print(f"\nWrote {files} after {time.monotonic() - self.started:.0f} s.", soft_wrap=True)

    def _write_verdict(self, findings: Sequence[Finding]) -> None:
        rows = [(*finding[:3], "agrees" if finding.agrees else "**disagrees**") for finding in findings]
        table = markdown_table(("claim", "published", "measured", ""), rows)
        notes = "".join(f"- {finding.claim}: {finding.note}\n" for finding in findings if finding.note)
        sizes = [f"{name} {getattr(self.options, name.replace('-', '_'))}" for name in self.sizes]
        run = "; ".join([f"{datetime.date.today()}, {device_line()}", *sizes])
        quick = f" {QUICK}" if self.options.quick else ""
        with atomic(self._file("verdict.md")) as partial:
            partial.write_text(
                f"# The verdict of `{self.name}`\n\n{run}.{quick}\n\n{table}" + (notes and f"\n{notes}"),
                "utf-8",
            )

    def _print_verdict(self, findings: Sequence[Finding]) -> None:
        table = Table(box=None, pad_edge=False, title_justify="left", padding=(0, 2, 0, 0))
        for column in ("claim", "published", "measured", ""):
            table.add_column(column, overflow="fold")
        for finding in findings:
            table.add_row(*finding[:3], "agrees" if finding.agrees else "DISAGREES")
        self.console.print("\nThe verdict", style="bold")
        if self.options.quick:
            self.console.print(QUICK)
        self.console.print(table)
        for finding in findings:
            if finding.note:
                self.console.print(f"- {finding.claim}: {finding.note}", soft_wrap=True)


def code_digest() -> str:
    """Of the sources that results depend on, the package's and the examples'."""
    digest = hashlib.sha256()
    for package in (rx, examples):
        for file in sorted(Path(str(package.__file__)).parent.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def finite(value: Any) -> Any:
    """The same in the types of JSON, with None for what is not finite, for which it has no number."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
