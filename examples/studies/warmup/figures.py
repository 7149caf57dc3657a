"""The pictures of the study of warmup: loss curves, gradients over steps, depth against learning rate."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from examples.lab.side_by_side import EDGES
from examples.lab.style import OPTIMIZERS, band
from examples.studies.warmup.optimizers import (
    ADAM,
    RADAM,
    WARMUP,
)

SHOWN = (ADAM, WARMUP, RADAM)  # Whose gradients are drawn.


def smooth(losses: np.ndarray, window: int) -> np.ndarray:
    """Means of ``window`` consecutive steps, along the last axis."""
    return losses.reshape(*losses.shape[:-1], -1, window).mean(axis=-1)


def draw_curves(
    losses: Mapping[str, np.ndarray], levels: Mapping[str, float], window: int, title: str
) -> Figure:
    """Training losses of shape (seeds, steps): mean over the seeds, and their range."""
    figure = Figure(figsize=(9, 6.6), layout="constrained")
    panel = figure.subplots()
    for name, runs in losses.items():
        means = smooth(runs, window)
        steps = window * np.arange(1, means.shape[-1] + 1)
        band(panel, steps, means, label=name, **OPTIMIZERS[name])
    for (name, level), line in zip(levels.items(), (":", "-."), strict=False):
        panel.axhline(level, color="grey", linestyle=line, label=f"{name}: {level:.2f}")
    panel.set(
        xlabel="step",
        ylabel=f"training loss (nats per symbol, mean of {window} steps)",
        yscale="log",
        # A run that diverges leaves the picture instead of flattening the others.
        ylim=(None, min(panel.get_ylim()[1], 3 * max(levels.values()))),
    )
    panel.grid(alpha=0.3, which="both")
    figure.suptitle(title)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def draw_gradients(counts: Mapping[str, np.ndarray], watched: Sequence[int], title: str) -> Figure:
    """Histograms of log10 |g|, shape (watched, bins), side by side over the steps, as heat maps."""
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    panels = figure.subplots(1, len(SHOWN), sharey=True)
    shares = {name: counts[name] / counts[name].sum(axis=-1, keepdims=True) for name in SHOWN}
    scale = Normalize(0, max(share.max() for share in shares.values()))
    ticks = [i for i, step in enumerate(watched) if step in (1, 5, 10, 20, 50, 100, 300, 500)]
    for panel, (name, share) in zip(panels, shares.items(), strict=True):
        panel.pcolormesh(np.arange(len(watched) + 1) - 0.5, EDGES, share.T, cmap="viridis", norm=scale)
        panel.plot(range(len(watched)), medians(counts[name]), color="white", lw=1.5, label="median")
        panel.set(title=name, xlabel="step (each column is one)")
        panel.set_xticks(ticks, [str(watched[i]) for i in ticks])
    panels[0].set_ylabel("log10 |gradient component|\n(the lowest bin holds all below, zeros too)")
    panels[0].legend(loc="lower left", facecolor="grey", labelcolor="white")
    figure.colorbar(
        ScalarMappable(scale, "viridis"), ax=panels, label="share of the components per quarter of a decade"
    )
    figure.suptitle(title)
    return figure


def medians(counts: np.ndarray) -> np.ndarray:
    """The median of log10 |g| by linear interpolation in its bin, along the last axis."""
    flat = counts.reshape(-1, counts.shape[-1])
    cumulative = np.cumsum(flat, axis=-1) / flat.sum(axis=-1, keepdims=True)
    bins = (cumulative < 0.5).sum(axis=-1)
    rows = np.arange(len(flat))
    before = np.where(bins > 0, cumulative[rows, bins - 1], 0)
    part = (0.5 - before) / (cumulative[rows, bins] - before)
    return (EDGES[bins] + part * (EDGES[bins + 1] - EDGES[bins])).reshape(counts.shape[:-1])


def draw_map(
    losses: Mapping[str, np.ndarray], depths: Sequence[int], rates: Sequence[float], blind: float, title: str
) -> Figure:
    """Last losses of shape (depths, rates) as numbers on a heat map, one panel per optimizer."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    panels = figure.subplots(1, len(losses), sharey=True)
    scale = Normalize(0, 1.2 * blind)
    for panel, (name, values) in zip(panels, losses.items(), strict=True):
        panel.imshow(values, cmap="cividis", norm=scale, aspect="auto", origin="lower")
        for (row, column), loss in np.ndenumerate(values):
            stuck = not loss < blind
            panel.text(
                column, row, f"{loss:.2f}" + (" *" if stuck else ""), ha="center", va="center",
                color="white" if loss < 0.6 * blind else "black", weight="bold" if stuck else "normal",
            )  # fmt: skip
        panel.set(title=name, xlabel="learning rate")
        panel.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
        panel.set_yticks(range(len(depths)), [f"{depth}+{depth}" for depth in depths])
    panels[0].set_ylabel("layers (encoder + decoder)")
    bar = figure.colorbar(
        ScalarMappable(scale, "cividis"), ax=panels, label="last training loss (nats per symbol)"
    )
    bar.ax.axhline(blind, color="white")
    figure.suptitle(title)
    return figure
