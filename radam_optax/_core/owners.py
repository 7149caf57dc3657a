"""Whose an array of a state is: the parameter that it is kept for."""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np


class Row(NamedTuple):
    """What is kept of one array of a state: something in its place, and by name what belongs to it."""

    path: Any  # Of the array, in the state that it is of.
    array: Any
    beside: dict[str, Any]
    unused: dict[str, Any]  # What fills the place of `beside` where there is nothing.


class Rows(abc.ABC):
    """A node of a state that keeps each array of another state in several."""

    @abc.abstractmethod
    def mapped(self, of_row: Callable[[Row], Row], of_number: Callable[[Any], Any]) -> Any:
        """The node with other rows, and other numbers where it has some of its own."""


def map_with_params(place: Callable[[Any, Any], Any], state: Any, params: Any) -> Any:
    """``place(x, p)`` of each array of a state, ``p`` being the parameter that it is kept for, or None.

    That is the one whose path the array's own path ends in, and whose shape it has. All of a :class:`Row` is
    kept for the parameter that what is in the array's place is.
    """
    known = {(path, np.shape(p)): p for path, p in jax.tree_util.tree_leaves_with_path(params)}

    def owner(path, x):
        ends = ((path[start:], np.shape(x)) for start in range(len(path) + 1))
        return next((known[end] for end in ends if end in known), None)

    def placed(row):
        p = owner(row.path, row.array)
        beside = {name: place(x, p) for name, x in row.beside.items()}
        unused = {name: place(x, None) for name, x in row.unused.items()}
        return Row(row.path, place(row.array, p), beside, unused)

    def of_node(path, node):
        if isinstance(node, Rows):
            return node.mapped(placed, lambda x: place(x, None))
        return place(node, owner(path, node))

    return jax.tree_util.tree_map_with_path(of_node, state, is_leaf=lambda x: isinstance(x, Rows))
