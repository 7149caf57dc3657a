"""The catalogue beside its peers: the same algorithm in optax and in PyTorch, where they have it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import optax

import radam_optax as rx

RATE = 1e-4  # All learning rates.
DECAY = 1e-4  # All decoupled weight decays.

OURS, OPTAX = "radam_optax", "optax"
TORCH_FORMS = ("for-loop", "foreach", "fused", "compiled")  # In which PyTorch has its optimizers.
PACKAGES = {OURS: "ours", OPTAX: "optax"}  # The fields of `Peers`.

Recipe = Callable[..., optax.GradientTransformation]  # Of the arguments that are left, all by keyword.


class Torch(NamedTuple):
    """A class of ``torch.optim`` and its arguments."""

    name: str
    arguments: Mapping[str, Any] = {}


class Peers(NamedTuple):
    """One algorithm here, in optax and in PyTorch.

    PyTorch's moves the same bytes with the same operations; places of eps and of bias corrections may
    differ (``radam_optax.presets`` have them exactly).
    """

    ours: Recipe
    optax: Recipe | None = None
    torch: Torch | None = None


def _optax_radamw() -> optax.GradientTransformation:
    return optax.chain(
        optax.scale_by_radam(), optax.add_decayed_weights(DECAY), optax.scale_by_learning_rate(RATE)
    )


CATALOGUE: dict[str, Peers] = {
    "sgd": Peers(partial(rx.sgd, RATE), partial(optax.sgd, RATE), Torch("SGD")),
    "momentum": Peers(
        partial(rx.momentum, RATE), partial(optax.sgd, RATE, 0.9), Torch("SGD", {"momentum": 0.9})
    ),
    "nesterov": Peers(
        partial(rx.nesterov, RATE),
        partial(optax.sgd, RATE, 0.9, nesterov=True),
        Torch("SGD", {"momentum": 0.9, "nesterov": True}),
    ),
    "adagrad": Peers(
        partial(rx.adagrad, RATE),
        partial(optax.adagrad, RATE),
        Torch("Adagrad", {"initial_accumulator_value": 0.1}),
    ),
    "adadelta": Peers(partial(rx.adadelta, RATE), partial(optax.adadelta, RATE), Torch("Adadelta")),
    "rmsprop": Peers(partial(rx.rmsprop, RATE), partial(optax.rmsprop, RATE), Torch("RMSprop")),
    "rmsprop_nesterov": Peers(
        partial(rx.rmsprop_nesterov, RATE),
        partial(optax.rmsprop, RATE, eps=1e-6, momentum=0.9, nesterov=True),
    ),
    "adam": Peers(partial(rx.adam, RATE), partial(optax.adam, RATE), Torch("Adam")),
    "adamw": Peers(
        partial(rx.adamw, RATE, weight_decay=DECAY),
        partial(optax.adamw, RATE, weight_decay=DECAY),
        Torch("AdamW", {"weight_decay": DECAY}),
    ),
    "nadam": Peers(partial(rx.nadam, RATE), partial(optax.nadam, RATE), Torch("NAdam")),
    "adam_2k": Peers(partial(rx.adam_2k, RATE)),
    "adam_eps": Peers(partial(rx.adam_eps, RATE)),
    "amsgrad": Peers(
        partial(rx.amsgrad, RATE), partial(optax.amsgrad, RATE), Torch("Adam", {"amsgrad": True})
    ),
    "adamnc": Peers(partial(rx.adamnc, RATE)),
    "radam": Peers(partial(rx.radam, RATE), partial(optax.radam, RATE), Torch("RAdam")),
    "radamw": Peers(
        partial(rx.radamw, RATE, weight_decay=DECAY),
        _optax_radamw,
        Torch("RAdam", {"weight_decay": DECAY, "decoupled_weight_decay": True}),
    ),
    "radam_amsgrad": Peers(partial(rx.radam, RATE, amsgrad=True)),
    "adabelief": Peers(partial(rx.adabelief, RATE), partial(optax.adabelief, RATE)),
    "yogi": Peers(partial(rx.yogi, RATE), partial(optax.yogi, RATE)),
    "nadamw": Peers(
        partial(rx.nadamw, RATE, weight_decay=DECAY), partial(optax.nadamw, RATE, weight_decay=DECAY)
    ),
    "adamax": Peers(partial(rx.adamax, RATE), partial(optax.adamax, RATE), Torch("Adamax")),
    "adamaxw": Peers(
        partial(rx.adamaxw, RATE, weight_decay=DECAY), partial(optax.adamaxw, RATE, weight_decay=DECAY)
    ),
    "radam_scheduled": Peers(partial(rx.radam, RATE, b2=rx.ademamix_b3(0.9, 0.999, 1000))),
    "laprop": Peers(partial(rx.laprop, RATE)),
    "adopt": Peers(partial(rx.adopt, RATE), partial(optax.contrib.adopt, RATE)),
    "adoptw": Peers(partial(rx.adoptw, RATE, weight_decay=DECAY)),
    "acprop": Peers(partial(rx.acprop, RATE), partial(optax.contrib.acprop, RATE)),
    "ademamix": Peers(partial(rx.ademamix, RATE), partial(optax.contrib.ademamix, RATE)),
    "adan": Peers(partial(rx.adan, RATE), partial(optax.adan, RATE)),
    "lion": Peers(partial(rx.lion, RATE), partial(optax.lion, RATE)),
    "adam_atan2": Peers(partial(rx.adam_atan2, RATE)),
    "padam": Peers(partial(rx.padam, RATE)),
    "adabound": Peers(partial(rx.adabound, RATE)),
    "adamod": Peers(partial(rx.adamod, RATE)),
    "qhadam": Peers(partial(rx.qhadam, RATE, nus=(0.7, 1.0))),
    "stable_adamw": Peers(partial(rx.stable_adamw, RATE)),
    "schedule_free_sgd": Peers(
        partial(rx.schedule_free_sgd, RATE), partial(optax.contrib.schedule_free_sgd, RATE)
    ),
    "schedule_free_adamw": Peers(
        partial(rx.schedule_free_adamw, RATE), partial(optax.contrib.schedule_free_adamw, RATE)
    ),
    "schedule_free_radam": Peers(partial(rx.schedule_free_radam, RATE)),
}
