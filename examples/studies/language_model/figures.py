"""The picture of the language model: perplexity over steps, and RAdam's relative to Adam's."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

COLOURS = {"Adam": "#D55E00", "RAdam": "#0072B2"}  # Okabe and Ito's.
PUBLISHED = {"Adam": 36.92, "RAdam": 35.70}  # Liu et al. (2020), Fig. 4: test perplexity.


def draw(
    perplexities: Mapping[str, Mapping[str, np.ndarray]],
    steps: np.ndarray,
    drop: int,
    unigram: float,
    text: str,
) -> Figure:
    """Two panels over the optimizer's steps.

    Args:
      perplexities: by optimizer and measure, of shape (seeds, points).
      steps: of the points.
      drop: the step at which the learning rate falls.
      unigram: perplexity of the words' frequencies.
      text: what it is, for the title.
    """
    figure = Figure(figsize=(12, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, curves in perplexities.items():
        _band(left, steps, curves["test_perplexity"], COLOURS[name], f"{name}, held-out text")
        _band(
            left,
            steps,
            curves["train_perplexity"],
            COLOURS[name],
            f"{name}, training text (with dropout)",
            dashes="--",
        )
    left.axhline(unigram, color="grey", linestyle=":", label=f"frequencies of words: {unigram:.0f}")
    left.set(title="Perplexity", ylabel="perplexity per word", yscale="log")

    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    left.yaxis.set_minor_formatter(NullFormatter())

    ratios = perplexities["RAdam"]["test_perplexity"] / perplexities["Adam"]["test_perplexity"]
    published = PUBLISHED["RAdam"] / PUBLISHED["Adam"]
    _band(right, steps, ratios, COLOURS["RAdam"], "measured, pairs of runs with one seed")
    right.axhline(1.0, color=COLOURS["Adam"], linewidth=1.2, label="Adam")
    right.axhline(
        published,
        color="black",
        linestyle="-.",
        linewidth=1.2,
        label=f"published, at the end, One Billion Word:\n"
        f"{PUBLISHED['RAdam']:.2f} / {PUBLISHED['Adam']:.2f} = {published:.3f}",
    )
    right.set(title="RAdam relative to Adam, held-out text", ylabel="ratio of perplexities")
    for panel in (left, right):
        panel.axvline(drop, color="black", linestyle=(0, (1, 3)), label="learning rate / 10")
        panel.set(xlabel="step", xlim=(0, steps[-1]))
        panel.grid(alpha=0.3, which="both")
        panel.legend(loc="upper right", framealpha=1.0)
    seeds = len(ratios)
    spread = f"mean and range of {seeds} seeds" if seeds > 1 else "one seed"
    figure.suptitle(f"A two-layer LSTM on {text}: {spread}")
    return figure


def _band(
    panel: Axes, steps: np.ndarray, runs: np.ndarray, colour: str, label: str, dashes: str = "-"
) -> None:
    panel.plot(steps, runs.mean(axis=0), color=colour, linestyle=dashes, label=label)
    panel.fill_between(steps, runs.min(axis=0), runs.max(axis=0), color=colour, alpha=0.2, lw=0)
