"""Moves of parameters and state, from and to PyTorch."""

from __future__ import annotations

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
from radam_optax.migrate._kinds import IDLE_COUNTS, KEYS, ROLES
from radam_optax.migrate._layout import Target, check_complete, give, take, targets_of
from radam_optax.migrate._names import Names
from radam_optax.migrate._schedulefree import RECIPES, kept_of, numbers_of, progress_of
from radam_optax.migrate._settings import plain
from radam_optax.migrate._state_dict import (
    check_order,
    common_keys,
    entries_of,
    numbers_of_updates,
    updated,
)
from radam_optax.migrate._statistics import FRESH, Statistics, cast_like, known_count
from radam_optax.migrate._tensors import number_of, to_tensor

Torch = Mapping[str, Any]


def params_from_torch(state_dict: Torch, params: Any, *, names: Names | None = None) -> Any:
    """Takes the parameters out of the ``state_dict()`` of a module of PyTorch.

    They are copied. Entries of the ``state_dict`` that ``params`` has no leaf for, such as buffers, are left
    out.

    Args:
      state_dict: What ``module.state_dict()`` returned, or :func:`load_torch` of a file of it: tensors or
        arrays by name.
      params: Parameters in whose structure, shapes, dtypes and shardings they are to come.
      names: Where a leaf of ``params`` is in PyTorch: a function of its path, joined by dots, and its shape,
        that returns the name there and the order of axes, as in ``numpy.transpose``, that makes the leaf out
        of PyTorch's tensor, or None for the axes as they are. :func:`radam_optax.migrate.flax_names`, or
        yours. None: :func:`radam_optax.migrate.same_names`. Default: None.

    Returns:
      A tree like ``params``.

    Raises:
      ValueError: A parameter is missing there, or has another shape, or ``names`` gives one name twice.
      TypeError: Its dtype does not fit into that of ``params``.

    Example:
      >>> import jax.numpy as jnp
      >>> import torch
      >>> from radam_optax import migrate
      >>> module = torch.nn.Linear(3, 2)
      >>> like = {"kernel": jnp.zeros((3, 2)), "bias": jnp.zeros(2)}
      >>> params = migrate.params_from_torch(module.state_dict(), like, names=migrate.flax_names)
      >>> bool((params["kernel"].T == module.weight.detach().numpy()).all())
      True
    """
    if not isinstance(state_dict, Mapping):
        raise ValueError(
            "`state_dict` must map names to tensors, as `module.state_dict()`; got "
            f"{type(state_dict).__name__}."
        )
    targets = targets_of(params, names)
    check_complete({target.name for target in targets}, state_dict, needed=())
    leaves, treedef = jax.tree.flatten(params)
    return treedef.unflatten(
        [
            cast_like(f"The parameter {t.path!r}", jnp.asarray(old), take(state_dict[t.name], t, "The value"))
            for t, old in zip(targets, leaves, strict=True)
        ]
    )


def params_to_torch(params: Any, *, names: Names | None = None) -> dict[str, Any]:
    """Makes a ``state_dict`` of parameters, for ``module.load_state_dict(..., strict=False)``.

    Args:
      params: Parameters, a tree of arrays.
      names: Where a leaf of ``params`` is in PyTorch: a function of its path, joined by dots, and its shape,
        that returns the name there and the order of axes, as in ``numpy.transpose``, that makes the leaf out
        of PyTorch's tensor, or None for the axes as they are. :func:`radam_optax.migrate.flax_names`, or
        yours. None: :func:`radam_optax.migrate.same_names`. Default: None.

    Returns:
      Tensors on the CPU by name, which share nothing with ``params``.

    Raises:
      ModuleNotFoundError: PyTorch is not installed.
      ValueError: ``names`` gives one name twice, or axes that are no order of the leaf's.

    Example:
      >>> import jax.numpy as jnp
      >>> import torch
      >>> from radam_optax import migrate
      >>> params = {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)}
      >>> module = torch.nn.Linear(3, 2)
      >>> module.load_state_dict(migrate.params_to_torch(params, names=migrate.flax_names))
      <All keys matched successfully>
    """
    return {
        target.name: give(leaf, target)
        for target, leaf in zip(targets_of(params, names), jax.tree.leaves(params), strict=True)
    }


