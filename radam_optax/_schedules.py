"""Learning rates and decays that the papers use and optax lacks: callables of the count of past updates.

The t of the formulas is the number of the update in progress, count + 1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from radam_optax._core.calls import validated
from radam_optax._core.domains import Count, Decay, FixedDecay, NonNegative, OpenDecay
from radam_optax._core.values import Schedule, as_scalar, value_at
from radam_optax._numerics import rate


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


@validated
def from_first(b2: Decay) -> Schedule:
    """0 at the first update and ``b2`` from then on: the decay of an average that starts at its first term.

    ``second_moment(from_first(b2), debias=False)`` has v_1 = |g_1|^2, as in ADOPT, and needs no correction.

    Args:
      b2: decay from the second update on, dimensionless, in [0, 1), or a schedule.

    Source: Taniguchi et al. (2024), Algorithm 2.
    """
    return lambda count: jnp.where(count == 0, 0, as_scalar(value_at(b2, count)))


@validated
def ademamix_alpha(alpha: NonNegative, steps: Count) -> Schedule:
    """``alpha min(1, t / steps)``: AdEMAMix's weight of the slow average, from 0 to ``alpha``.

    Args:
      alpha: the weight at the end, dimensionless, >= 0.
      steps: number of updates until then, a whole number >= 0.

    Source: Pagliardini et al. (2024), section 3.
    """
    return lambda count: alpha * progress(count, steps)


@validated
def ademamix_b3(b1: OpenDecay, b3: OpenDecay, steps: Count) -> Schedule:
    """AdEMAMix's slow decay: from ``b1`` to ``b3``, its half-life growing by as much at every update.

    ::

        exp(ln b1 ln b3 / ((1 - s) ln b3 + s ln b1))        s = min(1, t / steps)

    Args:
      b1: decay at the start, dimensionless, in (0, 1).
      b3: decay at the end, dimensionless, in (0, 1).
      steps: number of updates until then, a whole number >= 0.

    Source: Pagliardini et al. (2024), section 3.
    """

    def schedule(count):
        share = progress(count, steps)
        of_b1, of_b3 = (-rate(b) for b in (b1, b3))
        return jnp.exp(of_b1 * of_b3 / ((1 - share) * of_b3 + share * of_b1))

    return schedule


def progress(count: ArrayLike, steps: ArrayLike) -> jax.Array:
    """``min(1, t / steps)``, and 1 for no steps."""
    t = update_number(count)
    return jnp.minimum(1, t / jnp.maximum(1, steps).astype(t.dtype))


def update_number(count: ArrayLike) -> jax.Array:
    """t = count + 1, in floating point: as an integer it would overflow at the last int32."""
    return jnp.asarray(count).astype(jnp.result_type(float)) + 1
