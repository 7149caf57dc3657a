"""Floats as their bits, and back: what the formats are made of."""

import jax
import jax.numpy as jnp

INFINITY = 0x7F800000  # The bits of float32's infinity: what is above is NaN.


def to_bits(x: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """The bits of float32 as integers of 32 bits."""
    return jax.lax.bitcast_convert_type(x, dtype)


def to_float(bits: jax.Array) -> jax.Array:
    """The float32 of these bits."""
    return jax.lax.bitcast_convert_type(bits, jnp.float32)


def to_int8(x: jax.Array) -> jax.Array:
    """int32 within int8, as int8. TPU's compiler fuses conversions of floats with what comes before."""
    base = 12582912.0  # 1.5 * 2^23, of whose bits, 0x4B400000, the last ones count in ones.
    return (to_float(x + 0x4B400000) - base).astype(jnp.int8)
