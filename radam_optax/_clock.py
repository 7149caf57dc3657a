"""The clock of a moving average: how much the past and the newcomer weigh at this step.

A decay is a number, or a schedule: a callable of the count of past updates (0 at the first one, as
everywhere in optax). The weights that an average started at zero has given out add up to
``total_t = 1 - b_1 b_2 ... b_t``. A constant decay needs no memory for it (:func:`total_weight`);
a scheduled one, where the sum is wanted, accumulates ``elapsed_t = -sum_i log(b_i)``, which loses less than
the product would.

A link by itself has a clock of its own, if what it does depends on the count. A link within another,
such as the combinator, is handed that one's clock for a step and gives it back: so an optimizer has one
``count``, which :func:`optax.tree.get` finds, and what :func:`optax.tree.set` puts there counts.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from radam_optax import _numerics
from radam_optax._core.values import Scalar, ScalarOrSchedule, as_scalar, in_dtype_of, is_static, scheduled


class Clock(NamedTuple):
    """How many updates a link has seen.

    Attributes:
      count: Number of updates so far, shape (), int32. It stays at the last int32.
    """

    count: jax.Array


class Time(NamedTuple):
    """How far a moving average has come; the first part of its state."""

    clock: Clock | tuple[()]  # (): handed in by the link around it, or not needed.
    elapsed: jax.Array | tuple[()]  # shape=(), dtype=float32 (float64 in x64); (): not needed.


class Weights(NamedTuple):
    """average = old * average + new * newcomer, and the sum of all weights given so far."""

    old: Scalar
    new: Scalar
    total: Scalar  # 1.0 without debias.

    @property
    def share(self) -> Scalar:
        """What an average has to be multiplied by, so that it is one."""
        return 1 / self.total if is_static(self.total) else lax.reciprocal(self.total)


def count_of(state: Any) -> jax.Array:
    """The number of updates that a link has seen by its own clock; shape=(), dtype=int32."""
    if not state.clock:
        raise AttributeError(
            f"This `{type(state).__name__}` has no clock: `count` is in the state around it."
        )
    return state.clock.count


def new() -> Clock:
    """A clock before the first update."""
    return Clock(jnp.zeros([], jnp.int32))


def after(clock: Any) -> Any:
    """The clock one update later."""
    if not clock:
        return ()
    # It stays at the last int32, and does not become negative.
    count = jnp.asarray(clock.count)
    one, last = (lax.full_like(count, n) for n in (1, jnp.iinfo(count.dtype).max))
    return Clock(lax.select(lax.lt(count, last), lax.add(count, one), last))


def running(state: Any) -> Clock:
    """The clock of a link that needs one.

    Raises:
      ValueError: it has none.
    """
    if not state.clock:
        raise ValueError(
            f"The state `{type(state).__name__}` has no `clock`: it is that of a link without `debias`, or a "
            "part of the state of an optimizer, which has the clock."
        )
    return state.clock


def of_links(states: Any) -> Any:
    """A new clock for the links that the states are of; () if there is none to hand to them."""
    without = handed((), states)
    return () if jax.tree.structure(without) == jax.tree.structure(states) else new()


def handed(clock: Any, state: Any) -> Any:
    """The state of links with this clock; with (), as it is kept in a state that has the clock itself.

    Links in a chain or a mask see every update that the one around them sees. What others wrap around a
    link may hold it back, so its clock stays its own there.
    """
    if type(state) is tuple:
        return tuple(handed(clock, part) for part in state)
    if isinstance(state, optax.MaskedState):
        return state._replace(inner_state=handed(clock, state.inner_state))
    return state._replace(clock=clock) if "clock" in getattr(state, "_fields", ()) else state


def start(decay: ScalarOrSchedule, debias: bool = True, *, counts: bool = False) -> Time:
    """The time of an average before the first update.

    Args:
      decay: of the average.
      debias: whether the sum of the weights is wanted.
      counts: whether the count is wanted even so.
    """
    # A constant decay's sum of weights is a function of the count: there is nothing to remember.
    elapsed = jnp.zeros([], jnp.result_type(float)) if callable(decay) and debias else ()
    return Time(new() if debias or counts or callable(decay) else (), elapsed)


def tick(decay: ScalarOrSchedule, state: Any, debias: bool = True) -> tuple[Time, Weights]:
    """One step on: the new time and this step's weights.

    Args:
      decay: of the average.
      state: of a link, or a :class:`Time`.
      debias: whether the sum of the weights is wanted.
    """
    if debias and callable(decay) == isinstance(state.elapsed, tuple):
        was, now = ("constant", "scheduled")[:: 1 if callable(decay) else -1]
        raise ValueError(f"The state is of a {was} decay, but the decay is {now}.")
    if not debias and jax.tree.leaves(state.elapsed):
        raise ValueError("The state is of an average with `debias`, but this one has none.")
    clock = after(running(state) if debias or callable(decay) else state.clock)
    if not callable(decay):
        total = _numerics.total_weight(decay, clock.count) if debias else 1.0
        return Time(clock, ()), Weights(decay, 1 - decay, total)
    b = scheduled(decay, state.clock.count)
    if not debias:
        return Time(clock, ()), Weights(b, 1 - b, 1.0)
    elapsed = as_scalar(state.elapsed) + _numerics.rate(b)
    total = _numerics.one_minus_exp(elapsed)
    return Time(clock, in_dtype_of(state.elapsed, elapsed)), Weights(b, 1 - b, total)


def passed(decay: ScalarOrSchedule, state: Any, debias: bool = True) -> tuple[Scalar, jax.Array]:
    """The sum of the weights given out before this step, 1 at the first; and whether this is the first.

    Args: those of :func:`tick`.
    """
    count = running(state).count
    first = count == 0
    if not debias:
        return 1.0, first
    if callable(decay):
        total = _numerics.one_minus_exp(as_scalar(state.elapsed))
    else:
        total = _numerics.total_weight(decay, jnp.maximum(count, 1))
    return jnp.where(first, 1, total), first
