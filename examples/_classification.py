"""Classification of images as a task of :mod:`._training`."""

from collections.abc import Callable
from typing import Any

import jax
import optax
from flax import nnx

from examples._data import Split, batch_indices
from examples._training import Task


def cross_entropy(model: Any, images: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean cross-entropy in nats; ln(classes) is chance."""
    return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()


def accuracy(model: Any, images: jax.Array, labels: jax.Array) -> jax.Array:
    """The fraction of the images whose largest logit is at their label."""
    return (model(images).argmax(axis=-1) == labels).mean()


def classification(make: Callable[[nnx.Rngs], nnx.Module], data: Split, test: Split, batch: int) -> Task:
    """Cross-entropy on batches of ``data``; loss and accuracy on ``test``."""
    return Task(
        make=make,
        loss=lambda model, batch: cross_entropy(model, *batch),
        choose=lambda seed, steps: batch_indices(seed, steps, len(data.labels), batch),
        take=lambda indices: Split(data.images[indices], data.labels[indices]),
        evaluate=lambda model, test: {
            "test_loss": cross_entropy(model, *test),
            "test_accuracy": accuracy(model, *test),
        },
        held_out=test,
    )
