"""Translation of sequences as a task of training: cross-entropy per symbol, exact match."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from examples.data.pairs import PAD, Pairs
from examples.data.split import batch_indices
from examples.lab.task import Task


def cross_entropy(model: Any, source: jax.Array, target: jax.Array, smoothing: float = 0.0) -> jax.Array:
    """Nats per symbol of the target, each predicted from the source and the true symbols before it.

    With smoothing e the true symbol has the weight 1 - e, and all share e equally.
    """
    scores = jax.nn.log_softmax(model(source, target[:, :-1]))
    true = target[:, 1:]
    losses = -jnp.take_along_axis(scores, true[..., None], axis=-1)[..., 0]
    if smoothing:
        losses = (1 - smoothing) * losses - smoothing * scores.mean(axis=-1)
    return losses.mean(where=true != PAD)


def exact_match(model: Any, source: jax.Array, target: jax.Array) -> jax.Array:
    """The fraction of the targets of which every symbol is predicted right, given the ones before it.

    This is also the fraction that greedy decoding gets right.
    """
    true = target[:, 1:]
    right = model(source, target[:, :-1]).argmax(axis=-1) == true
    return (right | (true == PAD)).all(axis=-1).mean()


def translation(
    make: Callable[[nnx.Rngs], nnx.Module], data: Pairs, held_out: Pairs, batch: int, smoothing: float = 0.0
) -> Task:
    """Cross-entropy on batches of ``data``; loss (without smoothing) and exact matches on ``held_out``."""
    return Task(
        make=make,
        loss=lambda model, batch: cross_entropy(model, *batch, smoothing=smoothing),
        choose=lambda seed, steps: batch_indices(seed, steps, len(data.source), batch),
        take=lambda indices: Pairs(data.source[indices], data.target[indices]),
        evaluate=lambda model, held_out: {
            "test_loss": cross_entropy(model, *held_out),
            "test_exact": exact_match(model, *held_out),
        },
        held_out=held_out,
    )
