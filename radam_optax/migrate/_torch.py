"""PyTorch's side of a move: whose state_dict it is, what it calls things, tensors from and to arrays."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from radam_optax import presets
from radam_optax._core.calls import Call, call_of
from radam_optax.migrate._statistics import array_of

ROLES = {
    "exp_avg": "mu",
    "grad_avg": "mu",
    "exp_avg_sq": "nu",
    "square_avg": "nu",
    "max_exp_avg_sq": "nu_max",
    "sum": "sum_of_squares",
    "momentum_buffer": "trace",
}

_ADAM = {"step", "exp_avg", "exp_avg_sq"}
KEYS = {
    "torch_sgd": {"momentum_buffer"},
    "torch_adagrad": {"step", "sum"},
    "torch_rmsprop": {"step", "square_avg", "grad_avg", "momentum_buffer"},
    "torch_adam": _ADAM | {"max_exp_avg_sq"},
    "torch_nadam": _ADAM | {"mu_product"},
    "torch_radam": _ADAM,
    "official_radam": _ADAM,
}
_LABELS = {
    "torch_sgd": "PyTorch's SGD",
    "torch_adagrad": "PyTorch's Adagrad",
    "torch_rmsprop": "PyTorch's RMSprop",
    "torch_adam": "PyTorch's Adam or AdamW",
    "torch_nadam": "PyTorch's NAdam",
    "torch_radam": "PyTorch's RAdam",
    "official_radam": "the RAdam of its authors (first updates skipped, weight decay decoupled)",
}


# Keys of a param_group that change no number: of implementations, and of schedulers.
_NO_SETTINGS = {
    *("params", "param_names", "buffer", "foreach", "fused", "capturable", "differentiable"),
    *("initial_lr", "max_lr", "min_lr", "max_momentum", "base_momentum", "swa_lr"),
}


class Continued(NamedTuple):
    """The algorithm that an optimizer continues, with PyTorch's names of its hyperparameters."""

    kind: str  # One of KEYS.
    settings: Mapping[str, Any]


def continued(optimizer: optax.GradientTransformation) -> Continued:
    """Raises ValueError if the optimizer is not known, or PyTorch has no equal of it."""
    call = call_of(optimizer)
    if call is None:
        raise ValueError(
            "`optimizer` must be made by one function of radam_optax, such as presets.torch_adam(...). Move "
            "its state on its own, and compose it with others afterwards."
        )
    settings = dict(call.arguments)
    if call.name in KEYS:
        return Continued(call.name, settings)
    if call.name == "torch_adamw":
        return Continued("torch_adam", settings | {"decoupled_weight_decay": True})
    equal, nearest = _EQUALS.get(call.name, (_nothing, "one of presets"))
    if settings.get("learning_rate") is None or (found := equal(settings)) is None:
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


