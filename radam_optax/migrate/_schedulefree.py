"""What schedulefree's optimizers, for PyTorch, call the arguments of the recipes, and where they count."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from radam_optax._core.calls import Call
from radam_optax._successors import schedule_free_adamw, schedule_free_radam, schedule_free_sgd
from radam_optax.migrate._tensors import number_of, whole

RECIPES = {f.__name__: f for f in (schedule_free_sgd, schedule_free_adamw, schedule_free_radam)}
_SAME = ("eps", "weight_decay", "warmup_steps", "r", "weight_lr_power", "silent_sgd_phase")


class Progress(NamedTuple):
    """What a param_group keeps beside its settings."""

    k: int  # The number of updates so far.
    weight_sum: float
    lr_max: float  # Less than 0 before the first update.


def settings_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a recipe, as schedulefree calls them."""
    b1 = arguments["b1"]
    decays = {"betas": (b1, arguments["b2"])} if "b2" in arguments else {"momentum": b1}
    # What is None in a recipe is 0 there.
    same = {name: 0 if arguments[name] is None else arguments[name] for name in _SAME if name in arguments}
    return {"lr": arguments["learning_rate"], **decays, **same}


def recipe_of(kind: str, settings: Mapping[str, Any]) -> Call:
    """The recipe that has these settings."""
    decays = dict(zip(("b1", "b2"), settings.get("betas") or (settings["momentum"],), strict=False))
    same = {name: settings[name] for name in _SAME if name in settings}
    if "warmup_steps" in same:
        same["warmup_steps"] = int(same["warmup_steps"]) or None
    call = Call(RECIPES[kind], {})
    return call._replace(arguments=call.defaults() | {"learning_rate": settings["lr"]} | decays | same)


def progress_of(groups: Sequence[Mapping[str, Any]], group: int | None) -> Progress:
    """That of one group, or of all; raises ValueError if they differ, or one has none."""
    found = {_progress(i, settings) for i, settings in enumerate(groups) if group in (None, i)}
    if len(found) != 1:
        listed = ", ".join(map(str, sorted(found)))
        raise ValueError(
            f"The param_groups have come to different averages, {listed}: move them one by one, by `group`, "
            "into the states of an optax.partition."
        )
    return found.pop()


def _progress(index: int, settings: Mapping[str, Any]) -> Progress:
    where = f"in param_groups[{index}]"
    k, weight_sum, lr_max = (number_of(f"`{key}` {where}", settings.get(key)) for key in Progress._fields)
    if not (0 <= weight_sum < math.inf and lr_max < math.inf):
        raise ValueError(
            f"`weight_sum` {where} must be finite and >= 0, `lr_max` finite; got {weight_sum} and {lr_max}."
        )
    return Progress(whole("`k`", k), weight_sum, lr_max)


def numbers_of(progress: Progress, settings: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """What a state here keeps of both."""
    b1 = settings["betas"][0] if "betas" in settings else settings["momentum"]
    found = {"weight_sum": progress.weight_sum, "max_lr": max(progress.lr_max, 0.0), "b1": b1}
    return {name: [np.asarray(value)] for name, value in found.items()}


def kept_of(count: int, numbers: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """What a param_group keeps beside its settings, of parameters that are those in training."""
    (weight_sum,), (max_lr,) = numbers["weight_sum"], numbers["max_lr"]
    progress = Progress(count, float(weight_sum), float(max_lr))
    return {**progress._asdict(), "train_mode": True, "scheduled_lr": 0.0, "foreach": True}
