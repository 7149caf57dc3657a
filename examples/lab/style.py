"""One style of picture, for studies, benchmarks and the site.

A picture is a :func:`sheet`: a claim as its title, what is measured below it, one to three panels, and the
names at the ends of the lines. It is 900 pixels wide where it is shown, and no text is smaller than 14 points
there. Every optimizer has one colour and one line (:func:`look`); what surrounds them is grey. All colours
stand out from white and from near black, so that the light and the dark form of a picture, the two
``THEMES``, differ in their background and text alone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

PIXELS = 900  # Of a picture's width where it is shown.
WIDTH = PIXELS / 96  # Inches: a page has 96 pixels to an inch, and 72 points.
TEXT, TITLE = 14.0, 17.0  # Points.
LEADING = 1.3  # Between lines of text, in their size.
MARGIN, GAP = 0.12, 0.06  # Inches, around the title and below it.
SPACING = 1.05  # Of the labels at the ends of lines, in their height.

RED, ORANGE, AMBER, OLIVE, MOSS = "#DB392D", "#CE7005", "#A68003", "#778B20", "#557432"
GREEN, TEAL, CYAN, SKY, BLUE = "#0E9254", "#099B8F", "#058298", "#2F9CD8", "#296CD8"
INDIGO, VIOLET, PURPLE, PINK = "#756BE6", "#823EC5", "#B655D2", "#DF4E92"
CRIMSON, BROWN, STEEL = "#B83255", "#936240", "#647D97"
CONTEXT = "#808080"  # What is there to compare with.

SOLID, DASHED, DOTTED, DASH_DOT = "-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (4, 1.3, 1, 1.3))
LONG, LONG_DOT = (0, (9, 2)), (0, (9, 1.5, 1, 1.5))

_LOOKS = {
    "SGD": (BROWN, SOLID),
    "SGD schedule-free": (BROWN, DASHED),
    "momentum": (AMBER, SOLID),
    "Nesterov": (AMBER, DASHED),
    "AdaBelief": (AMBER, DOTTED),
    "Yogi": (AMBER, DASH_DOT),
    "AdaGrad": (SKY, SOLID),
    "AdaDelta": (SKY, DASHED),
    "RMSProp": (ORANGE, SOLID),
    "RMSProp, Nesterov": (ORANGE, DASHED),
    "ACProp": (ORANGE, DOTTED),
    "AdaMod": (ORANGE, LONG),
    "AdaMod + cosine": (ORANGE, DASH_DOT),
    "Adam": (RED, SOLID),
    "Adam, uncorrected": (RED, DASHED),
    "Adam-eps": (RED, DOTTED),
    "Adam-2k": (RED, DASH_DOT),
    "AdamW": (RED, LONG),
    "Adam + cosine": (RED, LONG_DOT),
    "Adam + linear warmup": (PURPLE, SOLID),
    "Adam + untuned linear": (PURPLE, DASHED),
    "Adam + untuned exponential": (PURPLE, DOTTED),
    "Adam + warmup, cosine": (PURPLE, DASH_DOT),
    "Adam-atan2": (PURPLE, LONG),
    "Lion": (CRIMSON, SOLID),
    "AdaMax": (CRIMSON, DASHED),
    "AdaMaxW": (CRIMSON, DOTTED),
    "NAdam": (CRIMSON, DASH_DOT),
    "NAdamW": (CRIMSON, LONG),
    "Stable AdamW": (CRIMSON, LONG_DOT),
    "AMSGrad": (BLUE, SOLID),
    "AMSGrad, no correction": (BLUE, DASHED),
    "AMSGrad, maximum first": (BLUE, DOTTED),
    "AMSGrad, maximum last": (BLUE, LONG),
    "GI-Adam + cosine": (BLUE, DASH_DOT),
    "AMSGrad, clipped": (INDIGO, SOLID),
    "QHAdam": (INDIGO, DASHED),
    "AdEMAMix": (INDIGO, DOTTED),
    "Adan": (INDIGO, DASH_DOT),
    "AMSGrad, forgets": (CYAN, SOLID),
    "AMSGrad, forgets slowly": (CYAN, DASHED),
    "RAdam": (GREEN, SOLID),
    "RAdam, no SGD phase": (GREEN, DASHED),
    "RAdam, exact variance": (GREEN, DOTTED),
    "RAdam + cosine": (GREEN, DASH_DOT),
    "RAdamW": (GREEN, LONG),
    "RAdam, raised rate": (GREEN, LONG_DOT),
    "RAdam schedule-free": (TEAL, SOLID),
    "RAdam + cosine to half": (TEAL, LONG),
    "RAdam + AMSGrad": (TEAL, DASHED),
    "AdamW schedule-free": (PINK, LONG),
    "Padam": (PINK, SOLID),
    "Padam, no maximum": (PINK, DASHED),
    "ADOPT": (VIOLET, SOLID),
    "ADOPT, unclipped": (VIOLET, DASHED),
    "ADOPTW": (VIOLET, LONG),
    "LaProp": (OLIVE, SOLID),
    "NosAdam": (MOSS, SOLID),
    "AdaX": (MOSS, DASHED),
    "AdamNC": (STEEL, SOLID),
    "AdaBound": (STEEL, DASHED),
    "AMSBound": (STEEL, DOTTED),
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    name: {"color": colour, "linestyle": line} for name, (colour, line) in _LOOKS.items()
}
"""Colour and line of an optimizer by its name; relatives share a colour."""


def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", name.lower()))


_BY_WORDS = {_words(name): look for name, look in OPTIMIZERS.items()}


def look(name: str) -> dict[str, Any]:
    """Colour and line of an optimizer, ``{"color": ..., "linestyle": ...}``, the same in every picture.

    Args:
      name: as in a picture, "RAdam schedule-free", or as in the package, "schedule_free_radam".
    """
    try:
        return dict(_BY_WORDS[_words(name)])
    except KeyError:
        raise ValueError(f"`name` must be that of an optimizer with a look; got {name!r}.") from None


class Theme(NamedTuple):
    """What the light and the dark form of a picture differ in."""

    suffix: str  # Of the file's stem.
    background: str
    text: str
    grid: str

    def applied(self) -> AbstractContextManager[None]:
        """The settings under which a picture is drawn."""
        settings: dict[Any, Any] = {
            "figure.facecolor": self.background,
            "axes.facecolor": self.background,
            "text.color": self.text,
            "axes.labelcolor": self.text,
            "axes.titlecolor": self.text,
            "xtick.labelcolor": self.text,
            "ytick.labelcolor": self.text,
            "grid.color": self.grid,
        }
        return matplotlib.rc_context(_SETTINGS | settings)


THEMES = Theme("", "#FFFFFF", "#1F2328", "#E4E4E4"), Theme("-dark", "#131416", "#D9DCE0", "#33363A")
"""Light, the file ``NAME.png``; and dark, ``NAME-dark.png``."""


def in_each_theme(path: Path) -> Iterator[Path]:
    """The file of each form of a picture, under the settings under which it is drawn."""
    for theme in THEMES:
        with theme.applied():
            yield path.with_stem(path.stem + theme.suffix)


_SETTINGS: dict[Any, Any] = {
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.labelsize": TEXT,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "legend.fontsize": TEXT,
    "legend.frameon": False,
    "figure.dpi": 96.0,
    "savefig.dpi": 192.0,  # For fine screens.
    "axes.edgecolor": CONTEXT,
    "xtick.color": CONTEXT,
    "ytick.color": CONTEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.xmargin": 0.0,
    "axes.grid": True,
    "axes.formatter.min_exponent": 4,
    "axes.axisbelow": True,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "axes.formatter.use_mathtext": True,
}


def sheet(
    title: str, subtitle: str, height: float, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, Any]:
    """A figure with its claim and what is measured above its panels.

    Args:
      title: what the picture shows, a sentence.
      subtitle: what is measured, of what.
      height: of the panels, in inches; the width is that of a page.
      rows: of panels.
      columns: of panels.
      **options: of :meth:`matplotlib.figure.Figure.subplots`.

    Returns:
      The figure, and what ``subplots`` returns.
    """
    lines = _lines(title, TITLE, "bold"), _lines(subtitle, TEXT, "normal")
    sizes = [len(part) * LEADING * size / 72 for part, size in zip(lines, (TITLE, TEXT), strict=True)]
    head = 2 * MARGIN + GAP + sum(sizes)
    total = height + head
    figure = Figure(figsize=(WIDTH, total), layout="constrained")
    figure.get_layout_engine().set(rect=(0, 0, 1, height / total), w_pad=0.08, h_pad=0.06)  # type: ignore
    top = total - MARGIN
    for part, size, text_size, weight in zip(lines, sizes, (TITLE, TEXT), ("bold", "normal"), strict=True):
        figure.text(
            MARGIN / WIDTH, top / total, "\n".join(part), size=text_size, weight=weight, va="top",
            linespacing=LEADING,
        )  # fmt: skip
        top -= size + GAP
    return figure, figure.subplots(rows, columns, **options)


def _lines(text: str, size: float, weight: str) -> list[str]:
    """The text in as few lines as a picture's width allows, of about one length; formulas have no spaces."""
    font = FontProperties(size=size, weight=weight)
    words = text.split()
    widths = [TextPath((0, 0), f"{word}n", prop=font).get_extents().width for word in words]

    def wrapped(room: float) -> list[list[str]]:
        lines, left = [], 0.0
        for word, width in zip(words, widths, strict=True):
            if width > left:
                lines.append([])
                left = room
            lines[-1].append(word)
            left -= width
        return lines

    rooms = 72 * (WIDTH - 2 * MARGIN) * np.linspace(0.5, 1, 26)
    fewest = len(wrapped(rooms[-1]))
    best = next(lines for lines in map(wrapped, rooms) if len(lines) == fewest)
    return [" ".join(line) for line in best]


