"""State of a quarter of the size: held encoded between steps, in float32 during them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
import optax

from radam_optax._core.calls import validated
from radam_optax._core.domains import Link, function, size
from radam_optax._core.messages import name_of
from radam_optax._core.placement import fits, sharding_of
from radam_optax._core.states import expect
from radam_optax._core.values import Optimizer
from radam_optax.codecs._codec import Codec, codec_like
from radam_optax.codecs._encoded import Encoded, encoded

_ENCODED_DTYPES = ("float32", "bfloat16", "float16")


class CompressedState(NamedTuple):
    """State of :func:`compress_state`."""

    steps: jax.Array  # shape=(), dtype=uint32: number of updates modulo 2^32, the seed of rounding.
    inner: optax.OptState  # That of the inner transformation, with `Encoded` in the place of arrays.


@validated
def compress_state(
    inner: Link,
    codec: Annotated[Codec, codec_like],
    *,
    min_size: Annotated[int, size(0)] = 4096,
    mask: Annotated[Callable[[str, jax.Array], bool], function] | None = None,
) -> Optimizer:
    """Holds the state of any transformation encoded between steps.

    A step decodes the state to float32, updates it, and encodes it anew. Encoded are arrays of float32,
    bfloat16 and float16 with an axis at least; numbers, integers, complex and float64 arrays stay as they
    are, and so does what is too small or masked out. :func:`decompress_state` gives the state in
    float32; checkpoints hold it as it is encoded.

    Args:
      inner: the transformation, of this package or not; extra arguments reach it.
      codec: of :mod:`radam_optax.codecs`.
      min_size: arrays of fewer elements stay as they are; a whole number >= 0.
      mask: a function of the path of an array in the state of ``inner``, such as
        "0/momentum/mu/layer/kernel", and of the array; False leaves it as it is.

    Returns:
      A transformation with a :class:`CompressedState`. A parameter's encoded state is sharded like it,
      and a step communicates no more than that of ``inner``.

    Raises:
      TypeError: ``mask`` returns no bool.
      ValueError: from ``init``, the state of ``inner`` is compressed already, or an array is divided over
        devices so that a block straddles them, which under jit is known on explicit meshes only; from
        ``update``, the state is that of another codec.
    """
    inner = optax.with_extra_args_support(inner)

    def is_encoded(path: Any, leaf: Any) -> bool:
        if not (getattr(leaf, "ndim", 0) and leaf.dtype in _ENCODED_DTYPES and leaf.size >= max(min_size, 1)):
            return False
        chosen = True if mask is None else mask(name_of(path), leaf)
        if not isinstance(chosen, bool | np.bool_):
            raise TypeError(
                f"`mask` must return True or False; for {name_of(path)!r} it returned {chosen!r}."
            )
        return bool(chosen)

    def init(params):
        state = inner.init(params)
        paths, treedef = jax.tree_util.tree_flatten_with_path(state, is_leaf=_is_compressed)
        steps, leaves = jnp.zeros([], jnp.uint32), []
        for path, leaf in paths:
            if _is_compressed(leaf):
                raise ValueError(f"The state of {inner!r} is compressed already, at {name_of(path)!r}.")
            if is_encoded(path, leaf):
                _check_sharding(path, leaf, codec)
                leaf = encoded(codec, leaf, steps, len(leaves))
            leaves.append(leaf)
        return CompressedState(steps, treedef.unflatten(leaves))

    def update(updates, state, params=None, **extra_args):
        expect(CompressedState, state)
        old, treedef = jax.tree.flatten(state.inner, is_leaf=_is_compressed)
        others = [leaf.codec for leaf in old if isinstance(leaf, Encoded) and leaf.codec != codec]
        if others:
            raise ValueError(f"The state is encoded by {others[0]!r}, but `codec` is {codec!r}.")
        decoded = treedef.unflatten(leaf.decode() if isinstance(leaf, Encoded) else leaf for leaf in old)
        updates, new = inner.update(updates, decoded, params, **extra_args)
        steps = state.steps + jnp.uint32(1)
        leaves = [
            encoded(codec, leaf, steps, index) if isinstance(before, Encoded) else leaf
            for index, (before, leaf) in enumerate(zip(old, treedef.flatten_up_to(new), strict=True))
        ]
        return updates, CompressedState(steps, treedef.unflatten(leaves))

    return optax.GradientTransformationExtraArgs(init, update)


def decompress_state(state: Any) -> Any:
    """The state that :func:`compress_state` wraps, its encoded arrays in float32.

    ::

        nu = optax.tree.get(rx.decompress_state(state), "nu")

    Args:
      state: of an optimizer that has :func:`compress_state` anywhere in it, or a part of one.

    Returns:
      The state of the same optimizer without :func:`compress_state`.
    """

    def decoded(node):
        if isinstance(node, CompressedState):
            return decompress_state(node.inner)
        return node.decode() if isinstance(node, Encoded) else node

    return jax.tree.map(decoded, state, is_leaf=_is_compressed)


def _is_compressed(x: Any) -> bool:
    return isinstance(x, Encoded | CompressedState)


def _check_sharding(path: Any, leaf: Any, codec: Codec) -> None:
    """Raises ValueError if an array is known to be divided over devices where its encoding cannot be."""
    sharding = jax.typeof(leaf).sharding if isinstance(leaf, jax.core.Tracer) else sharding_of(leaf)
    if sharding is None:
        return
    x, seed = jax.ShapeDtypeStruct(leaf.shape, jnp.float32), jax.ShapeDtypeStruct((), jnp.uint32)
    arrays = jax.eval_shape(codec.encode, x, seed)
    if not all(fits(sharding, array.shape) for array in arrays.values()):
        raise ValueError(
            f"Leaf {name_of(path)!r} of the state has shape {leaf.shape}, of which a device holds "
            f"{sharding.shard_shape(leaf.shape)}, so that blocks of {codec!r} would straddle devices: "
            "give it `shards`, the number of devices that an axis is divided over."
        )
