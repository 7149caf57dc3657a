"""The clock of a moving average: how much the past and the newcomer weigh at this step.

A decay is a number, or a schedule: a callable of the count of past updates (0 at the first one, as
everywhere in optax). The weights that an average started at zero has given out add up to
``total_t = 1 - b_1 b_2 ... b_t``. A constant decay needs no memory for it (:func:`bias_correction`);
a scheduled one accumulates ``elapsed_t = -sum_i log(b_i)``, which loses less than the product would.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from radam_optax import _numerics
from radam_optax._core.values import Scalar, ScalarOrSchedule, scheduled


class Clock(NamedTuple):
    """How far a moving average has come; a part of its state."""

    count: jax.Array  # shape=(), dtype=int32.
    elapsed: jax.Array | tuple[()]  # shape=(), dtype=float32 (float64 in x64); (): constant decay.


class Weights(NamedTuple):
    """average = old * average + new * newcomer, and the sum of all weights given so far."""

    old: Scalar
    new: Scalar
    total: jax.Array


def start(decay: ScalarOrSchedule) -> Clock:
    """The clock before the first update."""
    # A constant decay's sum of weights is a function of the count: there is nothing to remember.
    elapsed = jnp.zeros([], jnp.result_type(float)) if callable(decay) else ()
    return Clock(jnp.zeros([], jnp.int32), elapsed)


def tick(decay: ScalarOrSchedule, count: jax.Array, elapsed: jax.Array | tuple[()]) -> tuple[Clock, Weights]:
    """One step on: the new clock and this step's weights."""
    if callable(decay) == isinstance(elapsed, tuple):
        was, now = ("constant", "scheduled")[:: 1 if callable(decay) else -1]
        raise ValueError(f"The state is of a {was} decay, but the decay is {now}.")
    count_inc = jnp.asarray(optax.safe_increment(count))  # Stays at the last int32, not negative.
    if not callable(decay):
        total = _numerics.bias_correction(decay, count_inc)
        return Clock(count_inc, ()), Weights(decay, 1 - decay, total)
    b = scheduled(decay, count)
    longer = jnp.asarray(elapsed) + _numerics.rate(b)
    return Clock(count_inc, longer), Weights(b, 1 - b, _numerics.one_minus_exp(longer))
