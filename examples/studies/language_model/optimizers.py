"""The optimizers of the language model, set up as in the RAdam paper."""

from collections.abc import Callable

import optax

import radam_optax as rx
from examples.lab.training import Recipe

B1, B2 = 0.9, 0.999  # The paper's.
OPTIMIZERS = {"Adam": rx.adam, "RAdam": rx.radam}


def fall_of(steps: int) -> int:
    """The first step of the paper's epoch 10 of 14, if ``steps`` are 14 epochs."""
    return round(steps * 9 / 14)


def recipe(optimizer: Callable[..., optax.GradientTransformation], steps: int) -> Recipe:
    """As in the paper: gradients of a global norm of 5 at most, a tenth of the learning rate at the end."""

    def of(rate):
        schedule = optax.piecewise_constant_schedule(rate, {fall_of(steps): 0.1})
        return optax.chain(optax.clip_by_global_norm(5.0), optimizer(schedule, B1, B2))

    return of
