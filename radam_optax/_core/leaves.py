"""Leaf arithmetic, which every link goes through.

A link states what happens to one array, its *kernel*; :func:`map_leaves` applies it to trees:

- Where many leaves are alike the kernel is jitted: traced once for them all, and called once for each. XLA
  inlines the calls before it fuses, so the compiled step is the same. Of a few, each is traced by itself, in
  less time than a jitted function takes for its first.
- The scalars of a step (bias corrections, r_t) are arguments: computed once, not once per leaf.
- Arithmetic is done in at least float32; state comes back in the dtype that it had.
- Updates are checked against the state, with the path of the leaf in the message. A leaf that is
  None, or :class:`optax.MaskedNode`, passes through and leaves its state as it is. So does the gradient
  that JAX gives an integer parameter, of dtype float0, as None: there is no update.
"""

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike, DTypeLike

from radam_optax._core.messages import name_of

Kernel = Callable[..., Any]
# From how many leaves of a kind on, and for a kernel of how many arguments, a call for each is less to trace
# and to lower than the kernel itself: a call is as much as some five operations, and jitting as some fifty.
# And from how many on a number is an array, which is less than a constant of every operation.
MANY, LONG, SHARED = 20, 4, 3
# The trees that updates are checked against, as they are called in messages.
_GIVEN, _STATE, _PARAMETERS = "another tree given with them", "the optimizer's state", "the parameters"
# What to do about a parameter that cannot be trained.
NO_UPDATE = (
    "Give None for its gradient, or leave it out of the optimizer with optax.masked or optax.partition."
)


def map_leaves(
    kernel: Kernel,
    inputs: tuple[Any, ...],
    states: tuple[Any, ...] = (),
    scalars: tuple[ArrayLike, ...] = (),
    *,
    like: Any = None,
    at_least: Any = None,
) -> Any:
    """Applies ``kernel(*inputs, *states, *scalars) -> out`` or ``(out, *new_states)`` leaf by leaf.

    Args:
      kernel: a function of arrays, defined once (it is the key of a cache).
      inputs: trees; the first one, the updates, has the structure of the result.
      states: trees of that structure; each new state takes the dtype of the old one.
      scalars: Python numbers, or arrays that broadcast against each leaf; most have shape ().
      like: tree of that structure whose dtypes the output takes; None: it stays in the dtype of the
        arithmetic, as a statistic on its way through a rate should.
      at_least: tree of that structure; where its dtypes are wider than those of ``like``, the output
        takes them: an update is as wide as its parameter. None: there is no such tree.

    Returns:
      The tree of outputs if there are no states, else a tuple of it and of each new state.

    Raises:
      ValueError: a tree does not match the updates in structure or shape.
      TypeError: a leaf of the updates is not floating or complex, or that of ``at_least`` is not.
    """
    updates = inputs[0]
    if updates is None and any(map(jax.tree.leaves, (*states, at_least))):
        raise TypeError("`updates` is None: nothing would be trained. Give `update` the gradients.")
    leaves, treedef = jax.tree.flatten(updates, is_leaf=_is_none)
    given = [_flatten_like(updates, treedef, tree, _GIVEN) for tree in inputs[1:]]
    kept = [_flatten_like(updates, treedef, tree, _STATE) for tree in states]
    columns = [leaves, *given, *kept]
    outs, floors = (
        [None] * len(leaves) if tree is None else _flatten_like(updates, treedef, tree, name)
        for tree, name in ((like, _GIVEN), (at_least, _PARAMETERS))
    )
    staged = _is_staged()

    def prepared(out, floor, row, copies):
        """What is done to every row of a kind, of which this is one."""
        arrays = tuple(map(_as_array, row))
        _check_shapes(arrays, len(inputs), floor, tuple(map(np.shape, scalars)))
        out_dtype = None if out is None else _dtype_of(out, floor)
        real = _precision(tuple(x.dtype for x in arrays))
        many = copies >= MANY and len(row) + len(scalars) >= LONG
        run = (_compiled if many or not staged else _applied)(kernel, len(inputs), real, out_dtype)
        numbers = tuple(_number(x, real, shared=staged and copies >= SHARED) for x in scalars)
        return lambda row: run(tuple(map(_as_array, row)), numbers)

    rows = list(zip(outs, floors, *columns, strict=True))
    kinds = [tuple(map(_kind, row)) for row in rows]
    alike, of_kind, results = Counter(kinds), {}, []
    # Complex gradients of real state must get as far as the cast, which says what is wrong.
    with jax.numpy_dtype_promotion("standard"):
        for index, (kind, (out, floor, *row)) in enumerate(zip(kinds, rows, strict=True)):
            if _is_no_update(row[0]):
                results.append((None, *row[len(inputs) :]))
                continue
            try:
                if kind not in of_kind:
                    of_kind[kind] = prepared(out, floor, row, alike[kind])
                results.append(of_kind[kind](row))
            except LeafError as error:
                raise error.at(_leaf_name(updates, index)) from None
    columns = zip(*results, strict=True) if results else [()] * (1 + len(states))
    trees = tuple(map(treedef.unflatten, columns))
    return trees if states else trees[0]


