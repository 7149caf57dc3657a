"""The pictures of the convex study: curves at the best settings, and the grid they are the best of."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from examples.lab.style import DASHED, OPTIMIZERS, band, over_seeds
from examples.studies.convex.grid import ALPHAS, B2S, CHANCE, SPLITS, Best, Results, at_end

# The lower line is the wider one, to be seen where the two are one.
STYLES: dict[str, dict[str, Any]] = {
    name: OPTIMIZERS[name] | {"linewidth": width} for name, width in (("Adam", 3.0), ("AMSGrad", 1.2))
}
DASHES = (DASHED, "-")  # Of the values of b2.


def draw_curves(results: Results, titles: Mapping[str, str], data: str, chunk: int) -> Figure:
    """Loss over steps at the best alpha and b2 of each optimizer, as in the paper: mean and range."""
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    for panel, problem, split in _panels(figure, results, titles):
        for name, measures in results[problem].items():
            best = Best.of(measures[split])
            steps = chunk * np.arange(1, best.losses.shape[-1] + 1)
            label = rf"{name}: $\alpha$ = {best.alpha:g}, $\beta_2$ = {best.b2:g}"
            band(panel, steps, best.losses, label=label, **STYLES[name])
        panel.set(xlabel="step", yscale="log")
        panel.legend()
    figure.suptitle(
        f"Adam and AMSGrad on {data}, each with the lowest final mean of the grid: {_spread(results)}"
    )
    return figure


def draw_grid(results: Results, titles: Mapping[str, str], data: str) -> Figure:
    """Loss at the end over alpha for each b2, the best of each optimizer marked: mean and range."""
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    handles = []
    for panel, problem, split in _panels(figure, results, titles):
        for name, measures in results[problem].items():
            for b2, dash, losses in zip(B2S, DASHES, measures[split], strict=True):
                label = rf"{name}, $\beta_2$ = {b2:g}"
                dashed: dict[str, Any] = STYLES[name] | {"linestyle": dash}
                band(panel, ALPHAS, at_end(losses).T, label=label, **dashed)
            best = Best.of(measures[split])
            style = {"color": STYLES[name]["color"], "markersize": 13 - 3 * (name == "AMSGrad")}
            panel.plot(best.alpha, best.final.mean(), "*", label=f"{name}, best", zorder=3, **style)
        chance = panel.axhline(CHANCE, color="grey", linestyle=":", label="chance (ln 10)")
        handles = [*(line for line in panel.get_lines() if line is not chance), chance]
        panel.set(xlabel=r"$\alpha$", xscale="log", yscale="log")
        # Runs that diverge leave the picture instead of flattening the others.
        panel.set_ylim(top=min(panel.get_ylim()[1], 10 * CHANCE))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    figure.suptitle(f"Loss over the last tenth of the steps, on {data}: {_spread(results)}")
    return figure


def _panels(figure: Figure, results: Results, titles: Mapping[str, str]) -> Iterator[tuple[Axes, str, str]]:
    """Problems down, splits across."""
    axes = figure.subplots(len(results), len(SPLITS), squeeze=False)
    for row, problem in zip(axes, results, strict=True):
        for panel, (split, text) in zip(row, SPLITS.items(), strict=True):
            panel.set(title=titles[problem], ylabel=f"{text} (nats)")
            panel.grid(alpha=0.3)
            yield panel, problem, split


def _spread(results: Results) -> str:
    return over_seeds(next(iter(next(iter(results.values())).values()))["train_loss"].shape[2])
