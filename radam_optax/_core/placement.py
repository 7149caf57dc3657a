"""Where an array is: its sharding, if it has one that must be kept."""

from typing import Any


def sharding_of(leaf: Any) -> Any:
    """Where a leaf has to be; None for host data, and for arrays that JAX may move as it likes."""
    return getattr(leaf, "sharding", None) if getattr(leaf, "committed", True) else None


def fits(sharding: Any, shape: tuple[int, ...]) -> bool:
    """Whether a sharding divides arrays of a shape evenly."""
    try:
        sharding.shard_shape(shape)
    except ValueError:
        return False
    return True
