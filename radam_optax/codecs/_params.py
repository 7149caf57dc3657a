"""Parameters of 16 bits that are trained as if they had 32."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from radam_optax._core.calls import validated
from radam_optax._core.domains import Link, RealDType, Tree
from radam_optax._core.leaves import in_structure_of, lifted
from radam_optax._core.messages import name_of
from radam_optax._core.states import check_params, expect, full_like, state_of
from radam_optax._core.values import Optimizer
from radam_optax.codecs._codec import AnyCodec, Codec, codec_like
from radam_optax.codecs._coding import decode, dtypes_of, encode, no_tangent, seed_of
from radam_optax.codecs._names import codec_of, name_in, named
from radam_optax.codecs._state import FILLER, filler

# Added to a leaf's index: what compresses the state inside rounds its leaves by the same steps.
_SALT = 1 << 31


class CompressedParamsState(NamedTuple):
    """State of :func:`radam_optax.compress_params`.

    The first array that a codec makes of a parameter is the parameter, the others are in this state.

    Attributes:
      steps: Number of updates by the codec's name, which seeds the rounding; int32 of shape ().
      inner: State of the transformation within, that for parameters of float32.
      beside: What a codec makes besides the parameter, by its name such as "errors": trees like the
        parameters, with a small array of zeros for each that is left alone.
    """

    steps: dict[str, jax.Array]  # By the codec's name: number of updates, the seed of rounding; int32.
    inner: optax.OptState
    beside: dict[str, optax.Params]


def _of_16_bits(name: str, value: Any) -> Codec:
    """A codec whose first array a model can compute with."""
    codec = codec_like(name, value)
    x, seed = jax.ShapeDtypeStruct((2, 3), jnp.float32), jax.ShapeDtypeStruct((), jnp.uint32)
    arrays = jax.eval_shape(codec.encode, x, seed).values()
    of_each = all(array.shape == x.shape and array.dtype.itemsize <= 2 for array in arrays)
    if not of_each or next(iter(dtypes_of(codec).values())) not in (jnp.bfloat16, jnp.float16):
        raise ValueError(
            f"`{name}` must make bfloat16 or float16 of each number, and beside it no more than 16 bits, as "
            f"codecs.bfloat16_compensated() does; got {codec!r}."
        )
    return codec


CodecOf16Bits = Annotated[Codec, _of_16_bits]


@validated
def compress_params(
    inner: Link,
    codec: CodecOf16Bits,
    *,
    update_dtype: RealDType = jnp.float32,
) -> Optimizer:
    """Trains parameters of 16 bits as if they had 32: what their rounding loses is kept in the state.

    ::

        full   = decode(params, what is beside them)                        float32
        new    = full + (the update of inner, in float32, from full)
        params, what is beside them = encode(new)

    The updates are such that ``optax.apply_updates`` arrives at the parameters of the last line exactly.
    Parameters of another dtype than the codec makes are left to ``inner``. :func:`decompress_params` gives
    the full parameters, :func:`replace_params` takes them over from a run in float32.

    Around a state that is compressed too, as in the example, training holds 7 bytes per parameter: 2 of the
    parameter, 1 beside it, 2 of the moments and 2 of the gradient. What is kept beside a parameter is sharded
    like it, and a step communicates no more than that of ``inner``.

    It belongs around the finished optimizer: what changes its updates afterwards, other than to pass them on
    or to leave them out, changes where the parameters arrive. Derivatives, as of meta-gradients, go straight
    through the rounding.

    Args:
      inner: Finished optimizer, of this package or not, with its learning rate: it is given gradients and
        parameters in float32, and its state is that for parameters of float32. Extra arguments reach it.
      codec: What holds the parameters: ``bfloat16_compensated()``, with one more byte in the state;
        ``bfloat16_compensated(bits=16)``, with two, so that training is that in float32;
        ``bfloat16_stochastic()``, with none, rounded at random so that the expected value is exact; or
        ``float16_compensated()``.
      update_dtype: Dtype of the updates of parameters that are held so, real. None: the parameter's own, for
        code that adds updates without a cast, as ``equinox.apply_updates`` does; then of a parameter that in
        one step more than doubles or halves, or changes its sign, what is beside it may be lost.
        Default: jnp.float32.

    Returns:
      A transformation with a :class:`radam_optax.codecs.CompressedParamsState`.

    Raises:
      TypeError: ``inner`` is no transformation, ``codec`` no codec, or ``update_dtype`` no dtype.
      ValueError: ``codec`` does not make 16 bits that a model can compute with; or from ``update``,
        ``params`` are missing, or are not those that ``init`` has seen, or the state is of another codec.

    Example:
      >>> import jax.numpy as jnp
      >>> import optax
      >>> import radam_optax as rx
      >>> inner = rx.compress_state(rx.radamw(1e-4), rx.codecs.float8_stochastic())
      >>> optimizer = rx.compress_params(inner, rx.codecs.bfloat16_compensated())
      >>> params = jnp.ones((64, 64), jnp.bfloat16)
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(jnp.ones_like(params), state, params)
      >>> params = optax.apply_updates(params, updates)
      >>> full = rx.decompress_params(state, params)
      >>> print(params[0, 0], f"{full[0, 0]:.4f}")  # The step is not lost.
      1 0.9999

    References:
      Zamirai et al. (2020), Revisiting BFloat16 Training. https://arxiv.org/abs/2010.06192
    """
    inner = optax.with_extra_args_support(inner)
    name = named(codec)
    (_, dtype), *beside_dtypes = dtypes_of(codec).items()
    added = jnp.dtype(update_dtype or dtype)

    def init(params):
        check_params(params)

        def cell(kind, p):
            p = jnp.asarray(p)
            return full_like(p, 0, kind) if p.dtype == dtype and p.size else filler(p.shape)

        beside = {n: jax.tree.map(functools.partial(cell, kind), params) for n, kind in beside_dtypes}
        return CompressedParamsState({name: jnp.zeros([], jnp.int32)}, inner.init(lifted(params)), beside)

    def update(updates, state, params=None, **extra_args):
        expect(CompressedParamsState, state)
        codec_of(name_in(state), codec)
        if params is None:
            raise ValueError("`compress_params` needs `params`: call `update(updates, state, params)`.")
        full = _decompressed(codec, state, params)
        updates, of_inner = inner.update(lifted(updates), state.inner, full, **extra_args)
        steps = state.steps[name] + 1

        def held(index, cells, p, x, u):
            return (u, cells) if u is None else _step(codec, added, x + u, p, steps, index)

        updates, beside = _map(codec, held, state, params, full, updates)
        return updates, CompressedParamsState({name: steps}, of_inner, beside)

    return optax.GradientTransformationExtraArgs(init, update)


def decompress_params(state: Tree, params: Tree, codec: AnyCodec | None = None) -> Any:
    """Gives the full parameters that :func:`compress_params` trains: what it holds in 16 bits, in float32.

    Args:
      state: State of an optimizer that has one :func:`compress_params` anywhere in it.
      params: What the model computes with.
      codec: What the parameters are encoded by. None: the codec of that name with which an optimizer was made
        in this process. Default: None.

    Returns:
      A tree like ``params``.

    Raises:
      ValueError: The state holds no :class:`radam_optax.codecs.CompressedParamsState`, or several, or is for
        other parameters; or its codec has to be given.

    Example:
      >>> import jax.numpy as jnp
      >>> import radam_optax as rx
      >>> optimizer = rx.compress_params(rx.adamw(1e-3), rx.codecs.bfloat16_compensated())
      >>> params = {"kernel": jnp.ones((2, 2), jnp.bfloat16)}
      >>> state = optimizer.init(params)
      >>> rx.decompress_params(state, params)["kernel"].dtype
      dtype('float32')
    """
    found = state_of(CompressedParamsState, state)
    return _decompressed(codec_of(name_in(found), codec), found, params)


def replace_params(state: Tree, params: Tree, full: Tree, codec: AnyCodec | None = None) -> tuple[Any, Any]:
    """Takes over full parameters, as of a run in float32, into those of 16 bits and a state.

    Args:
      state: State of an optimizer that has one :func:`compress_params` anywhere in it.
      params: Parameters that the model computes with; of those that are encoded only shape and dtype count.
      full: The full parameters, a tree like ``params``.
      codec: What the parameters are encoded by. None: the codec of that name with which an optimizer was made
        in this process. Default: None.

    Returns:
      Parameters and state, of which :func:`decompress_params` gives ``full``, to within the codec's rounding.

    Raises:
      ValueError: The state holds no :class:`radam_optax.codecs.CompressedParamsState`, or several, or is for
        other parameters; or its codec has to be given.

    Example:
      >>> import jax.numpy as jnp
      >>> import radam_optax as rx
      >>> optimizer = rx.compress_params(rx.adamw(1e-3), rx.codecs.bfloat16_compensated())
      >>> masters = jnp.array([0.1, 1 / 3])
      >>> params = masters.astype(jnp.bfloat16)
      >>> params, state = rx.replace_params(optimizer.init(params), params, masters)
      >>> bool(abs(rx.decompress_params(state, params) / masters - 1).max() < 2**-15)
      True
    """
    found = state_of(CompressedParamsState, state)
    codec = codec_of(name_in(found), codec)
    (steps,) = found.steps.values()

    def held(index, cells, p, x):
        del p
        first, *rest = encode(codec, x, steps, index)
        return first, dict(zip(cells, rest, strict=True))

    params, beside = _map(codec, held, found, params, full)

    def replaced(node):
        return node._replace(beside=beside) if node is found else node

    return params, jax.tree.map(replaced, state, is_leaf=lambda node: node is found)


def _decompressed(codec: Codec, state: CompressedParamsState, params: Any) -> Any:
    return _map(codec, lambda index, cells, p: (decode(codec, p, cells), cells), state, params)[0]


def _map(codec: Codec, held: Any, state: CompressedParamsState, params: Any, *trees: Any) -> tuple[Any, Any]:
    """``held(index, cells, p, *leaves) -> result, new cells`` of each parameter that is held in 16 bits.

    ``cells`` are what is beside it, by name. Of the others the result is the leaf of the last tree.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(params)
    columns = [structure.flatten_up_to(in_structure_of(params, column)) for column in state.beside.values()]
    rows = zip(*map(structure.flatten_up_to, (params, *trees)), strict=True)
    results, beside = [], []
    for index, ((path, p), row, *cells) in enumerate(zip(leaves, rows, *columns, strict=True)):
        cells = dict(zip(state.beside, cells, strict=True))
        for other in row:
            if other is not None and np.shape(other) != np.shape(p):
                raise ValueError(
                    f"Parameter {name_of(path)!r} has shape {np.shape(p)}, but what is given for it has "
                    f"{np.shape(other)}."
                )
        if _is_held(codec, path, p, cells.values()):
            result, cells = held(np.uint32(index + _SALT), cells, *row)
        else:
            result = row[-1]
        results.append(result)
        beside.append(cells)
    # Into the nodes that it has, which are NNX's in a state of `nnx.Optimizer`, or masked.
    columns = {
        n: jax.tree.structure(column).unflatten(cells[n] for cells in beside if cells[n] is not None)
        for n, column in state.beside.items()
    }
    return structure.unflatten(results), columns


