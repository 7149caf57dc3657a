"""A spike in training: the digits network, with one gradient 10,000 times too large and without."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from examples.data import digits as _digits
from examples.data.split import batch_indices
from examples.lab.step import Run, differentiate, update
from examples.lab.study import Study
from examples.models.convolutional import Network
from examples.studies.sparse_spike.memory import AT, B1, METHODS, SPIKE
from examples.tasks.classification import cross_entropy

CHUNK = 50  # Steps between two points of a curve.
RATE = 0.001
# The slowly forgetting maximum would need more steps than the study has.
OPTIMIZERS = {
    name: METHODS[name].make(RATE, B1) for name in ("Adam", "AMSGrad", "AMSGrad, clipped", "AMSGrad, forgets")
}
COLUMNS = ("optimizer", "seed", "spike", "step", "train_loss", "step_size")
READING = (
    f"The gradient of step {AT} was {SPIKE:,.0f} times too large. No spike: the same runs without it. Slow "
    f"steps: those since then which are, averaged over {CHUNK}, less than half as long as in those runs."
)


class Curves(NamedTuple):
    """The runs of one optimizer, without the spike and with it."""

    train_loss: np.ndarray  # shape=(2, seeds, chunks): mean over a chunk's batches, in nats.
    step_size: np.ndarray  # The same shape: root mean square of the updates of the parameters.


def train(study: Study, name: str, seeds: int, chunks: int) -> Curves:
    """Trains two networks per seed from the same weights on the same batches, one through a spike."""
    optimizer = OPTIMIZERS[name]

    def loss_of(params, variables, batch):
        return cross_entropy(nnx.merge(graph, params), *batch), variables

    def run_chunk(run, spike, scales, images, labels):
        def step(run, batch):
            scale, *batch = batch
            run, loss, gradients = differentiate(loss_of, run, batch)
            gradients = jax.tree.map(lambda g: jnp.where(spike, scale, 1.0) * g, gradients)
            run, updates = update(optimizer, run, gradients)
            size = optax.tree.norm(updates) / jnp.sqrt(optax.tree.size(updates))
            return run, (loss, size)

        run, curves = jax.lax.scan(step, run, (scales, images, labels))
        return run, jax.tree.map(jnp.mean, curves)

    data, _ = _digits.load()
    parts = [nnx.split(Network(nnx.Rngs(seed))) for seed in range(seeds)]
    graph = parts[0][0]
    params = jax.tree.map(lambda *x: jnp.stack([jnp.stack(x)] * 2), *(part for _, part in parts))
    runs = jax.jit(jax.vmap(jax.vmap(lambda p: Run(p, optimizer.init(p)))))(params)
    over_seeds = jax.vmap(run_chunk, (0, None, None, 0, 0))
    program = jax.jit(jax.vmap(over_seeds, (0, 0, None, None, None)), donate_argnums=0)
    spikes, scales = jnp.asarray([False, True]), np.ones(chunks * CHUNK, np.float32)
    scales[AT - 1] = SPIKE
    orders = [batch_indices(seed, chunks * CHUNK, len(data.labels), _digits.BATCH) for seed in range(seeds)]

    def inputs(i: int) -> tuple[Any, ...]:
        part = slice(i * CHUNK, (i + 1) * CHUNK)
        batch = np.stack([order[part] for order in orders])
        return spikes, scales[part], data.images[batch], data.labels[batch]

    def status(point: tuple[np.ndarray, np.ndarray]) -> str:
        without, spiked = point[0].mean(axis=1)
        return f"loss {spiked:.4f}, without the spike {without:.4f}"

    _, points = study.scan(name, program, runs, inputs, chunks, status, CHUNK)
    return Curves(*(np.moveaxis(values, 0, -1) for values in points))


def is_slow(curves: Curves) -> np.ndarray:
    """Whether the steps of a chunk, over all seeds, are less than half as long as without the spike."""
    without, spiked = curves.step_size.mean(axis=1)
    return spiked < without / 2


def summary_row(curves: Curves) -> list[str]:
    """Losses before the spike, after it, at the end and without it; how many steps were slow."""
    without, spiked = curves.train_loss.mean(axis=1)
    before = AT // CHUNK - 1
    slow = is_slow(curves)
    count = f"{CHUNK * int(slow[AT // CHUNK :].sum())}"
    # The chunk of the spike has its own long step.
    every = slow[AT // CHUNK + 1 :].all()
    losses = spiked[before], spiked[before + 1], spiked[-1], without[-1]
    return [*(f"{loss:.3g}" for loss in losses), f"{count}, all" if every else count]


def rows_of(results: Mapping[str, Curves]) -> Iterator[tuple[object, ...]]:
    """One row per optimizer, seed, run and chunk; ``step`` is the last one of the chunk, ``spike`` 0 or 1."""
    for name, curves in results.items():
        for (spike, seed, chunk), loss in np.ndenumerate(curves.train_loss):
            size = curves.step_size[spike, seed, chunk]
            yield name, seed, spike, (chunk + 1) * CHUNK, loss, size
