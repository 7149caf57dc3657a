"""Whose an array of a state is: the parameter that it is kept for."""

import abc
from collections.abc import Callable
from typing import Any

import jax
import numpy as np


class StandIn(abc.ABC):
    """A node in a state, in the place of an array that it keeps in another form."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of the array."""


def map_with_params(place: Callable[[Any, Any], Any], state: Any, params: Any) -> Any:
    """``place(x, p)`` of each array of a state, ``p`` being the parameter that it is kept for, or None.

    That is the one whose path the array's own path ends in, and whose shape it has. The arrays of a
    :class:`StandIn` are kept for the parameter that what it stands for is.
    """
    known = {(path, np.shape(p)): p for path, p in jax.tree_util.tree_leaves_with_path(params)}

    def of_leaf(path, leaf):
        ends = ((path[start:], np.shape(leaf)) for start in range(len(path) + 1))
        p = next((known[end] for end in ends if end in known), None)
        return jax.tree.map(lambda x: place(x, p), leaf)

    return jax.tree_util.tree_map_with_path(of_leaf, state, is_leaf=lambda x: isinstance(x, StandIn))
