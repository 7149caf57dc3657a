"""The animated picture of a moving average started at zero."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

from examples.lab.style import BLUE, OPTIMIZERS, ORANGE

DECAY_COLOURS = (BLUE, ORANGE)
ADAM = {"not corrected": "Adam, uncorrected", "corrected": "Adam"}  # By its label here, its name.


def animated(
    decays: Sequence[float],
    mean: float,
    signal: np.ndarray,
    averages: np.ndarray,
    factors: np.ndarray,
    measured: np.ndarray,
    adam: np.ndarray,
    paths: int,
) -> tuple[Figure, Callable[[int], None]]:
    """The figure, and what draws it as it is after step ``frame + 1``.

    Args:
      decays: two of them.
      mean: of the signal.
      signal: shape (steps,).
      averages: of the signal, shape (len(decays), 2, steps): as they are, and corrected.
      factors: 1 - b^t, shape (len(decays), steps).
      measured: mean of the average over mean of the signal, of many signals, the same shape.
      adam: step of Adam in learning rates for a constant gradient, shape (2, steps): without and with
        the corrections.
      paths: how many signals ``measured`` is of.
    """
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(1.7, 1))
    left = figure.add_subplot(grid[:, 0])
    above, below = (figure.add_subplot(grid[row, 1]) for row in (0, 1))
    t = np.arange(1, len(signal) + 1)
    moving = []  # Lines that grow, with their whole values.

    def grow(panel, values, *style, **options):
        moving.append((panel.plot([], [], *style, **options)[0], values))

    left.axhline(mean, color="grey", lw=1, label="mean of the signal")
    grow(left, signal, ".", color="darkgrey", ms=5, label="signal")
    for decay, colour, (raw, corrected) in zip(decays, DECAY_COLOURS, averages, strict=True):
        grow(left, raw, "--", color=colour, lw=1.6, label=f"average, b = {decay:g}")
        grow(left, corrected, "-", color=colour, lw=1.8, label="the same / $(1 - b^t)$")
    for decay, colour, factor, ratio in zip(decays, DECAY_COLOURS, factors, measured, strict=True):
        above.plot(t, factor, color=colour, lw=0.8, label=rf"$1 - b^t$, b = {decay:g}")
        grow(above, ratio, ".", color=colour, ms=4)
    above.plot([], [], ".", color="grey", label=f"E[average] / E[signal], {paths:,} signals")
    for (label, name), steps in zip(ADAM.items(), adam, strict=True):
        grow(below, steps, lw=1.8, label=label, **OPTIMIZERS[name])

    lowest, highest = min(0, signal.min()), signal.max()
    left.set(title="A moving average started at zero", xlabel="step $t$", ylabel="value")
    left.set(ylim=(lowest - 0.1, highest + 0.5))
    above.set(title="Its bias", ylabel="share of the mean", ylim=(-0.03, 1.08))
    below.set(title="Adam's steps, constant gradient", xlabel="step $t$")
    below.set(ylabel="step / learning rate", ylim=(0, 1.4 * adam.max()))
    for panel in (left, above, below):
        panel.set_xlim(0, len(signal) + 1)
        panel.grid(alpha=0.3)
    left.legend(fontsize="small", ncols=2, loc="upper right")
    above.legend(fontsize="x-small", loc="lower right")
    below.legend(fontsize="x-small", loc="upper right")
    clock = left.text(0.98, 0.03, "", transform=left.transAxes, ha="right", fontsize="large")

    def draw(frame: int) -> None:
        for line, values in moving:
            line.set_data(t[: frame + 1], values[: frame + 1])
        clock.set_text(f"$t$ = {frame + 1}")

    return figure, draw
