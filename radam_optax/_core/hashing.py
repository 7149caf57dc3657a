"""Numbers that look random, from an element's index alone: no key, no order, no communication."""

import jax
import jax.numpy as jnp


def mixed(word: jax.Array) -> jax.Array:
    """A bijection of uint32 in which every bit of the result depends on all bits of ``word``.

    Source: Appleby, MurmurHash3 (2011), the last step.
    """
    word = (word ^ (word >> 16)) * jnp.uint32(0x85EBCA6B)
    word = (word ^ (word >> 13)) * jnp.uint32(0xC2B2AE35)
    return word ^ (word >> 16)


def random_bits(shape: tuple[int, ...], seed: jax.Array) -> jax.Array:
    """Uniform uint32 for ``seed``, uint32 of shape (); each device makes those of its part."""
    iotas = [jax.lax.broadcasted_iota(jnp.uint32, shape, axis) for axis in range(len(shape))]
    # Another number for each element, while there are few enough. Each term has all axes in it: TPU's
    # compiler would make what has one axis less in a kernel of its own.
    index = sum(iotas, jnp.zeros(shape, jnp.uint32))
    for size, iota in zip(shape[:-1], iotas, strict=False):
        index = index * jnp.uint32(size & 0xFFFFFFFF) + iota
    return mixed(index * jnp.uint32(0x9E3779B9) + seed)