def times(x: jax.Array, factor: ArrayLike) -> jax.Array:
    """``x * factor`` for a real factor; a complex x is not promoted with it, but scaled by parts."""
    if not jnp.iscomplexobj(x):
        return jax.lax.mul(x, factor)
    return jax.lax.complex(x.real * factor, x.imag * factor)


def averaged(average: jax.Array, newcomer: jax.Array, old: ArrayLike, new: ArrayLike) -> jax.Array:
    """``old * average + new * newcomer``: one step of a moving average."""
    past, added = times(average, old), times(newcomer, new)
    return past + added if jnp.iscomplexobj(newcomer) else jax.lax.add(past, added)


def abs_sq(x: jax.Array) -> jax.Array:
    """``|x|^2``, real."""
    return x.real * x.real + x.imag * x.imag if jnp.iscomplexobj(x) else jax.lax.mul(x, x)


def lifted(tree: Any) -> Any:
    """The tree with its arrays of 16 bits in float32, so that nothing is rounded between links."""

    def leaf(x):
        narrow = getattr(x, "dtype", None) in (jnp.bfloat16, jnp.float16)
        return x.astype(jnp.float32) if narrow else x

    return jax.tree.map(leaf, tree)


def in_structure_of(params: Any, tree: Any) -> Any:
    """A part of a state, kept for ``params``, in their structure; None where nothing is kept.

    NNX puts nodes of its own in place of those of the parameters, in the same order.

    Raises:
      ValueError: it is not kept for such parameters.
    """

    def is_gap(x):
        return x is None or isinstance(x, optax.MaskedNode)

    def of_part(part, x):
        return jax.tree.map(lambda _: None, part) if is_gap(x) else x

    structure = jax.tree.structure(params)
    leaves = jax.tree.leaves(tree, is_leaf=is_gap)
    if len(leaves) == structure.num_leaves:
        return structure.unflatten(None if is_gap(x) else x for x in leaves)
    kept = jax.tree.map(lambda x, part: of_part(part, x), tree, params, is_leaf=is_gap)
    return structure.unflatten(structure.flatten_up_to(kept))


def root(v: jax.Array) -> jax.Array:
    """A root whose derivatives at 0 are 0 and not infinite: they pay for a choice there, values do not."""
    return _root(v)


@jax.custom_jvp
def _root(v: jax.Array) -> jax.Array:
    return jax.lax.sqrt(v)


@_root.defjvp
def _root_jvp(primals, tangents):
    return jax.jvp(_root_or_0, primals, tangents)


def _root_or_0(v):
    at_0 = v == 0
    root = jax.lax.sqrt(jax.lax.select(at_0, jax.lax.full_like(v, 1), v))
    return jax.lax.select(at_0, jax.lax.full_like(v, 0), root)


def agree(x: jax.Array, y: jax.Array) -> jax.Array:
    """Where two arrays have one sign; where complex numbers point into one half of the plane."""
    if jnp.iscomplexobj(x):
        return x.real * y.real + x.imag * y.imag > 0
    # The product of the numbers themselves would be 0 where both are small.
    return jnp.sign(x) * jnp.sign(y) > 0


