"""RAdamW on a Flax NNX network for handwritten digits, then six optimizers at three learning rates."""

from collections.abc import Mapping, Sequence

import numpy as np
import optax
from flax import nnx
from rich.console import Console

import radam_optax as rx
from examples.data import digits as _digits
from examples.data.split import Split, batch_indices
from examples.lab.console import print_table, task
from examples.lab.study import Size, Study
from examples.lab.training import rows_of, train
from examples.models.convolutional import Network
from examples.studies.comparison.figures import CHUNK, LEARNING_RATES, OPTIMIZERS, draw
from examples.tasks.classification import accuracy, classification, cross_entropy

READING = (
    "How to read it: down a column, the optimizers at one learning rate; along a row, how much the choice "
    "of the learning rate matters; one test image is {:.2f} %, the digits are easy, and differences within "
    "the spread over the seeds say nothing."
)


SIZES = {
    "steps": Size(2000, 100, f"optimizer steps per run, rounded up to a multiple of {CHUNK}"),
    "seeds": Size(3, 2, "runs per setting"),
}
COLUMNS = ("optimizer", "learning_rate", "seed", "step", "train_loss", "test_accuracy")


def train_radamw(steps: int, data: Split, test: Split, console: Console) -> None:
    """The usual way: one network, one chain of optax, one jitted step; and how the rectifier opens."""
    model = Network(nnx.Rngs(0))
    chain = optax.chain(optax.clip_by_global_norm(1.0), rx.radamw(0.01, weight_decay=0.01))
    optimizer = nnx.Optimizer(model, chain, wrt=nnx.Param)

    @nnx.jit
    def train_step(model, optimizer, images, labels):
        loss, gradients = nnx.value_and_grad(cross_entropy)(model, images, labels)
        optimizer.update(model, gradients)
        return loss

    evaluate = nnx.jit(accuracy)
    batches = batch_indices(0, steps, len(data.labels), _digits.BATCH)
    with task(console, "RAdamW, clipped", steps) as report:
        for done, batch in enumerate(batches, start=1):
            loss = train_step(model, optimizer, data.images[batch], data.labels[batch])
            if done % CHUNK == 0:
                now = rx.rectification_stats(optimizer.opt_state)
                rectifier = f"rho {float(now['rho']):6.1f}  r {float(now['r']):.3f}"
                report(done, f"loss {loss:.4f}  acc {evaluate(model, *test):5.1%}  {rectifier}")


def print_accuracies(results: Mapping[str, np.ndarray], console: Console) -> None:
    """A table of the last test accuracies: optimizers down, learning rates across."""
    seeds = next(iter(results.values())).shape[1]
    rows = []
    for name, accuracies in results.items():
        percent = 100 * accuracies[:, :, -1]
        cells = [f"{mean:5.1f}" for mean in percent.mean(axis=1)]
        if seeds > 1:
            spreads = percent.std(axis=1, ddof=1)
            cells = [f"{cell} ± {std:4.1f}" for cell, std in zip(cells, spreads, strict=True)]
        rows.append([name, *cells])
    header = ["optimizer", *(f"rate {rate:g}" for rate in LEARNING_RATES)]
    spread = f"mean ± sample standard deviation over {seeds} seeds" if seeds > 1 else "one seed"
    print_table(console, f"Test accuracy in % at three learning rates: {spread}", header, rows)


def main(arguments: Sequence[str]) -> None:
    """Runs both parts; writes ``curves.csv``, ``curves.png`` and ``summary.json`` at the end."""
    study = Study("quickstart", __doc__, arguments, SIZES)
    options = study.options
    data, test = _digits.load()
    steps = -(-options.steps // CHUNK) * CHUNK
    train_radamw(steps, data, test, study.console)

    digits = classification(Network, data, test, _digits.BATCH)
    results = {}
    for name, recipe in OPTIMIZERS.items():
        results[name] = train(
            study,
            name,
            digits,
            recipe,
            LEARNING_RATES,
            seeds=options.seeds,
            steps=steps,
            chunk=CHUNK,
            status=lambda p: (
                f"accuracy {p['test_accuracy'].mean(axis=1).max():6.1%} at the best learning rate"
            ),
        )
    study.write_csv("curves.csv", COLUMNS, rows_of(results, LEARNING_RATES, CHUNK, COLUMNS[4:]))
    study.write_figure("curves.png", draw({name: curves["train_loss"] for name, curves in results.items()}))
    accuracies = {name: curves["test_accuracy"] for name, curves in results.items()}
    print_accuracies(accuracies, study.console)
    study.console.print(READING.format(100 / len(test.labels)))
    means = {
        name: {str(rate): float(run[:, -1].mean()) for rate, run in zip(LEARNING_RATES, runs, strict=True)}
        for name, runs in accuracies.items()
    }
    study.conclude([], {"test_accuracy": means})
