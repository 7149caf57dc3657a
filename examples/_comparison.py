"""Six optimizers on one task: all runs of an optimizer, learning rates x seeds, in one program."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

import radam_optax as rx
from examples._digits import Split, batch_indices
from examples._network import Network, accuracy, cross_entropy
from examples._support import Report

Recipe = Callable[[jax.Array], optax.GradientTransformation]

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


class Curves(NamedTuple):
    """The runs of one optimizer."""

    train_loss: np.ndarray  # shape=(learning rates, seeds, chunks): mean over a chunk's batches, in nats.
    test_accuracy: np.ndarray  # The same shape: at the end of a chunk, 0 to 1.


def train(recipe: Recipe, seeds: int, chunks: int, data: Split, test: Split, report: Report) -> Curves:
    """Trains learning rates x seeds networks at once for ``chunks`` times CHUNK steps.

    The program is compiled once: learning rates are traced values, and all chunks have one shape.
    A seed fixes the first weights and the batches, so all optimizers start and go on alike.
    """

    def start(rate: jax.Array, params: Any) -> Any:
        return params, recipe(rate).init(params)

    def run_chunk(rate: jax.Array, run: Any, images: jax.Array, labels: jax.Array) -> Any:
        optimizer = recipe(rate)

        def step(run, batch):
            params, state = run
            loss, gradients = jax.value_and_grad(lambda p: cross_entropy(nnx.merge(graph, p), *batch))(params)
            updates, state = optimizer.update(gradients, state, params)
            return (optax.apply_updates(params, updates), state), loss

        run, losses = jax.lax.scan(step, run, (images, labels))
        return run, losses.mean(), accuracy(nnx.merge(graph, run[0]), *test)

    models = [Network(nnx.Rngs(seed)) for seed in range(seeds)]
    graph = nnx.graphdef(models[0])
    params = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(nnx.state, models))
    rates = jnp.asarray(LEARNING_RATES)
    runs = jax.jit(jax.vmap(jax.vmap(start, (None, 0)), (0, None)))(rates, params)
    # Batches differ by seed, not by learning rate.
    program = jax.jit(jax.vmap(jax.vmap(run_chunk, (None, 0, 0, 0)), (0, 0, None, None)), donate_argnums=1)

    batches = np.stack([batch_indices(seed, chunks * CHUNK, len(data.labels)) for seed in range(seeds)])
    points = []
    for chunk in range(chunks):
        indices = batches[:, chunk * CHUNK : (chunk + 1) * CHUNK]
        runs, *point = program(rates, runs, data.images[indices], data.labels[indices])
        points.append(jax.device_get(point))
        best = points[-1][1].mean(axis=1).max()
        report((chunk + 1) * CHUNK, f"accuracy {best:6.1%} at the best learning rate")
    return Curves(*(np.stack(values, axis=-1) for values in zip(*points, strict=True)))
