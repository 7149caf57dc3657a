"""What a study would have left, for its pictures to be drawn of."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from examples.lab.files import write_csv
from examples.lab.record import Record

Table = tuple[Sequence[str], Iterable[Sequence[object]]]


def record(
    folder: Path, tables: Mapping[str, Table], options: Mapping[str, Any], results: Mapping[str, Any]
) -> Record:
    """The record of a folder with these tables, columns and rows by name, and this summary."""
    for name, (columns, rows) in tables.items():
        write_csv(folder / f"{name}.csv", columns, rows)
    (folder / "summary.json").write_text(json.dumps({"options": options, "results": results}), "utf-8")
    return Record(folder)
