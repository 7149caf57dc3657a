"""The optimizers of the study of learning rates, whose learning rates fall during training."""

from collections.abc import Sequence

import optax

import radam_optax as rx
from examples.lab.training import Recipe

RATES = (0.1, 0.03, 0.01, 0.003)
WEIGHT_DECAY = 1e-4


def optimizers(drops: Sequence[int]) -> dict[str, Recipe]:
    """The paper's three, whose learning rate falls to a tenth at each of these steps.

    Weight decay is decoupled from the gradient; SGD's is added to it, before the momentum, which is the
    penalty ``weight_decay / 2 * |p|^2`` that He et al. (2016) trained ResNets with.
    """

    def schedule(rate):
        return optax.piecewise_constant_schedule(rate, dict.fromkeys(drops, 0.1))

    return {
        "SGD": lambda rate: optax.chain(
            optax.add_decayed_weights(WEIGHT_DECAY), rx.momentum(schedule(rate), 0.9)
        ),
        "Adam": lambda rate: rx.adamw(schedule(rate), weight_decay=WEIGHT_DECAY),
        "RAdam": lambda rate: rx.radamw(schedule(rate), weight_decay=WEIGHT_DECAY),
    }
