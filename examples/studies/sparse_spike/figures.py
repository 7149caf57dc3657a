"""The pictures of long-term memory: rare gradients, a spike among equal ones, and a spike in training."""

import numpy as np
from matplotlib.figure import Figure

from examples.lab.record import Record
from examples.lab.style import CONTEXT, band, label_ends, look, over_seeds, plain_log, rope, sheet
from examples.studies.sparse_spike.memory import AT, B2, METHODS, PERIOD, SPIKE
from examples.studies.sparse_spike.spike import CHUNK, OPTIMIZERS


def draw_memory(record: Record) -> Figure:
    """The way among rare gradients, and the progress over how rare they are."""
    walks, parts = record.table("rare_walks"), record.table("rare_progress")
    ends = {name: walks.where(optimizer=name)["x"][-1] for name in METHODS}
    kept = ends["AMSGrad"] < -0.5 and ends["AMSGrad, forgets slowly"] < 0 < ends["Adam"]
    figure, (above, below) = sheet(
        "A rare signal is kept by a maximum, and lost by an average, clipping or fast forgetting"
        if kept
        else "Which memories keep a rare signal",
        f"Above: x among gradients of which one in {PERIOD} points the right way, {2 * (PERIOD - 1)} times "
        "as large as the others; -1 is the optimum. Below: progress over how rare that is, dots measured",
        6.6, 2, 1,
    )  # fmt: skip
    for name in METHODS:
        rows = walks.where(optimizer=name)
        above.plot(rows["step"], rows["x"], label=name, **look(name))
    above.set(ylim=(-1.1, 1.1), xlim=(0, None), title="x over steps")
    label_ends(above)
    lines = {}
    for name in METHODS:
        rows = parts.where(optimizer=name)
        lines[name] = rows["formula"], look(name)["color"]
        below.plot(rows["period"], rows["measured"], "o", ms=5, color=look(name)["color"], label="_measured")
    periods = parts.where(optimizer="Adam")["period"]
    same = ("Adam", "AMSGrad, forgets")
    drawn = rope(below, periods, {name: lines[name] for name in same})
    for name in METHODS:
        if name not in same:
            drawn += below.plot(periods, lines[name][0], label=name, **look(name))
    below.axhline(0, color=CONTEXT, lw=1.2)
    below.axvline(1 / (1 - B2), color=CONTEXT, ls=":", lw=1.2)
    below.annotate(
        r"$1/(1-\beta_2)$", (1 / (1 - B2), -0.85), xytext=(-5, 0), textcoords="offset points", ha="right",
        color=CONTEXT,
    )  # fmt: skip
    below.set(xscale="log", ylim=(-1.1, 1.1), xlim=(periods[0], periods[-1]))
    below.set(xlabel="steps from one informative gradient to the next")
    below.set_title("way made towards the optimum, of the way gone")
    plain_log(below.xaxis, 1)
    label_ends(below, drawn)
    return figure


def draw_recovery(record: Record) -> Figure:
    """How many times shorter the steps are after a spike among equal gradients."""
    table = record.table("slowdown")
    figure, panel = sheet(
        "After one spike AMSGrad is slow for ever, unless it is clipped or forgets",
        f"How many times shorter steps are, over steps since one of equal gradients was {SPIKE:,.0f} times "
        "too large; dots measured, lines in closed form",
        3.8,
    )  # fmt: skip
    for name in METHODS:
        rows = table.where(optimizer=name)
        panel.plot(rows["steps_since"][1:], rows["formula"][1:], label=name, **look(name))
        dots = np.unique(np.geomspace(1, len(rows["steps_since"]) - 1, 9).astype(int))
        panel.plot(
            rows["steps_since"][dots],
            rows["measured"][dots],
            "o",
            ms=5,
            color=look(name)["color"],
            label="_dots",
        )
    panel.set(xscale="log", yscale="log", xlabel="steps since the spike", xlim=(10, None), ylim=(0.7, 2500))
    panel.set_title("times shorter")
    plain_log(panel.xaxis, 1, 3)
    plain_log(panel.yaxis, 1)
    label_ends(panel, [line for line in panel.get_lines() if line.get_label() in METHODS])
    return figure


def draw_spike(record: Record) -> Figure:
    """Loss and length of the steps in training, with the spike, and thin without it."""
    table = record.table("spike")
    steps, seeds = table.distinct("step"), len(table.distinct("seed"))
    curves = {
        (name, measure): table.where(optimizer=name).grid(measure, "spike", "seed", "step")
        for name in OPTIMIZERS
        for measure in ("train_loss", "step_size")
    }
    slow = {name: np.divide(*curves[name, "step_size"].mean(axis=1)[:, -1]) for name in OPTIMIZERS}
    figure, panels = sheet(
        "After one huge gradient AMSGrad never takes long steps again, unless it is clipped or forgets"
        if slow["AMSGrad"] > 2 > max(slow["AMSGrad, clipped"], slow["AMSGrad, forgets"])
        else "What one huge gradient does to training",
        f"A small convolutional network on digits, one gradient at step {AT} {SPIKE:,.0f} times too "
        f"large; thin: without that. {over_seeds(seeds).capitalize()}, means of {CHUNK} steps",
        6.4, 2, 1, sharex=True,
    )  # fmt: skip
    measures = {"train_loss": "training loss, nats", "step_size": "length of the updates, root mean square"}
    for panel, (measure, title) in zip(panels, measures.items(), strict=True):
        drawn = []
        for name in OPTIMIZERS:
            without, spiked = curves[name, measure]
            panel.plot(steps, without.mean(axis=0), color=look(name)["color"], lw=0.8, alpha=0.8)
            drawn.append(band(panel, steps, spiked, label=name, **look(name)))
        panel.axvline(AT, color=CONTEXT, lw=1.2, ls=":")
        panel.set(yscale="log", title=title, xlim=(0, steps[-1]))
        plain_log(panel.yaxis, 1)
        label_ends(panel, drawn)
    panels[0].annotate(
        "the spike", (AT, 0.03), xycoords=("data", "axes fraction"), xytext=(6, 0),
        textcoords="offset points", color=CONTEXT,
    )  # fmt: skip
    panels[1].set_xlabel("step")
    return figure


PICTURES = {
    "sparse_spike": draw_spike,
    "sparse_spike_memory": draw_memory,
    "sparse_spike_recovery": draw_recovery,
}
