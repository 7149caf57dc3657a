"""The picture of the schedules: perplexity over steps at the best settings, and at the end over the peaks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from examples.lab.style import OPTIMIZERS, band, over_seeds
from examples.studies.schedules.methods import ADAM, PEAKS, RADAM_TO_HALF
from examples.studies.schedules.runs import Runs, told


def draw(runs: Mapping[str, Runs], chunk: int, text: str) -> Figure:
    """Held-out text, one line for each contestant; schedule-free ones are solid."""
    figure = Figure(figsize=(12, 6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, those in runs.items():
        # The lower line is the wider one, to be seen where its best setting has no warmup.
        style: dict[str, Any] = OPTIMIZERS[name] | {"linewidth": 3.0 if name == ADAM else 1.5}
        curves = those.at_best
        shown = curves.shape[1] // (2 if name == RADAM_TO_HALF else 1)  # Then it stands still.
        peak, warmup, _ = those.settings[those.best]
        label = f"{name}: peak {peak:g}" + (f", warmup {warmup}" if "warmup" in told(name) else "")
        band(left, chunk * np.arange(1, shown + 1), curves[:, :shown], label=label, **style)
        if name != RADAM_TO_HALF:
            band(right, PEAKS, those.at_peaks().T, marker="o", markersize=4, **style)
    lowest = min(those.at_best[:, -1].min() for those in runs.values())
    left.set(title="At the best setting of each", xlabel="step", ylabel="perplexity per word")
    left.set_ylim(0.97 * lowest, 2 * lowest)
    right.set(title="At the end, over the peak of the learning rate", xlabel="peak", xscale="log")
    right.set_ylim(0.97 * lowest, min(right.get_ylim()[1], 3 * lowest))
    for panel in (left, right):
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 7)))
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.yaxis.set_minor_formatter(NullFormatter())
        panel.grid(alpha=0.3, which="both")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    seeds = next(iter(runs.values())).test.shape[1]
    figure.suptitle(f"A two-layer LSTM on {text}, held-out part: {over_seeds(seeds)}")
    return figure
