"""What presets of several frameworks share: the frame of a descent, and RAdam with eps at the raw root."""

from __future__ import annotations

from typing import Annotated

import optax

from radam_optax._combine import scale_by_adaptive_rate
from radam_optax._core.chains import chain
from radam_optax._core.domains import number_in, pair
from radam_optax._core.values import Optimizer, Scalar, ScalarOrSchedule
from radam_optax._moments import debias, first_moment, second_moment
from radam_optax._rates import inverse_root, scale_by_rectification
from radam_optax._updates import add_decayed_weights, scale, scale_by_learning_rate, scale_params

Betas = Annotated[tuple[Scalar, Scalar], pair(number_in("[0, 1)"))]


def descend(
    lr: ScalarOrSchedule,
    *direction: optax.GradientTransformation,
    l2: ScalarOrSchedule = 0.0,
    decoupled: ScalarOrSchedule = 0.0,
    factor: ScalarOrSchedule = 1.0,
    maximize: bool = False,
) -> Optimizer:
    """Steps along links, with the frameworks' weight decays where they stand: before, behind, or at the end.

    Args:
      lr: the learning rate.
      direction: the links that make a direction out of the gradient.
      l2: coupled weight decay, which the links see.
      decoupled: weight decay that is added behind them.
      factor: what the parameters are multiplied by in each update.
      maximize: ascend.
    """
    return chain(
        *[scale(-1.0)] * maximize,
        add_decayed_weights(l2),
        *direction,
        add_decayed_weights(decoupled),
        scale_by_learning_rate(lr),
        scale_params(factor),
    )


def radam_eps_at_the_raw_root(b1: Scalar, b2: Scalar, eps: Scalar, fallback: float) -> Optimizer:
    """RAdam's update with eps beside the uncorrected root, and ``fallback`` in place of the rate at first."""
    return scale_by_adaptive_rate(
        momentum=first_moment(b1),
        rate=chain(
            second_moment(b2, debias=False),
            inverse_root(eps),
            debias(b2, power=-0.5),
            scale_by_rectification(b2, fallback=fallback),
        ),
    )


def is_zero(value: ScalarOrSchedule) -> bool:
    """Whether a hyperparameter is known to be 0, so that its link can be left out."""
    return isinstance(value, int | float) and value == 0
