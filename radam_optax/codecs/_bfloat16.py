"""bfloat16, rounded so that on average nothing is lost."""

import dataclasses

import jax
import jax.numpy as jnp

from radam_optax._core.hashing import random_bits
from radam_optax.codecs._bits import to_bits, to_float
from radam_optax.codecs._codec import Arrays, Codec


def bfloat16_stochastic() -> Codec:
    """The upper half of float32, rounded up or down at random, so that the expected value is exact.

    A move by a hundredth of the distance of two bfloat16 numbers is made in full in one of a hundred
    steps. Infinities and NaN stay, positive numbers stay positive.

    Source: Zamirai et al. (2020), "Revisiting BFloat16 Training".
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
