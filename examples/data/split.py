"""What all data sets share: images with labels, batches drawn from a seed, errors that name the file."""

from typing import NamedTuple

import numpy as np


class DataError(ValueError):
    """A file or folder of the user's is not what it should be; the message names it."""


class Split(NamedTuple):
    """Images, float32 of shape (n, height, width, channels), and their labels, int32 of shape (n,)."""

    images: np.ndarray
    labels: np.ndarray


def batch_indices(seed: int, steps: int, examples: int, batch: int) -> np.ndarray:
    """Indices of shape (steps, batch) into ``examples`` examples: epoch after epoch, each shuffled anew.

    A longer run begins with the batches of a shorter one.
    """
    rng = np.random.default_rng(seed)
    epochs = -(-steps * batch // examples)
    order = np.concatenate([rng.permutation(examples) for _ in range(epochs)])
    return order[: steps * batch].reshape(steps, batch)
