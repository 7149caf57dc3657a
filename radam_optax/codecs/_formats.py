"""The formats of encoded state."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated, Any, Protocol

import jax
import jax.numpy as jnp

from radam_optax._core.calls import validated
from radam_optax._core.domains import size
from radam_optax._core.hashing import random_bits

Arrays = dict[str, jax.Array]


class Codec(Protocol):
    """What :func:`radam_optax.compress_state` asks of a codec."""

    def encode(self, x: jax.Array, seed: jax.Array) -> Arrays: ...

    def decode(self, arrays: Arrays) -> jax.Array: ...


def codec_like(name: str, value: Any) -> Any:
    """A codec that has been built, such as those of :mod:`radam_optax.codecs`."""
    if isinstance(value, type) or not (hasattr(value, "encode") and hasattr(value, "decode")):
        raise TypeError(f"`{name}` must be a codec, such as `codecs.int8_blockwise()`; got {value!r}.")
    try:
        hash(value)
    except TypeError:
        raise TypeError(f"`{name}` must be hashable; got {value!r}.") from None
    return value


def bfloat16_stochastic() -> Codec:
    """The upper half of float32, rounded up or down at random, so that the expected value is exact.

    A move by a hundredth of the distance of two bfloat16 numbers is made in full in one of a hundred
    steps. Infinities and NaN stay, positive numbers stay positive.

    Source: Zamirai et al. (2020), "Revisiting BFloat16 Training".
    """
    return _BFloat16(stochastic=True)


def bfloat16_nearest() -> Codec:
    """The upper half of float32, rounded to nearest: here to show why not.

    A moving average with b2 = 0.999 moves by a thousandth of what it lacks, which is less than half the
    distance of two bfloat16 numbers once it has a third of its aim: it stands there, and never decays.
    """
    return _BFloat16(stochastic=False)


@dataclasses.dataclass(frozen=True)
class _BFloat16:
    stochastic: bool

    def __repr__(self) -> str:
        return f"codecs.bfloat16_{'stochastic' if self.stochastic else 'nearest'}()"

    def encode(self, x: jax.Array, seed: jax.Array) -> Arrays:
        if self.stochastic:
            bits = _bits(x, jnp.uint32) + (random_bits(x.shape, seed) >> 16)
            rounded = _float(bits & jnp.uint32(0xFFFF0000))
            x = jnp.where(jnp.isnan(x), x, rounded)  # A carry could make another number of its bits.
        else:
            x = jax.lax.reduce_precision(x, 8, 7)  # Unlike a conversion there and back, never left out.
        return {"values": x.astype(jnp.bfloat16)}

    def decode(self, arrays: Arrays) -> jax.Array:
        return arrays["values"].astype(jnp.float32)


def bfloat16_compensated() -> Codec:
    """bfloat16, and in an int8 what its rounding has lost: float32 without its last 8 bits."""
    return _Compensated()


@dataclasses.dataclass(frozen=True)
class _Compensated:
    def __repr__(self) -> str:
        return "codecs.bfloat16_compensated()"

    def encode(self, x: jax.Array, seed: jax.Array) -> Arrays:
        del seed
        bits = _bits(x, jnp.int32)
        upper = (bits + 0x8000) & -0x10000
        whole = jnp.isfinite(x)
        lower = jnp.where(whole, jnp.minimum((bits - upper + 0x80) >> 8, 127), 0)
        values = jnp.where(whole, _float(upper), x).astype(jnp.bfloat16)
        return {"values": values, "errors": _int8(lower)}

    def decode(self, arrays: Arrays) -> jax.Array:
        upper = _bits(arrays["values"].astype(jnp.float32), jnp.int32)
        return _float(upper + (arrays["errors"].astype(jnp.int32) << 8))


@validated
def int8_blockwise(block_size: Annotated[int, size(2)] = 64, shards: Annotated[int, size(1)] = 1) -> Codec:
    """One byte per number: codes with 3 bits of mantissa, below a power of two for each block.

    A code is the logarithm of its number, in steps of an eighth of an octave that are straight in
    between, counted down from the block's scale, the least power of two that no number of the block
    exceeds. It is rounded at random, so that the expected value is exact. A block with a negative
    number spends one of the 8 bits on the sign and reaches down to 2^-15.7 of its scale, and to zero
    by chance below. A block without, as of second moments, reaches down to 2^-31.7; what is
    positive below is rounded up to that, never to zero, since a rate has its root in the denominator.
    Both thus reach as far, a gradient and the root of its square.

    Args:
      block_size: numbers to a block, at most; a whole number >= 2. Blocks lie along the last axis
        that is at least as long, or else the longest one, which is divided into as few as possible.
      shards: how many devices that axis is divided over at most, where it is; a whole number >= 1. No
        block then straddles two devices, so that the scales are sharded like the parameter, and
        encoding communicates nothing.

    The scales are bfloat16, negative for a block without negative numbers, in the shape of the array
    with the number of blocks for the length of the axis. An infinity stays one; a NaN makes NaN of its
    whole block.

    Source: Dettmers et al. (2022), "8-bit Optimizers via Block-wise Quantization", for the blocks;
    the codes are rounded stochastically floats of few bits, as in the MX formats.
    """
    return _Int8Blockwise(block_size, shards)


_STEP = 20  # Bits of float32 below a code's: 23 of the mantissa, but for 3.
_INFINITY, _SMALLEST = 0x7F800000, 0x00800000  # The bits of float32's infinity and least normal number.


@dataclasses.dataclass(frozen=True)
class _Int8Blockwise:
    block_size: int
    shards: int

    def __repr__(self) -> str:
        given = {"block_size": (self.block_size, 64), "shards": (self.shards, 1)}
        return f"codecs.int8_blockwise({', '.join(f'{n}={v}' for n, (v, d) in given.items() if v != d)})"

    def encode(self, x: jax.Array, seed: jax.Array) -> Arrays:
        blocks = _Blocks(x.shape, self)
        x = blocks.divide(x)
        size = _bits(jnp.abs(x), jnp.int32)
        largest = jnp.max(size, axis=blocks.axis + 1, keepdims=True)
        signed = jnp.any(x < 0, axis=blocks.axis + 1, keepdims=True)
        top = jnp.where(signed, 127, 255)
        # Bits of floats, as integers, are their logarithms, straight within an octave.
        scale = (jnp.minimum(largest, _INFINITY) + (2**23 - 1)) & -(2**23)
        noise = (random_bits(x.shape, seed) >> (32 - _STEP)).astype(jnp.int32)
        code = top + ((size + noise - scale) >> _STEP)
        least = jnp.maximum(scale - ((top - 1) << _STEP), _SMALLEST)
        drawn = noise.astype(jnp.float32) * 2.0**-_STEP * _float(least)
        below = jnp.where(signed, drawn < jnp.abs(x), size > 0).astype(jnp.int32)
        code = jnp.where(size < least, below, jnp.minimum(code, top))
        code = jnp.where(x < 0, -code, jnp.where(code > 127, code - 256, code))
        scale = jnp.where(largest > _INFINITY, jnp.nan, _float(scale))
        scale = jnp.where(signed, scale, -scale).astype(jnp.bfloat16)
        return {"codes": blocks.join(_int8(code)), "scales": jnp.squeeze(scale, blocks.axis + 1)}

    def decode(self, arrays: Arrays) -> jax.Array:
        blocks = _Blocks(arrays["codes"].shape, self)
        code = blocks.divide(arrays["codes"]).astype(jnp.int32)
        scale = jnp.expand_dims(arrays["scales"].astype(jnp.float32), blocks.axis + 1)
        signed = ~jnp.signbit(scale)
        steps = jnp.where(signed, 127 - jnp.abs(code), 255 - (code & 255))
        size = _float(jnp.maximum(_bits(jnp.abs(scale), jnp.int32) - (steps << _STEP), _SMALLEST))
        x = jnp.where(code == 0, 0, jnp.where(signed & (code < 0), -size, size))
        return blocks.join(jnp.where(jnp.isnan(scale), scale, x))


class _Blocks:
    """How an array is divided: ``axis`` becomes two, blocks and their elements."""

    def __init__(self, shape: tuple[int, ...], codec: _Int8Blockwise):
        long = [axis for axis, length in enumerate(shape) if length >= codec.block_size]
        self.axis = long[-1] if long else max(range(len(shape)), key=lambda axis: (shape[axis], axis))
        self.shape = shape
        length = shape[self.axis]
        self.parts = math.gcd(length, codec.shards)
        self.part = length // self.parts
        self.count = -(-self.part // codec.block_size)
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


@validated
def float8_stochastic(max_exponent: Annotated[int, size(-63, 127)] = 8) -> Codec:
    """One byte per number and nothing else: a sign, six bits of exponent, one of mantissa.

    Its numbers are zero and powers of two, 63 octaves of them, and what lies halfway between. It is
    rounded at random, so that the expected value is exact. What is smaller than the least of them,
    1.5 * 2^(max_exponent - 63), is rounded up to it, never to zero; what is larger becomes the largest.
    Infinities and NaN stay.

    It has no scale to be found before a number can be coded, so compilers fuse it into the loop of the
    step: RAdam moves 16 bytes per parameter instead of 28, where :func:`int8_blockwise` saves memory only.
    The price are steps four times as wide, and a range to be chosen.

    Args:
      max_exponent: the largest number is 2^max_exponent, a whole number in [-63, 127]. With 8, second
        moments reach from 4.2e-17, whose root is below Adam's eps, to 256, gradients of 16; clip them.
    """
    return _Float8(max_exponent)


@dataclasses.dataclass(frozen=True)
class _Float8:
    max_exponent: int

    def __repr__(self) -> str:
        given = f"max_exponent={self.max_exponent}" if self.max_exponent != 8 else ""
        return f"codecs.float8_stochastic({given})"

    @property
    def _below(self) -> int:
        """The leading 10 bits of a float32 are its code and this, apart from the sign."""
        return 2 * (self.max_exponent + 127) - 126

    def encode(self, x: jax.Array, seed: jax.Array) -> Arrays:
        size = _bits(jnp.abs(x), jnp.int32)
        noise = (random_bits(x.shape, seed) >> 10).astype(jnp.int32)
        code = jnp.clip(((size + noise) >> 22) - self._below, 1, 126)
        code = jnp.where(size == 0, 0, jnp.where(size < _INFINITY, code, 127))
        code = jnp.where(size > _INFINITY, -128, jnp.where(x < 0, -code, code))
        return {"codes": _int8(code)}

    def decode(self, arrays: Arrays) -> jax.Array:
        code = arrays["codes"].astype(jnp.int32)
        size = jnp.abs(code)
        x = jnp.where(size < 127, _float((size + self._below) << 22), jnp.where(size > 127, jnp.nan, jnp.inf))
        return jnp.where(code == 0, 0, jnp.where(code < 0, -x, x))


def _int8(x: jax.Array) -> jax.Array:
    """int32 within int8, as int8. TPU's compiler fuses conversions of floats with what comes before."""
    base = 12582912.0  # 1.5 * 2^23, of whose bits, 0x4B400000, the last ones count in ones.
    return (_float(x + 0x4B400000) - base).astype(jnp.int8)


def _bits(x: jax.Array, dtype: jnp.dtype) -> jax.Array:
    return jax.lax.bitcast_convert_type(x, dtype)


def _float(bits: jax.Array) -> jax.Array:
    return jax.lax.bitcast_convert_type(bits, jnp.float32)
