"""ResNets trained by RAdam, Adam and SGD at four learning rates: figure 6 and table 1 of the RAdam paper."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from flax import nnx

import radam_optax as rx
from examples.data import cifar10 as _cifar10
from examples.data import digits as _digits
from examples.data.augmentation import Augmentation
from examples.data.split import Split
from examples.lab.console import print_table
from examples.lab.options import positive_int
from examples.lab.study import Finding, Size, Study
from examples.lab.training import Recipe, one_by_one, rows_of, train
from examples.models.convolutional import convolve
from examples.models.resnet import ResNet
from examples.studies.learning_rates.figures import draw
from examples.tasks.classification import classification

SIZES = {"seeds": Size(3, 1, "runs per setting")}
RATES = (0.1, 0.03, 0.01, 0.003)
EPOCHS, QUICK_EPOCHS = 186, 3
DROPS = (81, 122)  # Epochs of 186 at which the learning rate falls to a tenth.
WEIGHT_DECAY = 1e-4
PUBLISHED = {"SGD": 91.51, "Adam": 90.54, "RAdam": 91.38}  # Table 1: test accuracy on CIFAR-10, in %.
PUBLISHED_AT_HIGHEST = 91.06  # RAdam's at learning rate 0.1, in %.
TOLERANCE = 0.5  # Points of accuracy between this measurement of CIFAR-10 and the published one.
MOST_PER_CHUNK = 200  # Steps; 200 batches of CIFAR-10 are 0.3 GB for each seed.
QUICK_IMAGES = 128  # Of CIFAR-10, which then only shows that all runs.
COLUMNS = ("optimizer", "learning_rate", "seed", "step", "train_loss", "test_loss", "test_accuracy")

Results = Mapping[str, Mapping[str, np.ndarray]]
"""By optimizer and measure: curves of shape (rates, seeds, points)."""


class Problem(NamedTuple):
    """A data set and how it is trained on."""

    name: str
    data: Split
    test: Split
    make: Callable[[nnx.Rngs], nnx.Module]
    augmentation: Augmentation
    batch: int
    test_batch: int | None
    mapped: Callable[..., Any]


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


def digits(options: argparse.Namespace) -> Problem:
    """540 images to train on and 1257 to test on, because more training leaves no errors to compare."""
    test, data = _digits.load()
    make = partial(_resnet, options.depth or 8, (4, 8, 16), 1, convolve)
    return Problem(
        name="scikit-learn's digits",
        data=data,
        test=test,
        make=make,
        augmentation=Augmentation(margin=1, mirror=False),
        batch=options.batch or 32,
        test_batch=None,
        mapped=jax.vmap,
    )


def cifar10(options: argparse.Namespace) -> Problem:
    """ResNet-20, batches of 128, crops with a margin of 4 pixels and mirror images: the paper's."""
    data, test = _cifar10.load(options.data_dir, not options.no_checksum)
    if options.quick:
        data, test = (Split(*(x[:QUICK_IMAGES] for x in split)) for split in (data, test))
    make = partial(_resnet, options.depth or 20, (16, 32, 64), 3, jax.lax.conv_general_dilated)
    return Problem(
        name="CIFAR-10",
        data=data,
        test=test,
        make=make,
        augmentation=Augmentation(margin=4, mirror=True),
        batch=options.batch or 128,
        test_batch=500,
        mapped=one_by_one,
    )


def _resnet(depth, widths, channels, conv, rngs):
    return ResNet(depth, widths, channels, _cifar10.CLASSES, rngs=rngs, conv=conv)


def optimizers(drops: Sequence[int]) -> dict[str, Recipe]:
    """The paper's three, whose learning rate falls to a tenth at each of these steps.

    Weight decay is decoupled from the gradient; SGD's is added to it, before the momentum, which is the
    penalty ``weight_decay / 2 * |p|^2`` that He et al. (2016) trained ResNets with.
    """

    def schedule(rate):
        return optax.piecewise_constant_schedule(rate, dict.fromkeys(drops, 0.1))

    return {
        "SGD": lambda rate: optax.chain(
            optax.add_decayed_weights(WEIGHT_DECAY), rx.momentum(schedule(rate), 0.9)
        ),
        "Adam": lambda rate: rx.adamw(schedule(rate), weight_decay=WEIGHT_DECAY),
        "RAdam": lambda rate: rx.radamw(schedule(rate), weight_decay=WEIGHT_DECAY),
    }


