"""Files that are there whole or not at all: tables, pictures."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from examples.data.split import DataError
from examples.lab.style import in_each_theme, place_labels

COLOURS = 128  # Of a PNG file.


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A path to write to; its file takes the place of ``path`` when the block ends without an error.

    The folder is made, if it is not there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
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


def read_csv(path: Path, step: int, columns: Mapping[str, Callable[[str], Any]]) -> list[list[str]]:
    """The rows of a table that begin with a step up to this one, without the header.

    A run that goes on at a step begins with them; it has none where there is no file, or at step 0.

    Args:
      path: of the table, as :func:`write_csv` wrote it.
      step: at which the run goes on.
      columns: their names, and the type of what stands in each; the first are whole steps.

    Raises:
      DataError: the file is no such table.
    """
    if step == 0 or not path.exists():
        return []
    try:
        header, *rows = list(csv.reader(path.read_text("utf-8").splitlines(), strict=True)) or [[]]
        if header != [*columns]:
            raise ValueError(f"its columns are not {', '.join(columns)}")
        for line, row in enumerate(rows, start=2):
            if len(row) != len(columns):
                raise ValueError(f"line {line} has {len(row)} values, not {len(columns)}")
            for (name, kind), value in zip(columns.items(), row, strict=True):
                if not _is(kind, value):
                    raise ValueError(f"line {line} has {value!r} as {name}")
    except (ValueError, csv.Error) as error:
        advice = f"move it away to go on: the new one begins at step {step}"
        raise DataError(f"'{path}' is damaged: {error}; {advice}") from error
    return [row for row in rows if int(row[0]) <= step]


def _is(kind: Callable[[str], Any], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: bool = False) -> str:
    """A table in Markdown, lines and all.

    Args:
      header: of the columns.
      rows: of cells.
      numbers: whether all columns but the first are set to the right.
    """
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    rule = ["---", *["--:" if numbers else "---"] * (len(header) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (escaped[0], rule, *escaped[1:]))


def write_png(path: Path, figure: Figure) -> None:
    """A PNG file of a figure, with its labels moved apart."""
    place_labels(figure)
    with io.BytesIO() as pixels:
        figure.savefig(pixels, format="png")
        # A picture has few colours, and their shades: a fifth of the bytes.
        image = Image.open(pixels).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    with atomic(path) as partial:
        image.save(partial, optimize=True)


def write_picture(path: Path, draw: Callable[[], Figure]) -> list[Path]:
    """PNG files of what is drawn in each theme, ``NAME.png`` and ``NAME-dark.png``; returns their paths."""
    paths = []
    for file in in_each_theme(path):
        write_png(file, draw())
        paths.append(file)
    return paths
