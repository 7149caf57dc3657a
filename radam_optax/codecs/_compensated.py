"""16 bits that a model computes with, and in an integer beside them what they lack of float32."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import jax
import jax.numpy as jnp

from radam_optax._core.calls import validated
from radam_optax._core.domains import size
from radam_optax._core.hashing import random_bits
from radam_optax.codecs._bits import to_bits, to_float, to_int8
from radam_optax.codecs._codec import Arrays, Codec

_MANTISSA = 23  # Bits of float32's.


def _eight_or_sixteen(name: str, value: int) -> int:
    if (bits := size(8, 16)(name, value)) in (8, 16):
        return bits
    raise ValueError(f"`{name}` must be 8 or 16; got {bits}.")


Bits = Annotated[int, _eight_or_sixteen]


@validated
def bfloat16_compensated(bits: Bits = 8) -> Codec:
    """bfloat16, and in an integer beside it what its rounding has lost: 3 bytes per number, or 4.

    ::

        x = values + errors / 2^bits of the distance of two bfloat16 numbers there

    ``values`` is x rounded to nearest, what a model computes with. With 8 bits the two together are float32
    without the last 8 of its 23 bits of mantissa, rounded at random so that the expected value is exact; the
    error is less than 2^-15 of x. With 16 bits they are float32, to the last bit. Exact are zero, infinities
    and NaN too.

    Args:
      bits: Bits of the integer, 8 or 16. Default: 8.

    Returns:
      A codec, which makes ``values``, bfloat16, and ``errors``, int8 or int16, both in the shape of x.

    Raises:
      TypeError: ``bits`` is not a whole number.
      ValueError: ``bits`` is neither 8 nor 16.

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import codecs
      >>> codec, x = codecs.bfloat16_compensated(bits=16), jnp.array([0.1, 1e-30])
      >>> arrays = codec.encode(x, jnp.uint32(0))
      >>> {name: str(array.dtype) for name, array in arrays.items()}
      {'values': 'bfloat16', 'errors': 'int16'}
      >>> bool((codec.decode(arrays) == x).all())
      True

    References:
      Zamirai et al. (2020), Revisiting BFloat16 Training, for the compensation of rounded updates.
      https://arxiv.org/abs/2010.06192
    """
    return _Compensated("bfloat16", bits)


def float16_compensated() -> Codec:
    """float16, and in an int8 beside it 8 more bits: 3 bytes per number, for parameters in float16.

    ::

        x = values + errors / 2^8 of the distance of two float16 numbers there

    Together they have 18 bits of mantissa, rounded at random so that the expected value is exact; the error
    is less than 2^-18 of x. Below 6.1e-5 numbers are 2.3e-10 apart, too coarse for second moments, and what
    is larger than 65504 becomes infinite. Exact are zero, infinities and NaN.

    Returns:
      A codec, which makes ``values``, float16, and ``errors``, int8, both in the shape of x.

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import codecs
      >>> codec, x = codecs.float16_compensated(), jnp.array([0.1])
      >>> arrays = codec.encode(x, jnp.uint32(0))
      >>> {name: str(array.dtype) for name, array in arrays.items()}
      {'values': 'float16', 'errors': 'int8'}
      >>> bool(abs(codec.decode(arrays) / x - 1)[0] < 2**-18)
      True
    """
    return _Compensated("float16", 8)


@dataclasses.dataclass(frozen=True)
class _Compensated:
    """Numbers are multiples of the least bit: consecutive integers, the upper bits of which are a float."""

    dtype: str
    bits: int

    def __repr__(self) -> str:
        return f"codecs.{self.dtype}_compensated({'' if self.bits == 8 else f'bits={self.bits}'})"

    @property
    def _dropped(self) -> int:
        """The bits of float32's mantissa that are lost."""
        return _MANTISSA - jnp.finfo(self.dtype).nmant - self.bits

    def encode(self, x: jax.Array, seed: jax.Array) -> Arrays:
        number = self._number(x)
        if self._dropped:
            noise = (random_bits(x.shape, seed) >> (32 - self._dropped)).astype(jnp.int32)
            number = (number + noise) >> self._dropped
        number = jnp.where(x < 0, -number, number)
        upper = (number + (1 << (self.bits - 1))) >> self.bits
        values = jnp.where(jnp.isfinite(x), self._float(upper << self.bits), x).astype(self.dtype)
        errors = jnp.where(jnp.isfinite(values), number - (upper << self.bits), 0)
        return {
            "values": values,
            "errors": to_int8(errors) if self.bits == 8 else errors.astype(jnp.int16),
        }

    def decode(self, arrays: Arrays) -> jax.Array:
        values = arrays["values"].astype(jnp.float32)
        upper = self._number(values) >> self._dropped
        number = jnp.where(values < 0, -upper, upper) + arrays["errors"].astype(jnp.int32)
        return jnp.where(jnp.isfinite(values), self._float(number), values)

    # A float's bits, read as an integer, count the floats above 0, in the range of `dtype` that is: below its
    # least normal number they are as far apart as above, as are those of float32 above one so much smaller.

    def _number(self, x: jax.Array) -> jax.Array:
        x = jnp.abs(x)
        if self.dtype == "bfloat16":
            return to_bits(x, jnp.int32)
        small = x < self._least
        return to_bits(x + self._shift(small), jnp.int32) - (self._exponent(small) << _MANTISSA)

    def _float(self, number: jax.Array) -> jax.Array:
        bits = jnp.abs(number) << self._dropped
        if self.dtype == "bfloat16":
            x = to_float(bits)
        else:
            small = bits < 1 << _MANTISSA
            x = to_float(bits + (self._exponent(small) << _MANTISSA)) - self._shift(small)
        return jnp.where(number < 0, -x, x)

    def _shift(self, small: jax.Array) -> jax.Array:
        return jnp.where(small, self._least, jnp.float32(0))

    @property
    def _least(self) -> jax.Array:
        return jnp.float32(jnp.finfo(self.dtype).smallest_normal)

    def _exponent(self, small: jax.Array) -> jax.Array:
        least = 127 + jnp.finfo(self.dtype).minexp - 1
        return jnp.where(small, jnp.int32(least + 1), jnp.int32(least))
