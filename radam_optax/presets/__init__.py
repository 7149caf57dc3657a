"""Other frameworks' optimizers, step for step: each a composition in which the difference can be seen.

Names and defaults of arguments are the framework's; hyperparameters that only choose an implementation
(``foreach``, ``fused``, ``capturable``) are left out. Shared by all:

``lr``, ``learning_rate``
    >= 0, or a schedule of the count of past updates, where the framework has a scheduler object.
``betas``, ``beta_1``, ``beta_2``, ``alpha``
    Decays of the moving averages, dimensionless, in [0, 1).
``eps``, ``epsilon``
    In gradient units, >= 0; the formula of each optimizer shows where it stands.
``weight_decay``
    Dimensionless, >= 0. Coupled (L2): ``g + weight_decay p`` takes the place of the gradient g. Or
    decoupled: ``p -= lr weight_decay p``.
``maximize``
    Ascend: ``-g`` takes the place of g.

Deviations that all share: bias corrections and rectifiers are exact, where the frameworks round them
(in float64 by 1e-9 of r_t at worst). PyTorch takes a complex number for two real ones, which is
``optax.contrib.split_real_and_imaginary`` around a preset. optax's own functions are those of the catalogue.

All raise ValueError or TypeError for arguments outside their domain, and return a
:class:`optax.GradientTransformationExtraArgs`.
"""

from radam_optax.presets._authors import official_radam
from radam_optax.presets._keras import keras_adam
from radam_optax.presets._tensorflow_addons import tfa_radam
from radam_optax.presets._torch import (
    torch_adagrad,
    torch_adam,
    torch_adamax,
    torch_adamw,
    torch_nadam,
    torch_radam,
    torch_rmsprop,
    torch_sgd,
)

__all__ = [
    "keras_adam",
    "official_radam",
    "tfa_radam",
    "torch_adagrad",
    "torch_adam",
    "torch_adamax",
    "torch_adamw",
    "torch_nadam",
    "torch_radam",
    "torch_rmsprop",
    "torch_sgd",
]
