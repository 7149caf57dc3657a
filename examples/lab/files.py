"""Files that are there whole or not at all: tables, pictures."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from examples.lab.style import THEMES, place_labels


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


def read_csv(path: Path, step: int) -> list[list[str]]:
    """The rows of a table that begin with a step up to this one, without the header.

    A run that goes on at a step begins with them; it has none where there is no file, or at step 0.
    """
    if step == 0 or not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in list(csv.reader(file))[1:] if int(row[0]) <= step]


def write_figure(path: Path, figure: Figure) -> None:
    """A PNG file."""
    with atomic(path) as partial:
        figure.savefig(partial, dpi=150)


def write_picture(path: Path, draw: Callable[[], Figure]) -> list[Path]:
    """PNG files of what is drawn in each theme, ``NAME.png`` and ``NAME-dark.png``; returns their paths."""
    paths = []
    for theme in THEMES:
        with theme.applied(), io.BytesIO() as pixels:
            figure = draw()
            place_labels(figure)
            figure.savefig(pixels, format="png")
            # 256 colours, a fifth of the bytes: a picture has few, and their shades.
            image = Image.open(pixels).convert("RGB").quantize(256, dither=Image.Dither.NONE)
        paths.append(path.with_stem(path.stem + theme.suffix))
        with atomic(paths[-1]) as partial:
            image.save(partial, optimize=True)
    return paths
