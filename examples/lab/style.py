"""One style of picture: the colours, each optimizer's own line, and curves over several seeds."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

# Okabe and Ito's colours, which stay apart for colour-blind readers; their yellow is too pale for a line.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, RED, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#7F7F7F"

DASHED, DOTTED, DASH_DOT = "--", ":", "-."

_LINES = {
    "SGD": (BLACK, "-"),
    "momentum": (GREY, "-"),
    "Nesterov": (GREY, DASHED),
    "AdaGrad": (SKY, "-"),
    "AdamNC": (SKY, DASHED),
    "RMSProp": (ORANGE, "-"),
    "RMSProp, Nesterov": (ORANGE, DASHED),
    "Adam": (RED, "-"),
    "Adam, uncorrected": (RED, DASHED),
    "Adam-eps": (RED, DOTTED),
    "Adam-2k": (RED, DASH_DOT),
    "Adam + linear warmup": (PURPLE, "-"),
    "Adam + untuned linear": (PURPLE, DASHED),
    "Adam + untuned exponential": (PURPLE, DOTTED),
    "AMSGrad": (BLUE, "-"),
    "AMSGrad, maximum last": (BLUE, "-"),
    "AMSGrad, no correction": (BLUE, DASHED),
    "AMSGrad, maximum first": (BLUE, DOTTED),
    "AMSGrad, clipped": (PURPLE, DASH_DOT),
    "AMSGrad, forgets": (SKY, DASH_DOT),
    "AMSGrad, forgets slowly": (ORANGE, DASH_DOT),
    "RAdam schedule-free": (GREEN, "-"),
    "AdamW schedule-free": (RED, "-"),
    "RAdam + cosine": (GREEN, DASHED),
    "RAdam + cosine to half": (GREEN, DOTTED),
    "Adam + cosine": (GREY, DASHED),
    "Adam + warmup, cosine": (RED, DASHED),
    "AdaMod + cosine": (ORANGE, DASHED),
    "GI-Adam + cosine": (BLUE, DASHED),
    "ADOPT": (GREEN, DASHED),
    "ADOPT, unclipped": (GREEN, "-"),
    "LaProp": (ORANGE, "-"),
    "AdaBound": (SKY, "-"),
    "AMSBound": (SKY, DASHED),
    "Padam": (PURPLE, "-"),
    "Padam, no maximum": (PURPLE, DASHED),
    "NosAdam": (BLUE, "-"),
    "AdaX": (BLUE, DASHED),
    "Lion": (GREY, "-"),
    "RAdam": (GREEN, "-"),
    "RAdam, no SGD phase": (GREEN, DASHED),
    "RAdam, exact variance": (GREEN, DOTTED),
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    name: {"color": colour, "linestyle": line} for name, (colour, line) in _LINES.items()
}
"""Colour and line of an optimizer by its name, the same in every picture; variants share the colour."""


def band(panel: Axes, x: Any, runs: np.ndarray, *, color: str, **style: Any) -> None:
    """Draws the mean of runs of shape (seeds, points) as a line, and their range as its shade."""
    panel.plot(x, runs.mean(axis=0), color=color, **style)
    panel.fill_between(x, runs.min(axis=0), runs.max(axis=0), color=color, alpha=0.15, lw=0)


def over_seeds(seeds: int) -> str:
    """What :func:`band` shows, for a title."""
    return f"mean and range of {seeds} seeds" if seeds > 1 else "one seed"
