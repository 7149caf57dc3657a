"""Every recipe inside optax's own wrappers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.support.recipes import build, every_recipe, some_recipes
from tests.support.runs import apply
from tests.support.trees import assert_close

PARAMS = {"a": jnp.asarray([[1.0, -2.0]]), "b": jnp.asarray([0.5, 3.0, -1.0])}
GRADS = [
    jax.tree.map(lambda p: jnp.asarray(np.random.default_rng(seed).normal(size=p.shape), p.dtype), PARAMS)  # noqa: B023
    for seed in range(4)
]


def follow(tx, grads, params=PARAMS):
    """The parameters after the steps, and the last state."""

    @jax.jit
    def run(params):
        state = tx.init(params)
        for g in grads:
            updates, state = tx.update(g, state, params)
            params = apply(params, updates)
        return params, state

    return run(params)


@every_recipe
def test_masked_leaves_the_rest_alone(name):
    """Masked-out leaves pass as they are; the others are stepped as if alone."""
    tx = optax.masked(build(name), {"a": True, "b": False})
    params, _ = follow(tx, GRADS[:3])
    alone, _ = follow(build(name), [{"a": g["a"]} for g in GRADS[:3]], {"a": PARAMS["a"]})
    assert_close(params["a"], alone["a"])
    assert_close(params["b"], PARAMS["b"] + GRADS[0]["b"] + GRADS[1]["b"] + GRADS[2]["b"])


@some_recipes
def test_multi_transform_steps_each_group_as_if_alone(name):
    tx = optax.multi_transform({"x": build(name), "y": optax.sgd(0.1)}, {"a": "x", "b": "y"})
    params, _ = follow(tx, GRADS[:3])
    alone, _ = follow(build(name), [{"a": g["a"]} for g in GRADS[:3]], {"a": PARAMS["a"]})
    assert_close(params["a"], alone["a"])


@some_recipes
@pytest.mark.usefixtures("standard_promotion")
def test_multi_steps_equals_steps_with_mean_gradients(name):
    params, state = follow(optax.MultiSteps(build(name), every_k_schedule=2), GRADS)
    means = [
        jax.tree.map(lambda x, y: (x + y) / 2, *GRADS[:2]),
        jax.tree.map(lambda x, y: (x + y) / 2, *GRADS[2:]),
    ]
    expected, expected_state = follow(build(name), means)
    assert_close(params, expected, ulps=64)
    assert_close(state.inner_opt_state, expected_state, ulps=64)


@some_recipes
def test_apply_if_finite_keeps_a_bad_gradient_out(name):
    """The state stays to the last bit, and training goes on as if the bad step had not been."""
    bad = jax.tree.map(lambda g: g.at[..., 0].set(jnp.nan), GRADS[1])
    tx = optax.apply_if_finite(build(name), max_consecutive_errors=3)
    params, state = follow(tx, [GRADS[0], bad, GRADS[2]])
    expected, expected_state = follow(build(name), [GRADS[0], GRADS[2]])
    assert int(state.total_notfinite) == 1
    assert_close(params, expected)
    assert_close(state.inner_state, expected_state)


@some_recipes
@pytest.mark.usefixtures("standard_promotion")
def test_lookahead_pulls_the_slow_parameters_halfway(name):
    tx = optax.lookahead(build(name), sync_period=2, slow_step_size=0.5)

    @jax.jit
    def run():
        params = optax.LookaheadParams.init_synced(PARAMS)
        state = tx.init(params)
        for g in GRADS[:2]:
            updates, state = tx.update(g, state, params)
            params = optax.apply_updates(params, updates)
        return params

    params = run()
    fast, _ = follow(build(name), GRADS[:2])
    halfway = jax.tree.map(lambda p, q: (p + q) / 2, PARAMS, fast)
    assert_close(params.slow, halfway, ulps=64)
    assert_close(params.fast, halfway, ulps=64)


@every_recipe
def test_tree_map_params_reaches_every_statistic(name):
    """optax.tree.map_params, which users need for partition specs, sees what has parameters' shape."""
    tx = build(name)
    state = tx.init(PARAMS)
    marked = optax.tree.map_params(tx, lambda x: x + 1, state, transform_non_params=lambda x: x)
    for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(marked), strict=True):
        np.testing.assert_array_equal(new, old + 1 if old.shape else old)


def test_optax_tree_get_finds_the_moments():
    state = build("radam_amsgrad").init(PARAMS)
    for field in ("mu", "nu", "nu_max"):
        found = optax.tree.get(state, field)
        assert jax.tree.map(jnp.shape, found) == jax.tree.map(jnp.shape, PARAMS)
