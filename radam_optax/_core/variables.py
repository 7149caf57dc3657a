"""Variables of Flax NNX, which stand around the arrays of its trees: they are seen through."""

from collections.abc import Callable, Iterator
from typing import Any

import jax


def leaves_with_path(
    tree: Any, is_leaf: Callable[[Any], bool] = lambda _: False
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """As those of :mod:`jax.tree_util`; an array has the same path in a variable and without."""
    nodes = jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda x: is_leaf(x) or _is_variable(x))
    for path, node in nodes:
        if not _is_variable(node):
            yield path, node
            continue
        for within, leaf in jax.tree_util.tree_leaves_with_path(node):
            yield (*path, *within[1:]), leaf  # Without the variable's own `.value`.


def _is_variable(x: Any) -> bool:
    """By what it can do: Flax need not be there."""
    return hasattr(type(x), "get_metadata") and hasattr(type(x), "get_value")