def _sgd(a: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return "torch_sgd", {"momentum": a["momentum"] or 0.0, "nesterov": a.get("nesterov", False)}


def _nesterov(a: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return "torch_sgd", {"momentum": a["momentum"], "nesterov": True}


_EQUALS = {
    "sgd": (_sgd, "presets.torch_sgd"),
    "momentum": (_sgd, "presets.torch_sgd"),
    "nesterov": (_nesterov, "presets.torch_sgd"),
    "adam": (_adam, "presets.torch_adam"),
    "adamw": (_adam, "presets.torch_adamw, with optax.partition for a mask"),
    "amsgrad": (_amsgrad, "presets.torch_adam(amsgrad=True), or bias_correction='after_max'"),
    "rmsprop": (_rmsprop, "presets.torch_rmsprop, or eps_in_sqrt=False without momentum"),
    "adagrad": (_nothing, "presets.torch_adagrad, which has eps outside the root"),
    "nadam": (_nothing, "presets.torch_nadam, whose momentum rises"),
    "radam": (
        _nothing,
        "presets.torch_radam or presets.official_radam, which have eps at the uncorrected root",
    ),
    "radamw": (
        _nothing,
        "presets.torch_radam or presets.official_radam, which have eps at the uncorrected root",
    ),
}


def kind_of(settings: Mapping[str, Any]) -> str:
    """Whose param_group it is, by its keys."""
    for key, kind in {
        "buffer": "official_radam",
        "momentum_decay": "torch_nadam",
        "lr_decay": "torch_adagrad",
        "alpha": "torch_rmsprop",
        "dampening": "torch_sgd",
        "amsgrad": "torch_adam",
    }.items():
        if key in settings:
            return kind
    if {"betas", "decoupled_weight_decay"} <= settings.keys():
        return "torch_radam"
    raise ValueError(
        f"The param_group with {sorted(map(str, settings))} is not of an optimizer that can be moved: "
        "torch.optim's SGD, Adagrad, RMSprop, Adam, AdamW, NAdam, RAdam, or the RAdam of its authors."
    )


def check_settings(index: int, group: Mapping[str, Any], ours: Continued, optimizer: Any) -> None:
    """Raises ValueError if the optimizer would not do what PyTorch's has done with this param_group."""
    kind = kind_of(group)
    factory = getattr(presets, kind)
    defaults = Call(factory, {}).defaults()
    where = f"in param_groups[{index}]"
    theirs = {n: _read(f"`{n}` {where}", group.get(n, default), default) for n, default in defaults.items()}
    if kind == "official_radam":
        theirs["degenerated_to_sgd"] = ours.settings.get("degenerated_to_sgd", False)  # It is not kept.
    go_on = f"To go on as before use presets.{Call(factory, theirs)}."
    if kind != ours.kind:
        raise ValueError(
            f"The state_dict is that of {_LABELS[kind]}, but the optimizer is {optimizer!r}. {go_on}"
        )
    if kind == "torch_adam" and "decoupled_weight_decay" not in group and theirs["weight_decay"] != 0:
        raise ValueError(
            f"param_groups[{index}], of an older PyTorch, does not say whether its weight decay is decoupled "
            "(AdamW) or not (Adam). Set its 'decoupled_weight_decay' to True or False."
        )
    if unknown := group.keys() - defaults.keys() - _NO_SETTINGS:
        raise ValueError(
            f"param_groups[{index}] has settings that {_LABELS[kind]} does not have: "
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
        return tuple(number(what, v) for v in value)
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{what} must be True or False; got {value!r}.")
        return value
    return number(what, value)


def plain(name: str, value: Any) -> Any:
    """A hyperparameter as Python's number, from a tensor or an array."""
    if callable(value):
        raise ValueError(f"`{name}` is a schedule, for which PyTorch has a number: {value!r}.")
    if isinstance(value, tuple | list):
        return tuple(plain(name, v) for v in value)
    return value.item() if hasattr(value, "item") else value


def entries(
    state_dict: Mapping[str, Any],
    group: int | None,
    order: Sequence[str] | None,
    ours: Continued,
    optimizer: Any,
) -> dict[str, dict[str, Any]]:
    """The statistics by the name of the parameter, of the groups that the optimizer continues.

    Raises ValueError if a group has other settings than the optimizer, or the names do not fit.
    """
    _check_form(state_dict)
    groups = state_dict["param_groups"]
    ids = [i for settings in groups for i in settings["params"]]
    if order is None:
        if not all(_is_list(settings.get("param_names"), str) for settings in groups):
            raise ValueError(
                "The state_dict does not name its parameters: pass `order`, "
                "[name for name, _ in module.named_parameters()]."
            )
        order = [name for settings in groups for name in settings["param_names"]]
    check_order(order)
    held = [name for settings in groups for name in settings.get("param_names") or ()]
    if sorted(held) == sorted(order) and held != list(order):
        raise ValueError(f"`order` must be that of the state_dict, {held}; got {list(order)}.")
    if len(order) != len(ids):
        raise ValueError(
            f"`order` must name the {len(ids)} parameters of the state_dict; it names {len(order)}."
        )
    if unknown := [i for i in state_dict["state"] if i not in ids]:
        raise ValueError(f"'state' holds parameters that are in none of the param_groups: {unknown}.")
    if group is not None and group not in [*range(len(groups))]:
        raise ValueError(f"`group` must be one of {[*range(len(groups))]}; got {group!r}.")
    names = dict(zip(ids, order, strict=True))
    found = {}
    for index, settings in enumerate(groups):
        if group in (None, index):
            check_settings(index, settings, ours, optimizer)
            for i in settings["params"]:
                kept = state_dict["state"].get(i, {}).items()
                found[names[i]] = {key: value for key, value in kept if value is not None}
    return found


def check_order(order: Any) -> None:
    """Raises ValueError if it is not a list of different names."""
    if not (_is_list(order, str) and len(set(order)) == len(order)):
        raise ValueError(f"`order` must be a list of different names; got {order!r}.")


def _check_form(state_dict: Any) -> None:
    """Raises ValueError if it is not laid out as the state_dict of an optimizer of PyTorch."""
    given = state_dict if isinstance(state_dict, Mapping) else {}
    state: Any = given.get("state")
    groups: Any = given.get("param_groups")
    form = "'state' maps numbers of parameters to mappings"
    sound = isinstance(state, Mapping) and all(isinstance(entry, Mapping) for entry in state.values())
    if sound:
        form = "'param_groups' is a list of mappings, each with a list 'params' of different numbers"
        sound = _is_list(groups, Mapping) and all(_is_list(g.get("params"), int) for g in groups)
    if sound:
        ids = [i for g in groups for i in g["params"]]
        sound = len(set(ids)) == len(ids)
    if not sound:
        raise ValueError(f"`state_dict` must be that of an optimizer of PyTorch, where {form}.")


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(v, kind) for v in value)


def common_keys(entries: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """What PyTorch keeps of every parameter; raises ValueError if that differs, or is not known."""
    keys = {frozenset(entry) for entry in entries.values()}
    if len(keys) > 1:
        listed = "; ".join(f"{name!r}: {sorted(entry)}" for name, entry in entries.items())
        raise ValueError(
            f"Some parameters have not been updated so far, and cannot be moved with the rest. {listed}."
        )
    common = set().union(*keys)
    if unknown := common - {*ROLES, "step", "mu_product"}:
        raise ValueError(f"The state_dict holds statistics that are not known: {sorted(map(str, unknown))}.")
    return common


def common(entries: Mapping[str, Mapping[str, Any]], key: str) -> float:
    """A number that all parameters share; raises ValueError if they do not."""
    values = {number(f"`{key}` of {name!r}", entry[key]) for name, entry in entries.items()}
    if len(values) > 1:
        raise ValueError(
            f"The parameters differ in their `{key}`: {sorted(values)}. Move them apart, by `group`."
        )
    return values.pop()


def number(what: str, value: Any) -> float:
    """A Python number, or one in a tensor or an array; raises ValueError if it is none."""
    array = array_of(what, value)
    if array.shape or np.iscomplexobj(array):
        raise ValueError(f"{what} must be a number; got {value!r}.")
    return float(array)


def whole(step: float) -> int:
    """A number of updates; raises ValueError if it is none."""
    if not (step.is_integer() and 0 <= step < 2**31):
        raise ValueError(f"`step` must be a whole number in [0, 2**31); got {step}.")
    return int(step)


class Target(NamedTuple):
    """A leaf of the parameters, and where it is in PyTorch."""

    path: str
    shape: tuple[int, ...]
    name: str
    axes: Sequence[int] | None


def targets(params: Any, names: Any) -> list[Target]:
    """Raises ValueError if two leaves have one name, or an order of axes is none."""
    found: dict[str, Target] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if path and getattr(path[-1], "name", None) == "value":
            path = path[:-1]  # Of the variables of Flax NNX.
        text, shape = jax.tree_util.keystr(path, simple=True, separator="."), np.shape(leaf)
        name, axes = _name_and_axes(names(text, shape), text, shape)
        if name in found:
            raise ValueError(f"`names` gives {name!r} to both {found[name].path!r} and {text!r}.")
        found[name] = Target(text, shape, name, axes)
    return list(found.values())


def _name_and_axes(result: Any, path: str, shape: tuple[int, ...]) -> tuple[str, Sequence[int] | None]:
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], str)):
        raise ValueError(f"`names` must return a name and an order of axes; it gives {path!r} {result!r}.")
    name, axes = result
    if axes is not None and not (_is_list(axes, int) and sorted(axes) == list(range(len(shape)))):
        raise ValueError(f"`names` gives {path!r} of shape {shape} the axes {axes!r}.")
    return name, axes


