"""The optimizers of the quickstart, their learning rates, and the picture of their curves."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

import radam_optax as rx
from examples.data.digits import BATCH, CLASSES
from examples.lab.training import Recipe

OPTIMIZERS: dict[str, Recipe] = {
    "SGD, momentum 0.9": rx.momentum,
    "Adam": rx.adam,
    # This warmup takes 2 / (1 - b2) = 2000 steps.
    "Adam with warmup": lambda rate: rx.adam(rx.untuned_linear_warmup(rate, b2=0.999)),
    "AMSGrad": rx.amsgrad,
    "RAdam": rx.radam,
    "RAdam + AMSGrad": lambda rate: rx.radam(rate, amsgrad=True),
}
LEARNING_RATES = (0.003, 0.01, 0.03)  # Three of the four of Liu et al. (2020) on CIFAR-10.
CHUNK = 50  # Steps between two points of a curve.

# Okabe and Ito's colours, which stay apart for colour-blind readers.
COLOURS = ("#000000", "#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#009E73")
CHANCE = np.log(CLASSES)  # The loss of equal probabilities.


def draw(results: Mapping[str, np.ndarray]) -> Figure:
    """Training loss over steps, one panel per learning rate: mean over the seeds, and their range."""
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    panels = figure.subplots(1, len(LEARNING_RATES), sharey=True)
    for index, (panel, rate) in enumerate(zip(panels, LEARNING_RATES, strict=True)):
        for colour, (name, runs) in zip(COLOURS, results.items(), strict=True):
            losses = runs[index]
            steps = CHUNK * np.arange(1, losses.shape[-1] + 1)
            panel.plot(steps, losses.mean(axis=0), color=colour, label=name)
            panel.fill_between(steps, losses.min(axis=0), losses.max(axis=0), color=colour, alpha=0.15, lw=0)
        panel.axhline(CHANCE, color="grey", linestyle=":", label="chance (ln 10)")
        panel.set(title=f"learning rate {rate:g}", xlabel=f"step (batches of {BATCH} images)", yscale="log")
        panel.grid(alpha=0.3)
    # A run that diverges leaves the picture instead of flattening the others.
    panels[0].set_ylim(top=min(panels[0].get_ylim()[1], 10 * CHANCE))
    panels[0].set_ylabel(f"training loss (nats, mean of {CHUNK} steps)")
    seeds = next(iter(results.values())).shape[1]
    spread = f"mean and range of {seeds} seeds" if seeds > 1 else "one seed"
    figure.suptitle(f"A small convolutional network on handwritten digits: {spread}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(results) + 1)
    return figure
