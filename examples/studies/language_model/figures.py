"""The picture of the language model: perplexity over steps, and RAdam's relative to Adam's."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from examples.lab.style import DASHED, OPTIMIZERS, band, over_seeds
from examples.studies.language_model.findings import PUBLISHED


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
        colour = OPTIMIZERS[name]["color"]
        band(left, steps, curves["test_perplexity"], color=colour, label=f"{name}, held-out text")
        label = f"{name}, training text (with dropout)"
        band(left, steps, curves["train_perplexity"], color=colour, linestyle=DASHED, label=label)
    left.axhline(unigram, color="grey", linestyle=":", label=f"frequencies of words: {unigram:.0f}")
    left.set(title="Perplexity", ylabel="perplexity per word", yscale="log")

    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    left.yaxis.set_minor_formatter(NullFormatter())

    ratios = perplexities["RAdam"]["test_perplexity"] / perplexities["Adam"]["test_perplexity"]
    published = PUBLISHED["RAdam"] / PUBLISHED["Adam"]
    band(right, steps, ratios, label="measured, pairs of runs with one seed", **OPTIMIZERS["RAdam"])
    right.axhline(1.0, linewidth=1.2, label="Adam", **OPTIMIZERS["Adam"])
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
    figure.suptitle(f"A two-layer LSTM on {text}: {over_seeds(len(ratios))}")
    return figure