def reciprocal(x: jax.Array) -> jax.Array:
    """``1 / x``, and 0 of 0; derivatives are finite there as well."""
    at_0 = x == 0
    return jnp.where(at_0, 0, 1 / jnp.where(at_0, 1, x))


def raised(x: jax.Array, exponent: ArrayLike) -> jax.Array:
    """``x ** exponent`` of x >= 0; of 0 it is 0, or 1 for the exponent 0, with finite derivatives."""
    at_0 = x == 0
    return jnp.where(at_0 & (exponent != 0), 0, jnp.where(at_0, 1, x) ** exponent)


class LeafError(Exception):
    """What is wrong with one leaf, without its path; ``kind`` is the error that a user gets."""

    def __init__(self, what: str, kind: type[Exception] = TypeError):
        super().__init__(what)
        self.kind = kind

    def at(self, leaf: str) -> Exception:
        return self.kind(f"{leaf}{self}")


def _check_shapes(
    arrays: tuple[jax.Array, ...], n_inputs: int, param: Any, scalars: tuple[tuple[int, ...], ...]
) -> None:
    # Not by chex, whose checks a program may have switched off: what they protect here are results.
    shape = np.shape(arrays[0])
    names = [_GIVEN] * n_inputs + [_STATE] * (len(arrays) - n_inputs)
    others = [*zip(names, arrays, strict=True), *([] if param is None else [(_PARAMETERS, param)])]
    for name, other in others:
        if np.shape(other) != shape:
            what = f" of the updates has shape {shape}, and not that of {name}, {np.shape(other)}."
            raise LeafError(what, ValueError)
    for other in scalars:
        if len(other) > len(shape) or any(
            n not in (1, length) for n, length in zip(other[::-1], shape[::-1], strict=False)
        ):
            raise LeafError(
                f" of the updates has shape {shape}, to which a hyperparameter of shape {other}, or what a "
                "schedule returns, does not broadcast.",
                ValueError,
            )


def _precision(dtypes: tuple[jnp.dtype, ...]) -> jnp.dtype:
    """The real dtype to compute in with arrays of these dtypes, the first of which is that of the updates."""
    # Apart from what is remembered, since x64 mode may be another one by now.
    return jax.dtypes.canonicalize_dtype(_widest(dtypes))


@functools.cache
def _widest(dtypes: tuple[jnp.dtype, ...]) -> jnp.dtype:
    other = next((d for d in dtypes if jnp.issubdtype(d, jnp.complexfloating)), None)
    if other is not None and not jnp.issubdtype(dtypes[0], jnp.complexfloating):
        raise LeafError(f": the updates are {dtypes[0]}, but its state or parameter is {other}.")
    wide = max(dtypes, key=lambda dtype: jnp.finfo(dtype).bits)
    return arithmetic_dtype(wide, real=True)


def _number(x: Any, real: jnp.dtype, shared: bool) -> Any:
    """A scalar of a step as it takes part in the arithmetic."""
    if isinstance(x, float | int):
        # A number is a constant of each operation; a copy, which costs nothing, is made once for all.
        return jnp.copy(jnp.asarray(x, real)) if shared else real.type(x)
    x = jnp.asarray(x)
    # In x64 mode a step's numbers are float64; they must not widen the arithmetic of float32 leaves.
    return x if x.dtype == jnp.bool_ else _in_dtype(x, real)


@functools.cache
def _compiled(kernel: Kernel, n_inputs: int, real: jnp.dtype, out_dtype: Any) -> Callable[..., Any]:
    return jax.jit(_applied(kernel, n_inputs, real, out_dtype))


@functools.cache
def _applied(kernel: Kernel, n_inputs: int, real: jnp.dtype, out_dtype: Any) -> Callable[..., Any]:
    complex_ = jnp.dtype(f"complex{2 * jnp.finfo(real).bits}")

    def run(arrays, scalars):
        lifted = (_in_dtype(x, complex_ if jnp.iscomplexobj(x) else real) for x in arrays)
        scalars = (jnp.broadcast_to(s, arrays[0].shape) if np.ndim(s) else s for s in scalars)
        out, *states = _as_tuple(kernel(*lifted, *scalars))
        out = out if out_dtype is None else _cast(out, out_dtype)
        return (out, *map(_cast, states, (x.dtype for x in arrays[n_inputs:])))

    run.__name__ = kernel.__name__
    return run


