"""Moves of parameters and state, from and to PyTorch and optax."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from radam_optax._core.domains import count_of_updates
from radam_optax._core.values import value_at
from radam_optax._moments import DebiasState
from radam_optax.migrate import _statistics, _torch
from radam_optax.migrate._statistics import Statistics, cast_like

Names = Callable[[str, tuple[int, ...]], tuple[str, Sequence[int] | None]]
Torch = Mapping[str, Any]


def same_names(path: str, shape: tuple[int, ...]) -> tuple[str, None]:
    """For parameters that are called as in PyTorch and have its shapes: ``{"0": {"weight": ...}}``."""
    del shape
    return path, None


def flax_names(path: str, shape: tuple[int, ...]) -> tuple[str, Sequence[int] | None]:
    """For Flax modules, NNX or linen, whose attributes are called as in the PyTorch module.

    ``kernel``, ``scale`` and ``embedding`` are PyTorch's ``weight``. A kernel has its input and output
    axes last, PyTorch's weight has them first and the other way round, for dense layers and for
    convolutions alike. (Transposed convolutions and attention are laid out differently in the two.)
    """
    *module, kind = path.split(".")
    axes = None
    if kind == "kernel":
        last = len(shape) - 1
        axes = (*range(2, last + 1), 1, 0)
    weight = "weight" if kind in ("kernel", "scale", "embedding") else kind
    return ".".join([*module, weight]), axes


def params_from_torch(state_dict: Torch, params: Any, *, names: Names = same_names) -> Any:
    """The parameters of a module's ``state_dict()``, as a tree like ``params``.

    Raises:
      ValueError: a parameter is missing there, or has another shape. Extra entries (buffers) pass.
      TypeError: its dtype does not fit into that of ``params``.
    """
    if not isinstance(state_dict, Mapping):
        raise ValueError(f"`state_dict` must map names to tensors; got {type(state_dict).__name__}.")
    targets = _torch.targets(params, names)
    _torch.check_complete({target.name for target in targets}, set(state_dict), extra=False)
    leaves, treedef = jax.tree.flatten(params)
    return treedef.unflatten(
        [
            cast_like(
                f"The parameter {t.path!r}", jnp.asarray(old), _torch.take(state_dict[t.name], t, "The value")
            )
            for t, old in zip(targets, leaves, strict=True)
        ]
    )


def params_to_torch(params: Any, *, names: Names = same_names) -> dict[str, Any]:
    """A ``state_dict`` of tensors for ``module.load_state_dict(..., strict=False)``."""
    return {
        target.name: _torch.give(leaf, target)
        for target, leaf in zip(_torch.targets(params, names), jax.tree.leaves(params), strict=True)
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
    ours = _torch.continued(optimizer)
    entries = _torch.entries(state_dict, group, order, ours, optimizer)
    targets = _torch.targets(params, names)
    _torch.check_complete({target.name for target in targets}, set(entries))
    keys = _torch.common_keys(entries)
    keeps_nothing = ours.kind == "torch_sgd" and ours.settings["momentum"] == 0
    if not keys and not keeps_nothing:
        if count:
            raise ValueError(f"PyTorch has not made an update yet, but `count` is {count}.")
        return optimizer.init(params)
    structure = jax.tree.structure(params)
    trees = {
        role: structure.unflatten([_torch.take(entries[t.name][key], t, f"`{key}`") for t in targets])
        for key, role in _torch.ROLES.items()
        if key in keys
    }
    if any(map(np.iscomplexobj, jax.tree.leaves(trees))):
        raise TypeError("Complex parameters cannot be moved: PyTorch keeps the squares of their two parts.")
    steps = _torch.whole(_torch.common(entries, "step")) if "step" in keys else None
    steps = _agreed(steps, count)
    product = _torch.common(entries, "mu_product") if "mu_product" in keys else None
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
    kind, settings = _torch.continued(optimizer)
    if jax.tree.structure(state) != jax.tree.structure(jax.eval_shape(optimizer.init, params)):
        raise ValueError(f"`state` is not one of {optimizer!r} for these parameters.")
    statistics = _statistics.read(state)
    keys = _torch.KEYS[kind]
    count = _agreed(statistics.count, count)
    if count is None and ("step" in keys or callable(settings["lr"])):
        raise ValueError("The state does not hold the number of updates so far: pass it as `count`.")
    targets = _torch.targets(params, names)
    _torch.check_order(order)
    _torch.check_complete({target.name for target in targets}, set(order))
    entries: dict[str, dict[str, Any]] = {target.name: {} for target in targets}
    for key in (
        keys & _torch.ROLES.keys() if count != 0 else ()
    ):  # PyTorch has nothing before the first update.
        for target, leaf in zip(
            targets, jax.tree.leaves(statistics.trees.get(_torch.ROLES[key])), strict=False
        ):
            entries[target.name][key] = _torch.give(leaf, target)
    rate = value_at(settings["lr"], jnp.asarray(max((count or 0) - 1, 0)))  # Of the last update.
    settings = {key: _torch.plain(key, value) for key, value in {**settings, "lr": rate}.items()}
    official = kind == "official_radam"
    if official:
        del settings["degenerated_to_sgd"]  # A field of the authors' optimizer, not of its state.
        settings["buffer"] = [[None, None, None] for _ in range(10)]
    for entry in entries.values():
        if "step" in keys and entry:
            entry["step"] = count if official else _torch.to_tensor(np.asarray(count, "float32"))
        if "mu_product" in keys and entry:
            entry["mu_product"] = _torch.to_tensor(np.exp(-np.asarray(statistics.elapsed)))
    ids = list(range(len(order)))
    return {
        "state": {i: entries[name] for i, name in zip(ids, order, strict=True)},
        "param_groups": [settings | {"params": ids}],
    }


def from_optax(
    state: optax.OptState,
    params: Any,
    optimizer: optax.GradientTransformation,
    *,
    count: int | None = None,
) -> optax.OptState:
    """The state of ``optimizer`` of this package that goes on where optax's function of its name stopped.

    Args:
      state: that of optax's sgd, adagrad, rmsprop, adam, adamw, nadam, amsgrad, radam or of a
        composition of its links. optax's states do not say which hyperparameters they were made with,
        nor Adam from RAdam: ``optimizer`` must be the same function with the same arguments.

    Raises:
      ValueError: the states hold different statistics, or are of different parameters; or
        ``optimizer`` keeps its statistics in another sense than optax (AMSGrad's maximum of the
        corrected second moment).
      TypeError: dtypes do not fit.
    """
    return _between(state, params, optimizer, count)


def to_optax(
    state: optax.OptState,
    params: Any,
    optimizer: optax.GradientTransformation,
    *,
    count: int | None = None,
) -> optax.OptState:
    """The state of optax's ``optimizer`` that goes on where this package's function of its name stopped.

    Args and errors: those of :func:`from_optax`, the other way round.
    """
    return _between(state, params, optimizer, count)


def load_torch(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a file of PyTorch, or of safetensors (by its suffix), without running any code of it.

    Raises:
      ValueError: it is damaged, or holds more than tensors, numbers, text and containers.
      OSError: it cannot be read.
    """
    path = os.fspath(path)
    with open(path, "rb"):  # A missing file is an OSError, whatever the library makes of it.
        pass
    if path.endswith(".safetensors"):
        from safetensors.numpy import load_file

        try:
            return load_file(path)
        except Exception as error:
            raise ValueError(f"{path!r} is no intact file of safetensors: {error}") from error
    import zipfile

    import torch

    try:
        if zipfile.is_zipfile(path) and (damaged := zipfile.ZipFile(path).testzip()):
            raise ValueError(f"the checksum of {damaged!r} is wrong")  # PyTorch does not look at it.
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # An unpickler fed with garbage may raise anything.
        raise ValueError(
            f"{path!r} is damaged, or holds objects whose loading would run code: "
            f"{str(error).partition(chr(10))[0]}"
        ) from error


def _between(state: Any, params: Any, optimizer: Any, count: int | None) -> Any:
    statistics = _statistics.read(state)
    if "nu_max" in statistics.trees:
        for side in (state, jax.eval_shape(optimizer.init, params)):
            if any(isinstance(part, DebiasState) for part in jax.tree.leaves(side, is_leaf=_is_debias)):
                raise ValueError(
                    "optax's AMSGrad takes the maximum of the corrected second moment, this state or "
                    "optimizer that of the raw one: use amsgrad(bias_correction='before_max'), its default."
                )
    known = _agreed(statistics.count, count)
    return _statistics.write(statistics._replace(count=known), params, optimizer)


def _agreed(held: int | None, count: int | None) -> int | None:
    """The number of updates that a state holds, or else the one given."""
    if count is None:
        return held
    count = int(count_of_updates("count", count))
    if held not in (None, count):
        raise ValueError(f"The state holds the number of updates, {held}; `count` is {count}.")
    return count


def _is_debias(x: Any) -> bool:
    return isinstance(x, DebiasState)
