"""A float of eight bits, for every number by itself."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import jax
import jax.numpy as jnp

from radam_optax._core.calls import validated
from radam_optax._core.domains import size
from radam_optax._core.hashing import random_bits
from radam_optax.codecs._bits import INFINITY, to_bits, to_float, to_int8
from radam_optax.codecs._codec import Arrays, Codec

Exponent = Annotated[int, size(-63, 127)]


@validated
def float8_stochastic(max_exponent: Exponent = 8) -> Codec:
    """A float of eight bits without a scale, rounded so that the expected value is exact: 1 byte per number.

    ::

        |x| = 2^i (1 + k / 2)       k = 0, 1; from 1.5 2^(max_exponent - 63) to 2^max_exponent; and zero

    A sign, six bits of exponent, one of mantissa: the neighbor that a number is rounded to is less than half
    of it away. What is smaller than the least number is rounded up to it, never to zero; what is larger than
    the largest becomes that. Exact are zero, the numbers above, infinities and NaN.

    It has no scale to be found before a number can be coded, so compilers fuse it into the loop of the step:
    RAdam moves 16 bytes per parameter instead of 28, where :func:`int8_blockwise` saves memory only. The
    price are steps four times as wide, and a range to be chosen.

    Args:
      max_exponent: The largest number is ``2^max_exponent``; a whole number in [-63, 127]. With 8, second
        moments reach from 4.2e-17, whose root is below Adam's eps, to 256, the square of gradients of 16;
        clip these. Default: 8.

    Returns:
      A codec, which makes ``codes``, int8 in the shape of x.

    Raises:
      TypeError: ``max_exponent`` is not a whole number.
      ValueError: ``max_exponent`` is not in [-63, 127].

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import codecs
      >>> codec = codecs.float8_stochastic()
      >>> arrays = codec.encode(jnp.array([1.0, -1.5, 0.0, 1e6]), jnp.uint32(0))
      >>> print(codec.decode(arrays))
      [  1.   -1.5   0.  256. ]

    References:
      Micikevicius et al. (2022), FP8 Formats for Deep Learning, for floats of eight bits, which have
      fewer bits of exponent there. https://arxiv.org/abs/2209.05433
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
        size = to_bits(jnp.abs(x), jnp.int32)
        noise = (random_bits(x.shape, seed) >> 10).astype(jnp.int32)
        code = jnp.clip(((size + noise) >> 22) - self._below, 1, 126)
        code = jnp.where(size == 0, 0, jnp.where(size < INFINITY, code, 127))
        code = jnp.where(size > INFINITY, -128, jnp.where(x < 0, -code, code))
        return {"codes": to_int8(code)}

    def decode(self, arrays: Arrays) -> jax.Array:
        code = arrays["codes"].astype(jnp.int32)
        size = jnp.abs(code)
        x = jnp.where(
            size < 127, to_float((size + self._below) << 22), jnp.where(size > 127, jnp.nan, jnp.inf)
        )
        return jnp.where(code == 0, 0, jnp.where(code < 0, -x, x))
