"""ResNets trained by RAdam, Adam and SGD at four learning rates: figure 6 and table 1 of the RAdam paper."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from examples.lab.console import print_table
from examples.lab.options import positive_int
from examples.lab.study import Size, Study
from examples.lab.training import rows_of, train
from examples.studies.learning_rates.figures import PICTURES
from examples.studies.learning_rates.findings import (
    PUBLISHED,
    Results,
    at_best_rate,
    final_accuracies,
    findings,
    spread,
)
from examples.studies.learning_rates.optimizers import RATES, optimizers
from examples.studies.learning_rates.problems import QUICK_IMAGES, Problem, cifar10, digits
from examples.tasks.classification import classification

SIZES = {"seeds": Size(3, 1, "runs per setting")}
EPOCHS, QUICK_EPOCHS = 186, 3
DROPS = (81, 122)  # Epochs of 186 at which the learning rate falls to a tenth.
MOST_PER_CHUNK = 200  # Steps; 200 batches of CIFAR-10 are 0.3 GB for each seed.
COLUMNS = ("optimizer", "learning_rate", "seed", "step", "train_loss", "test_loss", "test_accuracy")


def add_options(parser: argparse.ArgumentParser) -> None:
    """All but ``--data-dir`` have the paper's values, or smaller ones for the digits."""
    add = parser.add_argument
    folder = "folder of CIFAR-10's python batches (default: scikit-learn's digits)"
    add("--data-dir", type=Path, metavar="DIR", help=folder)
    add("--no-checksum", action="store_true", help="takes other files of CIFAR-10's format")
    quick = f"--quick: {QUICK_EPOCHS}, on CIFAR-10 1 of {QUICK_IMAGES} images"
    passes = f"passes over the training set (default: {EPOCHS}; {quick})"
    add("--epochs", type=positive_int, metavar="N", help=passes)
    drops = "epochs at which the learning rate falls to a tenth (default: 81/186 and 122/186 of all)"
    add("--drops", type=positive_int, nargs="+", metavar="N", help=drops)
    add("--batch", type=positive_int, metavar="N", help="images per step (default: 128; digits: 32)")
    depth = "layers of the network, 6 n + 2 (default: 20; digits: 8)"
    add("--depth", type=positive_int, metavar="N", help=depth)


def print_accuracies(study: Study, results: Results, problem: Problem) -> None:
    """The accuracies at all learning rates, and table 1, which takes the best of them."""
    all_, table = [], []
    for name, accuracies in final_accuracies(results).items():
        best, values = at_best_rate(accuracies)
        all_.append([name, *map(spread, accuracies)])
        table.append([name, f"{RATES[best]:g}", spread(values), f"{PUBLISHED[name]}"])
    seeds = study.options.seeds
    over = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "one seed"
    title = f"Test accuracy in % on {problem.name} at the end: {over}"
    print_table(study.console, title, ["optimizer", *(f"rate {rate:g}" for rate in RATES)], all_)
    header = ["optimizer", "best rate", f"on {problem.name}", "published, on CIFAR-10"]
    print_table(study.console, "At the best learning rate, beside table 1 of the paper", header, table)
    if not study.options.data_dir:
        text = (
            "The digits are not CIFAR-10: compare the order and how much the learning rate matters, not the "
            f"numbers. One test image is {100 / len(problem.test.labels):.2f} %."
        )
        study.console.print(text, soft_wrap=True)


def main(arguments: Sequence[str]) -> None:
    """Trains all; writes ``curves.csv``, ``learning_rates.png`` and ``summary.json``."""
    study = Study("learning_rates", __doc__, arguments, SIZES, add_options)
    options = study.options
    if options.no_checksum and not options.data_dir:
        study.parser.error("--no-checksum is of --data-dir")
    if options.depth and (options.depth < 8 or (options.depth - 2) % 6):
        study.parser.error(f"argument --depth: must be 6 n + 2, n >= 1; got {options.depth}")
    problem = (cifar10 if options.data_dir else digits)(options)
    images = len(problem.data.labels)
    if problem.batch > images:
        study.parser.error(
            f"argument --batch: must be at most the {images} training images; got {problem.batch}"
        )

    quick_epochs = 1 if options.data_dir else QUICK_EPOCHS
    epochs = options.epochs or (quick_epochs if options.quick else EPOCHS)
    drops = options.drops or [drop * epochs / EPOCHS for drop in DROPS]
    per_epoch = images / problem.batch
    chunk = min(int(np.ceil(per_epoch)), MOST_PER_CHUNK)
    steps = int(np.ceil(epochs * per_epoch / chunk)) * chunk
    task = classification(
        problem.make,
        problem.data,
        problem.test,
        problem.batch,
        augmentation=problem.augmentation,
        test_batch=problem.test_batch,
    )
    recipes = optimizers([round(drop * per_epoch) for drop in drops])
    study.parts = len(recipes)
    results = {}
    for name, recipe in recipes.items():
        results[name] = train(
            study,
            name,
            task,
            recipe,
            RATES,
            seeds=options.seeds,
            steps=steps,
            chunk=chunk,
            status=lambda p: f"accuracy {p['test_accuracy'].mean(axis=1).max():6.1%} at the best rate",
            mapped=problem.mapped,
        )

    study.write_csv("curves.csv", COLUMNS, rows_of(results, RATES, chunk, COLUMNS[4:]))
    print_accuracies(study, results, problem)
    found = []
    if options.quick:
        study.console.print("Too short for a verdict: leave out --quick.")
    elif options.seeds == 1:
        study.console.print("One seed has no spread to hold differences against: no verdict.")
    else:
        study.console.print(
            "The verdict is on test accuracy in %, and on its range over the rates in points."
        )
        found = findings(results, bool(options.data_dir))
    means = {
        name: dict(zip(map(str, RATES), accuracies.mean(axis=1).tolist(), strict=True))
        for name, accuracies in final_accuracies(results).items()
    }
    study.conclude(found, {"data": problem.name, "steps": steps, "test_accuracy_percent": means}, PICTURES)
