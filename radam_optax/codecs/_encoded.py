"""An array of a state, encoded."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from radam_optax._core.hashing import mixed
from radam_optax._core.owners import StandIn
from radam_optax.codecs._codec import Arrays, Codec


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Encoded(StandIn):
    """An array in the keeping of a codec: a node in a state, in the place of the array."""

    arrays: Arrays
    codec: Codec = dataclasses.field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, ...]:
        return jax.eval_shape(Encoded.decode, self).shape

    def decode(self) -> jax.Array:
        """The array, float32."""
        return _decode(self.codec, self.arrays)


def encoded(codec: Codec, x: jax.Array, steps: jax.Array, index: int) -> Encoded:
    """An array in the keeping of ``codec``; ``steps`` and ``index``, of the array, seed its rounding."""
    return Encoded(_encode(codec, x, steps, np.uint32(index)), codec)


# Jitted, so that each is traced once per shape; the compiler inlines the calls before it fuses.
@functools.partial(jax.jit, static_argnums=0)
def _encode(codec: Codec, x: jax.Array, steps: jax.Array, index: jax.Array) -> Arrays:
    seed = mixed(mixed(steps) + index * jnp.uint32(0x9E3779B9))
    return codec.encode(x.astype(jnp.float32), seed)


@functools.partial(jax.jit, static_argnums=0)
def _decode(codec: Codec, arrays: Arrays) -> jax.Array:
    return codec.decode(arrays)