def from_torch(
    state_dict: Torch,
    params: Any,
    optimizer: optax.GradientTransformation,
    *,
    names: Names | None = None,
    order: Sequence[str] | None = None,
    group: int | None = None,
    count: int | None = None,
) -> optax.OptState:
    """Moves the state of an optimizer of PyTorch into that of ``optimizer``, which goes on where it stopped.

    It takes the ``state_dict()`` of SGD, Adagrad, RMSprop, Adam, AdamW, Adamax, NAdam and RAdam of
    ``torch.optim``, of RAdam of its authors' package, and of SGD, AdamW and RAdam of the schedulefree
    package, with which the recipes ``schedule_free_...`` go on. Parameters are in it by number or by name, as
    from FSDP and ``torch.distributed.checkpoint``; it must be whole, not the part of one process.

    Another algorithm is refused, and so are other hyperparameters than those of ``optimizer``. The learning
    rate may differ.

    PyTorch counts the updates of each parameter by itself, this package those of all together. So a parameter
    that never had a gradient, frozen or unused, gets fresh moments and the count of the others: if gradients
    come later, its first updates are corrected for bias less than PyTorch's. Where that matters, leave it out
    of ``params`` and give it an optimizer of its own, by :func:`optax.partition`.

    Where the ``train_mode`` of a schedulefree state_dict is False, the parameters saved beside it are
    averages: train on with ``rx.schedule_free_train_params(state, params)``.

    Args:
      state_dict: What ``state_dict()`` of PyTorch's optimizer returned, or :func:`load_torch` of a file of
        it.
      params: Parameters to go on with; their values matter for schedulefree's alone.
      optimizer: Optimizer to go on with, made by one function: one of :mod:`radam_optax.presets`, or one of
        the catalogue that computes the same. Put it into an :func:`optax.chain` with others afterwards.
      names: Where a leaf of ``params`` is in PyTorch: a function of its path, joined by dots, and its shape,
        that returns the name there and the order of axes, as in ``numpy.transpose``, that makes the leaf out
        of PyTorch's tensor, or None for the axes as they are. :func:`radam_optax.migrate.flax_names`, or
        yours. None: :func:`radam_optax.migrate.same_names`. Default: None.
      order: Names of the parameters that PyTorch's optimizer holds, in its order:
        ``[name for name, _ in module.named_parameters()]``. None: the state_dict holds them itself, keyed by
        them or made of ``named_parameters()``. Default: None.
      group: Number of the ``param_groups`` that ``params`` belong to. None: all groups, which then must have
        the same hyperparameters. Groups that differ are moved one by one, into the states of an
        :func:`optax.partition`: in the place of the parameters of the others stands
        :class:`optax.MaskedNode`. Default: None.
      count: Number of updates so far where PyTorch does not hold it, of SGD, and ``optimizer`` counts, as a
        schedule does; or where parameters have had different numbers of updates, the largest, which all then
        share; a whole number >= 0. None: the number that the state holds. Default: None.

    Returns:
      A state of ``optimizer``.

    Raises:
      ValueError: The state_dict is that of another algorithm, has other hyperparameters than
        ``optimizer``, or other parameters than ``params``; or it is damaged; or ``count`` is missing.
      TypeError: Its dtypes do not fit, or parameters are complex (there PyTorch's second moment
        is that of two real numbers).

    Example:
      >>> import jax.numpy as jnp
      >>> import optax
      >>> import torch
      >>> from radam_optax import migrate, presets
      >>> module = torch.nn.Linear(3, 2, bias=False)
      >>> theirs = torch.optim.AdamW(module.named_parameters(), lr=1e-3)
      >>> module(torch.ones(3)).sum().backward()
      >>> theirs.step()
      >>> params = migrate.params_from_torch(module.state_dict(), {"weight": jnp.zeros((2, 3))})
      >>> state = migrate.from_torch(theirs.state_dict(), params, presets.torch_adamw(1e-3))
      >>> int(optax.tree.get(state, "count")), optax.tree.get(state, "mu")["weight"].shape
      (1, (2, 3))

    References:
      PyTorch, torch.optim. https://docs.pytorch.org/docs/stable/optim.html
    """
    ours = continued(optimizer)
    entries = entries_of(state_dict, group, order, ours, optimizer)
    targets = targets_of(params, names)
    moving = updated(entries)
    advice = "Give `params` a leaf for each, or delete from state_dict['state'] what may be lost."
    check_complete({target.name for target in targets}, entries, moving, advice)
    keys = common_keys(moving, ours.kind)
    progress = progress_of(state_dict["param_groups"], group) if ours.kind in RECIPES else None
    if not moving and progress and progress.k:  # There updates count without gradients.
        keys = KEYS[ours.kind]
    keeps_nothing = ours.kind == "torch_sgd" and ours.settings["momentum"] == 0
    if not keys and not keeps_nothing:
        if count:
            raise ValueError(
                f"PyTorch has not updated these parameters yet, but `count` is {count}: leave it out."
            )
        return optimizer.init(params)

    def kept(target: Target, key: str) -> Any:
        entry = entries[target.name]
        return take(entry[key], target, f"`{key}`") if key in entry else FRESH

    structure = jax.tree.structure(params)
    trees = {
        role: [structure.unflatten([kept(target, key) for target in targets])]
        for key, role in ROLES.items()
        if key in keys
    }
    if any(map(np.iscomplexobj, jax.tree.leaves(trees))):
        raise TypeError(
            "Complex parameters cannot be moved: PyTorch keeps the squares of their two parts. Begin their "
            "state anew, with `optimizer.init(params)`."
        )
    steps = numbers_of_updates(moving) if "step" in keys else [progress.k] if progress else []
    if len(steps) > 1 and count is None:
        raise ValueError(
            f"The parameters have had different numbers of updates, {steps}, and one is kept here for all: "
            f"pass `count={steps[-1]}` if the others may be corrected for bias as after so many."
        )
    known = known_count(max(steps, default=None), count)
    products = [
        number_of("`mu_product`", entry["mu_product"]) for entry in moving.values() if "mu_product" in keys
    ]
    # In float32 it is 0 after 140 updates, and was next to nothing long before.
    elapsed = -math.log(max(min(products), 5e-324)) if products else None
    numbers = numbers_of(progress, ours.settings) if progress else {}
    return _statistics.write(Statistics(trees, known, elapsed, numbers), params, optimizer)


