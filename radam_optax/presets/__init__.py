"""Other frameworks' optimizers, step for step: each a composition in which the difference can be seen.

Names, order and defaults of the arguments are the framework's; those that only choose an implementation
(``foreach``, ``fused``, ``capturable``) are left out. In the formulas ``g`` is the gradient of this update
(its negative with ``maximize``), ``p`` a parameter, ``t`` the number of this update, 1 at the first one;
moments start from 0, and what is written without an index is replaced in each update.

Deviations that all share: bias corrections and rectifiers are exact, where the frameworks round them (in
float64 by 1e-9 of r_t at worst). PyTorch takes a complex number for two real ones, which is
``optax.contrib.split_real_and_imaginary`` around a preset. optax's own functions are those of the catalogue.

How far they agree is measured by ``pytest tests/library/peers/test_parity.py``: over 1000 updates with
spikes, zeros and a fall of the gradients by 100, from parameters of size 0.1, at five values of b2.
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


def __dir__() -> list[str]:
    """What completion shows."""
    return __all__
