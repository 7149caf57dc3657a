"""RAdam as its authors published it."""

from __future__ import annotations

import jax.numpy as jnp
import optax

from radam_optax import _numerics
from radam_optax._core.calls import validated
from radam_optax._core.domains import Flag, NonNegative, Rate
from radam_optax._core.values import Optimizer, Scalar, Schedule
from radam_optax.presets._parts import Betas, descend, is_zero, radam_eps_at_the_raw_root


@validated
def official_radam(
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: NonNegative = 1e-8,
    weight_decay: NonNegative = 0.0,
    degenerated_to_sgd: Flag = False,
) -> Optimizer:
    """The RAdam of its authors: until rho_t >= 5 it skips the update, weight decay included.

    Weight decay is decoupled, and not scaled by r_t. The authors compute in float32 whatever the dtype.

    Args:
      degenerated_to_sgd: step along the momentum instead of skipping.
    """
    _, b2 = betas
    radam = radam_eps_at_the_raw_root(*betas, eps, fallback=float(degenerated_to_sgd))
    decay = weight_decay if degenerated_to_sgd or is_zero(weight_decay) else _once_rectified(weight_decay, b2)
    return descend(lr, radam, decoupled=decay)


def _once_rectified(weight_decay: Scalar, b2: Scalar) -> Schedule:
    def schedule(count):
        length = _numerics.moving_length(b2, optax.safe_increment(count), "centre_of_mass")
        return jnp.where(length.above(5.0) > 0, weight_decay, 0.0)

    return schedule
