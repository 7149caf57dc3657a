"""The pictures of the paths: three surfaces with ten paths each, at rest and moving."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from examples.lab.style import OPTIMIZERS
from examples.studies.trajectories.paths import CAMEL, METHODS, heights
from examples.studies.trajectories.surfaces import SURFACES, Surface

FLOOR = 1e-5  # Of the heights shown: near a minimum those of float32 positions are rounding.
ZOOM = (-2.05, -1.2, -0.8, -0.2)


def _draw_surface(panel: Any, surface: Surface) -> None:
    """Its contour lines, its minima and the start."""
    left, right, bottom, top = surface.window
    x, y = np.meshgrid(np.linspace(left, right, 300), np.linspace(bottom, top, 300))
    height = surface.height(x, y)
    low = surface.height(*surface.minima[0])
    # Closer together at the bottom, where the paths are.
    levels = low + (np.quantile(height, 0.95) - low) * np.linspace(0.03, 1, 16) ** 2
    panel.contour(x, y, height, levels=levels, colors="#BBBBBB", linewidths=0.6, linestyles="solid", zorder=0)
    panel.scatter(*np.transpose(surface.minima), marker="*", s=110, color="#222222", zorder=6, lw=0)
    panel.scatter(*surface.start, marker="s", s=45, facecolor="white", edgecolor="#222222", zorder=6)
    panel.set(xlim=(left, right), ylim=(bottom, top), xlabel="x", ylabel="y", title=surface.name)


def _legend(figure: Figure, panel: Any, columns: int, **options: Any) -> None:
    """The methods with their learning rates, and the marks."""
    for name, method in METHODS.items():
        panel.plot([], [], label=f"{name}, {method.rate:g}", **OPTIMIZERS[name])
    options = {"loc": "outside lower center", "ncols": columns} | options
    mark = {"linestyle": "", "markeredgecolor": "#222222", "markersize": 7}
    panel.plot([], [], marker="s", markerfacecolor="white", label="start", **mark)
    panel.plot([], [], marker="*", markerfacecolor="#222222", label="minimum", **mark | {"markersize": 10})
    figure.legend(*panel.get_legend_handles_labels(), **options)


def _draw_paths(panel: Any, paths: Mapping[str, np.ndarray], surface: int) -> None:
    """The paths with a dot at their ends."""
    for name, path in paths.items():
        panel.plot(*path[:, surface].T, linewidth=1.4, alpha=0.9, **OPTIMIZERS[name])
        panel.scatter(*path[-1, surface], s=22, color=OPTIMIZERS[name]["color"], zorder=5)


def _draw_zoom(panel: Any, paths: Mapping[str, np.ndarray]) -> None:
    """The first of the six minima on the way, enlarged where there is room."""
    inset = panel.inset_axes((0.56, 0.32, 0.43, 0.3))
    _draw_surface(inset, SURFACES[CAMEL]._replace(window=ZOOM))
    _draw_paths(inset, paths, CAMEL)
    inset.set(xticks=[], yticks=[], xlabel="", ylabel="", title="")
    panel.indicate_inset_zoom(inset, edgecolor="#222222")


def draw(paths: Mapping[str, np.ndarray]) -> Figure:
    """The paths on their surfaces, and below how high they are above the deepest minimum over the steps."""
    figure = Figure(figsize=(15, 10), layout="constrained")
    above, below = figure.subplots(2, 3, height_ratios=(3, 2))
    for index, (surface, panel, curve) in enumerate(zip(SURFACES, above, below, strict=True)):
        _draw_surface(panel, surface)
        _draw_paths(panel, paths, index)
        for name, path in paths.items():
            curve.plot(heights(path)[:, index], linewidth=1.4, **OPTIMIZERS[name])
        curve.set(xlabel="step", yscale="log", ylim=(FLOOR, 20))
        curve.grid(alpha=0.3)
    _draw_zoom(above[CAMEL], paths)
    below[0].set_ylabel("height above the deepest minimum")
    _legend(figure, below[0], 6)
    steps = len(next(iter(paths.values()))) - 1
    figure.suptitle(f"Ten optimizers, {steps} steps without noise; each with its learning rate")
    return figure


def animate(paths: Mapping[str, np.ndarray], frames: int) -> tuple[Figure, Callable[[int], None], int]:
    """The figure, the function that draws a frame, and how many frames there are.

    The first steps are shown one by one, later ones several at a time.
    """
    steps = len(next(iter(paths.values()))) - 1
    frames = min(frames, steps + 1)
    part = np.arange(frames) / max(frames - 1, 1)
    shown = np.round(np.arange(frames) + (steps + 1 - frames) * part**3).astype(int)

    figure = Figure(figsize=(10.5, 4.6), dpi=80, layout="constrained")
    panels: Sequence[Any] = figure.subplots(1, 3)
    moving = []
    for index, (surface, panel) in enumerate(zip(SURFACES, panels, strict=True)):
        _draw_surface(panel, surface)
        panel.set(xlabel="", ylabel="")
        for name, path in paths.items():
            (line,) = panel.plot([], [], linewidth=1.2, alpha=0.8, **OPTIMIZERS[name])
            (head,) = panel.plot(
                [], [], "o", markersize=6, color=OPTIMIZERS[name]["color"], markeredgecolor="white", zorder=7
            )
            moving.append((line, head, path[:, index]))
    _legend(figure, panels[0], 6, fontsize=8)
    title = figure.suptitle("")

    def draw_frame(frame: int) -> None:
        step = shown[frame]
        title.set_text(f"step {step}")
        for line, head, path in moving:
            line.set_data(*path[: step + 1].T)
            head.set_data(*path[step : step + 1].T)

    return figure, draw_frame, frames