def band(panel: Axes, x: Any, runs: np.ndarray, *, color: str, **style: Any) -> Line2D:
    """Draws the mean of runs of shape (seeds, points) as a line, and their range as its shade."""
    (line,) = panel.plot(x, runs.mean(axis=0), color=color, **style)
    panel.fill_between(x, runs.min(axis=0), runs.max(axis=0), color=color, alpha=0.15, lw=0)
    return line


def over_seeds(seeds: int) -> str:
    """What :func:`band` shows, for a subtitle."""
    return f"mean and range of {seeds} seeds" if seeds > 1 else "one seed"


def rope(panel: Axes, x: Any, lines: Mapping[str, tuple[Any, str]], width: float = 2.5) -> list[Line2D]:
    """Draws lines that lie upon each other in alternating pieces, so that all of them are seen.

    Args:
      panel: of them.
      x: of all.
      lines: by name, heights and colour.
      width: of each, in points.
    """
    piece = 4.0  # In widths of the line.
    drawn = []
    for index, (name, (heights, colour)) in enumerate(lines.items()):
        dashes = (-piece * index, (piece, piece * (len(lines) - 1)))
        drawn += panel.plot(x, heights, label=name, color=colour, ls=dashes, lw=width, dash_capstyle="butt")
    return drawn


