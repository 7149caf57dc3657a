"""A small convolutional network in Flax NNX, fast on a CPU even when many of them train at once."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from examples.data.digits import CLASSES

Padding = str | Sequence[tuple[int, int]]


def convolve(
    x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: Padding, **_: Any
) -> jax.Array:
    """``lax.conv_general_dilated`` for NHWC images, without dilation or groups, as one matrix product.

    Under ``vmap`` over networks the weights differ from run to run, which XLA makes a grouped
    convolution; on two CPU cores that took five times as long as this.
    """
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding)
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    for axis, size, stride in zip((1, 2), kernel.shape[:2], strides, strict=True):
        stops = range(x.shape[axis] - size + 1, x.shape[axis] + 1)
        shifted = [jax.lax.slice_in_dim(x, i, stop, stride, axis) for i, stop in enumerate(stops)]
        x = jnp.concatenate(shifted, axis=-1)
    # The features of a patch are now ordered by column, row and channel.
    return x @ kernel.swapaxes(0, 1).reshape(-1, kernel.shape[-1])


class Network(nnx.Module):
    """Two 3 x 3 convolutions, the second with stride 2, and a linear layer: 3818 parameters."""

    def __init__(self, rngs: nnx.Rngs):
        conv = partial(nnx.Conv, kernel_size=(3, 3), conv_general_dilated=convolve, rngs=rngs)
        self.conv1 = conv(1, 8)
        self.conv2 = conv(8, 16, strides=2)
        self.linear = nnx.Linear(4 * 4 * 16, CLASSES, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        """Logits of shape (n, 10) from images of shape (n, 8, 8, 1)."""
        x = nnx.relu(self.conv1(images))
        x = nnx.relu(self.conv2(x))
        return self.linear(x.reshape(x.shape[0], -1))