def final_accuracies(results: Results) -> dict[str, np.ndarray]:
    """Test accuracy at the end in %, by optimizer: shape (rates, seeds)."""
    return {name: 100 * curves["test_accuracy"][:, :, -1] for name, curves in results.items()}


def at_best_rate(accuracies: np.ndarray) -> tuple[int, np.ndarray]:
    """The index of the learning rate with the highest mean over the seeds, and the accuracies there."""
    best = int(accuracies.mean(axis=1).argmax())
    return best, accuracies[best]


def spread(values: np.ndarray) -> str:
    """The mean and, of more than one seed, the sample standard deviation."""
    return f"{values.mean():.2f}" + (f" ± {values.std(ddof=1):.2f}" if len(values) > 1 else "")


def ordering(claim: str, published: str, higher: tuple[str, np.ndarray], lower: tuple[str, np.ndarray]):
    """A finding that one quantity exceeds another in the mean over the seeds, beyond chance.

    Seeds share first weights and batches, so their differences are paired: the mean difference must be
    more than two standard errors.
    """
    differences = higher[1] - lower[1]
    mean, error = differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))
    note = ""
    if mean < -2 * error:
        note = f"the opposite holds here, by {-mean:.2f} ± {error:.2f} points (standard error)."
    elif mean <= 2 * error:
        note = f"undecided: the difference, {mean:+.2f} ± {error:.2f} points, is within two standard errors."
    measured = ", ".join(f"{name} {spread(values)}" for name, values in (higher, lower))
    return Finding(claim, published, measured, bool(mean > 2 * error), note)


def findings(results: Results, cifar: bool) -> list[Finding]:
    """Figure 6's claim, the order of table 1 and, of CIFAR-10, its numbers; at least two seeds.

    All is test accuracy at the end in %; what varies over the learning rates is its range, in points.
    """
    final = final_accuracies(results)
    ranges = {name: np.ptp(values, axis=0) for name, values in final.items()}
    best = {name: at_best_rate(values)[1] for name, values in final.items()}
    sensitivity = ordering(
        "RAdam varies less over the rates than Adam",
        "curves closer together (figure 6)",
        ("Adam", ranges["Adam"]),
        ("RAdam", ranges["RAdam"]),
    )
    if not (sensitivity.agrees or cifar) and (cause := _cause(final["RAdam"])):
        sensitivity = sensitivity._replace(note=f"{sensitivity.note} {cause}")
    found = [sensitivity]
    for first, second in (("RAdam", "Adam"), ("SGD", "RAdam"), ("SGD", "Adam")):
        found.append(
            ordering(
                f"{first} above {second}, each at its best",
                f"{PUBLISHED[first]} > {PUBLISHED[second]} (table 1)",
                (first, best[first]),
                (second, best[second]),
            )
        )
    if cifar:
        claims = [(f"Test accuracy of {name} in %", PUBLISHED[name], best[name]) for name in PUBLISHED]
        claims.append((f"Test accuracy of RAdam at {RATES[0]} in %", PUBLISHED_AT_HIGHEST, final["RAdam"][0]))
        for claim, published, values in claims:
            agrees = bool(abs(values.mean() - published) <= TOLERANCE)
            note = "" if agrees else f"agreement would be {TOLERANCE} points."
            found.append(Finding(claim, f"{published}", spread(values), agrees, note))
    return found


def _cause(accuracies: np.ndarray) -> str:
    """What may make RAdam's range wide in a short training, where its lowest learning rate is the worst."""
    if accuracies.mean(axis=1).argmin() != len(RATES) - 1:
        return ""
    return (
        f"RAdam is weakest at {RATES[-1]}; a reason may be that its rectifier shortens the first thousand "
        "steps or so, which are few of the paper's 73 thousand but many of these."
    )


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
    results = {}
    for name, recipe in optimizers([round(drop * per_epoch) for drop in drops]).items():
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
    figure = draw(
        results, RATES, chunk / per_epoch, drops, problem.name, None if not options.data_dir else PUBLISHED
    )
    study.write_figure("learning_rates.png", figure)
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
    study.conclude(found, {"data": problem.name, "steps": steps, "test_accuracy_percent": means})