def plain_log(axis: Axis, *steps: float) -> None:
    """Numbers instead of powers on a logarithmic axis, at these multiples of the powers of ten."""

    def text(value: float, _: Any) -> str:
        return f"{value:g}" if 1e-4 <= value < 1e5 else f"$10^{{{np.log10(value):.0f}}}$"

    axis.set_major_locator(LogLocator(subs=steps or (1,), numticks=12))
    axis.set_major_formatter(FuncFormatter(text))
    axis.set_minor_locator(NullLocator())


def label_ends(panel: Axes, lines: Iterable[Line2D] | None = None) -> None:
    """Writes the names of lines at their right ends, outside of the panel, instead of a legend.

    :func:`place_labels` moves them apart when the picture is written.

    Args:
      panel: with its limits as they are to be.
      lines: those with names; all of the panel by default.
    """
    named = panel.get_lines() if lines is None else lines
    for line in named:
        name = str(line.get_label())
        heights = np.asarray(line.get_ydata(), float)
        seen = heights[np.isfinite(heights)]
        if name.startswith("_") or not len(seen):
            continue
        low, high = sorted(panel.get_ylim())
        label = panel.annotate(
            name,
            (1.0, min(max(float(seen[-1]), low), high)),
            xycoords=panel.get_yaxis_transform(),
            xytext=(10, 0),
            textcoords="offset points",
            va="center",
            color=line.get_color(),
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": line.get_color(), "lw": 1.0, "relpos": (0, 0.5),
                        "shrinkA": 1, "shrinkB": 0},
        )  # fmt: skip
        label.set_gid("end")


