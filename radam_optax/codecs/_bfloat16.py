"""bfloat16, rounded so that on average nothing is lost."""

import dataclasses

import jax
import jax.numpy as jnp

from radam_optax._core.hashing import random_bits
from radam_optax.codecs._bits import to_bits, to_float
from radam_optax.codecs._codec import Arrays, Codec


def bfloat16_stochastic() -> Codec:
    """bfloat16, rounded up or down at random so that the expected value is exact: 2 bytes per number.

    ::

        values = upper 16 bits of (bits of x + n)            n: a random integer in [0, 2^16)

    The result is one of the two neighbors of x in bfloat16, the nearer one the more often: a move by a
    hundredth of their distance is made in full in one of a hundred steps, where rounding to nearest would
    never move. The error is less than the distance, 2^-7 of x. Exact are the numbers of bfloat16, zero,
    infinities and NaN; positive numbers stay positive.

    Returns:
      A codec, which makes ``values``, bfloat16 in the shape of x.

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import codecs
      >>> codec = codecs.bfloat16_stochastic()
      >>> arrays = codec.encode(jnp.full(10_000, 1 + 2.0**-10), jnp.uint32(0))  # 1/8 of the way up.
      >>> arrays["values"].dtype
      dtype(bfloat16)
      >>> print(f"{(codec.decode(arrays) > 1).mean():.2f}")
      0.13

    References:
      Zamirai et al. (2020), Revisiting BFloat16 Training. https://arxiv.org/abs/2010.06192
    """
    return _Stochastic()


@dataclasses.dataclass(frozen=True)
class _Stochastic:
    def __repr__(self) -> str:
        return "codecs.bfloat16_stochastic()"

    def encode(self, x: jax.Array, seed: jax.Array) -> Arrays:
        bits = to_bits(x, jnp.uint32) + (random_bits(x.shape, seed) >> 16)
        rounded = to_float(bits & jnp.uint32(0xFFFF0000))
        x = jnp.where(jnp.isnan(x), x, rounded)  # A carry could make another number of its bits.
        return {"values": x.astype(jnp.bfloat16)}

    def decode(self, arrays: Arrays) -> jax.Array:
        return arrays["values"].astype(jnp.float32)
