"""How a codec codes one array: the seed of its rounding, and derivatives."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from radam_optax._core.hashing import mixed
from radam_optax.codecs._codec import Arrays, Codec
from radam_optax.codecs._state import FILLER


@functools.cache
def dtypes_of(codec: Codec) -> dict[str, jnp.dtype]:
    """By name, of the arrays that a codec makes of one; the first takes its place in a state."""
    found: Arrays = {}
    x, seed = jax.ShapeDtypeStruct((1,), jnp.float32), jax.ShapeDtypeStruct((), jnp.uint32)
    # Their order is the codec's, which JAX would not keep.
    jax.eval_shape(lambda x, seed: found.update(codec.encode(x, seed)), x, seed)
    names = sorted(found, key=lambda name: found[name].ndim == 0)  # A lone number takes no array's place.
    dtypes = {name: found[name].dtype for name in names}
    if FILLER in [*dtypes.values()][1:]:
        raise ValueError(f"`codec` may use {jnp.dtype(FILLER)} for its first array only; got {codec!r}.")
    return dtypes


def is_coded(codec: Codec, array: Any, beside: dict[str, Any]) -> bool:
    """Whether what a state has in the place of an array, and beside it, is what a codec makes."""
    (first, dtype), *rest = dtypes_of(codec).items()
    del first
    coded = getattr(array, "dtype", None) == dtype and array.ndim > 0 and array.size > 0
    return coded and {name: x.dtype for name, x in beside.items()} == dict(rest)


# Jitted, so that each is traced once per shape; the compiler inlines the calls before it fuses.
@functools.partial(jax.jit, static_argnums=0)
def encode(codec: Codec, x: jax.Array, steps: jax.Array, index: jax.Array) -> tuple[jax.Array, ...]:
    """An array in the keeping of ``codec``; ``steps`` and ``index``, of the array, seed its rounding."""
    return _encode(codec, x.astype(jnp.float32), seed_of(steps, index))


def seed_of(steps: jax.Array, index: jax.Array) -> jax.Array:
    """The seed of the rounding of one array at one step."""
    return mixed(mixed(steps.astype(jnp.uint32)) + index * jnp.uint32(0x9E3779B9))


@functools.partial(jax.jit, static_argnums=0)
def decode(codec: Codec, array: jax.Array, beside: Arrays) -> jax.Array:
    """The array of what is in its place and beside it, float32."""
    return _decode(codec, array, beside)


# Derivatives go straight through: rounding is exact on average. The first array carries them, if it can.


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _encode(codec: Codec, x: jax.Array, seed: jax.Array) -> tuple[jax.Array, ...]:
    arrays = codec.encode(x, seed)
    return tuple(arrays[name] for name in dtypes_of(codec))


@_encode.defjvp
def _(codec: Codec, primals: Any, tangents: Any) -> Any:
    (x, seed), (dx, _) = primals, tangents
    first, *beside = arrays = _encode(codec, x, seed)
    if not (jnp.issubdtype(first.dtype, jnp.floating) and first.shape == x.shape):
        raise TypeError(
            f"A state that {codec!r} encodes cannot be differentiated through: between steps it is "
            f"{first.dtype}, which has no derivative. Differentiate with a codec of bfloat16 or without "
            "`compress_state`, or pass `update` gradients through `jax.lax.stop_gradient`."
        )
    return arrays, (dx.astype(first.dtype), *map(no_tangent, beside))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _decode(codec: Codec, array: jax.Array, beside: Arrays) -> jax.Array:
    return codec.decode({next(iter(dtypes_of(codec))): array} | beside)


@_decode.defjvp
def _(codec: Codec, primals: Any, tangents: Any) -> Any:
    return _decode(codec, *primals), tangents[0].astype(jnp.float32)


def no_tangent(x: jax.Array) -> Any:
    """The tangent of what has none."""
    if jnp.issubdtype(x.dtype, jnp.inexact):
        return jnp.zeros_like(x)
    return np.zeros(x.shape, jax.dtypes.float0)
