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
    """Linear warmup over ``2 / (1 - b2)`` updates, so that the decay of the second moment sets its length.

    ::

        peak_value * min(1, (1 - b2) t / 2)        t = count + 1

    Args:
      peak_value: Learning rate after the warmup, >= 0.
      b2: Constant decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, no schedule.

    Returns:
      A schedule: a function of the count of past updates, an array of shape (), that gives the learning rate.

    Example:
      >>> import radam_optax as rx
      >>> warmup = rx.untuned_linear_warmup(1e-3, b2=0.999)
      >>> [f"{warmup(count):.4f}" for count in (0, 999, 1999, 5000)]
      ['0.0000', '0.0005', '0.0010', '0.0010']
      >>> optimizer = rx.adam(warmup, b2=0.999)

    References:
      Ma & Yarats (2021), On the Adequacy of Untuned Warmup for Adaptive Optimization, the default that they
      recommend in the place of RAdam. https://arxiv.org/abs/1910.04209
    """
    return lambda count: peak_value * jnp.minimum(1, (1 - b2) / 2 * update_number(count))


@validated
def untuned_exponential_warmup(peak_value: NonNegative, b2: FixedDecay) -> Schedule:
    """Exponential warmup with the time constant of the second moment, ``1 / (1 - b2)`` updates.

    ::

        peak_value * (1 - exp(-(1 - b2) t))        t = count + 1

    Args:
      peak_value: Learning rate after the warmup, >= 0.
      b2: Constant decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, no schedule.

    Returns:
      A schedule: a function of the count of past updates, an array of shape (), that gives the learning rate.

    Example:
      >>> import radam_optax as rx
      >>> warmup = rx.untuned_exponential_warmup(1e-3, b2=0.999)
      >>> [f"{warmup(count):.6f}" for count in (0, 999, 1999)]
      ['0.000001', '0.000632', '0.000865']

    References:
      Ma & Yarats (2021), On the Adequacy of Untuned Warmup for Adaptive Optimization.
      https://arxiv.org/abs/1910.04209
    """
    return lambda count: -peak_value * jnp.expm1(-(1 - b2) * update_number(count))


@validated
def inverse_sqrt_decay(init_value: NonNegative) -> Schedule:
    """Decay by the root of the number of updates: the step sizes of the regret bounds.

    ::

        init_value / sqrt(t)        t = count + 1

    Args:
      init_value: Learning rate at the first update, >= 0.

    Returns:
      A schedule: a function of the count of past updates, an array of shape (), that gives the learning rate.

    Example:
      >>> import radam_optax as rx
      >>> schedule = rx.inverse_sqrt_decay(0.1)
      >>> [f"{schedule(count):.3f}" for count in (0, 3, 99)]
      ['0.100', '0.050', '0.010']

    References:
      Reddi et al. (2018), On the Convergence of Adam and Beyond, Theorem 4 and Corollary 1.
      https://arxiv.org/abs/1904.09237
    """
    return lambda count: init_value / jnp.sqrt(update_number(count))


@validated
def from_first(b2: Decay) -> Schedule:
    """Decay of an average that starts at its first term: 0 at the first update and ``b2`` from then on.

    ``second_moment(from_first(b2), debias=False)`` starts at nu_1 = ``|g_1|^2``, as in ADOPT, with no bias.

    Args:
      b2: Decay from the second update on, dimensionless, in [0, 1). A number, or a schedule of the count of
        past updates.

    Returns:
      A schedule: a function of the count of past updates, an array of shape (), that gives the decay.

    Example:
      >>> import radam_optax as rx
      >>> decay = rx.from_first(0.999)
      >>> [f"{decay(count):.3f}" for count in (0, 1, 2)]
      ['0.000', '0.999', '0.999']

    References:
      Taniguchi et al. (2024), ADOPT, Algorithm 2. https://arxiv.org/abs/2411.02853
    """
    return lambda count: jnp.where(count == 0, 0, as_scalar(value_at(b2, count)))


@validated
def ademamix_alpha(alpha: NonNegative, steps: Count) -> Schedule:
    """AdEMAMix's weight of the slow average, which rises from 0 to ``alpha``.

    ::

        alpha * min(1, t / steps)        t = count + 1

    Args:
      alpha: Weight at the end, dimensionless, >= 0.
      steps: Number of updates until the end of the schedule, a whole number >= 0.

    Returns:
      A schedule: a function of the count of past updates, an array of shape (), that gives the weight.

    Example:
      >>> import radam_optax as rx
      >>> alpha = rx.ademamix_alpha(5.0, steps=100)
      >>> [f"{alpha(count):.2f}" for count in (0, 49, 99, 500)]
      ['0.05', '2.50', '5.00', '5.00']
      >>> optimizer = rx.ademamix(1e-3, alpha=alpha)

    References:
      Pagliardini et al. (2024), The AdEMAMix Optimizer, section 3. https://arxiv.org/abs/2409.03137
    """
    return lambda count: alpha * progress(count, steps)


@validated
def ademamix_b3(b1: OpenDecay, b3: OpenDecay, steps: Count) -> Schedule:
    """AdEMAMix's decay of the slow average, from ``b1`` to ``b3``, its half-life growing linearly.

    ::

        exp(ln b1 ln b3 / ((1 - s) ln b3 + s ln b1))        s = min(1, t / steps),  t = count + 1

    Args:
      b1: Decay at the start, dimensionless, in (0, 1).
      b3: Decay at the end, dimensionless, in (0, 1).
      steps: Number of updates until the end of the schedule, a whole number >= 0.

    Returns:
      A schedule: a function of the count of past updates, an array of shape (), that gives the decay.

    Example:
      >>> import radam_optax as rx
      >>> b3 = rx.ademamix_b3(0.9, 0.9999, steps=100)
      >>> [f"{b3(count):.4f}" for count in (0, 49, 99)]
      ['0.9909', '0.9998', '0.9999']
      >>> optimizer = rx.ademamix(1e-3, b3=b3)

    References:
      Pagliardini et al. (2024), The AdEMAMix Optimizer, section 3. https://arxiv.org/abs/2409.03137
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
