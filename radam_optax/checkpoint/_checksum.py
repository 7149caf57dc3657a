"""A checksum of an array that does not depend on how it is sharded, and its data as a file takes them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from radam_optax._core.hashing import mixed


def data_of(leaf: Any) -> Any:
    """A leaf as Orbax takes it: random keys as integers, numbers and what each process has as NumPy's."""
    if not hasattr(leaf, "dtype"):
        return np.asarray(leaf)
    data = jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
    own = jax.process_count() > 1 and isinstance(data, jax.Array) and data.is_fully_addressable
    return np.asarray(data) if own else data


def checksum_of(leaf: Any) -> int:
    """In 32 bits, and waited for: on virtual devices of a CPU, overlapping sums over devices can deadlock."""
    data = data_of(leaf)
    if isinstance(data, np.ndarray | np.generic) and data.dtype.itemsize >= 8:
        data = np.asarray(data).reshape(-1).view(np.uint32)  # JAX takes 64 bits in x64 mode only.
    return int(_mixed_sum(data))


@jax.jit
def _mixed_sum(x: jax.Array) -> jax.Array:
    """The sum modulo 2^32 of all words of at most 32 bits, each mixed with its index.

    The mixing, the last step of MurmurHash3, is a bijection for one index: a single wrong word always
    shows, anything else but for a chance of 2^-32. A sum depends on no order, so on no sharding. Words
    times odd weights would not do: of 1024 ones, read as zeros, the sum of float32's bits is 0, too.
    """
    x = jax.device_put(x, jax.memory.Space.Device)  # It may be in the host's, where nothing is computed.
    if jnp.iscomplexobj(x):
        x = jnp.stack([x.real, x.imag], axis=-1)
    if x.dtype.itemsize == 8:
        x = jax.lax.bitcast_convert_type(x, jnp.uint32)
    elif jnp.issubdtype(x.dtype, jnp.floating):
        x = jax.lax.bitcast_convert_type(x, jnp.dtype(f"uint{jnp.finfo(x.dtype).bits}"))
    index = jnp.zeros(x.shape, jnp.uint32)
    for axis, size in enumerate(x.shape):
        index = index * jnp.uint32(size) + jax.lax.broadcasted_iota(jnp.uint32, x.shape, axis)
    word = x.astype(jnp.uint32) ^ (index * jnp.uint32(0x9E3779B9))
    return jnp.sum(mixed(word), dtype=jnp.uint32)
