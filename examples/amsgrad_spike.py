"""One gradient 10,000 times too large slows AMSGrad down for good; clipping or forgetting helps."""

import argparse
import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from matplotlib.figure import Figure

import radam_optax as rx
from examples._classification import cross_entropy
from examples._data import Split, batch_indices
from examples._digits import BATCH, load
from examples._network import Network
from examples._support import (
    Report,
    atomic,
    device_line,
    make_console,
    output_folder,
    positive_int,
    print_table,
    task,
)

SPIKE = 1e4  # The factor on the gradient of one step, and which one; the first is step 1.
AT = 101
CHUNK = 50  # Steps between two points of a curve.
RATE = 0.001
# The spike leaves a second moment 1e6 times too large, which Adam forgets in ln(1e6) / (1 - b2) steps,
# 1400. With the default, 0.999, it would be 11,500.
B2 = 0.99

OPTIMIZERS = {
    "Adam": rx.adam(RATE, b2=B2),
    "AMSGrad": rx.amsgrad(RATE, b2=B2),
    "AMSGrad, clipped": optax.chain(optax.clip_by_global_norm(1.0), rx.amsgrad(RATE, b2=B2)),
    "AMSGrad, forgets": rx.amsgrad(RATE, b2=B2, max_decay=B2),
}
COLOURS = ("#000000", "#D55E00", "#0072B2", "#009E73")
COLUMNS = ("optimizer", "spike", "step", "train_loss", "step_size")
READING = (
    f"The gradient of step {AT} was {SPIKE:,.0f} times too large. No spike: the same run without it. Slow "
    f"steps: those since then which are, averaged over {CHUNK}, less than half as long as in that run."
)


class Curves(NamedTuple):
    """The two runs of one optimizer, without the spike and with it."""

    train_loss: np.ndarray  # shape=(2, chunks): mean over a chunk's batches, in nats.
    step_size: np.ndarray  # The same shape: root mean square of the updates of the parameters.


def train(
    optimizer: optax.GradientTransformation, seed: int, chunks: int, data: Split, report: Report
) -> Curves:
    """Trains two networks at once from the same weights on the same batches, one through a spike."""

    def run_chunk(run: Any, spike: jax.Array, scales: jax.Array, images: jax.Array, labels: jax.Array) -> Any:
        def step(run, batch):
            params, state = run
            scale, *batch = batch
            loss, gradients = jax.value_and_grad(lambda p: cross_entropy(nnx.merge(graph, p), *batch))(params)
            gradients = jax.tree.map(lambda g: jnp.where(spike, scale, 1.0) * g, gradients)
            updates, state = optimizer.update(gradients, state, params)
            size = optax.tree.norm(updates) / jnp.sqrt(optax.tree.size(updates))
            return (optax.apply_updates(params, updates), state), (loss, size)

        run, curves = jax.lax.scan(step, run, (scales, images, labels))
        return run, jax.tree.map(jnp.mean, curves)

    graph, params = nnx.split(Network(nnx.Rngs(seed)))
    runs = jax.tree.map(lambda x: jnp.stack([x, x]), (params, optimizer.init(params)))
    program = jax.jit(jax.vmap(run_chunk, (0, 0, None, None, None)), donate_argnums=0)
    spikes, scales = jnp.asarray([False, True]), np.ones(chunks * CHUNK, np.float32)
    scales[AT - 1] = SPIKE
    batches = batch_indices(seed, chunks * CHUNK, len(data.labels), BATCH)
    points = []
    for step in range(0, chunks * CHUNK, CHUNK):
        batch = batches[step : step + CHUNK]
        scale = scales[step : step + CHUNK]
        runs, point = program(runs, spikes, scale, data.images[batch], data.labels[batch])
        points.append(jax.device_get(point))
        loss = points[-1][0]
        report(step + CHUNK, f"loss {loss[1]:.4f}, without the spike {loss[0]:.4f}")
    return Curves(*(np.stack(values, axis=-1) for values in zip(*points, strict=True)))


