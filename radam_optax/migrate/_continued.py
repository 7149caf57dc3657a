"""Which optimizer of PyTorch an optimizer of this package continues, if any computes the same."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import optax

from radam_optax import presets
from radam_optax._core.calls import Call, call_of
from radam_optax.migrate._kinds import KEYS
from radam_optax.migrate._schedulefree import RECIPES, settings_of


class Continued(NamedTuple):
    """The algorithm that an optimizer continues, with PyTorch's names of its hyperparameters."""

    kind: str  # One of KEYS.
    settings: Mapping[str, Any]


def continued(optimizer: optax.GradientTransformation) -> Continued:
    """Raises ValueError if the optimizer is not known, or PyTorch has no equal of it."""
    call = call_of(optimizer)
    if call is None:
        raise ValueError(
            "`optimizer` must be made by one function of radam_optax, such as presets.torch_adam(...). In an "
            "optax.chain it is one of the links: move its part of the state, and put that in its place in "
            "the tuple that is the chain's."
        )
    settings = dict(call.arguments)
    if "learning_rate" in settings and settings["learning_rate"] is None:
        raise ValueError(f"{call} has no learning rate, as every optimizer of PyTorch has: pass it one.")
    if call.name in RECIPES:
        return Continued(call.name, settings_of(settings))
    if call.name in KEYS:
        return Continued(call.name, settings)
    if call.name == "torch_adamw":
        return Continued("torch_adam", settings | {"decoupled_weight_decay": True})
    equal, nearest = _EQUALS.get(
        call.name, (_nothing, "a `torch_...` of presets or a `schedule_free_...`, without a wrapper,")
    )
    if (found := equal(settings)) is None:
        raise ValueError(f"No optimizer of PyTorch computes what {call} does; use {nearest} instead.")
    defaults = Call(getattr(presets, found[0]), {}).defaults()
    return Continued(found[0], defaults | found[1] | {"lr": settings["learning_rate"]})


def _nothing(a: Mapping[str, Any]) -> None:
    del a


def _adam(a: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    if a["nesterov"] or not a.get("bias_correction", True) or a["eps_root"] != 0 or a.get("mask") is not None:
        return None
    decay = {"weight_decay": a["weight_decay"], "decoupled_weight_decay": True} if "weight_decay" in a else {}
    return "torch_adam", {"betas": (a["b1"], a["b2"]), "eps": a["eps"]} | decay


def _amsgrad(a: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    if a["bias_correction"] != "after_max" or a["eps_root"] != 0 or a["max_decay"] != 1:
        return None
    if not (a["bias_correction_mu"] and a["bias_correction_nu"]):
        return None
    return "torch_adam", {"betas": (a["b1"], a["b2"]), "eps": a["eps"], "amsgrad": True}


def _rmsprop(a: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    inside = a["eps_in_sqrt"] and a["eps"] != 0
    if inside or a["bias_correction"] or a["initial_scale"] != 0 or a["momentum"] is not None:
        return None
    return "torch_rmsprop", {"alpha": a["decay"], "eps": a["eps"], "centered": a["centered"]}


def _adamax(a: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return "torch_adamax", {"betas": (a["b1"], a["b2"]), "eps": a["eps"]}


def _sgd(a: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return "torch_sgd", {"momentum": a["momentum"] or 0.0, "nesterov": a.get("nesterov", False)}


def _nesterov(a: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return "torch_sgd", {"momentum": a["momentum"], "nesterov": True}


# By the function that made the optimizer: what is equal, by its arguments, and what to use where nothing is.
_EQUALS = {
    "sgd": (_sgd, "presets.torch_sgd"),
    "momentum": (_sgd, "presets.torch_sgd"),
    "nesterov": (_nesterov, "presets.torch_sgd"),
    "adam": (_adam, "presets.torch_adam"),
    "adamw": (_adam, "presets.torch_adamw, with optax.partition for a mask"),
    "amsgrad": (_amsgrad, "presets.torch_adam(amsgrad=True), or bias_correction='after_max'"),
    "rmsprop": (_rmsprop, "presets.torch_rmsprop, or eps_in_sqrt=False without momentum"),
    "adagrad": (_nothing, "presets.torch_adagrad, which has eps outside the root"),
    "adamax": (_adamax, "presets.torch_adamax"),
    "adamaxw": (_nothing, "presets.torch_adamax, whose weight decay is coupled"),
    "nadam": (_nothing, "presets.torch_nadam, whose momentum rises"),
    "nadamw": (_nothing, "presets.torch_nadam, whose momentum rises"),
    "radam": (
        _nothing,
        "presets.torch_radam or presets.official_radam, which have eps at the uncorrected root",
    ),
    "radamw": (
        _nothing,
        "presets.torch_radam or presets.official_radam, which have eps at the uncorrected root",
    ),
}
