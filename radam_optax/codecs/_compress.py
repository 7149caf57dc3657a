"""State of a quarter of the size: held encoded between steps, in float32 during them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
import optax

from radam_optax._core.calls import validated
from radam_optax._core.domains import Link, function, size
from radam_optax._core.messages import name_of
from radam_optax._core.owners import Row
from radam_optax._core.placement import fits, part_of, sharding_of
from radam_optax._core.states import exact_paths, expect
from radam_optax._core.values import Optimizer
from radam_optax.codecs._codec import AnyCodec, Codec
from radam_optax.codecs._coding import decode, dtypes_of, encode, is_coded
from radam_optax.codecs._names import codec_of, name_in, named
from radam_optax.codecs._state import CompressedState, columns_of

Size = Annotated[int, size(0)]
PathMask = Annotated[Callable[[str, jax.Array], bool], function]

_ENCODED_DTYPES = ("float32", "bfloat16", "float16")


@validated
def compress_state(
    inner: Link,
    codec: AnyCodec,
    *,
    min_size: Size = 4096,
    mask: PathMask | None = None,
) -> Optimizer:
    """Holds the state of any transformation encoded between steps: Adam's in 2 bytes per parameter, not 8.

    ::

        state of inner = decode(state)                                     float32
        updates, state of inner = inner.update(gradients, state of inner, params)
        state = encode(state of inner)                                     rounded anew in each step

    Encoded are arrays of float32, bfloat16 and float16 with an axis at least; numbers, integers, complex and
    float64 arrays stay as they are, and so does what is too small or masked out. Without a mask also what a
    link calls exact stays: the iterate ``z`` of :func:`radam_optax.schedule_free`, whose steps are far
    smaller than it is.

    :func:`decompress_state` gives the state in float32; checkpoints hold it as it is encoded. What is encoded
    of a parameter is sharded like it, and a step communicates no more than that of ``inner``.

    Derivatives through the state, meta-gradients, go straight through the codecs of bfloat16, as if nothing
    were rounded, in bfloat16 themselves; int8 has none, and differentiating through it is a TypeError. Second
    derivatives are as good, but in forward over reverse mode of a ``lax.scan``, where JAX forgets such rules.

    Args:
      inner: Transformation whose state is held encoded, of this package or not; extra arguments reach it.
      codec: What holds the arrays: one of :mod:`radam_optax.codecs`, or any
        :class:`radam_optax.codecs.Codec`.
      min_size: Size of the smallest array that is encoded, in elements; a whole number >= 0. Arrays in the
        very dtype of the codes are held as codes however small, which loses nothing. Default: 4096.
      mask: Which arrays are encoded: a function of the path of an array in the state of ``inner``, such as
        "0/momentum/mu/layer/kernel", and of the array, that returns True or False. None: all but what a link
        calls exact. Default: None.

    Returns:
      A transformation with a :class:`CompressedState`; its updates are those of ``inner``.

    Raises:
      TypeError: ``inner`` is no transformation or ``codec`` no codec; from ``init``, ``mask`` returns no
        bool; or derivatives are taken through int8.
      ValueError: From ``init``, the state of ``inner`` is compressed already, or has integers that could
        not be told from codes, or an array is divided over devices so that a block straddles them, which
        under jit is known on explicit meshes only; from ``update``, the state is that of another codec.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> import radam_optax as rx
      >>> params = {"kernel": jnp.zeros((256, 256))}
      >>> plain = rx.radamw(3e-4)
      >>> optimizer = rx.compress_state(plain, rx.codecs.int8_blockwise())
      >>> bytes_of = lambda tx: sum(x.nbytes for x in jax.tree.leaves(tx.init(params)))
      >>> round(bytes_of(plain) / 256**2, 2), round(bytes_of(optimizer) / 256**2, 2)
      (8.0, 2.06)

    References:
      Dettmers et al. (2022), 8-bit Optimizers via Block-wise Quantization. https://arxiv.org/abs/2110.02861
    """
    inner = optax.with_extra_args_support(inner)
    name = named(codec)

    def is_encoded(path: Any, leaf: Any, exact: bool) -> bool:
        encodable = getattr(leaf, "ndim", 0) and leaf.dtype in _ENCODED_DTYPES and leaf.size
        if is_coded(codec, leaf, {}):  # It could not be told from codes, and loses nothing if it is some.
            if not encodable:
                raise ValueError(
                    f"The state of {inner!r} has {leaf.dtype} at {name_of(path)!r}, which could not be told "
                    f"from codes of {codec!r}: take another codec."
                )
            return True
        if not encodable or leaf.size < min_size:
            return False
        chosen = not exact if mask is None else mask(name_of(path), leaf)
        if not isinstance(chosen, bool | np.bool_):
            raise TypeError(
                f"`mask` must return True or False; for {name_of(path)!r} it returned {chosen!r}."
            )
        return bool(chosen)

    def encoded(row: Row, steps: jax.Array, index: int) -> Row:
        first, *rest = encode(codec, row.array, steps, np.uint32(index))
        return row._replace(array=first, beside=dict(zip([*dtypes_of(codec)][1:], rest, strict=True)))

    def init(params):
        state = inner.init(params)
        leaves, treedef = jax.tree_util.tree_flatten_with_path(state, is_leaf=_is_compressed)
        steps, rows, exact = jnp.zeros([], jnp.int32), [], exact_paths(state)
        for index, (path, leaf) in enumerate(leaves):
            if _is_compressed(leaf):
                raise ValueError(f"The state of {inner!r} is compressed already, at {name_of(path)!r}.")
            row = Row(path, leaf, {}, {})
            if is_encoded(path, leaf, any(path[: len(start)] == start for start in exact)):
                _check_sharding(path, leaf, codec)
                row = encoded(row, steps, index)
            rows.append(row)
        beside = columns_of(inner, state, rows, [*dtypes_of(codec)][1:], small=min_size)
        return CompressedState({name: steps}, treedef.unflatten(row.array for row in rows), beside)

    def update(updates, state, params=None, **extra_args):
        expect(CompressedState, state)
        codec_of(name_in(state), codec)
        rows = state.rows()
        updates, new = inner.update(updates, _decoded(codec, state), params, **extra_args)
        steps = state.steps[name] + 1
        leaves = jax.tree.structure(state.inner).flatten_up_to(new)
        new_rows = []
        for index, (row, leaf) in enumerate(zip(rows, leaves, strict=True)):
            new_row = row._replace(array=leaf)
            new_rows.append(
                encoded(new_row, steps, index) if is_coded(codec, row.array, row.beside) else new_row
            )
        return updates, state.with_rows(new_rows)._replace(steps={name: steps})

    return optax.GradientTransformationExtraArgs(init, update)


def decompress_state(state: Any, codec: AnyCodec | None = None) -> Any:
    """Gives the state that :func:`compress_state` holds, its encoded arrays in float32.

    Args:
      state: State of an optimizer that has :func:`compress_state` anywhere in it.
      codec: What the arrays are encoded by. None: the codec of that name with which an optimizer was made in
        this process. Default: None.

    Returns:
      The state of the same optimizer without :func:`compress_state`.

    Raises:
      TypeError: ``codec`` is no codec.
      ValueError: The state is that of another codec, or of one that has to be given: none of its name, or
        several, were used in this process.

    Example:
      >>> import jax.numpy as jnp
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer = rx.compress_state(rx.adam(1e-3), rx.codecs.bfloat16_stochastic())
      >>> state = optimizer.init({"kernel": jnp.zeros((64, 64))})
      >>> optax.tree.get(state, "nu")["kernel"].dtype
      dtype(bfloat16)
      >>> optax.tree.get(rx.decompress_state(state), "nu")["kernel"].dtype
      dtype('float32')
    """

    def decoded(node):
        return _decoded(codec_of(name_in(node), codec), node) if _is_compressed(node) else node

    return jax.tree.map(decoded, state, is_leaf=_is_compressed)


def _decoded(codec: Codec, state: CompressedState) -> Any:
    """The inner state, in float32 what is encoded."""
    leaves = [
        decode(codec, row.array, row.beside) if is_coded(codec, row.array, row.beside) else row.array
        for row in state.rows()
    ]
    return jax.tree.structure(state.inner).unflatten(leaves)


def _is_compressed(x: Any) -> bool:
    return isinstance(x, CompressedState)


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
            f"{part_of(sharding, leaf.shape)}, so that blocks of {codec!r} would straddle devices: "
            "give it `shards`, the number of devices that an axis is divided over."
        )
