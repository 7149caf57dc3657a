"""The picture of the study of learning rates: curves as in the paper's figure 6, and where they end."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from examples.lab.style import BLUE, OPTIMIZERS, ORANGE, PURPLE, SKY, band, over_seeds

RATE_COLOURS = (PURPLE, ORANGE, SKY, BLUE)  # None is that of one of the optimizers.
MARKERS = {"SGD": "s", "Adam": "o", "RAdam": "D"}
MEASURES = {"test_accuracy": ("test accuracy (%)", 100), "train_loss": ("training loss (nats)", 1)}


def draw(
    results: Mapping[str, Mapping[str, np.ndarray]],
    rates: Sequence[float],
    epochs_per_point: float,
    drops: Sequence[float],
    data: str,
    published: Mapping[str, float] | None,
) -> Figure:
    """Accuracy and loss over epochs, one column per optimizer; last column: their ends over the rates.

    Args:
      results: by optimizer and measure, curves of shape (rates, seeds, points).
      rates: learning rates.
      epochs_per_point: between two points.
      drops: epochs at which the learning rates fall.
      data: name of the data set.
      published: test accuracy in %, by optimizer, if it is of this data set.
    """
    figure = Figure(figsize=(15, 7), layout="constrained")
    panels = figure.subplots(len(MEASURES), len(results) + 1, sharey="row")
    for row, (measure, (label, unit)) in zip(panels, MEASURES.items(), strict=True):
        for panel, (name, curves) in zip(row, results.items(), strict=False):
            values = unit * curves[measure]
            epochs = epochs_per_point * np.arange(1, values.shape[-1] + 1)
            for colour, rate, runs in zip(RATE_COLOURS, rates, values, strict=True):
                band(panel, epochs, runs, color=colour, label=f"{rate:g}", linewidth=1.2)
            for drop in drops:
                panel.axvline(drop, color="grey", linestyle=":", linewidth=1)
            if published and measure == "test_accuracy":
                line = panel.axhline(published[name], color="black", linestyle="--", linewidth=1)
                panel.legend([line], [f"{published[name]} % at the best (table 1)"], loc="lower right")
            panel.set_xlabel("epoch")
        ends = row[-1]
        for name, curves in results.items():
            last = unit * curves[measure][:, :, -1]
            middle = last.mean(axis=1)
            errors = np.stack([middle - last.min(axis=1), last.max(axis=1) - middle])
            ends.errorbar(
                rates, middle, errors, label=name, capsize=3, marker=MARKERS[name], **OPTIMIZERS[name]
            )
        ends.set(xlabel="learning rate", xscale="log")
        ends.xaxis.set_minor_locator(NullLocator())
        ends.xaxis.set_major_formatter(NullFormatter())
        ends.set_xticks(rates, [f"{rate:g}" for rate in rates])
        ends.legend()
        row[0].set_ylabel(label)
        for panel in row:
            panel.grid(alpha=0.3)
    for panel, title in zip(panels[0], (*results, "at the end"), strict=True):
        panel.set_title(title)
    figure.align_ylabels()
    _fit(panels[0, 0], [100 * curves["test_accuracy"] for curves in results.values()])
    panels[1, 0].set_yscale("log")
    handles, labels = panels[1, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, title="learning rate at the start", loc="outside lower center", ncols=len(rates)
    )
    seeds = next(iter(results.values()))["train_loss"].shape[1]
    figure.suptitle(
        f"Residual networks on {data}: {over_seeds(seeds)}; dotted: the learning rate falls to a tenth"
    )
    return figure


def _fit(panel, curves: Sequence[np.ndarray]) -> None:
    """Leaves the first epochs out of the picture where they would flatten the ends."""
    last = np.array([accuracies[:, :, -1] for accuracies in curves])
    top, bottom = last.max(), last.min()
    panel.set_ylim(max(0, bottom - (top - bottom) - 2), min(100, top + 2))
