"""The state_dict of an optimizer of PyTorch: its form, the order of its parameters, what it keeps of each."""

from collections.abc import Mapping, Sequence
from typing import Any

from radam_optax.migrate._continued import Continued
from radam_optax.migrate._kinds import ROLES
from radam_optax.migrate._settings import check_settings
from radam_optax.migrate._tensors import number_of


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


def common_number(entries: Mapping[str, Mapping[str, Any]], key: str) -> float:
    """A number that all parameters share; raises ValueError if they do not."""
    values = {number_of(f"`{key}` of {name!r}", entry[key]) for name, entry in entries.items()}
    if len(values) > 1:
        raise ValueError(
            f"The parameters differ in their `{key}`: {sorted(values)}. Move them apart, by `group`."
        )
    return values.pop()


def number_of_updates(step: float) -> int:
    """A number of updates; raises ValueError if it is none."""
    if not (step.is_integer() and 0 <= step < 2**31):
        raise ValueError(f"`step` must be a whole number in [0, 2**31); got {step}.")
    return int(step)
