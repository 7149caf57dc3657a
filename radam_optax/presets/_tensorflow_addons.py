"""TensorFlow Addons' optimizers, ``tensorflow_addons.optimizers``."""

from __future__ import annotations

from typing import Annotated

import jax.numpy as jnp
from jax.typing import ArrayLike

from radam_optax._combine import scale_by_adaptive_rate
from radam_optax._core.calls import validated
from radam_optax._core.chains import chain
from radam_optax._core.domains import Count, FixedDecay, Flag, NonNegative, Rate, Share, number_in
from radam_optax._core.values import Optimizer, Scalar, ScalarOrSchedule, Schedule, as_scalar, value_at
from radam_optax._moments import amsgrad_max, debias, first_moment, second_moment
from radam_optax._rates import inverse_root, scale_by_rectification
from radam_optax._schedules import update_number
from radam_optax.presets._parts import descend, is_zero

SmaThreshold = Annotated[Scalar, number_in("[4, inf)")]


@validated
def tfa_radam(
    learning_rate: Rate = 1e-3,
    beta_1: FixedDecay = 0.9,
    beta_2: FixedDecay = 0.999,
    epsilon: NonNegative = 1e-7,
    weight_decay: Rate = 0.0,
    amsgrad: Flag = False,
    sma_threshold: SmaThreshold = 5.0,
    total_steps: Count = 0,
    warmup_proportion: Share = 0.1,
    min_lr: NonNegative = 0.0,
) -> Optimizer:
    """RAdam as TensorFlow Addons computes it, ``RectifiedAdam``: with a warmup and a decay, if asked for.

    ::

        m   = beta_1 m + (1 - beta_1) g
        nu  = beta_2 nu + (1 - beta_2) g^2
        rho_inf = 2 / (1 - beta_2) - 1
        rho_t   = rho_inf - 2 t beta_2^t / (1 - beta_2^t)
        r_t     = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t))
        d   = r_t m / (1 - beta_1^t) / (sqrt(nu / (1 - beta_2^t)) + epsilon)          rho_t >= sma_threshold
        d   = m / (1 - beta_1^t)                                                      before
        p  -= lr_t (d + weight_decay p)

    With ``amsgrad`` the largest nu so far takes the place of nu. With ``total_steps``, lr_t rises linearly to
    ``learning_rate`` in the first ``warmup_proportion total_steps`` updates, then falls linearly to
    ``min_lr`` at update ``total_steps``, where it stays; otherwise it is ``learning_rate``.

    Without ``amsgrad`` and ``total_steps`` the rule is that of ``radam_optax.radamw``; there ``amsgrad``
    takes the maximum of the corrected second moment.

    Compared over 60 updates with numbers recorded from TensorFlow Addons 0.23 in float64: the same to a
    relative error of 1e-12. There Keras rounds the arguments to float32, all but epsilon, and an epsilon of 0
    means 1e-7; not here.

    Args:
      learning_rate: Learning rate, >= 0: a number, a schedule of the count of past updates (0 at the first),
        or an array that broadcasts against the parameters. Default: 1e-3.
      beta_1: Decay of the average of the gradient, dimensionless, in [0, 1). Default: 0.9.
      beta_2: Decay of the average of the gradient's square, dimensionless, in [0, 1). Default: 0.999.
      epsilon: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small
        beside it make small steps. Default: 1e-7.
      weight_decay: Decoupled weight decay: an update takes ``learning_rate * weight_decay * p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number, a schedule of the count of past updates,
        or an array that broadcasts against the parameters. Default: 0.0.
      amsgrad: Whether to divide by the root of the running maximum of the second moment in the place of its
        own. Default: False.
      sma_threshold: The rho_t from which on steps are adaptive, a number >= 4. Default: 5.0.
      total_steps: The number of updates of the warmup and the decay after it, a whole number >= 0; 0 keeps
        the learning rate as it is. Default: 0.
      warmup_proportion: The part of ``total_steps`` in which the learning rate rises, dimensionless, in [0,
        1]. Default: 0.1.
      min_lr: The learning rate that the decay ends with, a number >= 0. Default: 0.0.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is
        outside its domain, or updates do not match the state in structure or shape.

    Warns:
      UserWarning: ``beta_2`` is so small that rho_t never reaches ``sma_threshold``.

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import presets
      >>> params, gradient = jnp.ones(1), jnp.ones(1)
      >>> optimizer = presets.tfa_radam(learning_rate=1.0, total_steps=100, warmup_proportion=0.1)
      >>> state = optimizer.init(params)
      >>> for _ in range(3):  # Momentum SGD with a learning rate of 0.1, 0.2, 0.3.
      ...     updates, state = optimizer.update(gradient, state, params)
      ...     print([round(float(u), 4) for u in updates])
      [-0.1]
      [-0.2]
      [-0.3]

    References:
      TensorFlow Addons, RectifiedAdam.
      https://www.tensorflow.org/addons/api_docs/python/tfa/optimizers/RectifiedAdam

      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond.
      https://arxiv.org/abs/1908.03265
    """
    radam = scale_by_adaptive_rate(
        momentum=first_moment(beta_1),
        rate=chain(
            second_moment(beta_2, debias=False),
            *[amsgrad_max()] * amsgrad,
            debias(beta_2),
            inverse_root(epsilon),
            scale_by_rectification(beta_2, threshold=sma_threshold),
        ),
    )
    if not is_zero(total_steps):
        learning_rate = _up_and_down(learning_rate, total_steps, warmup_proportion, min_lr)
    return descend(learning_rate, radam, decoupled=weight_decay)


def _up_and_down(lr: ScalarOrSchedule, total: ArrayLike, proportion: Scalar, min_lr: Scalar) -> Schedule:
    def schedule(count):
        t, steps, top = update_number(count), as_scalar(total), value_at(lr, count)
        rising = steps * proportion
        falling = jnp.maximum(steps - rising, 1)
        down = top + (min_lr - top) * jnp.minimum((t - rising) / falling, 1)
        planned = jnp.where(t <= rising, top * t / rising, down)
        return jnp.where(steps == 0, top, planned)

    return schedule
