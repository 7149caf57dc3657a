"""Animated pictures: the frames of a figure, and their GIF file.

matplotlib's own writer gives each frame a palette of its own: colours flicker, and the file of a hundred
frames is twenty times as large.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from examples.lab.console import Report
from examples.lab.files import atomic
from examples.lab.style import place_labels

LAST = 2000  # Milliseconds on the last picture, before it begins again.


def pictures_of(
    figure: Figure, draw: Callable[[int], None], frames: int, report: Report
) -> list[Image.Image]:
    """The figure after ``draw(0)``, ``draw(1)``, ..., laid out once: for the last, so that all has room."""
    canvas = FigureCanvasAgg(figure)
    draw(frames - 1)
    place_labels(figure)
    pictures = []
    for frame in range(frames):
        draw(frame)
        canvas.draw()
        pictures.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
        report(frame + 1, "")
    return pictures


def write_gif(path: Path, pictures: Sequence[Image.Image], fps: float) -> None:
    """A GIF file that begins again after two seconds on its last picture."""
    # One palette for all, so that no colour flickers: of what is seen first, midway and last.
    shown = np.hstack([np.asarray(pictures[i]) for i in (0, len(pictures) // 2, -1)])
    palette = Image.fromarray(shown).quantize(255, method=Image.Quantize.MAXCOVERAGE)
    first, *others = (picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures)
    durations = [round(1000 / fps)] * len(others) + [LAST]
    with atomic(path) as partial:
        first.save(partial, save_all=True, append_images=others, duration=durations, loop=0, optimize=True)
