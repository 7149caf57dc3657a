"""The residual networks of He et al. (2016) for small images, ResNet-20 among them, in Flax NNX."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

Convolution = Callable[..., jax.Array]  # With the arguments of ``lax.conv_general_dilated``.

# As in the paper: a stride of 2 then centres on the pixels that the shortcut keeps; with "SAME" it would not.
PADDING = ((1, 1), (1, 1))


class Block(nnx.Module):
    """``relu(x + bn(conv(relu(bn(conv(x))))))``; for a new shape x is strided and padded (option A)."""

    def __init__(self, inputs: int, outputs: int, strides: int, conv: Any, *, rngs: nnx.Rngs):
        self.conv1 = conv(inputs, outputs, strides=strides)
        self.bn1 = nnx.BatchNorm(outputs, momentum=0.9, rngs=rngs)
        self.conv2 = conv(outputs, outputs)
        self.bn2 = nnx.BatchNorm(outputs, momentum=0.9, rngs=rngs)
        self.strides = strides
        self.new_channels = outputs - inputs

    def __call__(self, x: jax.Array) -> jax.Array:
        y = nnx.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        before = self.new_channels // 2
        channels = (before, self.new_channels - before)
        shortcut = jnp.pad(x[:, :: self.strides, :: self.strides], ((0, 0), (0, 0), (0, 0), channels))
        return nnx.relu(shortcut + y)


class ResNet(nnx.Module):
    """A 3 x 3 convolution, equally many blocks for each width, the mean over the image, a linear layer.

    Each width but the first halves height and width. Batch statistics are :class:`nnx.BatchStat`.

    Args:
      depth: layers with weights, 2 x blocks + 2.
      widths: channels of the stages, which do not fall.
      channels: of the images.
      classes: of the labels.
      rngs: for the weights, which are He et al.'s: N(0, 2 / fan_in), cut off at two standard deviations.
      conv: computes the convolutions.

    ``ResNet(20, (16, 32, 64), 3, 10, ...)``, ResNet-20 for CIFAR-10, has 269,722 parameters.
    """

    def __init__(
        self,
        depth: int,
        widths: Sequence[int],
        channels: int,
        classes: int,
        *,
        rngs: nnx.Rngs,
        conv: Convolution = jax.lax.conv_general_dilated,
    ):
        blocks, rest = divmod(depth - 2, 2 * len(widths))
        if rest or blocks < 1:
            raise ValueError(
                f"`depth` must be {2 * len(widths)} n + 2 for {len(widths)} widths, n >= 1; got {depth}."
            )
        make = partial(
            nnx.Conv,
            kernel_size=(3, 3),
            padding=PADDING,
            use_bias=False,
            kernel_init=nnx.initializers.he_normal(),
            conv_general_dilated=conv,
            rngs=rngs,
        )
        self.conv = make(channels, widths[0])
        self.bn = nnx.BatchNorm(widths[0], momentum=0.9, rngs=rngs)
        stages = []
        inputs = widths[0]
        for stage, outputs in enumerate(widths):
            for index in range(blocks):
                strides = 2 if stage and not index else 1
                stages.append(Block(inputs, outputs, strides, make, rngs=rngs))
                inputs = outputs
        self.blocks = nnx.List(stages)
        self.linear = nnx.Linear(inputs, classes, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        """Logits of shape (n, classes) from images of shape (n, height, width, channels)."""
        x = nnx.relu(self.bn(self.conv(images)))
        for block in self.blocks:
            x = block(x)
        return self.linear(x.mean(axis=(1, 2)))
