"""The pictures of a study, drawn of what it has left: PNG and GIF files, light and dark.

Nothing is measured here, so that a picture can be drawn anew without its study being run anew.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from rich.console import Console

from examples.lab.animation import pictures_of, write_gif
from examples.lab.console import task
from examples.lab.files import write_png
from examples.lab.record import Record
from examples.lab.style import in_each_theme


class Animation(NamedTuple):
    """A picture that moves."""

    figure: Figure  # What does not move; laid out once, so that nothing jumps.
    draw: Callable[[int], None]  # Changes it to its frame 0, ..., frames - 1; called with the last one first.
    frames: int
    fps: float  # Frames per second, at most 50.


Pictures = Mapping[str, Callable[[Record], Figure | Animation | None]]
"""By the stem of a file, what draws it: a PNG file of a figure, a GIF file of an animation, or no file."""


def draw_pictures(console: Console, folder: Path, pictures: Pictures) -> Iterator[Path]:
    """Draws a study's pictures into its folder in each theme, and yields the paths of their files."""
    record = Record(folder)
    for name, draw in pictures.items():
        for stem in in_each_theme(folder / name):
            if (picture := draw(record)) is not None:
                yield _write(console, stem, picture)


def _write(console: Console, stem: Path, picture: Figure | Animation) -> Path:
    if isinstance(picture, Figure):
        path = stem.with_suffix(".png")
        write_png(path, picture)
    else:
        path = stem.with_suffix(".gif")
        with task(console, path.name, picture.frames) as report:
            write_gif(path, pictures_of(picture.figure, picture.draw, picture.frames, report), picture.fps)
    return path
