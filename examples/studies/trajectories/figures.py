"""The pictures of the paths: three surfaces, and the paths over them as they grow."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from examples.lab.pictures import Animation
from examples.lab.record import Record
from examples.lab.style import CONTEXT, look, sheet
from examples.studies.trajectories.paths import METHODS
from examples.studies.trajectories.surfaces import SURFACES, Surface

FPS = 12
# Five paths can be told apart on one surface.
MAIN = ("SGD", "momentum", "AdaGrad", "Adam", "RAdam")
VARIANTS = tuple(name for name in METHODS if name not in MAIN)
TITLES = ("a ravine", "a saddle", "six minima")


def paths_of(record: Record, names: Sequence[str]) -> dict[str, np.ndarray]:
    """By name, positions of shape (steps + 1, surfaces, 2)."""
    table = record.table("paths")
    return {
        name: np.stack(
            [table.where(optimizer=name).grid(axis, "surface", "step").T for axis in ("x", "y")], axis=-1
        )
        for name in names
    }


def _draw_surface(panel: Any, surface: Surface, title: str) -> None:
    """Its contour lines, its minima and the start."""
    left, right, bottom, top = surface.window
    x, y = np.meshgrid(np.linspace(left, right, 300), np.linspace(bottom, top, 300))
    height = surface.height(x, y)
    low = surface.height(*surface.minima[0])
    # Closer together at the bottom, where the paths are.
    levels = low + (np.quantile(height, 0.95) - low) * np.linspace(0.03, 1, 12) ** 2
    panel.contour(x, y, height, levels=levels, colors=CONTEXT, linewidths=0.5, alpha=0.6, zorder=0)
    panel.scatter(*np.transpose(surface.minima), marker="*", s=140, color=CONTEXT, zorder=2, lw=0)
    panel.scatter(*surface.start, marker="s", s=50, facecolor="none", edgecolor=CONTEXT, zorder=6, lw=1.5)
    panel.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], title=title)
    panel.spines[:].set_visible(False)


def animate(record: Record, names: Sequence[str], title: str) -> Animation:
    """The paths of some of the optimizers; the first steps one by one, later ones several at a time."""
    paths = paths_of(record, names)
    steps = len(next(iter(paths.values()))) - 1
    frames = min(record.summary["options"]["frames"], steps + 1)
    part = np.arange(frames) / max(frames - 1, 1)
    shown = np.round(np.arange(frames) + (steps + 1 - frames) * part**3).astype(int)

    figure, panels = sheet(
        title,
        "Paths without noise from the square to a minimum, a star; in brackets learning rates",
        4.0, 1, 3,
    )  # fmt: skip
    moving = []
    for index, (surface, panel) in enumerate(zip(SURFACES, panels, strict=True)):
        _draw_surface(panel, surface, TITLES[index])
        for name, path in paths.items():
            (line,) = panel.plot(
                [], [], lw=1.8, alpha=0.9, label=f"{name} ({METHODS[name].rate:g})", **look(name)
            )
            (head,) = panel.plot([], [], "o", ms=8, color=line.get_color(), mec="white", zorder=7)
            moving.append((line, head, path[:, index]))
    handles = [line for line in panels[0].get_lines() if not line.get_label().startswith("_")]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, handlelength=1.6, columnspacing=1.4)
    clock = panels[2].text(
        1, 1.02, "", transform=panels[2].transAxes, ha="right", va="bottom", size=14, color=CONTEXT
    )

    def draw(frame: int) -> None:
        step = shown[frame]
        clock.set_text(f"step {step}")
        for line, head, path in moving:
            line.set_data(*path[: step + 1].T)
            head.set_data(*path[step : step + 1].T)

    return Animation(figure, draw, frames, FPS)


PICTURES = {
    "trajectories": partial(
        animate, names=MAIN, title="Momentum and adaptive steps cross what SGD creeps through"
    ),
    "trajectories_variants": partial(
        animate, names=VARIANTS, title="Look-ahead, and what is left out of Adam, change the path"
    ),
}
