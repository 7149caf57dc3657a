"""RAdamW on a Flax NNX network for handwritten digits, then six optimizers at three learning rates."""

import argparse
import time
from collections.abc import Mapping, Sequence

import optax
from flax import nnx
from rich.console import Console

import radam_optax as rx
from examples import _comparison, _curves, _digits
from examples._comparison import CHUNK, LEARNING_RATES, OPTIMIZERS, Curves
from examples._network import Network, accuracy, cross_entropy
from examples._support import device_line, make_console, output_folder, positive_int, print_table, task

READING = (
    "How to read it: down a column, the optimizers at one learning rate; along a row, how much the choice "
    "of the learning rate matters; one test image is {:.2f} %, the digits are easy, and differences within "
    "the spread over the seeds say nothing."
)


def train_radamw(steps: int, data: _digits.Split, test: _digits.Split, console: Console) -> None:
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
    batches = _digits.batch_indices(0, steps, len(data.labels))
    with task(console, "RAdamW, clipped", steps) as report:
        for done, batch in enumerate(batches, start=1):
            loss = train_step(model, optimizer, data.images[batch], data.labels[batch])
            if done % CHUNK == 0:
                now = rx.rectification_stats(optimizer.opt_state)
                rectifier = f"rho {float(now['rho']):6.1f}  r {float(now['r']):.3f}"
                report(done, f"loss {loss:.4f}  acc {evaluate(model, *test):5.1%}  {rectifier}")


def print_accuracies(results: Mapping[str, Curves], console: Console) -> None:
    """A table of the last test accuracies: optimizers down, learning rates across."""
    seeds = next(iter(results.values())).test_accuracy.shape[1]
    rows = []
    for name, curves in results.items():
        percent = 100 * curves.test_accuracy[:, :, -1]
        cells = [f"{mean:5.1f}" for mean in percent.mean(axis=1)]
        if seeds > 1:
            spreads = percent.std(axis=1, ddof=1)
            cells = [f"{cell} ± {std:4.1f}" for cell, std in zip(cells, spreads, strict=True)]
        rows.append([name, *cells])
    header = ["optimizer", *(f"rate {rate:g}" for rate in LEARNING_RATES)]
    spread = f"mean ± sample standard deviation over {seeds} seeds" if seeds > 1 else "one seed"
    print_table(console, f"Test accuracy in % at three learning rates: {spread}", header, rows)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; ``--quick`` changes what was not given."""
    parser = argparse.ArgumentParser("python -m examples quickstart", description=__doc__)
    parser.add_argument(
        "--steps",
        type=positive_int,
        help=f"optimizer steps per run, rounded up to a multiple of {CHUNK} (default: 2000)",
    )
    parser.add_argument("--seeds", type=positive_int, metavar="N", help="runs per setting (default: 3)")
    parser.add_argument(
        "--out", type=output_folder, default="out/quickstart", metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument("--quick", action="store_true", help="100 steps and 2 seeds, unless given")
    options = parser.parse_args(arguments)
    options.steps = options.steps or (100 if options.quick else 2000)
    options.seeds = options.seeds or (2 if options.quick else 3)
    return options


def main(arguments: Sequence[str]) -> None:
    """Runs both parts; writes ``curves.csv`` and ``curves.png`` at the end."""
    options = parse(arguments)
    started = time.monotonic()
    console = make_console()
    console.print(device_line())
    data, test = _digits.load()
    chunks = -(-options.steps // CHUNK)
    train_radamw(chunks * CHUNK, data, test, console)

    results = {}
    for name, recipe in OPTIMIZERS.items():
        with task(console, name, chunks * CHUNK) as report:
            results[name] = _comparison.train(recipe, options.seeds, chunks, data, test, report)

    files = options.out / "curves.csv", options.out / "curves.png"
    _curves.write_csv(files[0], results)
    _curves.draw(files[1], results)
    print_accuracies(results, console)
    console.print(READING.format(100 / len(test.labels)))
    console.print(
        f"Wrote {files[0]} and {files[1]} after {time.monotonic() - started:.0f} s.", soft_wrap=True
    )
