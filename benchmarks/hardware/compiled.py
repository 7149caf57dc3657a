"""An optimizer's step compiled for chips that need not be here, parameters and state divided over them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from benchmarks.subjects.step import compiled_step

Leaves = Mapping[str, tuple[tuple[int, ...], tuple[str | None, ...]]]


class Compiled(NamedTuple):
    """What the compiler makes of an optimizer; ``state`` is shapes and shardings."""

    init: Any
    step: Any
    state: Any


def laid_out(
    leaves: Leaves, chips: Sequence[Any], dtype: Any = np.float32
) -> dict[str, jax.ShapeDtypeStruct]:
    """Parameters of a shape and axes each, over "rows" and "columns" of chips, as square as can be."""
    rows = 1 << math.ceil(math.log2(len(chips)) / 2)
    # Twice as many rows as columns where the number of chips is no square.
    grid = np.reshape(np.asarray(chips), (rows, -1))
    mesh = Mesh(grid, ("rows", "columns"), axis_types=(AxisType.Auto,) * 2)
    return {
        name: jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(mesh, PartitionSpec(*axes)))
        for name, (shape, axes) in leaves.items()
    }


def compiled(tx: optax.GradientTransformation, params: dict[str, jax.ShapeDtypeStruct]) -> Compiled:
    """Compiles ``init`` and the donated step, for the chips that the parameters are laid out over."""
    # SGD's init reads no parameter. JAX would leave them out, and the program would be one of a single chip.
    init = jax.jit(tx.init, keep_unused=True).lower(params).compile()
    state = jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        jax.eval_shape(tx.init, params),
        init.output_shardings,
    )
    return Compiled(init, compiled_step(tx, params, state, params), state)


def chip_bytes(tree: Any) -> int:
    """Of what one chip holds of a tree."""
    leaves = jax.tree.leaves(tree)
    return sum(math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf in leaves)


def peak_bytes(memory: Any) -> int:
    """At most, of a compiled program's arguments, results and temporary buffers, by its memory analysis."""
    # What is donated is argument and result in one, and would be counted twice.
    results = memory.output_size_in_bytes - memory.alias_size_in_bytes
    return memory.argument_size_in_bytes + results + memory.temp_size_in_bytes
