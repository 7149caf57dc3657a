"""What an optimizer's state means, whoever keeps it: statistics by name, and the number of updates.

optax's states and this package's use the same field names for the same things, so a name is the role.
:func:`read` takes a state apart, :func:`write` puts the statistics into the state of another optimizer.
Both refuse what they cannot account for, rather than lose it.
"""

from collections.abc import Mapping
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
from radam_optax._rates import RectificationState
from radam_optax.migrate._tensors import array_of

FRESH = object()  # In the place of an array: what `init` makes of the parameter.
ROLES = ("mu", "nu", "nu_max", "sum_of_squares", "trace", "e_x")
_CLOCKS = ("count", "elapsed")
_DERIVED = ("t", "rho", "r", "adaptive")  # Of a rectification: functions of the count.


class Statistics(NamedTuple):
    """The content of a state."""

    trees: Mapping[str, Any]  # By role: trees of arrays like the parameters, or of :data:`FRESH`.
    count: int | None  # The number of updates so far; None: the state does not hold it.
    elapsed: float | None  # -log of the product of a scheduled decay, if there is one.


def read(state: optax.OptState) -> Statistics:
    """The statistics of a state of optax or of this package.

    Raises:
      ValueError: a part of the state has no role, two parts have the same, or its counts differ.
    """
    trees: dict[str, Any] = {}
    clocks: dict[str, set[float]] = {name: set() for name in _CLOCKS}
    for part in _parts(state):
        for name, value in (part._asdict() | _clock_of(part)).items():
            if name in ROLES:
                if name in trees:
                    raise ValueError(
                        f"The state holds two statistics called `{name}`. Move the states of its parts one "
                        "by one, with the optimizer and the parameters of each."
                    )
                trees[name] = value
            elif name in _CLOCKS and not isinstance(value, tuple):
                clocks[name].add(_clock(name, value))
    for name, values in clocks.items():
        if len(values) > 1:
            raise ValueError(
                f"The state's links differ in their `{name}`: {sorted(values)}. Move the states of its parts "
                "one by one, or make them equal with `_replace`."
            )
    count, elapsed = (next(iter(values), None) for values in clocks.values())
    return Statistics(trees, None if count is None else int(count), elapsed)


def write(statistics: Statistics, params: Any, optimizer: optax.GradientTransformation) -> optax.OptState:
    """The state of ``optimizer`` that holds the statistics.

    Raises:
      ValueError: the optimizer keeps other statistics than these, or in other shapes, or it needs the
        number of updates and it is not known.
      TypeError: it keeps them in a dtype that cannot hold them.
    """
    template = optimizer.init(params)
    kept = read(template)
    for role in ROLES:
        if (role in kept.trees) != (role in statistics.trees):
            raise ValueError(_missing(role, by_optimizer=role in statistics.trees, optimizer=optimizer))
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
    if kept.count is not None and statistics.count is None:
        raise ValueError("The given state does not hold the number of updates so far: pass it as `count`.")

    def filled(part):
        if not _is_link(part):
            return part
        new = {role: _tree_like(getattr(part, role), statistics.trees[role], role) for role in _roles(part)}
        if "count" in part._fields:
            new["count"] = jnp.asarray(statistics.count, jnp.int32)
        if _clock_of(part):
            new["clock"] = Clock(jnp.asarray(statistics.count, jnp.int32))
        if not isinstance(getattr(part, "elapsed", ()), tuple):
            new["elapsed"] = as_scalar(jnp.asarray(statistics.elapsed))
        return part._replace(**new)

    state = jax.tree.map(filled, template, is_leaf=_is_link)
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


def _clock_of(part: Any) -> dict[str, Any]:
    """What a link's own clock says."""
    clock = getattr(part, "clock", ())
    return clock._asdict() if isinstance(clock, Clock) else {}


def _clock(name: str, value: Any) -> float:
    array = np.asarray(array_of(f"`{name}`", value))
    kind = np.integer if name == "count" else np.floating
    if array.shape or not np.issubdtype(array.dtype, kind) or not array >= 0:
        raise ValueError(f"`{name}` must be a {kind.__name__} scalar >= 0; got {value!r}.")
    return array.item()


def _with_rectifications(state: Any, params: Any, optimizer: Any) -> Any:
    """What a rectification shows for logging is found by making the last update once more."""

    def is_shown(part):
        return isinstance(part, RectificationState)

    def is_clock(part):
        return isinstance(part, Clock)

    if not any(map(is_shown, jax.tree.leaves(state, is_leaf=is_shown))):
        return state
    before = jax.tree.map(
        lambda part: Clock(part.count - 1) if is_clock(part) else part, state, is_leaf=is_clock
    )
    _, after = optimizer.update(optax.tree.zeros_like(params), before, params)
    return jax.tree.map(lambda old, new: new if is_shown(old) else old, state, after, is_leaf=is_shown)


def _roles(part: Any) -> list[str]:
    return [role for role in ROLES if role in part._fields]


def _is_link(x: Any) -> bool:
    """A named tuple of statistics and clocks, and of nothing else that would be lost."""
    fields = {name for name in getattr(x, "_fields", ()) if jax.tree.leaves(getattr(x, name))}
    return bool(fields) and fields <= {*ROLES, *_CLOCKS, *_DERIVED, "clock"}


def _parts(state: Any) -> list[Any]:
    found = []
    for path, part in jax.tree_util.tree_leaves_with_path(state, is_leaf=_is_link):
        if not _is_link(part):
            where = jax.tree_util.keystr(path)
            raise ValueError(
                f"The state holds more than moments and counts, at {where}, which would be lost. Move the "
                "state of the optimizer inside, such as `state.inner_state`, `state.inner_opt_state` or "
                "decompress_state(state), and put the result in its place, by `_replace`."
            )
        found.append(part)
    return found


def _missing(role: str, *, by_optimizer: bool, optimizer: Any) -> str:
    switched = "off" if by_optimizer else "on"
    what = f"`{role}` is missing in the {'optimizer' if by_optimizer else 'given state'}"
    if role == "nu_max":
        return (
            f"{what}: AMSGrad cannot be switched {switched} halfway. Go on with the setting of the given "
            f"state; the optimizer is {optimizer!r}."
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
