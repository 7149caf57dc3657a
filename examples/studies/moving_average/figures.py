"""The animated picture of a moving average started at zero."""

import numpy as np
from matplotlib.figure import Figure

from examples.lab.pictures import Animation
from examples.lab.record import Record
from examples.lab.style import CONTEXT, DASHED, INDIGO, TEAL, label_ends, look, sheet

DECAY_COLOURS = TEAL, INDIGO
ADAM = {"not_corrected": "Adam, uncorrected", "corrected": "Adam"}  # By its column, its name.
MEAN = 1.0  # Of the signal.
FPS = 12


def animate(record: Record) -> Animation:
    """The averages of a noisy signal and Adam's steps, as they are after the steps 1, 2, ..."""
    table, adam = record.table("average"), record.table("adam")
    steps = table.distinct("step")
    figure, (left, right) = sheet(
        "A moving average started at zero is too small at first; Adam divides by what is missing",
        "Left: averages of a noisy signal of mean 1 as they are, dashed, and divided by $1-b^t$. "
        "Right: Adam's steps for a constant gradient, in learning rates",
        4.2, 1, 2, width_ratios=(1.25, 1),
    )  # fmt: skip
    moving = []  # Lines that grow, with their whole values.

    def grow(panel, values, **style):
        panel.plot(steps, values, **style | {"alpha": 0.25, "label": "_whole"})
        moving.append((panel.plot(steps, values, **style)[0], values))

    left.axhline(MEAN, color=CONTEXT, lw=1.2)
    signal = table.where(b=table.distinct("b")[0])["signal"]
    grow(left, signal, marker=".", ls="", color=CONTEXT, ms=7, label="_signal")
    for decay, colour in zip(table.distinct("b"), DECAY_COLOURS, strict=True):
        rows = table.where(b=decay)
        grow(left, rows["average"], color=colour, ls=DASHED, label=f"b = {decay:g}")
        grow(left, rows["corrected"], color=colour, label=f"$/(1-{decay:g}^t)$")
    for column, name in ADAM.items():
        grow(right, adam[column], label=name.replace("Adam, ", ""), **look(name))
    left.set(ylim=(min(0, signal.min()) - 0.1, signal.max() + 0.2), title="value")
    right.set(ylim=(0, 1.15 * adam["not_corrected"].max()), title="step / learning rate")
    for panel in (left, right):
        panel.set(xlim=(0, steps[-1] + 1), xlabel="step")
        label_ends(panel)
    clock = right.text(0.97, 0.93, "", transform=right.transAxes, ha="right", va="top", size=16)

    def draw(frame: int) -> None:
        for line, values in moving:
            line.set_data(steps[: frame + 1], values[: frame + 1])
        clock.set_text(f"step {steps[frame]:.0f}")

    return Animation(figure, draw, len(steps), FPS)


def draw_bias(record: Record) -> Figure:
    """The mean of the average over that of the signal, in formula and of many signals."""
    table = record.table("average")
    signals = record.summary["results"]["signals"]
    figure, panel = sheet(
        "The bias is $\\mathbf{1-b^t}$, as the correction takes it to be",
        f"Mean of the average over the mean of the signal, over steps: lines the formula, "
        f"dots {signals:,} signals",
        3.4,
    )  # fmt: skip
    for decay, colour in zip(table.distinct("b"), DECAY_COLOURS, strict=True):
        rows = table.where(b=decay)
        panel.plot(rows["step"], rows["factor"], color=colour, label=f"b = {decay:g}")
        panel.plot(rows["step"][::4], rows["bias"][::4], "o", ms=5, color=colour, label="_measured")
    panel.set(xlabel="step", ylim=(0, 1.05), xlim=(0, np.max(table["step"])))
    label_ends(panel)
    return figure


PICTURES = {"moving_average": animate, "moving_average_bias": draw_bias}
