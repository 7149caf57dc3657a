"""int8 in blocks, each of which has a scale."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated

import jax
import jax.numpy as jnp

from radam_optax._core.calls import validated
from radam_optax._core.domains import size
from radam_optax._core.hashing import random_bits
from radam_optax.codecs._bits import INFINITY, to_bits, to_float, to_int8
from radam_optax.codecs._codec import Arrays, Codec

BlockSize = Annotated[int, size(2)]
Shards = Annotated[int, size(1)]


@validated
def int8_blockwise(block_size: BlockSize = 64, shards: Shards = 1) -> Codec:
    """int8 in blocks, each with a scale, rounded so that it is exact on average: 1 + 2/64 bytes per number.

    ::

        scale = the least power of two that no number of the block exceeds in size
        |x|   = scale 2^-i (1 + k / 8)                     k = 0 .. 7; code = 127 + k - 8 i, of 1 to 127
        |x|   = the same, with code = 255 + k - 8 i of 1 to 255, in blocks without a negative number

    So a number has 3 bits of mantissa, and the neighbor that it is rounded to is less than an eighth of it
    away. A block with a negative number spends one of the 8 bits on the sign and reaches down to 2^-15.7 of
    its scale, and by chance to zero below. A block without one, as of second moments, reaches down to
    2^-31.7; what is positive below is rounded up to that, never to zero, since a rate has its root in the
    denominator. Both thus reach as far, a gradient and the root of its square.

    Exact are zero, infinities, and the numbers that a block can say; a NaN makes NaN of its whole block.

    Args:
      block_size: Numbers in a block at most, a whole number >= 2. Blocks lie along the last axis that is at
        least as long, or else the longest one, which is divided into as few as possible. Default: 64.
      shards: Number of devices that this axis is divided over at most, a whole number >= 1. No block then
        straddles two devices, so that the scales are sharded like the parameter, and encoding communicates
        nothing. Default: 1.

    Returns:
      A codec, which makes ``codes``, int8 in the shape of x, and ``scales``, bfloat16, negative for blocks
      without negative numbers, with the number of blocks for the length of the axis.

    Raises:
      TypeError: An argument is not a whole number.
      ValueError: ``block_size`` is less than 2, or ``shards`` less than 1.

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import codecs
      >>> codec = codecs.int8_blockwise()
      >>> arrays = codec.encode(jnp.array([[1.0, -0.5, 0.0, 0.001]]), jnp.uint32(0))
      >>> {name: (array.shape, str(array.dtype)) for name, array in arrays.items()}
      {'codes': ((1, 4), 'int8'), 'scales': ((1, 1), 'bfloat16')}
      >>> print(codec.decode(arrays)[0, :3])
      [ 1.  -0.5  0. ]

    References:
      Dettmers et al. (2022), 8-bit Optimizers via Block-wise Quantization, for the blocks.
      https://arxiv.org/abs/2110.02861

      Rouhani et al. (2023), Microscaling Data Formats for Deep Learning, for floats of few bits under a
      power of two. https://arxiv.org/abs/2310.10537
    """
    return _Int8Blockwise(block_size, shards)


_STEP = 20  # Bits of float32 below a code's: 23 of the mantissa, but for 3.
_SMALLEST = 0x00800000  # The bits of float32's least normal number.


@dataclasses.dataclass(frozen=True)
class _Int8Blockwise:
    block_size: int
    shards: int

    def __repr__(self) -> str:
        given = {"block_size": (self.block_size, 64), "shards": (self.shards, 1)}
        return f"codecs.int8_blockwise({', '.join(f'{n}={v}' for n, (v, d) in given.items() if v != d)})"

    def encode(self, x: jax.Array, seed: jax.Array) -> Arrays:
        blocks = _Blocks(x.shape, self.block_size, self.shards)
        x = blocks.divide(x)
        size = to_bits(jnp.abs(x), jnp.int32)
        largest = jnp.max(size, axis=blocks.axis + 1, keepdims=True)
        signed = jnp.any(x < 0, axis=blocks.axis + 1, keepdims=True)
        top = jnp.where(signed, 127, 255)
        # Bits of floats, as integers, are their logarithms, straight within an octave.
        scale = (jnp.minimum(largest, INFINITY) + (2**23 - 1)) & -(2**23)
        noise = (random_bits(x.shape, seed) >> (32 - _STEP)).astype(jnp.int32)
        code = top + ((size + noise - scale) >> _STEP)
        least = jnp.maximum(scale - ((top - 1) << _STEP), _SMALLEST)
        drawn = noise.astype(jnp.float32) * 2.0**-_STEP * to_float(least)
        below = jnp.where(signed, drawn < jnp.abs(x), size > 0).astype(jnp.int32)
        code = jnp.where(size < least, below, jnp.minimum(code, top))
        code = jnp.where(x < 0, -code, jnp.where(code > 127, code - 256, code))
        scale = jnp.where(largest > INFINITY, jnp.nan, to_float(scale))
        scale = jnp.where(signed, scale, -scale).astype(jnp.bfloat16)
        return {"codes": blocks.join(to_int8(code)), "scales": jnp.squeeze(scale, blocks.axis + 1)}

    def decode(self, arrays: Arrays) -> jax.Array:
        blocks = _Blocks(arrays["codes"].shape, self.block_size, self.shards)
        code = blocks.divide(arrays["codes"]).astype(jnp.int32)
        scale = jnp.expand_dims(arrays["scales"].astype(jnp.float32), blocks.axis + 1)
        signed = ~jnp.signbit(scale)
        steps = jnp.where(signed, 127 - jnp.abs(code), 255 - (code & 255))
        size = to_float(jnp.maximum(to_bits(jnp.abs(scale), jnp.int32) - (steps << _STEP), _SMALLEST))
        x = jnp.where(code == 0, 0, jnp.where(signed & (code < 0), -size, size))
        return blocks.join(jnp.where(jnp.isnan(scale), scale, x))


class _Blocks:
    """How an array is divided: ``axis`` becomes two, blocks and their elements."""

    def __init__(self, shape: tuple[int, ...], block_size: int, shards: int):
        long = [axis for axis, length in enumerate(shape) if length >= block_size]
        self.axis = long[-1] if long else max(range(len(shape)), key=lambda axis: (shape[axis], axis))
        self.shape = shape
        length = shape[self.axis]
        self.parts = math.gcd(length, shards)
        self.part = length // self.parts
        self.count = -(-self.part // block_size)
        self.size = -(-self.part // self.count)
        self.padding = self.count * self.size - self.part

    def divide(self, x: jax.Array) -> jax.Array:
        if self.padding:
            x = self._reshape(x, self.parts, self.part)
            widths = [(0, self.padding if axis == self.axis + 1 else 0, 0) for axis in range(x.ndim)]
            x = jax.lax.pad(x, jnp.zeros([], x.dtype), widths)
            # In steps that a sharded axis can follow.
            x = self._reshape(x, self.parts, self.count, self.size)
        return self._reshape(x, self.parts * self.count, self.size)

    def join(self, x: jax.Array) -> jax.Array:
        if self.padding:
            x = self._reshape(x, self.parts, self.count, self.size)
            x = self._reshape(x, self.parts, self.count * self.size)
            x = jax.lax.slice_in_dim(x, 0, self.part, axis=self.axis + 1)
        return x.reshape(self.shape)

    def _reshape(self, x: jax.Array, *lengths: int) -> jax.Array:
        return x.reshape(*self.shape[: self.axis], *lengths, *self.shape[self.axis + 1 :])
