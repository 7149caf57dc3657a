"""Classification of images as a task of training."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx

from examples.data.augmentation import Augmentation
from examples.data.split import Split, batch_indices
from examples.lab.task import Task


def cross_entropy(model: Any, images: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean cross-entropy in nats; ln(classes) is chance."""
    return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()


def accuracy(model: Any, images: jax.Array | np.ndarray, labels: jax.Array | np.ndarray) -> jax.Array:
    """The fraction of the images whose largest logit is at their label."""
    return (model(images).argmax(axis=-1) == labels).mean()


def in_batches(model: Any, size: int) -> Callable[[jax.Array], jax.Array]:
    """The model, in evaluation, on so many images at a time: activations of a whole test set may not fit."""
    return lambda images: jax.lax.map(lambda image: model(image[None])[0], images, batch_size=size)


def classification(
    make: Callable[[nnx.Rngs], nnx.Module],
    data: Split,
    test: Split,
    batch: int,
    *,
    augmentation: Augmentation | None = None,
    test_batch: int | None = None,
) -> Task:
    """Cross-entropy on batches of ``data``; loss and accuracy on ``test``.

    Args:
      make: the model.
      data: to train on.
      test: to evaluate on.
      batch: images of ``data`` per step.
      augmentation: of ``data``.
      test_batch: images of ``test`` at a time; None is all.
    """

    def choose(seed, steps):
        indices = batch_indices(seed, steps, len(data.labels), batch)
        return indices, augmentation.choose(seed, indices.shape) if augmentation else None

    def take(choices):
        indices, changes = choices
        images = data.images[indices]
        return Split(augmentation.apply(images, changes) if augmentation else images, data.labels[indices])

    def evaluate(model, test):
        model = in_batches(model, test_batch) if test_batch else model
        return {"test_loss": cross_entropy(model, *test), "test_accuracy": accuracy(model, *test)}

    return Task(make, lambda model, batch: cross_entropy(model, *batch), choose, take, evaluate, test)
