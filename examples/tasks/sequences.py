"""Translation of sequences as a task of training: cross-entropy per symbol, exact match."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from examples.data.split import batch_indices
from examples.lab.task import Task
from examples.models.transformer import END, PAD, START


class Pairs(NamedTuple):
    """Sources (n, s) and targets (n, t), int32; both end with END and PADs, targets begin with START."""

    source: np.ndarray
    target: np.ndarray


def padded(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> Pairs:
    """Pairs as wide as the longest of them."""

    def table(sequences):
        rows = np.full((len(sequences), max(map(len, sequences))), PAD, np.int32)
        for row, sequence in zip(rows, sequences, strict=True):
            row[: len(sequence)] = sequence
        return rows

    return Pairs(table([[*s, END] for s in sources]), table([[START, *t, END] for t in targets]))


def unigram_entropy(targets: np.ndarray) -> float:
    """Nats per symbol, END included: the loss of the best model that sees neither source nor prefix."""
    counts = np.array(list(Counter(targets[targets > START].tolist()).values()))
    return float(-(counts / counts.sum() * np.log(counts / counts.sum())).sum())


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