def level(panel: Axes, height: float, text: str, *, left: bool = False, below: bool = False) -> None:
    """A grey line to compare with, its meaning on it.

    Args:
      panel: of the line.
      height: of it.
      text: its meaning, at the right end,
      left: or at the left one,
      below: or under it.
    """
    panel.axhline(height, color=CONTEXT, lw=1.2, ls=DOTTED, zorder=1)
    panel.annotate(
        text, (0 if left else 1, height), xycoords=panel.get_yaxis_transform(),
        xytext=(4 if left else -2, -3 if below else 3), textcoords="offset points",
        ha="left" if left else "right", va="top" if below else "bottom", color=CONTEXT,
    )  # fmt: skip


def place_labels(figure: Figure) -> None:
    """Lays the figure out for good, and moves the labels of :func:`label_ends` apart that would overlap.

    Raises:
      ValueError: a panel is too low for its labels.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    points = 72 / figure.dpi
    for panel in figure.axes:
        labels = [child for child in panel.get_children() if child.get_gid() == "end"]
        labels = [label for label in labels if isinstance(label, Annotation)]
        if not labels:
            continue
        frame = panel.get_window_extent()
        ends = np.array([panel.transData.transform((1, label.xy[1]))[1] for label in labels])
        heights = [SPACING * Text.get_window_extent(label).height for label in labels]
        for label, end, place in zip(labels, ends, apart(ends, heights, frame.y0, frame.y1), strict=True):
            label.xyann = label.xyann[0], (place - end) * points


def apart(centres: Sequence[float] | np.ndarray, heights: Sequence[float], low: float, high: float):
    """Centres next to the given ones of texts that do not overlap and keep their order.

    Of all such centres within [low, high] these are the nearest in least squares.

    Args:
      centres: where the texts would be.
      heights: of the texts.
      low: smallest centre.
      high: largest centre.

    Raises:
      ValueError: there is no room for all.
    """
    order = np.argsort(centres, kind="stable")
    sizes = np.asarray(heights, float)[order]
    # Without the room that the texts below take, centres only have to ascend.
    taken = np.concatenate([[0.0], np.cumsum((sizes[1:] + sizes[:-1]) / 2)])
    if taken[-1] > high - low:
        raise ValueError(f"`heights` must fit between {low:g} and {high:g}; got {taken[-1]:g} in all.")
    groups: list[list[float]] = []  # Mean and count of those that touch, in ascending order.
    for wanted in np.asarray(centres, float)[order] - taken:
        groups.append([float(wanted), 1])
        while len(groups) > 1 and groups[-2][0] >= groups[-1][0]:
            (mean, count), (last, more) = groups[-2:]
            groups[-2:] = [[(count * mean + more * last) / (count + more), count + more]]
    flat = np.concatenate([np.full(int(count), mean) for mean, count in groups])
    result = np.empty(len(order))
    result[order] = flat.clip(low, high - taken[-1]) + taken
    return result
