"""State follows the sharding of its parameter, from a jitted init on, and the update communicates nothing."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from tests.recipes import RECIPES, build

COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")


def sharded_params(axis_type):
    mesh = jax.make_mesh((4, 2), ("x", "y"), axis_types=(axis_type,) * 2)

    def put(shape, dtype, *spec):
        return jax.device_put(jnp.ones(shape, dtype), NamedSharding(mesh, PartitionSpec(*spec)))

    return {
        "both": put((8, 4), "float32", "x", "y"),
        "rows": put((4, 3), "bfloat16", "x"),
        "columns": put((3, 4), "complex64", None, "y"),
        "replicated": put((5,), "float32"),
    }


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize("name", RECIPES)
def test_state_is_sharded_like_its_parameter(name, axis_type):
    tx, params = build(name), sharded_params(axis_type)
    update = jax.jit(tx.update).lower(params, tx.init(params), params).compile()
    assert not any(collective in update.as_text() for collective in COLLECTIVES)
    for init in (tx.init, jax.jit(tx.init)):
        state = init(params)
        updates, new_state = jax.jit(tx.update)(params, state, params)
        for tree in (state, new_state, updates):
            for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
                if leaf.shape:
                    expected = params[path[-1].key].sharding
                    assert leaf.sharding.is_equivalent_to(expected, leaf.ndim), (path, leaf.sharding)
