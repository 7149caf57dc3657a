"""The state_dict of an optimizer of PyTorch: its form, the order of its parameters, what it keeps of each."""

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any

from radam_optax.migrate._continued import Continued
from radam_optax.migrate._kinds import KEYS, LABELS
from radam_optax.migrate._settings import check_settings
from radam_optax.migrate._tensors import number_of, whole

Entries = Mapping[str, Mapping[str, Any]]  # What PyTorch keeps of the parameters, by their names.


def entries_of(
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
    named = "params" if _is_list(ids, str) else "param_names"
    held = [name for settings in groups for name in settings.get(named) or ()]
    if order is None:
        if len(held) != len(ids):
            raise ValueError(
                "The state_dict does not name its parameters: pass `order`, "
                "[name for name, _ in module.named_parameters()]."
            )
        order = held
    check_order(order)
    if set(held) == set(order) and held != list(order):
        raise ValueError(
            f"`order` must be that of the state_dict, {held}; got {list(order)}. Leave it out: "
            "the state_dict names its parameters."
        )
    if len(order) != len(ids):
        raise ValueError(
            f"`order` must name the {len(ids)} parameters of the state_dict; it names {len(order)}. "
            "A parameter that PyTorch's optimizer was not given is not among them."
        )
    if unknown := [i for i in state_dict["state"] if i not in ids]:
        raise ValueError(
            f"'state' holds parameters that are in none of the param_groups: {unknown}. Remove what is no "
            "parameter's."
        )
    if group is not None and group not in [*range(len(groups))]:
        raise ValueError(f"`group` must be one of {[*range(len(groups))]}; got {group!r}.")
    names = dict(zip(ids, order, strict=True))
    found = {}
    for index, settings in enumerate(groups):
        if group in (None, index):
            check_settings(index, settings, ours, optimizer, several=group is None and len(groups) > 1)
            for i in settings["params"]:
                kept = state_dict["state"].get(i, {}).items()
                found[names[i]] = {key: value for key, value in kept if value is not None}
    return found


def check_order(order: Any) -> None:
    """Raises ValueError if it is not a list of different names."""
    if not (_is_list(order, str) and len(set(order)) == len(order)):
        raise ValueError(
            "`order` must be a list of different names, [name for name, _ in module.named_parameters()]; "
            f"got {order!r}."
        )


def _check_form(state_dict: Any) -> None:
    """Raises ValueError if it is not laid out as the state_dict of an optimizer of PyTorch."""
    given = state_dict if isinstance(state_dict, Mapping) else {}
    state: Any = given.get("state")
    groups: Any = given.get("param_groups")
    form = "'state' maps numbers or names of parameters to mappings"
    sound = isinstance(state, Mapping) and all(isinstance(entry, Mapping) for entry in state.values())
    if sound:
        form = "'param_groups' is a list of mappings, each with a list 'params' of different numbers or names"
        sound = _is_list(groups, Mapping) and all(_is_list(g.get("params"), int | str) for g in groups)
    if sound:
        ids = [i for g in groups for i in g["params"]]
        sound = len(set(ids)) == len(ids)
    if sound:
        form = "'param_names', where there is one, is a list of names"
        sound = all(_is_list(g.get("param_names") or [], str) for g in groups)
    if not sound:
        raise ValueError(
            f"`state_dict` must be that of an optimizer of PyTorch, where {form}; {_instead(state_dict)}."
        )


def _instead(given: Any) -> str:
    """What was given in the place of a state_dict, and what to do about it."""
    if not isinstance(given, Mapping):
        return f"got {type(given).__name__}" + ": pass its `.state_dict()`" * hasattr(given, "state_dict")
    for key, part in given.items():
        if isinstance(part, Mapping) and "param_groups" in part:
            return f"pass the part {key!r} of what is given"
    if any(str(key).startswith("param_groups.") for key in given):
        return "this one is flattened: make it without `flatten_optimizer_state_dict`"
    return f"got the keys {[*map(str, given)][:5]}"


def _is_list(value: Any, kind: type | UnionType) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(v, kind) for v in value)


def updated(entries: Entries) -> Entries:
    """Those that have had a gradient; of other parameters PyTorch keeps nothing, or that they had 0 steps."""

    def has_had_one(name: str, entry: Mapping[str, Any]) -> bool:
        return bool(entry) and ("step" not in entry or number_of(f"`step` of {name!r}", entry["step"]) != 0)

    return {name: entry for name, entry in entries.items() if has_had_one(name, entry)}


def common_keys(entries: Entries, kind: str) -> set[str]:
    """What PyTorch keeps of every parameter; raises ValueError if that differs, or is not of the kind."""
    keys = {frozenset(entry) for entry in entries.values()}
    if len(keys) > 1:
        listed = "; ".join(f"{name!r}: {sorted(entry)}" for name, entry in entries.items())
        raise ValueError(
            f"The state_dict keeps different statistics of its parameters, as no optimizer does: {listed}. "
            "Save it again, or begin anew with `optimizer.init(params)`."
        )
    common = set().union(*keys)
    if unknown := common - KEYS[kind]:
        raise ValueError(
            f"The state_dict holds statistics that {LABELS[kind]} does not keep: "
            f"{sorted(map(str, unknown))}. Remove them if the updates do not depend on them."
        )
    return common


def numbers_of_updates(entries: Entries) -> list[int]:
    """Those that parameters have had, ascending; raises ValueError if one is none."""
    steps = {number_of(f"`step` of {name!r}", entry["step"]) for name, entry in entries.items()}
    return sorted(whole("`step`", step) for step in steps)
