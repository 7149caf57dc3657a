"""States: what a link starts from, whether a state is a link's own, and the state of a link in a state."""

from typing import Any, TypeVar

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike, DTypeLike

from radam_optax._core.leaves import arithmetic_dtype
from radam_optax._core.messages import ORDER, name_of, shown

State = TypeVar("State")


def full_like(
    params: Any,
    value: ArrayLike = 0.0,
    dtype: DTypeLike | None = None,
    *,
    real: bool = False,
    keep_dtype: bool = False,
) -> Any:
    """A state of the shapes and shardings of ``params``, filled with ``value``.

    Args:
      params: tree of arrays. Those that are neither floating nor complex, an index say, are not trained:
        they have no state, but None.
      value: shape (), what each element starts from.
      dtype: dtype of every leaf; None means that of the parameter, but at least float32.
      real: for statistics such as |g|^2, real even where the parameter is complex.
      keep_dtype: without ``dtype``, that of the parameter as it is.

    Raises:
      TypeError: a parameter is no array.
    """

    def leaf(p):
        p = p if hasattr(p, "dtype") else jnp.asarray(p)
        own = jnp.result_type(p)  # What JAX takes a NumPy float64 for, say.
        if not jnp.issubdtype(own, jnp.inexact):
            return None
        default = own if keep_dtype else arithmetic_dtype(own, real=real)
        new = jnp.full_like(p, value, dtype=dtype or default)
        if not isinstance(p, jax.core.Tracer):
            return new
        # Inside jit a fresh array has no sharding of its own, but a result has that of its operands:
        # a choice by p between two equal arrays, which the compiler cannot see to be equal. What it cannot
        # see through is a number, not an array, which leaves of one shape but two shardings would share.
        equal = jax.lax.optimization_barrier(jnp.asarray(value, new.dtype))
        return jax.lax.select(p == p, new, jnp.full_like(new, equal))

    check_params(params)
    return jax.tree.map(leaf, params)


def copy_like(params: Any, dtype: DTypeLike | None = None) -> Any:
    """A copy of ``params``, where they are, in buffers of its own, in the dtypes of :func:`full_like`."""

    def leaf(p):
        p = p if hasattr(p, "dtype") else jnp.asarray(p)
        own = jnp.result_type(p)
        if not jnp.issubdtype(own, jnp.inexact):
            return None
        return jnp.array(p, dtype=dtype or arithmetic_dtype(own, real=False), copy=True)

    check_params(params)
    return jax.tree.map(leaf, params)


def check_params(params: Any) -> None:
    """Raises TypeError if a parameter is no array."""
    for path, p in jax.tree_util.tree_leaves_with_path(params):
        if not (hasattr(p, "dtype") or isinstance(p, int | float | complex)):
            if not path:
                raise TypeError(f"The parameters must be a tree of arrays; got {shown(p)}.")
            raise TypeError(
                f"Parameter {name_of(path)!r} must be an array; got {shown(p)}. Leave it out of what is "
                "trained, by eqx.filter(params, eqx.is_array), say, or by optax.masked or optax.partition."
            )


# The numbers of states, by name, and what they are.
_NUMBERS = {
    "count": jnp.integer,
    "t": jnp.integer,
    "elapsed": jnp.floating,
    "rho": jnp.floating,
    "r": jnp.floating,
    "weights": jnp.floating,
    "weight_sum": jnp.floating,
    "max_lr": jnp.floating,
    "b1": jnp.floating,
}


def expect(kind: type[Any], state: Any) -> None:
    """Raises TypeError if a state is not of the kind, or its clock and numbers are not what they were."""
    # Said here, since a state of another optimizer would fail as an AttributeError in the middle of a step.
    if not isinstance(state, kind):
        why = "It is of another optimizer." if isinstance(state, tuple) else ORDER
        raise TypeError(f"The state must be a `{kind.__name__}`; got {type(state).__name__}. {why}")
    clock: Any = getattr(state, "clock", ())
    if not isinstance(clock, tuple) or getattr(clock, "_fields", clock) not in ((), ("count",)):
        raise TypeError(f"`clock` in the state `{kind.__name__}` must be a Clock, or (); got {clock!r}.")
    named = [*zip(state._fields, state, strict=True), *(("count", x) for x in clock)]
    numbers = [(name, x) for name, value in named if name in _NUMBERS for x in _numbers_in(name, value)]
    for name, number in numbers:
        array: Any = np.asarray(number) if isinstance(number, int | float) else number
        if not (getattr(array, "shape", None) == () and jnp.issubdtype(array.dtype, _NUMBERS[name])):
            raise TypeError(
                f"`{name}` in the state `{kind.__name__}` must be of shape () and {_NUMBERS[name].__name__}; "
                f"got {number!r}."
            )


# They may be several, or () where a link needs none.
_OF_SEVERAL = ("elapsed", "weights", "weight_sum")


def _numbers_in(name: str, value: Any) -> list[Any]:
    return jax.tree.leaves(value) if name in _OF_SEVERAL and isinstance(value, tuple) else [value]


def exact_paths(state: optax.OptState) -> list[Any]:
    """Where a state has what must not be made coarser, by the ``exact`` of the states of links in it."""

    def says(x):
        return bool(getattr(x, "exact", ()))

    nodes = jax.tree_util.tree_leaves_with_path(state, is_leaf=says)
    return [(*path, jax.tree_util.GetAttrKey(name)) for path, x in nodes if says(x) for name in x.exact]


def check_length(name: str, part: Any, length: int) -> None:
    """Raises ValueError if a part of a state is not a tuple of that length."""
    if not isinstance(part, tuple) or len(part) != length:
        raise ValueError(f"`{name}` in the state must be a tuple of {length}; got {part!r}.")


def state_of(kind: type[State], state: optax.OptState) -> State:
    """The one state of a kind of link in the state of an optimizer, however wrapped.

    Raises:
      ValueError: there is none, or there are several.
    """
    leaves = jax.tree.leaves(state, is_leaf=lambda x: isinstance(x, kind))
    found = [leaf for leaf in leaves if isinstance(leaf, kind)]
    if len(found) != 1:
        raise ValueError(f"`state` must hold one `{kind.__name__}`; it holds {len(found)}.")
    return found[0]
