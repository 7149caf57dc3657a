"""What an optimizer's state means, whoever keeps it: statistics by name, and the number of updates.

optax's states and this package's use the same field names for the same things, so a name is the role, and
several of one role, as in AdEMAMix, are told by their order. :func:`read` takes a state apart, :func:`write`
puts the statistics into the state of another optimizer. Both refuse what they cannot account for, rather than
lose it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from radam_optax._clock import Clock
from radam_optax._core.domains import count_of_updates
from radam_optax._core.messages import name_of
from radam_optax._core.placement import sharding_of
from radam_optax._core.values import as_scalar
from radam_optax._numerics import Sum
from radam_optax._rates import RectificationState
from radam_optax.migrate._tensors import array_of

FRESH = object()  # In the place of an array: what `init` makes of the parameter.
ROLES = ("mu", "nu", "nu_max", "sum_of_squares", "trace", "e_x", "z")
# By field. optax's AdEMAMix has names of its own.
_ROLES = {role: role for role in ROLES} | {"m1": "mu", "m2": "mu"}
_COUNTS = {"count": 0, "count_m2": 0, "step_count": 1}  # By field: what it is before the first update.
_NUMBERS = ("weight_sum", "max_lr", "b1")
_DERIVED = ("t", "rho", "r")  # Of a rectification: functions of the count, if b2 is constant.


class Statistics(NamedTuple):
    """The content of a state."""

    trees: Mapping[str, Sequence[Any]]  # By role, in their order: trees of arrays like the parameters.
    count: int | None  # The number of updates so far; None: the state does not hold it.
    elapsed: float | None  # -log of the product of a scheduled decay, if there is one.
    numbers: Mapping[str, Sequence[Any]] = {}  # By name, in their order: trees of numbers.


def read(state: optax.OptState) -> Statistics:
    """The statistics of a state of optax or of this package.

    Raises:
      ValueError: a part of the state has no role, or its counts differ.
    """
    trees: dict[str, list[Any]] = {}
    numbers: dict[str, list[Any]] = {}
    clocks: dict[str, set[float]] = {"count": set(), "elapsed": set()}
    for part in _parts(state):
        for name, value in _known(part).items():
            if name in _ROLES:
                trees.setdefault(_ROLES[name], []).append(value)
            elif name in _COUNTS:
                clocks["count"].add(_clock(name, value, _COUNTS[name]))
            elif name == "elapsed":
                clocks["elapsed"].add(_clock(name, value))
            else:
                numbers.setdefault(name, []).append(_numbers(name, value))
    for name, values in clocks.items():
        if len(values) > 1:
            raise ValueError(
                f"The state's links differ in their `{name}`: {sorted(values)}. Move the states of its parts "
                "one by one, or make them equal with `_replace`."
            )
    count, elapsed = (next(iter(values), None) for values in clocks.values())
    return Statistics(trees, None if count is None else int(count), elapsed, numbers)


def write(statistics: Statistics, params: Any, optimizer: optax.GradientTransformation) -> optax.OptState:
    """The state of ``optimizer`` that holds the statistics.

    Raises:
      ValueError: the optimizer keeps other statistics than these, or in other shapes, or it needs the
        number of updates and it is not known.
      TypeError: it keeps them in a dtype that cannot hold them.
    """
    template = optimizer.init(params)
    kept = read(template)
    if kept.elapsed is None and statistics.elapsed is not None:
        raise ValueError(
            f"The given state is of a scheduled decay, but that of {optimizer!r} is constant: pass "
            "it the schedule."
        )
    if kept.elapsed is not None and statistics.elapsed is None:
        raise ValueError(
            f"{optimizer!r} schedules a decay, of whose past the given state knows nothing: pass the "
            "constant one that it had."
        )
    given, needed = ({**found.trees, **found.numbers} for found in (statistics, kept))
    for name in (*ROLES, *sorted({*given, *needed} - {*ROLES})):
        has, needs = (len(found.get(name, ())) for found in (given, needed))
        if has != needs:
            raise ValueError(_missing(name, has, needs, optimizer))
    if kept.count is not None and statistics.count is None:
        raise ValueError("The given state does not hold the number of updates so far: pass it as `count`.")
    for own, theirs in zip(kept.numbers.get("b1", ()), statistics.numbers.get("b1", ()), strict=True):
        if not _is_same(own, theirs):
            raise ValueError(
                f"The given state has b1={theirs[()]!s}, by which its parameters lie between z and their "
                f"average; the optimizer is {optimizer!r}. Pass it that `b1`."
            )
    in_order = {name: iter(found) for name, found in given.items()}

    def new(name, old):
        if name in _ROLES:
            return _tree_like(old, next(in_order[_ROLES[name]]), _ROLES[name])
        if name in _COUNTS:
            return jnp.asarray((statistics.count or 0) + _COUNTS[name], jnp.int32)
        if name == "elapsed":
            return as_scalar(jnp.asarray(statistics.elapsed))
        number = next(in_order[name])
        return old if name == "b1" else jax.tree.map(_number_like, old, number, is_leaf=_is_sum)

    def filled(part):
        known = {name: new(name, old) for name, old in _known(part).items()}
        others = {name: fill(getattr(part, name)) for name in _others(part)}
        return part._replace(**known, **others)

    def fill(state):
        return jax.tree.map(filled, state, is_leaf=_is_part)

    state = fill(template)
    return _with_rectifications(state, params, optimizer) if statistics.count else state


def known_count(held: int | None, count: int | None) -> int | None:
    """The number of updates that a state holds, or else the one given."""
    if count is None:
        return held
    count = int(count_of_updates("count", count))
    if held not in (None, count):
        raise ValueError(
            f"The state holds the number of updates, {held}; `count` is {count}. Leave `count` out."
        )
    return count


def _clock(name: str, value: Any, start: int = 0) -> float:
    array = np.asarray(array_of(f"`{name}`", value))
    kind = np.floating if name == "elapsed" else np.integer
    if array.shape or not np.issubdtype(array.dtype, kind) or not array >= start:
        raise ValueError(f"`{name}` must be a {kind.__name__} scalar >= {start}; got {value!r}.")
    return array.item() - start


def _numbers(name: str, value: Any) -> Any:
    """A number, or several; of a sum in two parts what they make together."""

    def number(x):
        parts = [np.asarray(array_of(f"`{name}`", part)) for part in jax.tree.leaves(x)]
        if any(part.shape or not np.isfinite(part.astype("float64")) for part in parts):
            raise ValueError(f"`{name}` must be a finite number; got {x!r}.")
        return np.sum([part.astype("float64") for part in parts]) if _is_sum(x) else parts[0]

    return jax.tree.map(number, value, is_leaf=_is_sum)


def _is_sum(x: Any) -> bool:
    return isinstance(x, Sum)


def _number_like(old: Any, number: Any) -> Any:
    """A number in the dtype of ``old``, or as a sum in two parts, if that is one."""
    if not _is_sum(old):
        return jnp.asarray(number, jnp.result_type(old))
    value = _number_like(old.value, number)
    return Sum(value, _number_like(old.rest, np.float64(number) - np.float64(value)))


def _is_same(a: Any, b: Any) -> bool:
    """Whether two numbers are equal in the precision of the coarser one."""
    coarse = min(a.dtype, b.dtype, key=lambda dtype: dtype.itemsize)
    return a.astype(coarse) == b.astype(coarse)


def _with_rectifications(state: Any, params: Any, optimizer: Any) -> Any:
    """What a rectification shows for logging is found by making the last update once more."""

    def is_shown(part):
        return isinstance(part, RectificationState) and not part.weights

    def is_clock(part):
        return isinstance(part, Clock)

    if not any(map(is_shown, jax.tree.leaves(state, is_leaf=is_shown))):
        return state
    before = jax.tree.map(
        lambda part: Clock(part.count - 1) if is_clock(part) else part, state, is_leaf=is_clock
    )
    _, after = optimizer.update(optax.tree.zeros_like(params), before, params)
    return jax.tree.map(lambda old, new: new if is_shown(old) else old, state, after, is_leaf=is_shown)


def _known(part: Any) -> dict[str, Any]:
    """What a part of a state says by its names, but for what a link does not need."""
    named = {*_ROLES, *_COUNTS, *_NUMBERS, "elapsed"}
    if isinstance(part, RectificationState) and part.weights:
        named |= {*_DERIVED, "weights"}
    fields = {name: getattr(part, name) for name in getattr(part, "_fields", ()) if name in named}
    return {name: value for name, value in fields.items() if not (type(value) is tuple and not value)}


def _others(part: Any) -> list[str]:
    """The fields in which more parts may be."""
    derived = _DERIVED if isinstance(part, RectificationState) else ()
    return [name for name in part._fields if name not in (*_known(part), *derived)]


def _is_part(x: Any) -> bool:
    return bool(_known(x)) or isinstance(x, RectificationState)


def _parts(state: Any, at: tuple[Any, ...] = ()) -> Iterator[Any]:
    for path, part in jax.tree_util.tree_leaves_with_path(state, is_leaf=_is_part):
        if not _is_part(part):
            where = jax.tree_util.keystr((*at, *path))
            raise ValueError(
                f"The state holds more than moments and counts, at {where}, which would be lost. Move the "
                "state of the optimizer inside, such as `state.inner_state`, `state.inner_opt_state` or "
                "decompress_state(state), and put the result in its place, by `_replace`."
            )
        yield part
        for name in _others(part):
            yield from _parts(getattr(part, name), (*at, *path, jax.tree_util.GetAttrKey(name)))


def _missing(role: str, has: int, needs: int, optimizer: Any) -> str:
    what = f"`{role}` is missing in the {'optimizer' if has else 'given state'}"
    if has and needs:
        what = f"`{role}` is there {has} times in the given state, {needs} times in the optimizer"
    if role == "nu_max":
        return (
            f"{what}: AMSGrad cannot be switched {'off' if has else 'on'} halfway. Go on with the setting of "
            f"the given state; the optimizer is {optimizer!r}."
        )
    return f"{what}: the given state is not that of {optimizer!r}. Pass the optimizer that it is of."


def _tree_like(template: Any, tree: Any, role: str) -> Any:
    expected, actual = (jax.tree.structure(t) for t in (template, tree))
    if expected != actual:
        raise ValueError(
            f"`{role}` has the structure {actual}, but the parameters are {expected}. Pass the parameters "
            "that the state is of, in the same containers."
        )
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(template)]
    leaves = zip(paths, jax.tree.leaves(template), jax.tree.leaves(tree), strict=True)
    return jax.tree.unflatten(
        expected,
        [
            old if new is FRESH else cast_like(f"`{role}` of {name_of(p)!r}", old, new)
            for p, old, new in leaves
        ],
    )


def cast_like(where: str, old: jax.Array, new: Any) -> jax.Array:
    """A copy of ``new`` in the dtype and the sharding of ``old``, if that loses nothing.

    JAX would take over the memory of an array on the host, into which PyTorch writes its next step.
    """
    new = array_of(where, new)
    if np.shape(new) != old.shape:
        raise ValueError(f"{where} has shape {np.shape(new)}, but the parameter has {old.shape}.")
    with jax.numpy_dtype_promotion("standard"):  # Only to see which holds the other.
        wider = jnp.promote_types(new.dtype, old.dtype)
    if wider != old.dtype or not jnp.issubdtype(new.dtype, jnp.inexact):
        instead = f", or have {new.dtype} here" * jnp.issubdtype(new.dtype, jnp.inexact)
        if new.dtype in ("float64", "complex128") and jnp.result_type(float) == "float32":
            instead += ", in JAX's x64 mode"
        raise TypeError(
            f"{where} has dtype {new.dtype}, which does not fit into the {old.dtype} that is kept here. "
            f"Convert it beforehand if that is meant{instead}."
        )
    copied = jnp.array if isinstance(new, jax.Array) else np.array
    return jax.device_put(copied(new, old.dtype), sharding_of(old))