def slow_steps(curves: Curves) -> str:
    """How many steps since the spike were less than half as long as without it."""
    shorter = curves.step_size[1] < curves.step_size[0] / 2
    count = CHUNK * int(shorter[AT // CHUNK :].sum())
    # The chunk of the spike has its own long step.
    return f"{count}, all" if shorter[AT // CHUNK + 1 :].all() else str(count)


def write_csv(path: Path, results: Mapping[str, Curves]) -> None:
    """One row per optimizer, run and chunk; ``step`` is the last one of the chunk, ``spike`` 0 or 1."""
    with atomic(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for name, curves in results.items():
            for (spike, chunk), loss in np.ndenumerate(curves.train_loss):
                size = curves.step_size[spike, chunk]
                writer.writerow((name, spike, (chunk + 1) * CHUNK, f"{loss:.6g}", f"{size:.6g}"))


def draw(path: Path, results: Mapping[str, Curves]) -> None:
    """Loss and step size over steps: with the spike, and thin and dotted without."""
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True)
    for colour, (name, curves) in zip(COLOURS, results.items(), strict=True):
        for panel, (without, spiked) in zip(panels, curves, strict=True):
            steps = CHUNK * np.arange(1, len(spiked) + 1)
            panel.plot(steps, without, color=colour, linestyle=":", linewidth=1)
            panel.plot(steps, spiked, color=colour, label=name)
    for panel in panels:
        panel.axvline(AT, color="grey", linewidth=0.8)
        panel.set(xlabel=f"step (batches of {BATCH} images)", yscale="log")
        panel.grid(alpha=0.3)
    panels[0].set(title="What it does to the loss", ylabel=f"training loss (nats, mean of {CHUNK} steps)")
    panels[1].set(title="Why: the length of the steps", ylabel=f"rms of the updates (mean of {CHUNK} steps)")
    panels[0].annotate(
        f"gradient x {SPIKE:,.0f}",
        (AT, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=(5, 0),
        textcoords="offset points",
    )
    panels[0].plot([], [], color="grey", linestyle=":", linewidth=1, label="without the spike")
    figure.suptitle("A small convolutional network on handwritten digits: one spike in the gradient")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(results) + 1)
    with atomic(path) as partial:
        figure.savefig(partial, dpi=150)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; ``--quick`` changes what was not given."""
    parser = argparse.ArgumentParser("python -m examples amsgrad_spike", description=__doc__)
    parser.add_argument(
        "--steps", type=positive_int, help=f"rounded up to a multiple of {CHUNK} (default: 2000)"
    )
    parser.add_argument(
        "--seed", type=positive_int, default=1, help="of weights and batches (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=output_folder, default="out/amsgrad_spike", metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument("--quick", action="store_true", help="600 steps, unless given")
    options = parser.parse_args(arguments)
    options.steps = options.steps or (600 if options.quick else 2000)
    if options.steps < AT:
        parser.error(f"argument --steps: the spike is at step {AT}; got {options.steps}")
    return options


def main(arguments: Sequence[str]) -> None:
    """Trains all, prints the table, and writes ``spike.csv`` and ``spike.png`` at the end."""
    options = parse(arguments)
    started = time.monotonic()
    console = make_console()
    console.print(device_line())
    data, _ = load()
    chunks = -(-options.steps // CHUNK)
    results = {}
    for name, optimizer in OPTIMIZERS.items():
        with task(console, name, chunks * CHUNK) as report:
            results[name] = train(optimizer, options.seed, chunks, data, report)

    files = options.out / "spike.csv", options.out / "spike.png"
    write_csv(files[0], results)
    draw(files[1], results)
    rows = []
    for name, curves in results.items():
        without, spiked = curves.train_loss
        before = AT // CHUNK - 1
        losses = spiked[before], spiked[before + 1], spiked[-1], without[-1]
        rows.append([name, *(f"{loss:.3g}" for loss in losses), slow_steps(curves)])
    header = ["optimizer", "before", f"{CHUNK} after", "at the end", "no spike", "slow steps"]
    print_table(console, f"Training loss in nats (mean of {CHUNK} steps) around a spike", header, rows)
    console.print(READING)
    console.print(
        f"Wrote {files[0]} and {files[1]} after {time.monotonic() - started:.0f} s.", soft_wrap=True
    )
