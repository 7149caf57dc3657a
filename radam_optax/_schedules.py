"""Learning rates that the papers use and optax lacks: callables of the count of past updates.

The t of the formulas is the number of the update in progress, count + 1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from radam_optax._core.calls import validated
from radam_optax._core.domains import FixedDecay, NonNegative
from radam_optax._core.values import Schedule


@validated
def untuned_linear_warmup(peak_value: NonNegative, b2: FixedDecay) -> Schedule:
    """``peak_value * min(1, (1 - b2) t / 2)``: linear warmup over 2/(1 - b2) updates.

    Args:
      peak_value: the learning rate after the warmup, >= 0.
      b2: decay of the optimizer's second moment, dimensionless, in [0, 1).

    Source: Ma & Yarats (2021), the default that they recommend instead of RAdam.
    """
    return lambda count: peak_value * jnp.minimum(1, (1 - b2) / 2 * update_number(count))


@validated
def untuned_exponential_warmup(peak_value: NonNegative, b2: FixedDecay) -> Schedule:
    """``peak_value * (1 - exp(-(1 - b2) t))``.

    Args: those of :func:`untuned_linear_warmup`.

    Source: Ma & Yarats (2021).
    """
    return lambda count: -peak_value * jnp.expm1(-(1 - b2) * update_number(count))


@validated
def inverse_sqrt_decay(init_value: NonNegative) -> Schedule:
    """``init_value / sqrt(t)``: the alpha_t of the regret bounds.

    Args:
      init_value: the learning rate at the first update, >= 0.

    Source: Reddi et al. (2018), Theorem 4 and Corollary 1.
    """
    return lambda count: init_value / jnp.sqrt(update_number(count))


def update_number(count: ArrayLike) -> jax.Array:
    """t = count + 1, in floating point: as an integer it would overflow at the last int32."""
    return jnp.asarray(count).astype(jnp.result_type(float)) + 1
