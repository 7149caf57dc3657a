"""Multilayer perceptrons in Flax NNX for images of any shape; without a hidden layer, logistic regression."""

from collections.abc import Sequence
from itertools import pairwise

import jax
from flax import nnx


class MLP(nnx.Module):
    """Linear layers with ReLU between them.

    Args:
      sizes: of the layers: pixels of an image, then hidden units, if any, then classes.
      rngs: of the first weights, LeCun normal; biases begin at 0.
    """

    def __init__(self, sizes: Sequence[int], rngs: nnx.Rngs):
        self.layers = nnx.List([nnx.Linear(*shape, rngs=rngs) for shape in pairwise(sizes)])

    def __call__(self, images: jax.Array) -> jax.Array:
        """Logits of shape (n, classes) from images of shape (n, ...)."""
        x = images.reshape(images.shape[0], -1)
        *hidden, last = self.layers
        for layer in hidden:
            x = nnx.relu(layer(x))
        return last(x)
