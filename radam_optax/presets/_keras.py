"""Keras' optimizers, ``keras.optimizers``."""

from __future__ import annotations

from optax import chain

from radam_optax._combine import scale_by_adaptive_rate
from radam_optax._core.calls import validated
from radam_optax._core.domains import FixedDecay, Flag, NonNegative, Rate
from radam_optax._core.values import Optimizer
from radam_optax._moments import amsgrad_max, debias, first_moment, second_moment
from radam_optax._rates import inverse_root
from radam_optax.presets._parts import descend


@validated
def keras_adam(
    learning_rate: Rate = 1e-3,
    beta_1: FixedDecay = 0.9,
    beta_2: FixedDecay = 0.999,
    epsilon: NonNegative = 1e-7,
    amsgrad: Flag = False,
    weight_decay: Rate | None = None,
) -> Optimizer:
    """``keras.optimizers.Adam``: eps beside the uncorrected root, decoupled decay."""
    adam = scale_by_adaptive_rate(
        momentum=first_moment(beta_1),
        rate=chain(
            second_moment(beta_2, debias=False),
            *[amsgrad_max()] * amsgrad,
            inverse_root(epsilon),
            debias(beta_2, power=-0.5),
        ),
    )
    return descend(learning_rate, adam, decoupled=0.0 if weight_decay is None else weight_decay)
