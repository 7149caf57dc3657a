"""Where the leaves of the parameters are in PyTorch: their names there, and the order of their axes."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from radam_optax.migrate._names import Names, same_names
from radam_optax.migrate._tensors import array_of, to_tensor


class Target(NamedTuple):
    """A leaf of the parameters, and where it is in PyTorch."""

    path: str
    shape: tuple[int, ...]
    name: str
    axes: Sequence[int] | None


def targets_of(params: Any, names: Names | None) -> list[Target]:
    """Raises ValueError if two leaves have one name, or an order of axes is none."""
    names = same_names if names is None else names
    found: dict[str, Target] = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if path and getattr(path[-1], "name", None) == "value":
            path = path[:-1]  # Of the variables of Flax NNX.
        text, shape = jax.tree_util.keystr(path, simple=True, separator="."), np.shape(leaf)
        name, axes = _name_and_axes(names(text, shape), text, shape)
        if name in found:
            raise ValueError(
                f"`names` gives {name!r} to both {found[name].path!r} and {text!r}: each must have its own."
            )
        found[name] = Target(text, shape, name, axes)
    return list(found.values())


def _name_and_axes(result: Any, path: str, shape: tuple[int, ...]) -> tuple[str, Sequence[int] | None]:
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], str)):
        raise ValueError(
            "`names` must return a name and an order of axes, as in ('0.weight', (1, 0)), or None for the "
            f"axes as they are; it gives {path!r} {result!r}."
        )
    name, axes = result
    if axes is not None and not _is_permutation(axes, len(shape)):
        raise ValueError(
            f"`names` gives {path!r} of shape {shape} the axes {axes!r}: they must be an order of "
            f"{[*range(len(shape))]}, or None."
        )
    return name, axes


def _is_permutation(axes: Any, rank: int) -> bool:
    whole = isinstance(axes, list | tuple) and all(isinstance(axis, int) for axis in axes)
    return whole and sorted(axes) == list(range(rank))


def check_complete(ours: set[str], theirs: Iterable[str], needed: Iterable[str], advice: str = "") -> None:
    """Raises ValueError if theirs lack a parameter of ours, or ours one of theirs that is needed.

    ``advice`` is for what is missing here alone.
    """
    missing, surplus = sorted(ours - set(theirs)), sorted(map(str, set(needed) - ours))
    if missing or surplus:
        if missing:
            example = next((f", such as {name!r}" for name in theirs), "")
            advice = f"`names` must give each leaf its name there{example}: see migrate.flax_names."
        raise ValueError(
            f"The parameters do not match PyTorch's. Missing there: {missing or 'none'}; missing here: "
            f"{surplus or 'none'}. {advice}"
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
            f"{target.shape}. `names` says in which order axes are taken: see migrate.flax_names."
        )
    return array


def give(leaf: Any, target: Target) -> Any:
    """A leaf as a tensor in PyTorch's layout."""
    array = np.asarray(leaf)
    return to_tensor(array if target.axes is None else np.transpose(array, np.argsort(target.axes)))
