"""What a study has left in its folder, for pictures to be drawn of: its tables and its summary."""

import csv
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np


class Table:
    """The columns of a CSV file by name, as arrays: of numbers, or else of text."""

    def __init__(self, columns: Mapping[str, np.ndarray]):
        self._columns = dict(columns)

    @classmethod
    def read(cls, path: Path) -> "Table":
        """From a file with a header line; an empty cell among numbers is NaN."""
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        return cls(
            {name: _column(cells) for name, cells in zip(header, zip(*rows, strict=True), strict=True)}
        )

    def __getitem__(self, name: str) -> np.ndarray:
        return self._columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def where(self, **values: Any) -> "Table":
        """The rows in which columns have these values."""
        kept = np.logical_and.reduce([self[name] == value for name, value in values.items()])
        return Table({name: column[kept] for name, column in self._columns.items()})

    def distinct(self, name: str) -> list[Any]:
        """The values of a column, each once, in the order of the rows."""
        return list(dict.fromkeys(self[name].tolist()))

    def grid(self, measure: str, *axes: str) -> np.ndarray:
        """A column of rows that go through all combinations of other columns, the last one fastest."""
        return self[measure].reshape([len(self.distinct(axis)) for axis in axes])


def _column(cells: Sequence[str]) -> np.ndarray:
    try:
        return np.array([float(cell or "nan") for cell in cells])
    except ValueError:
        return np.array(cells)


class Record:
    """The folder of a study that has ended.

    Args:
      folder: that of its ``--out``.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._tables: dict[str, Table] = {}

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` says: "options", "findings", "results" and what they depend on."""
        return json.loads((self.folder / "summary.json").read_text("utf-8"))

    def __contains__(self, name: str) -> bool:
        """Whether there is a table of this name."""
        return (self.folder / f"{name}.csv").exists()

    def table(self, name: str) -> Table:
        """That of the file ``NAME.csv``."""
        if name not in self._tables:
            self._tables[name] = Table.read(self.folder / f"{name}.csv")
        return self._tables[name]
