"""Where an array is: its sharding, if it has one that must be kept, and what a device holds of it."""

import itertools
import math
from typing import Any

from jax.sharding import NamedSharding


def sharding_of(leaf: Any) -> Any:
    """Where a leaf has to be; None for host data, and for arrays that JAX may move as it likes."""
    return getattr(leaf, "sharding", None) if getattr(leaf, "committed", True) else None


def part_of(sharding: Any, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of what a device holds of an array; None where the sharding does not divide it evenly."""
    if not isinstance(sharding, NamedSharding):
        try:
            return sharding.shard_shape(shape)
        except ValueError:
            return None
    # By hand, since JAX does not know it inside of shard_map: axes that are Manual there divide no more.
    parts = [math.prod(sharding.mesh.shape[axis] for axis in _axes(entry)) for entry in sharding.spec]
    pairs = list(itertools.zip_longest(shape, parts, fillvalue=1))
    return None if any(length % n for length, n in pairs) else tuple(m // n for m, n in pairs[: len(shape)])


def fits(sharding: Any, shape: tuple[int, ...]) -> bool:
    """Whether a sharding divides arrays of a shape evenly."""
    return part_of(sharding, shape) is not None


def _axes(entry: Any) -> tuple[str, ...]:
    """The axes of the mesh that a dimension is divided over; of an UNCONSTRAINED one nothing is known."""
    return (entry,) if isinstance(entry, str) else entry if isinstance(entry, tuple) else ()
