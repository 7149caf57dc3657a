"""Any tree will do: Hypothesis draws them."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radam_optax._core.leaves import MANY, map_leaves
from tests.support.recipes import build, every_recipe
from tests.support.trees import assert_close

leaves = st.builds(
    lambda shape, dtype, seed: jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype),
    st.sampled_from([(), (0,), (2,), (1, 3)]),
    st.sampled_from(["float32", "bfloat16", "float16"]),
    st.integers(0, 2**16),
)
trees = st.recursive(
    leaves | st.none(),
    lambda children: (
        st.lists(children, max_size=3)
        | st.tuples(children, children)
        | st.dictionaries(st.sampled_from("abc"), children, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("name", ["adam", "radam_amsgrad", "rmsprop_centred", "adadelta", "adabelief"])
@given(params=st.fixed_dictionaries({"root": trees}))
def test_a_tree_is_stepped_leaf_by_leaf(name, params):
    """Structure, shapes and dtypes hold, and each leaf moves as if it were alone."""
    tx = build(name)
    state = tx.init(params)
    grads = jax.tree.map(lambda p: -2 * p, params)
    updates, new_state = tx.update(grads, state, params)
    chex.assert_trees_all_equal_shapes_and_dtypes(updates, params)
    chex.assert_trees_all_equal_shapes_and_dtypes(new_state, state)
    for p, g, u in zip(*map(jax.tree.leaves, (params, grads, updates)), strict=True):
        alone, _ = tx.update(g, tx.init(p), p)
        assert_close(u, alone)


@pytest.mark.parametrize("params", [{}, [], (), {"a": None}, {"a": optax.MaskedNode()}])
@every_recipe
def test_trees_without_leaves(name, params):
    tx = build(name)
    updates, state = tx.update(params, tx.init(params), params)
    assert updates == params
    assert jax.tree.structure(state) == jax.tree.structure(tx.init(params))


@every_recipe
def test_a_missing_gradient_leaves_parameter_and_state_as_they_are(name):
    params = {"a": jnp.ones(2), "b": jnp.ones(3)}
    tx = build(name)
    updates, state = tx.update({"a": jnp.ones(2), "b": None}, tx.init(params), params)
    assert updates["b"] is None
    chex.assert_trees_all_equal_shapes_and_dtypes(state, tx.init(params))
    initial = [x for x in jax.tree.leaves(tx.init(params)) if x.shape == (3,)]
    current = [x for x in jax.tree.leaves(state) if x.shape == (3,)]
    chex.assert_trees_all_equal(initial, current)


def test_python_and_numpy_leaves():
    tx = build("adam")
    for leaf in (1.0, np.float32(1.0), np.ones(2)):
        updates, _ = tx.update(leaf, tx.init(leaf), leaf)
        np.testing.assert_allclose(updates, -0.1, rtol=1e-6)


@pytest.mark.parametrize(("copies", "numbers"), [(MANY - 1, 9), (MANY, 1), (MANY, 9)])
def test_a_long_kernel_is_traced_once_for_many_leaves_that_are_alike(copies, numbers):
    traces = []

    def traced(x, *factors):
        traces.append((x.shape, x.dtype))
        return x * factors[-1]

    tree = [jnp.ones(3)] * copies + [jnp.ones((2, 2)), jnp.ones(3, "bfloat16")]
    results = jax.jit(lambda t: map_leaves(traced, (t,), (), (2.0,) * numbers))(tree)
    assert all((x == 2).all() for x in results)
    assert len(traces) == (3 if copies == MANY and numbers == 9 else len(tree))