def check_complete(ours: set[str], theirs: set[str], *, extra: bool = True) -> None:
    """Raises ValueError if one side has parameters that the other lacks."""
    missing, surplus = sorted(ours - theirs), sorted(map(str, theirs - ours)) if extra else []
    if missing or surplus:
        raise ValueError(
            f"The parameters do not match PyTorch's. Missing there: {missing or 'none'}; missing here: "
            f"{surplus or 'none'}. See `names` and `order`."
        )


def take(tensor: Any, target: Target, what: str) -> np.ndarray | jax.Array:
    """A tensor in the layout of the leaf."""
    array = array_of(f"{what} of {target.name!r}", tensor)
    shape = array.shape
    if target.axes is not None and len(target.axes) == array.ndim:
        array = np.transpose(array, target.axes)
    if array.shape != target.shape:
        layout = "" if target.axes is None else f" (axes {tuple(target.axes)})"
        raise ValueError(
            f"{what} of {target.name!r} has shape {shape}{layout}, but the parameter {target.path!r} has "
            f"{target.shape}."
        )
    return array


def give(leaf: Any, target: Target) -> Any:
    """A leaf as a tensor in PyTorch's layout."""
    array = np.asarray(leaf)
    return to_tensor(array if target.axes is None else np.transpose(array, np.argsort(target.axes)))


def to_tensor(array: np.ndarray) -> Any:
    """A tensor that shares nothing with the array."""
    try:
        import torch
    except ModuleNotFoundError:
        raise ModuleNotFoundError("This needs PyTorch: pip install 'radam-optax[parity]'.") from None
    if array.dtype == jnp.bfloat16:
        return torch.tensor(array.astype("float32")).bfloat16()
    return torch.tensor(np.ascontiguousarray(array).reshape(array.shape))
