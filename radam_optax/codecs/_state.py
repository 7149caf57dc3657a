"""The state of a compressed optimizer: ordinary containers of arrays, whatever codec they are of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from radam_optax._core.owners import Row, Rows

FILLER = jnp.uint16  # What stands where nothing is; codecs have it nowhere beside.


class CompressedState(NamedTuple):
    """State of :func:`radam_optax.compress_state`: ordinary containers of arrays, whatever codec they are of.

    A codec makes several arrays of one. The first stands in the place of the array in ``inner``; what else
    there is, such as the scales of :func:`radam_optax.codecs.int8_blockwise`, stands in ``beside``. The leaf
    ``optax.tree.get(state, "nu")`` is thus encoded; :func:`radam_optax.decompress_state` gives it in float32.

    Attributes:
      steps: Number of updates by the codec's name, which seeds the rounding; int32 of shape ().
      inner: State of the transformation within, the first of the arrays of a codec in the place of each
        array.
      beside: What else a codec makes, by its name and by the place of the tree that it belongs to:
        ``beside["scales"]["inner.0.nu"]`` has the structure of ``inner[0].nu``. An array that is not encoded
        has zeros there, so that what is mapped over the parameters is mapped over all of it.
    """

    steps: dict[str, jax.Array]  # By the codec's name: number of updates, the seed of rounding; int32.
    inner: optax.OptState
    beside: dict[str, dict[str, Any]]

    def rows(self) -> list[Row]:
        """Gives the arrays of ``inner``, each with what is beside it.

        Returns:
          For each array of ``inner``, in the order of ``jax.tree.leaves``: its path, itself, what is beside
          it by name, and by name what stands there unused because it is not encoded.
        """
        leaves = jax.tree_util.tree_leaves_with_path(self.inner)
        positions = self._positions([path for path, _ in leaves])
        columns = {name: jax.tree.leaves(column) for name, column in self.beside.items()}
        rows = []
        for (path, leaf), position in zip(leaves, positions, strict=True):
            cells = {} if position is None else {name: column[position] for name, column in columns.items()}
            unused = {name: x for name, x in cells.items() if x.dtype == FILLER}
            beside = {name: x for name, x in cells.items() if name not in unused}
            rows.append(Row(path, leaf, beside, unused))
        return rows

    def with_rows(self, rows: Iterable[Row]) -> CompressedState:
        """Gives the state with other rows.

        Args:
          rows: As many as :meth:`rows` gives, in its order.

        Returns:
          A state of the same structure.
        """
        rows = list(rows)
        inner = jax.tree.structure(self.inner).unflatten(row.array for row in rows)
        cells = {}
        for row, position in zip(rows, self._positions([row.path for row in rows]), strict=True):
            cells |= {(name, position): x for name, x in (row.beside | row.unused).items()}
        beside = {}
        for name, column in self.beside.items():
            structure = jax.tree.structure(column)
            beside[name] = structure.unflatten(cells[name, i] for i in range(structure.num_leaves))
        return self._replace(inner=inner, beside=beside)

    def mapped(self, of_row: Callable[[Row], Row], of_number: Callable[[Any], Any]) -> CompressedState:
        """Gives the state with each row and the number of steps replaced by functions of them.

        Args:
          of_row: From a row of :meth:`rows` to the row in its place.
          of_number: From the number of steps to the number in its place.

        Returns:
          A state of the same structure.
        """
        steps = {name: of_number(number) for name, number in self.steps.items()}
        return self.with_rows(map(of_row, self.rows()))._replace(steps=steps)

    def _positions(self, paths: list[Any]) -> list[int | None]:
        """For each array of ``inner``, which leaf it has in every column."""
        column = next(iter(self.beside.values()), {})
        structure = jax.tree.structure(column)
        numbered = structure.unflatten(range(structure.num_leaves))
        waiting = {place: iter(jax.tree.leaves(numbers)) for place, numbers in numbered.items()}
        # Within a tree the order is that of `inner`, though its nodes may be others: NNX puts its own there.
        found = []
        for path in paths:
            places = (place_of(path[:end]) for end in range(len(path) + 1))
            found.append(next((next(waiting[place]) for place in places if place in waiting), None))
        return found


Rows.register(CompressedState)


def place_of(path: Any) -> str:
    """Where a part of ``inner`` is, in a word."""
    return ".".join(filter(None, ("inner", jax.tree_util.keystr(path, simple=True, separator="."))))


def columns_of(
    inner: optax.GradientTransformation,
    state: Any,
    rows: list[Row],
    names: list[str],
    small: int,
) -> dict[str, dict[str, Any]]:
    """What stands beside a new state of ``inner``, by ``names``; ``rows`` are those of its arrays.

    Of a filler's shape nothing depends but that a sharding of the array may be given for it as well: it is
    that of the array if that has fewer than ``small`` elements.
    """
    structure = jax.tree.structure(state)
    columns: dict[str, dict[str, Any]] = {name: {} for name in names}
    numbered = structure.unflatten(range(structure.num_leaves))
    for path, part in jax.tree_util.tree_leaves_with_path(_parts(inner, numbered), is_leaf=_is_part):
        tree = part.tree if isinstance(part, _Part) else part if rows[part].beside else None
        for name in names if tree is not None else ():

            def cell(i, name=name):
                return rows[i].beside[name] if rows[i].beside else filler(jnp.shape(rows[i].array), small)

            columns[name][place_of(path)] = jax.tree.map(cell, tree)
    return columns


def filler(shape: tuple[int, ...], small: int = 0) -> jax.Array:
    """What stands where nothing is; in the shape itself if that has fewer than ``small`` elements."""
    return jnp.zeros(shape if math.prod(shape) < small else (1,) * len(shape), FILLER)


class _Part:
    """A tree in a state that has the structure of the parameters."""

    def __init__(self, tree: Any):
        self.tree = tree


def _is_part(x: Any) -> bool:
    return isinstance(x, _Part)


def _parts(inner: optax.GradientTransformation, state: Any) -> Any:
    """A state with a :class:`_Part` for each tree that optax would map over the parameters."""
    try:
        return optax.tree.map_params(inner, _Part, state, is_leaf=lambda _: True)
    except Exception:  # An `init` that looks into its parameters: of its state optax can map nothing either.
        return state
