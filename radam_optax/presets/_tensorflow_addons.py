"""TensorFlow Addons' optimizers, ``tensorflow_addons.optimizers``."""

from __future__ import annotations

from typing import Annotated

import jax.numpy as jnp
from jax.typing import ArrayLike
from optax import chain

from radam_optax._combine import scale_by_adaptive_rate
from radam_optax._core.calls import validated
from radam_optax._core.domains import Count, FixedDecay, Flag, NonNegative, Rate, Share, number_in
from radam_optax._core.values import Optimizer, Scalar, ScalarOrSchedule, Schedule, as_scalar, value_at
from radam_optax._moments import amsgrad_max, debias, first_moment, second_moment
from radam_optax._rates import inverse_root, scale_by_rectification
from radam_optax._schedules import update_number
from radam_optax.presets._parts import descend, is_zero


@validated
def tfa_radam(
    learning_rate: Rate = 1e-3,
    beta_1: FixedDecay = 0.9,
    beta_2: FixedDecay = 0.999,
    epsilon: NonNegative = 1e-7,
    weight_decay: Rate = 0.0,
    amsgrad: Flag = False,
    sma_threshold: Annotated[Scalar, number_in("[4, inf)")] = 5.0,
    total_steps: Count = 0,
    warmup_proportion: Share = 0.1,
    min_lr: NonNegative = 0.0,
) -> Optimizer:
    """``tensorflow_addons.optimizers.RectifiedAdam``: eps beside the corrected root, decoupled decay.

    There Python numbers but epsilon are rounded to float32, and an epsilon of 0 means 1e-7; not here.

    Args:
      amsgrad: divide by the maximum of the uncorrected second moment.
      sma_threshold: dimensionless, >= 4; momentum SGD until rho_t reaches it.
      total_steps: if not 0, the learning rate rises linearly over ``warmup_proportion * total_steps``
        updates, then falls linearly to ``min_lr``, where it stays.
      warmup_proportion: dimensionless, in [0, 1].
      min_lr: as learning_rate.
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
