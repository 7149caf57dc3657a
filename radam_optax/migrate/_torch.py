"""Moves of parameters and state, from and to PyTorch."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from radam_optax._core.values import value_at
from radam_optax.migrate import _statistics
from radam_optax.migrate._continued import continued
from radam_optax.migrate._kinds import KEYS, ROLES
from radam_optax.migrate._layout import check_complete, give, take, targets_of
from radam_optax.migrate._names import Names, same_names
from radam_optax.migrate._settings import plain
from radam_optax.migrate._state_dict import (
    check_order,
    common_keys,
    common_number,
    entries_of,
    number_of_updates,
)
from radam_optax.migrate._statistics import Statistics, cast_like, known_count
from radam_optax.migrate._tensors import to_tensor

Torch = Mapping[str, Any]


def params_from_torch(state_dict: Torch, params: Any, *, names: Names = same_names) -> Any:
    """The parameters of a module's ``state_dict()``, as a tree like ``params``.

    Raises:
      ValueError: a parameter is missing there, or has another shape. Extra entries (buffers) pass.
      TypeError: its dtype does not fit into that of ``params``.
    """
    if not isinstance(state_dict, Mapping):
        raise ValueError(f"`state_dict` must map names to tensors; got {type(state_dict).__name__}.")
    targets = targets_of(params, names)
    check_complete({target.name for target in targets}, set(state_dict), extra=False)
    leaves, treedef = jax.tree.flatten(params)
    return treedef.unflatten(
        [
            cast_like(f"The parameter {t.path!r}", jnp.asarray(old), take(state_dict[t.name], t, "The value"))
            for t, old in zip(targets, leaves, strict=True)
        ]
    )


def params_to_torch(params: Any, *, names: Names = same_names) -> dict[str, Any]:
    """A ``state_dict`` of tensors for ``module.load_state_dict(..., strict=False)``."""
    return {
        target.name: give(leaf, target)
        for target, leaf in zip(targets_of(params, names), jax.tree.leaves(params), strict=True)
    }


def from_torch(
    state_dict: Torch,
    params: Any,
    optimizer: optax.GradientTransformation,
    *,
    names: Names = same_names,
    order: Sequence[str] | None = None,
    group: int | None = None,
    count: int | None = None,
) -> optax.OptState:
    """The state of ``optimizer`` that goes on where PyTorch's optimizer stopped.

    Args:
      state_dict: that of ``torch.optim`` SGD, Adagrad, RMSprop, Adam, AdamW, NAdam, RAdam, or of the
        RAdam of its authors.
      params: the parameters; their values do not matter.
      group: the number of the ``param_groups`` that ``params`` belong to; None: all groups, which then
        must have the same hyperparameters.

    Raises:
      ValueError: the state_dict is that of another algorithm, has other hyperparameters than
        ``optimizer``, or other parameters than ``params``.
      TypeError: its dtypes do not fit, or parameters are complex (there PyTorch's second moment
        is that of two real numbers).
    """
    ours = continued(optimizer)
    entries = entries_of(state_dict, group, order, ours, optimizer)
    targets = targets_of(params, names)
    check_complete({target.name for target in targets}, set(entries))
    keys = common_keys(entries)
    keeps_nothing = ours.kind == "torch_sgd" and ours.settings["momentum"] == 0
    if not keys and not keeps_nothing:
        if count:
            raise ValueError(f"PyTorch has not made an update yet, but `count` is {count}.")
        return optimizer.init(params)
    structure = jax.tree.structure(params)
    trees = {
        role: structure.unflatten([take(entries[t.name][key], t, f"`{key}`") for t in targets])
        for key, role in ROLES.items()
        if key in keys
    }
    if any(map(np.iscomplexobj, jax.tree.leaves(trees))):
        raise TypeError("Complex parameters cannot be moved: PyTorch keeps the squares of their two parts.")
    steps = number_of_updates(common_number(entries, "step")) if "step" in keys else None
    steps = known_count(steps, count)
    product = common_number(entries, "mu_product") if "mu_product" in keys else None
    # In float32 it is 0 after 140 updates, and was next to nothing long before.
    elapsed = None if product is None else -math.log(max(product, 5e-324))
    return _statistics.write(Statistics(trees, steps, elapsed), params, optimizer)


def to_torch(
    state: optax.OptState,
    params: Any,
    optimizer: optax.GradientTransformation,
    *,
    names: Names = same_names,
    order: Sequence[str],
    count: int | None = None,
) -> dict[str, Any]:
    """What ``load_state_dict`` of PyTorch's optimizer takes, to go on where ``optimizer`` stopped.

    Raises:
      ValueError: ``optimizer`` has no equal in PyTorch, ``state`` is not one of its states, or the
        parameters are not those of ``order``.
    """
    kind, settings = continued(optimizer)
    if jax.tree.structure(state) != jax.tree.structure(jax.eval_shape(optimizer.init, params)):
        raise ValueError(f"`state` is not one of {optimizer!r} for these parameters.")
    statistics = _statistics.read(state)
    keys = KEYS[kind]
    count = known_count(statistics.count, count)
    if count is None and ("step" in keys or callable(settings["lr"])):
        raise ValueError("The state does not hold the number of updates so far: pass it as `count`.")
    targets = targets_of(params, names)
    check_order(order)
    check_complete({target.name for target in targets}, set(order))
    entries: dict[str, dict[str, Any]] = {target.name: {} for target in targets}
    # PyTorch has nothing before the first update.
    for key in keys & ROLES.keys() if count != 0 else ():
        leaves = jax.tree.leaves(statistics.trees.get(ROLES[key]))
        for target, leaf in zip(targets, leaves, strict=False):
            entries[target.name][key] = give(leaf, target)
    rate = value_at(settings["lr"], jnp.asarray(max((count or 0) - 1, 0)))  # Of the last update.
    settings = {key: plain(key, value) for key, value in {**settings, "lr": rate}.items()}
    official = kind == "official_radam"
    if official:
        del settings["degenerated_to_sgd"]  # A field of the authors' optimizer, not of its state.
        settings["buffer"] = [[None, None, None] for _ in range(10)]
    for entry in entries.values():
        if "step" in keys and entry:
            entry["step"] = count if official else to_tensor(np.asarray(count, "float32"))
        if "mu_product" in keys and entry:
            entry["mu_product"] = to_tensor(np.exp(-np.asarray(statistics.elapsed)))
    ids = list(range(len(order)))
    return {
        "state": {i: entries[name] for i, name in zip(ids, order, strict=True)},
        "param_groups": [settings | {"params": ids}],
    }