def _in_dtype(x: jax.Array, dtype: DTypeLike) -> jax.Array:
    """``x.astype(dtype)``, which takes a while to find that there is nothing to do."""
    return x if x.dtype == dtype and not getattr(x, "weak_type", False) else x.astype(dtype)


def _dtype_of(out: Any, floor: Any) -> jnp.dtype:
    # What JAX takes a NumPy float64 for.
    dtype = jnp.result_type(_as_array(out))
    own = getattr(floor, "dtype", None)
    if floor is None or (own is None and isinstance(floor, float | complex)):
        return dtype
    if own is None or not jnp.issubdtype(own, jnp.inexact):
        raise LeafError(f" has an update, but its parameter is {own or repr(floor)}. {NO_UPDATE}")
    own = jnp.result_type(floor)
    if not jnp.issubdtype(dtype, jnp.complexfloating) and jnp.issubdtype(own, jnp.complexfloating):
        own = jnp.finfo(own).dtype  # A rate is real where the parameter is complex.
    with jax.numpy_dtype_promotion("standard"):
        return jnp.promote_types(dtype, own)


def arithmetic_dtype(dtype: DTypeLike, *, real: bool) -> jnp.dtype:
    """The dtype to compute in with arrays of ``dtype``: the same, but at least float32."""
    kind = "float" if real or not jnp.issubdtype(dtype, jnp.complexfloating) else "complex"
    real_bits = max(32, jnp.finfo(dtype).bits)
    return jnp.dtype(f"{kind}{real_bits if kind == 'float' else 2 * real_bits}")


def _cast(x: jax.Array, dtype: DTypeLike) -> jax.Array:
    if jnp.iscomplexobj(x) and not jnp.issubdtype(dtype, jnp.complexfloating):
        raise LeafError(f": a complex value does not fit into dtype {dtype}.")
    return _in_dtype(x, dtype)


def _as_array(x: Any) -> jax.Array:
    if isinstance(x, float | complex):
        return jnp.asarray(x)
    if x is None:
        raise LeafError(
            " has an update, but the optimizer's state, or another tree given with the updates, has nothing "
            f"there, as for what is no floating array. {NO_UPDATE}"
        )
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        if jnp.issubdtype(x.dtype, jnp.inexact):
            return x
        raise LeafError(f": updates and states must be floating or complex; got dtype {x.dtype}. {NO_UPDATE}")
    raise LeafError(f": the updates and the optimizer's state must hold an array there; got {x!r}.")


def _as_tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


def _flatten_like(updates: Any, treedef: Any, tree: Any, name: str) -> list[Any]:
    try:
        return treedef.flatten_up_to(tree)
    except ValueError:
        ours, theirs = _shapes(updates), _shapes(tree)
        path = next((p for p in (*ours, *theirs) if (p in ours) != (p in theirs)), None)
        if path is None:
            difference = f"they are {treedef}, and not {jax.tree.structure(tree)}."
        else:
            mine, other = (shapes.get(path, "no leaf") for shapes in (ours, theirs))
            difference = f"at {path!r} they have {mine}, and not {other}."
        raise ValueError(f"The updates do not have the structure of {name}: {difference}") from None


def _shapes(tree: Any) -> dict[str, str]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {name_of(path): f"an array of shape {getattr(leaf, 'shape', ())}" for path, leaf in leaves}


def _leaf_name(tree: Any, index: int) -> str:
    path = name_of(jax.tree_util.tree_leaves_with_path(tree, is_leaf=_is_none)[index][0])
    return f"Leaf {path!r}" if path else "The array"


def _is_staged() -> bool:
    """Whether operations are recorded, as under jit, and not carried out, as under vmap or grad alone."""
    return isinstance(jax.lax.add(1, 1), jax.core.Tracer)


def _kind(x: Any) -> Any:
    try:
        return None if x is None else jax.typeof(x)
    except (TypeError, OverflowError):
        return object()  # What is no array is looked at by itself.


def _is_none(x: Any) -> bool:
    return x is None


def _is_no_update(x: Any) -> bool:
    return x is None or getattr(x, "dtype", None) == jax.dtypes.float0
