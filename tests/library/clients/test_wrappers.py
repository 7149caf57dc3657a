"""Every recipe inside optax's own wrappers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.support.recipes import build, build_all, every_group, every_recipe, some_groups
from tests.support.runs import each, run
from tests.support.trees import assert_close

PARAMS = {"a": jnp.asarray([[1.0, -2.0]]), "b": jnp.asarray([0.5, 3.0, -1.0])}
STEPS = 4
GRADS = {  # Of each step.
    name: jnp.asarray(np.random.default_rng(i).normal(size=(STEPS, *p.shape)), p.dtype)
    for i, (name, p) in enumerate(PARAMS.items())
}


def steps(grads, which):
    return jax.tree.map(lambda g: g[which], grads)


def follow(tx, grads, params=PARAMS):
    """The parameters after the steps, and the last state."""
    params, _, state = run(tx, params, grads)
    return params, state


def follow_a(tx, grads):
    """The parameters of the first leaf, stepped alone."""
    return follow(tx, {"a": grads["a"]}, {"a": PARAMS["a"]})[0]


@every_group
def test_masked_leaves_the_rest_alone(group):
    """Masked-out leaves pass as they are; the others are stepped as if alone."""

    def both(tx, grads):
        return follow(optax.masked(tx, {"a": True, "b": False}), grads)[0], follow_a(tx, grads)

    for name, (params, alone) in each(build_all(group), both)(GRADS).items():
        assert_close(params["a"], alone["a"], of=name)
        assert_close(params["b"], PARAMS["b"] + GRADS["b"].sum(axis=0), of=name)


@some_groups
def test_multi_transform_steps_each_group_as_if_alone(group):
    def both(tx, grads):
        wrapped = optax.multi_transform({"x": tx, "y": optax.sgd(0.1)}, {"a": "x", "b": "y"})
        return follow(wrapped, grads)[0], follow_a(tx, grads)

    for name, (params, alone) in each(build_all(group), both)(GRADS).items():
        assert_close(params["a"], alone["a"], of=name)


@some_groups
@pytest.mark.usefixtures("standard_promotion")
def test_multi_steps_equals_steps_with_mean_gradients(group):
    def both(tx, grads):
        means = jax.tree.map(lambda g: (g[::2] + g[1::2]) / 2, grads)
        return follow(optax.MultiSteps(tx, every_k_schedule=2), grads), follow(tx, means)

    for name, (found, (expected, expected_state)) in each(build_all(group), both)(GRADS).items():
        params, state = found
        assert_close(params, expected, ulps=64, of=name)
        assert_close(state.inner_opt_state, expected_state, ulps=64, of=name)


@some_groups
def test_apply_if_finite_keeps_a_bad_gradient_out(group):
    """The state stays to the last bit, and training goes on as if the bad step had not been."""

    def both(tx, grads, bad):
        wrapped = optax.apply_if_finite(tx, max_consecutive_errors=3)
        return follow(wrapped, bad), follow(tx, steps(grads, np.asarray([0, 2, 3])))

    bad = jax.tree.map(lambda g: g.at[1, ..., 0].set(jnp.nan), GRADS)
    outcomes = each(build_all(group), both)(GRADS, bad)
    for name, ((params, state), (expected, expected_state)) in outcomes.items():
        assert int(state.total_notfinite) == 1
        assert_close(params, expected, of=name)
        assert_close(state.inner_state, expected_state, of=name)


@some_groups
@pytest.mark.usefixtures("standard_promotion")
def test_lookahead_pulls_the_slow_parameters_halfway(group):
    def both(tx, grads):
        synced = optax.LookaheadParams.init_synced(PARAMS)
        lookahead = optax.lookahead(tx, sync_period=2, slow_step_size=0.5)
        return follow(lookahead, grads, synced)[0], follow(tx, grads)[0]

    for name, (params, fast) in each(build_all(group), both)(steps(GRADS, slice(2))).items():
        halfway = jax.tree.map(lambda p, q: (p + q) / 2, PARAMS, fast)
        assert_close(params.slow, halfway, ulps=64, of=name)
        assert_close(params.fast, halfway, ulps=64, of=name)


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