def _is_held(codec: Codec, path: Any, p: Any, cells: Iterable[Any]) -> bool:
    """Raises ValueError if what is beside a parameter is not for it."""
    dtype, shape = next(iter(dtypes_of(codec).values())), np.shape(p)
    is_held = jnp.result_type(p) == dtype and np.size(p) > 0
    for cell in cells:
        if cell is None:  # Masked out.
            return False
        if (cell.dtype != FILLER) != is_held or (is_held and np.shape(cell) != shape):
            seen = f"{dtype} of shape {np.shape(cell)}" if cell.dtype != FILLER else f"nothing in {dtype}"
            raise ValueError(
                f"Parameter {name_of(path)!r} is {jnp.result_type(p)} of shape {shape}, but `init` has seen "
                f"{seen} there. Add updates with optax.apply_updates, which keeps the parameter's dtype, or "
                "make them with `update_dtype=None`; other parameters need a state of their own."
            )
    return is_held


# Jitted, so that it is traced once per shape; the compiler inlines the calls before it fuses.
@functools.partial(jax.jit, static_argnums=(0, 1))
def _step(codec: Codec, dtype: jnp.dtype, new: jax.Array, p: jax.Array, steps: Any, index: Any) -> Any:
    """The update, in ``dtype``, by which a parameter becomes ``new``, and what is beside it then."""
    return _arriving(codec, dtype, new, p, seed_of(steps, index))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _arriving(codec: Codec, dtype: jnp.dtype, new: jax.Array, p: jax.Array, seed: jax.Array) -> Any:
    arrays = codec.encode(new, seed)
    values = arrays.pop(next(iter(dtypes_of(codec))))
    was, given = p.astype(jnp.float32), jnp.finfo(dtype)
    # Rounded to its dtype here, since the compiler may leave out what a conversion and back would round.
    update = jax.lax.reduce_precision(values.astype(jnp.float32) - was, given.nexp, given.nmant)
    # What is beside a number is nothing beside another, and what will be stored is another where a step ends
    # at less than 2^-15 of what it began with.
    stored = (was + update).astype(p.dtype)
    # By way of float32: TPU's compiler makes a kernel of its own of a choice between bytes.
    beside = {
        name: jnp.where(stored == values, x.astype(jnp.float32), 0).astype(x.dtype)
        for name, x in arrays.items()
    }
    return update.astype(dtype), beside


# Derivatives go straight through: what is kept is exact, or is so on average.
@_arriving.defjvp
def _(codec: Codec, dtype: jnp.dtype, primals: Any, tangents: Any) -> Any:
    update, beside = _arriving(codec, dtype, *primals)
    tangent = tangents[0] - tangents[1].astype(jnp.float32)
    return (update, beside), (tangent.astype(dtype), jax.tree.map(no_tangent, beside))