def to_torch(
    state: optax.OptState,
    params: Any,
    optimizer: optax.GradientTransformation,
    *,
    names: Names | None = None,
    order: Sequence[str],
    count: int | None = None,
    named: bool = False,
) -> dict[str, Any]:
    """Makes what ``load_state_dict`` of PyTorch's optimizer takes, to go on where ``optimizer`` stopped.

    PyTorch's optimizer takes its hyperparameters from it, too; the learning rate is that of the last update.
    Of schedulefree's it says that the parameters are those in training, as they are here.

    Args:
      state: State of ``optimizer``, as its ``update`` returned it; of an :func:`optax.chain` its part alone.
      params: Parameters that the state is of, in the same containers.
      optimizer: Optimizer that made the state, itself made by one function: one of
        :mod:`radam_optax.presets`, or one of the catalogue that computes the same.
      names: Where a leaf of ``params`` is in PyTorch: a function of its path, joined by dots, and its shape,
        that returns the name there and the order of axes, as in ``numpy.transpose``, that makes the leaf out
        of PyTorch's tensor, or None for the axes as they are. :func:`radam_optax.migrate.flax_names`, or
        yours. None: :func:`radam_optax.migrate.same_names`. Default: None.
      order: Names of the parameters in the order in which PyTorch's optimizer is given them:
        ``[name for name, _ in module.named_parameters()]``.
      count: Number of updates so far where ``state`` does not hold it, a whole number >= 0: AdaGrad needs it;
        of RMSProp PyTorch computes nothing with it, and goes on from 1 without it. None: the number that the
        state holds. Default: None.
      named: Whether parameters go by their names instead of their numbers, as FSDP and
        ``torch.distributed.checkpoint.state_dict.set_optimizer_state_dict`` take it. Default: False.

    Returns:
      A ``state_dict`` of tensors on the CPU, which share nothing with ``state``.

    Raises:
      ModuleNotFoundError: PyTorch is not installed.
      ValueError: ``optimizer`` has no equal in PyTorch, ``state`` is not one of its states, the
        parameters are not those of ``order``, a hyperparameter is a schedule for which PyTorch has a
        number, or ``count`` is missing.

    Example:
      >>> import jax.numpy as jnp
      >>> import torch
      >>> from radam_optax import migrate, presets
      >>> params, ours = {"weight": jnp.ones((2, 3)), "bias": jnp.ones(2)}, presets.torch_radam(1e-3)
      >>> _, state = ours.update(params, ours.init(params), params)
      >>> theirs = torch.optim.RAdam(torch.nn.Linear(3, 2).parameters())
      >>> state_dict = migrate.to_torch(state, params, ours, order=["weight", "bias"])
      >>> theirs.load_state_dict(state_dict)
      >>> theirs.state_dict()["state"][0]["step"]
      tensor(1.)

    References:
      PyTorch, torch.optim. https://docs.pytorch.org/docs/stable/optim.html
    """
    kind, settings = continued(optimizer)
    if jax.tree.structure(state) != jax.tree.structure(jax.eval_shape(optimizer.init, params)):
        raise ValueError(
            f"`state` is not one of {optimizer!r} for these parameters. Pass the optimizer that made it, and "
            "of an optax.chain's state its part alone."
        )
    statistics = _statistics.read(state)
    keys = KEYS[kind]
    count = known_count(statistics.count, count)
    counts = ("step" in keys and kind not in IDLE_COUNTS) or kind in RECIPES
    if count is None and (counts or callable(settings["lr"])):
        raise ValueError("The state does not hold the number of updates so far: pass it as `count`.")
    targets = targets_of(params, names)
    check_order(order)
    advice = "PyTorch's optimizer, and `order`, must have the parameters of `params` and no others."
    check_complete({target.name for target in targets}, order, order, advice)
    entries: dict[str, dict[str, Any]] = {target.name: {} for target in targets}
    # PyTorch has nothing before the first update.
    for key in keys & ROLES.keys() if count != 0 else ():
        leaves = jax.tree.leaves(statistics.trees.get(ROLES[key]))  # Of the one that there is, if any.
        for target, leaf in zip(targets, leaves, strict=False):
            entries[target.name][key] = give(leaf, target)
    rate = value_at(settings["lr"], jnp.asarray(max((count or 0) - 1, 0)))  # Of the last update.
    settings = {key: plain(key, value) for key, value in {**settings, "lr": rate}.items()}
    official = kind == "official_radam"
    if official:
        del settings["degenerated_to_sgd"]  # A field of the authors' optimizer, not of its state.
        settings["buffer"] = [[None, None, None] for _ in range(10)]
    if kind in RECIPES:
        settings |= kept_of(count or 0, statistics.numbers)
    for entry in entries.values():
        if "step" in keys and entry:
            entry["step"] = count if official else to_tensor(np.asarray(count or 1, "float32"))
        if "mu_product" in keys and entry:
            entry["mu_product"] = to_tensor(np.exp(-np.asarray(statistics.elapsed)))
    ids = list(order) if named else list(range(len(order)))
    return {
        "state": {i: entries[name] for i, name in zip(ids, order, strict=True)},
        "param_groups": [settings | {"params": ids}],
    }
