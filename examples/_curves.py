"""The curves of the comparison as a tidy CSV file and as a picture."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from examples._comparison import CHUNK, LEARNING_RATES, Curves
from examples._digits import BATCH, CLASSES
from examples._support import atomic

# Okabe and Ito's colours, which stay apart for colour-blind readers.
COLOURS = ("#000000", "#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#009E73")
COLUMNS = ("optimizer", "learning_rate", "seed", "step", "train_loss", "test_accuracy")
CHANCE = math.log(CLASSES)  # The loss of equal probabilities.


def write_csv(path: Path, results: Mapping[str, Curves]) -> None:
    """One row per optimizer, learning rate, seed and chunk; ``step`` is the last one of the chunk."""
    with atomic(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for name, curves in results.items():
            for (rate, seed, chunk), loss in np.ndenumerate(curves.train_loss):
                accuracy = curves.test_accuracy[rate, seed, chunk]
                step = (chunk + 1) * CHUNK
                writer.writerow((name, LEARNING_RATES[rate], seed, step, f"{loss:.6g}", f"{accuracy:.6g}"))


def draw(path: Path, results: Mapping[str, Curves]) -> None:
    """Training loss over steps, one panel per learning rate: mean over the seeds, and their range."""
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    panels = figure.subplots(1, len(LEARNING_RATES), sharey=True)
    for index, (panel, rate) in enumerate(zip(panels, LEARNING_RATES, strict=True)):
        for colour, (name, curves) in zip(COLOURS, results.items(), strict=True):
            losses = curves.train_loss[index]
            steps = CHUNK * np.arange(1, losses.shape[-1] + 1)
            panel.plot(steps, losses.mean(axis=0), color=colour, label=name)
            panel.fill_between(steps, losses.min(axis=0), losses.max(axis=0), color=colour, alpha=0.15, lw=0)
        panel.axhline(CHANCE, color="grey", linestyle=":", label="chance (ln 10)")
        panel.set(title=f"learning rate {rate:g}", xlabel=f"step (batches of {BATCH} images)", yscale="log")
        panel.grid(alpha=0.3)
    # A run that diverges leaves the picture instead of flattening the others.
    panels[0].set_ylim(top=min(panels[0].get_ylim()[1], 10 * CHANCE))
    panels[0].set_ylabel(f"training loss (nats, mean of {CHUNK} steps)")
    seeds = next(iter(results.values())).train_loss.shape[1]
    spread = f"mean and range of {seeds} seeds" if seeds > 1 else "one seed"
    figure.suptitle(f"A small convolutional network on handwritten digits: {spread}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(results) + 1)
    with atomic(path) as partial:
        figure.savefig(partial, dpi=150)
