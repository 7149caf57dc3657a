"""Keeps what the other benchmarks have written, and puts it into benchmarks/README.md by machine.

Takes ``out/benchmarks/*.json`` over into one file per machine and date in ``benchmarks/results``, without
the single measurements, and writes the part of the README between its two markers anew: for each machine
and command the latest result.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.frame.benchmark import Machine
from examples.lab.files import atomic, markdown_table
from examples.lab.options import Parser

HERE = Path(__file__).parents[1]
BEGIN = "<!-- Written by `python -m benchmarks report`; do not edit. -->"
END = "<!-- End of what is written. -->"
ORDER = ("step", "end_to_end", "compile", "memory", "numerics")  # Others follow, by name.

Result = dict[str, Any]


def main(arguments: Sequence[str]) -> None:
    parser = Parser("python -m benchmarks report", description=__doc__)
    for option, default, what in (
        ("out", Path("out/benchmarks"), "what the benchmarks have written"),
        ("results", HERE / "results", "what is kept"),
        ("readme", HERE / "README.md", "the file with the two markers"),
    ):
        parser.add_argument(f"--{option}", type=Path, default=default, metavar="PATH", help=what)
    parser.add_argument("--quick", action="store_true", help="keep results of --quick as well")
    options = parser.parse_args(arguments)
    text = options.readme.read_text("utf-8") if options.readme.is_file() else ""
    if not (0 <= text.find(BEGIN) < text.find(END)):
        parser.error(f"'{options.readme}' does not have the lines {BEGIN!r} and {END!r}")
    paths = sorted(options.out.glob("*.json"))
    if not paths:
        print(f"Nothing new in {options.out}.")
    for path in paths:
        result = json.loads(path.read_text("utf-8"))
        if result["options"].get("quick") and not options.quick:
            print(f"{path} is that of a quick run and left out.")
            continue
        print(f"{path} is kept in {keep(result, options.results)}.")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    with atomic(options.readme) as partial:
        partial.write_text(f"{before}{BEGIN}\n\n{render(options.results)}\n{END}{after}", "utf-8")
    print(f"Wrote {options.readme}.")


def keep(result: Result, results: Path) -> Path:
    """Adds a result to the file of its machine and date, in the place of one of the same command."""
    machine = re.sub(r"[^a-z0-9]+", "-", str(Machine(**result["machine"])).lower()).strip("-")
    path = results / f"{result['date']}-{machine}.json"
    kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
    # Every round of every competitor would be megabytes; the tables say what is worth keeping.
    kept[_command(result)] = {key: value for key, value in result.items() if key != "rows"}
    results.mkdir(exist_ok=True)
    with atomic(path) as partial:
        partial.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    return path


def render(results: Path) -> str:
    """Markdown of the latest result of each machine and command."""
    latest: dict[str, dict[str, Result]] = {}
    for path in sorted(results.glob("*.json")):  # Names begin with the date.
        for command, result in json.loads(path.read_text("utf-8")).items():
            latest.setdefault(str(Machine(**result["machine"])), {})[command] = result
    blocks = []
    for machine, by_command in sorted(latest.items()):
        blocks.append(f"## {machine}\n")
        for _, result in sorted(by_command.items(), key=_place):
            blocks += _section(result)
    return "\n".join(blocks)


def _place(item: tuple[str, Result]) -> tuple[int, str]:
    command, result = item
    name = result["benchmark"]
    return ORDER.index(name) if name in ORDER else len(ORDER), command


def _section(result: Result) -> Iterator[str]:
    packages = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    yield f"### {result['benchmark']}, {result['date']}\n"
    yield f"`{_command(result)}`; {packages}; load {result['load']:.1f} before.\n"
    for table in result["tables"]:
        yield f"{table['title']}:\n"
        yield markdown_table(table["header"], table["rows"], numbers=True)
    if result["notes"]:
        yield "\n".join(f"- {note}" for note in result["notes"]) + "\n"


def _command(result: Result) -> str:
    """As it would be typed, with the options that were given."""
    words = ["python -m benchmarks", result["benchmark"]]
    for option, value in result["options"].items():
        flag = f"--{option.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif value not in (None, False):
            words.append(f"{flag} {','.join(map(str, value)) if isinstance(value, list) else value}")
    return " ".join(words)
