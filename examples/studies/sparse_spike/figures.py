"""The pictures of long-term memory: rare gradients and a spike in formulas, and a spike in training."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from examples.data.digits import BATCH
from examples.lab.style import DOTTED, OPTIMIZERS, band, over_seeds
from examples.studies.sparse_spike.memory import AT, B2, METHODS, SPIKE
from examples.studies.sparse_spike.spike import CHUNK, Curves


def draw_memory(
    period: int,
    walks: Mapping[str, tuple[np.ndarray, np.ndarray]],
    periods: Sequence[int],
    progress: Mapping[str, tuple[np.ndarray, np.ndarray]],
    slowdowns: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> Figure:
    """Four panels: x and the effective rate over time, progress over the period, and a spike.

    Args:
      period: of the walks, in steps.
      walks: x and effective rate, each of shape (steps,).
      periods: what ``progress`` was measured at.
      progress: in closed form at 2, 3, ..., max(periods), and measured at ``periods``.
      slowdowns: in closed form and measured, from the spike on.
    """
    figure = Figure(figsize=(12, 9), layout="constrained")
    (path, rate), (part, slow) = figure.subplots(2, 2)
    marks = np.unique(np.geomspace(1, len(next(iter(slowdowns.values()))[0]) - 1, 12).astype(int))
    for name in METHODS:
        style = OPTIMIZERS[name]
        x, effective = walks[name]
        path.plot(np.arange(1, len(x) + 1) / 1000, x, label=name, **style)
        shown = effective[: 3 * period]
        rate.plot(np.arange(1, len(shown) + 1), shown, **style)
        formula, measured = progress[name]
        part.plot(np.arange(2, len(formula) + 2), formula, **style)
        part.plot(periods, measured, "o", color=style["color"], markersize=4)
        formula, measured = slowdowns[name]
        slow.plot(np.arange(1, len(formula)), formula[1:], **style)
        slow.plot(marks, measured[marks], "o", color=style["color"], markersize=4)
    path.axhline(-1, color="grey", linestyle=":", linewidth=1)
    path.annotate("the optimum", (0, -1), xytext=(0, 4), textcoords="offset points", color="#555555")
    path.set(
        title=f"One informative gradient in {period}, {2 * (period - 1)} times as large",
        xlabel="step (thousands)",
        ylabel="x",
        ylim=(-1.1, 1.05),
    )
    rate.set(
        title="Why: the rate by which a gradient is multiplied",
        xlabel="step",
        ylabel="effective rate without momentum",
        yscale="log",
    )
    part.axhline(0, color="grey", linewidth=0.8)
    part.axvline(1 / (1 - B2), color="grey", linestyle=":", linewidth=1)
    part.annotate(
        "1 / (1 - b2)", (1 / (1 - B2), -0.9), xytext=(-4, 0), textcoords="offset points", ha="right"
    )
    part.set(
        title="The rarer the informative gradient, the more is forgotten",
        xlabel="steps from one informative gradient to the next",
        ylabel="way made towards the optimum / way gone",
        xscale="log",
    )
    slow.set(
        title=f"A spike: equal gradients, one of them {SPIKE:,.0f} times as large",
        xlabel="steps since the spike",
        ylabel="how many times shorter the steps are",
        xscale="log",
        yscale="log",
    )
    for panel in (path, rate, part, slow):
        panel.grid(alpha=0.3)
    path.plot([], [], "o", color="grey", markersize=4, label="measured (lines below: closed form)")
    figure.suptitle("What helps after a spike forgets the rare signal: Adam and four forms of AMSGrad")
    figure.legend(*path.get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure


def draw_spike(results: Mapping[str, Curves]) -> Figure:
    """Loss and step size over steps: with the spike, and thin and dotted without; mean and range of seeds."""
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True)
    for name, curves in results.items():
        style = OPTIMIZERS[name]
        for panel, (without, spiked) in zip(panels, curves, strict=True):
            steps = CHUNK * np.arange(1, spiked.shape[-1] + 1)
            panel.plot(steps, without.mean(axis=0), color=style["color"], linestyle=DOTTED, linewidth=1)
            band(panel, steps, spiked, label=name, **style)
    for panel in panels:
        panel.axvline(AT, color="grey", linewidth=0.8)
        panel.set(xlabel=f"step (batches of {BATCH} images)", yscale="log")
        panel.grid(alpha=0.3)
    panels[0].set(title="What it does to the loss", ylabel=f"training loss (nats, mean of {CHUNK} steps)")
    panels[1].set(title="Why: the length of the steps", ylabel=f"rms of the updates (mean of {CHUNK} steps)")
    panels[0].annotate(
        f"gradient x {SPIKE:,.0f}",
        (AT, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=(5, 0),
        textcoords="offset points",
    )
    panels[0].plot([], [], color="grey", linestyle=":", linewidth=1, label="without the spike")
    seeds = next(iter(results.values())).train_loss.shape[1]
    figure.suptitle(
        f"A small convolutional network on digits, one spike in the gradient: {over_seeds(seeds)}"
    )
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(results) + 1)
    return figure
