"""Learning rates that the papers use and optax lacks: callables of the count of past updates.

The t of the formulas is the number of the update in progress, count + 1.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from radam_optax import _checks


def untuned_linear_warmup(peak_value: ArrayLike, b2: ArrayLike) -> _checks.Schedule:
    """``peak_value * min(1, (1 - b2) t / 2)``: linear warmup over 2/(1 - b2) updates.

    Args:
      peak_value: the learning rate after the warmup, >= 0.
      b2: decay of the optimizer's second moment, dimensionless, in [0, 1).

    Source: Ma & Yarats (2021), the default that they recommend instead of RAdam.
    """
    peak_value = _checks.scalar("peak_value", peak_value, "[0, inf)")
    b2 = _checks.scalar("b2", b2, "[0, 1)")
    return lambda count: peak_value * jnp.minimum(1, (1 - b2) / 2 * update_number(count))


def untuned_exponential_warmup(peak_value: ArrayLike, b2: ArrayLike) -> _checks.Schedule:
    """``peak_value * (1 - exp(-(1 - b2) t))``.

    Args: those of :func:`untuned_linear_warmup`.

    Source: Ma & Yarats (2021).
    """
    peak_value = _checks.scalar("peak_value", peak_value, "[0, inf)")
    b2 = _checks.scalar("b2", b2, "[0, 1)")
    return lambda count: -peak_value * jnp.expm1(-(1 - b2) * update_number(count))


def inverse_sqrt_decay(init_value: ArrayLike) -> _checks.Schedule:
    """``init_value / sqrt(t)``: the alpha_t of the regret bounds.

    Args:
      init_value: the learning rate at the first update, >= 0.

    Source: Reddi et al. (2018), Theorem 4 and Corollary 1.
    """
    init_value = _checks.scalar("init_value", init_value, "[0, inf)")
    return lambda count: init_value / jnp.sqrt(update_number(count))


def update_number(count: ArrayLike) -> jax.Array:
    """t = count + 1, in floating point: as an integer it would overflow at the last int32."""
    return jnp.asarray(count).astype(jnp.result_type(float)) + 1
