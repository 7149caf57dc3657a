"""Whether PyTorch's optimizer has the settings of ours, and settings as PyTorch holds them."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from radam_optax import presets
from radam_optax._core.calls import Call
from radam_optax.migrate._continued import Continued
from radam_optax.migrate._kinds import LABELS, kind_of
from radam_optax.migrate._schedulefree import RECIPES, recipe_of, settings_of
from radam_optax.migrate._tensors import number_of

# Keys of a param_group that are no hyperparameters: of implementations, of schedulers, schedulefree's state.
_NO_SETTINGS = {
    *("params", "param_names", "buffer", "foreach", "fused", "capturable", "differentiable"),
    *("initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum", "swa_lr"),
    *("k", "train_mode", "weight_sum", "lr_max", "scheduled_lr"),
}


def check_settings(
    index: int, group: Mapping[str, Any], ours: Continued, optimizer: Any, *, several: bool
) -> None:
    """Raises ValueError if the optimizer would not do what PyTorch's has done with this param_group.

    ``several`` says whether it shall go on with others, too.
    """
    kind = kind_of(group)
    defaults = defaults_of(kind)
    where = f"in param_groups[{index}]"
    theirs = {n: _read(f"`{n}` {where}", group.get(n, default), default) for n, default in defaults.items()}
    if kind == "official_radam":
        theirs["degenerated_to_sgd"] = ours.settings.get("degenerated_to_sgd", False)  # It is not kept.
    same = f"rx.{recipe_of(kind, theirs)}" if kind in RECIPES else f"presets.{_preset(kind, theirs)}"
    go_on = f"To go on as before use {same}"
    go_on += f" for this group alone, with `group={index}`." if several else "."
    if kind != ours.kind:
        raise ValueError(
            f"The state_dict is that of {LABELS[kind]}, but the optimizer is {optimizer!r}. {go_on}"
        )
    if kind == "torch_adam" and "decoupled_weight_decay" not in group and theirs["weight_decay"] != 0:
        raise ValueError(
            f"param_groups[{index}], of an older PyTorch, does not say whether its weight decay is decoupled "
            "(AdamW) or not (Adam). Set its 'decoupled_weight_decay' to True or False."
        )
    if unknown := group.keys() - defaults.keys() - _NO_SETTINGS:
        raise ValueError(
            f"param_groups[{index}] has settings that {LABELS[kind]} does not have: "
            f"{sorted(map(str, unknown))}. Remove them if they change nothing."
        )
    for name, value in ours.settings.items():
        if name == "lr" or _equal(theirs[name], value):
            continue
        if name == "decoupled_weight_decay" and theirs["weight_decay"] == 0:
            continue
        raise ValueError(
            f"param_groups[{index}] has {name}={theirs[name]!r}, but the optimizer, {optimizer!r}, has "
            f"{value!r}. {go_on}"
        )


def defaults_of(kind: str) -> dict[str, Any]:
    """What hyperparameters are where they are not given, by PyTorch's names."""
    if kind in RECIPES:
        return settings_of(Call(RECIPES[kind], {}).defaults())
    return _preset(kind, {}).defaults()


def _preset(kind: str, settings: Mapping[str, Any]) -> Call:
    return Call(getattr(presets, kind), settings)


def _equal(theirs: Any, ours: Any) -> bool:
    """A JAX array is compared in its own precision."""
    if isinstance(ours, tuple):
        return len(theirs) == len(ours) and all(map(_equal, theirs, ours))
    return bool(np.asarray(theirs, ours.dtype) == ours) if isinstance(ours, jax.Array) else theirs == ours


def _read(what: str, value: Any, default: Any) -> Any:
    """A hyperparameter of PyTorch, of the kind of our default; raises ValueError if it is of another."""
    if isinstance(default, tuple):
        if not (isinstance(value, list | tuple) and len(value) == len(default)):
            raise ValueError(f"{what} must be {len(default)} numbers; got {value!r}.")
        return tuple(number_of(what, v) for v in value)
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{what} must be True or False; got {value!r}.")
        return value
    return number_of(what, value)


def plain(name: str, value: Any) -> Any:
    """A hyperparameter as Python's number, from a tensor or an array."""
    if callable(value):
        advice = "It cannot be moved."
        if name == "weight_decay":
            advice = "Make the optimizer with a number there, and move what migrate.hand_over gives for it."
        raise ValueError(f"`{name}` is a schedule, {value!r}, for which PyTorch has a number. {advice}")
    if isinstance(value, tuple | list):
        return tuple(plain(name, v) for v in value)
    return value.item() if hasattr(value, "item") else value
