"""The pictures of the study of warmup: loss curves, gradients over steps, depth and learning rate."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from examples.lab.record import Record
from examples.lab.side_by_side import EDGES
from examples.lab.style import CONTEXT, RED, band, label_ends, look, over_seeds, plain_log, sheet
from examples.studies.warmup.optimizers import ADAM, RADAM, RAISED, WARMUP, multipliers, raised
from examples.studies.warmup.runs import MAP_STEPS, MAP_WARMUP, WINDOW

SHOWN = (ADAM, WARMUP, RADAM)  # Whose gradients are drawn.


def smooth(losses: np.ndarray, window: int) -> np.ndarray:
    """Means of ``window`` consecutive steps, along the last axis."""
    return losses.reshape(*losses.shape[:-1], -1, window).mean(axis=-1)


def quantiles(counts: np.ndarray, part: float) -> np.ndarray:
    """The quantile of log10 |g| by linear interpolation in its bin, along the last axis."""
    flat = counts.reshape(-1, counts.shape[-1])
    cumulative = np.cumsum(flat, axis=-1) / flat.sum(axis=-1, keepdims=True)
    bins = (cumulative < part).sum(axis=-1)
    rows = np.arange(len(flat))
    before = np.where(bins > 0, cumulative[rows, bins - 1], 0)
    share = (part - before) / (cumulative[rows, bins] - before)
    return (EDGES[bins] + share * (EDGES[bins + 1] - EDGES[bins])).reshape(counts.shape[:-1])


def medians(counts: np.ndarray) -> np.ndarray:
    """The median of log10 |g|, along the last axis."""
    return quantiles(counts, 0.5)


def _model(record: Record) -> str:
    setting = record.summary["results"]["setting"]
    what = (
        "translation of sentences" if record.summary["options"]["data_dir"] else "numbers in words to digits"
    )
    return f"{what}, {setting['layers']}+{setting['layers']} layers, LayerNorm after each residual"


def draw_curves(record: Record) -> Figure:
    """Training losses over the steps, and what the optimizers multiply the learning rate by."""
    curves, results = record.table("curves"), record.summary["results"]
    setting, levels = results["setting"], results["levels"]
    names, steps = curves.distinct("optimizer"), curves.distinct("step")
    runs = {name: curves.where(optimizer=name).grid("train_loss", "seed", "step") for name in names}
    last = {name: float(losses[:, -1].mean()) for name, losses in runs.items()}
    factor = raised(setting["steps"], setting["warmup"])
    learns = last[RAISED] < min(levels.values()) <= last[ADAM]
    figure, (above, below) = sheet(
        "Adam never learns to read; with warmup, or rectified, it does"
        if learns
        else "Adam without and with warmup, and rectified",
        f"Loss in nats per symbol over steps: {_model(record)}, peak rate {setting['rate']:g}, "
        f"{over_seeds(len(runs[ADAM]))}. {RAISED}: {factor:.1f} times the peak, so that its "
        "steps sum to those of the tuned warmup",
        7.0, 2, 1, sharex=True, height_ratios=(2.3, 1),
    )  # fmt: skip
    for name, losses in runs.items():
        band(above, steps, losses, label=name, **look(name))
    above.set(
        yscale="log",
        # A run that diverges leaves the picture instead of flattening the others.
        ylim=(None, min(above.get_ylim()[1], 2 * max(levels.values()))),
    )
    plain_log(above.yaxis, 1, 2, 3, 5)
    stuck = min(levels.values())
    above.axhline(stuck, color=CONTEXT, lw=1.2, ls=":")
    above.set_title(f"training loss, mean of {WINDOW} steps; dotted: {stuck:.2f}, possible without reading")
    every = np.arange(1, setting["steps"] + 1)
    parts = multipliers(setting["steps"], setting["warmup"])
    parts[RAISED] = factor * parts[RADAM]
    for name, part in parts.items():
        below.plot(every, part, **look(name))
    below.set_title("the step, in peak learning rates")
    below.set(xlabel="step", ylim=(0, None), xlim=(0, setting["steps"]))
    label_ends(above)
    return figure


def draw_gradients(record: Record) -> Figure:
    """The median size of the components of the gradient over steps, and the middle half of them."""
    table, setting = record.table("gradients"), record.summary["results"]["setting"]
    steps = table.distinct("step")
    counts = {
        name: table.where(optimizer=name).grid("count", "seed", "step", "bin").sum(axis=0) for name in SHOWN
    }
    early = steps.index(10)
    middle = {name: medians(values) for name, values in counts.items()}
    falls = {name: 10 ** (values[0] - values[early]) for name, values in middle.items()}
    shrinks = falls[ADAM] > 2 * max(falls[WARMUP], 1)
    with_it = f"to a {_ordinal(falls[WARMUP])}" if falls[WARMUP] > 1.5 else "they do not"
    figure, panel = sheet(
        f"Without warmup gradients shrink to a {_ordinal(falls[ADAM])} within ten steps; with it {with_it}"
        if shrinks
        else "How large gradients are, without and with warmup",
        f"Size of the components of the gradient, median and middle half: {_model(record)}, peak rate "
        f"{setting['rate']:g}",
        3.8,
    )  # fmt: skip
    for name, values in counts.items():
        (line,) = panel.plot(steps, 10 ** middle[name], label=name, **look(name))
        low, high = (10 ** quantiles(values, part) for part in (0.25, 0.75))
        panel.fill_between(steps, low, high, color=line.get_color(), alpha=0.13, lw=0)
    panel.set(xscale="log", yscale="log", xlabel="step")
    plain_log(panel.xaxis, 1, 2, 5)
    panel.set_title("|gradient component|")
    label_ends(panel)
    return figure


def _ordinal(factor: float) -> str:
    return {2: "half", 3: "third"}.get(round(factor), f"{round(factor)}th")


def draw_depths(record: Record) -> Figure | None:
    """Last losses over depths and learning rates as numbers in two maps: without and with warmup.

    There is none where there were no such runs: of a quick study, and of sentences.
    """
    if "depths" not in record:
        return None
    table = record.table("depths")
    blind = min(record.summary["results"]["levels"].values())
    depths = [int(depth) for depth in table.distinct("layers")]
    rates = table.distinct("learning_rate")
    losses = {
        name: table.where(optimizer=name).grid("train_loss", "layers", "learning_rate")
        for name in (ADAM, WARMUP)
    }
    figure, panels = sheet(
        "The deeper the Transformer, the smaller the rate at which only warmup trains",
        f"Training loss after {MAP_STEPS} steps, one seed; warmup: {MAP_WARMUP} steps. Filled: not below "
        f"{blind:.2f}, which is possible without reading the source",
        3.3, 1, 2, sharey=True,
    )  # fmt: skip
    for panel, (name, values) in zip(panels, losses.items(), strict=True):
        _draw_map(panel, values, blind)
        panel.set_title(name, color=look(name)["color"], weight="bold")
        panel.set(xlabel="learning rate")
        panel.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
        panel.set_yticks(range(len(depths)), [f"{depth}+{depth}" for depth in depths])
    panels[0].set_ylabel("layers")
    return figure


def _draw_map(panel: Axes, values: np.ndarray, blind: float) -> None:
    panel.grid(visible=False)
    panel.set(xlim=(-0.5, values.shape[1] - 0.5), ylim=(-0.5, values.shape[0] - 0.5))
    for (row, column), loss in np.ndenumerate(values):
        stuck = not loss < blind
        if stuck:
            panel.fill_between((column - 0.5, column + 0.5), row - 0.5, row + 0.5, color=RED, alpha=0.3, lw=0)
        panel.text(column, row, f"{loss:.2f}", ha="center", va="center", weight="bold" if stuck else "normal")


PICTURES = {"warmup": draw_curves, "warmup_gradients": draw_gradients, "warmup_depths": draw_depths}
