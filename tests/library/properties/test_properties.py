"""What holds for every recipe, in every dtype, whatever transforms it: see recipes.RECIPES.

One tree holds a leaf of every dtype, so that one program serves them all.
"""

import functools
import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.support.recipes import MOVES_BY_ITSELF, RECIPES, build, every_recipe, some_recipes
from tests.support.runs import apply, counted, run
from tests.support.trees import STEPS, assert_close, gradients, tree


def numeric_arguments(name):
    """The arguments of a recipe that inject_hyperparams would make arrays, with their defaults."""
    parameters = inspect.signature(RECIPES[name]).parameters
    defaults = {n: p.default for n, p in parameters.items()} | {"learning_rate": 0.1}
    return {n: v for n, v in defaults.items() if isinstance(v, int | float) and not isinstance(v, bool)}


@every_recipe
def test_a_fresh_state_can_be_donated(name):
    """No two of its leaves are one buffer."""
    tx = build(name)
    step = jax.jit(lambda g, state, params: tx.update(g, state, params), donate_argnums=1)
    params = {"a": jnp.ones(2), "b": jnp.ones(3)}
    jax.block_until_ready(step(params, tx.init(params), params))


@some_recipes
def test_jit_equals_eager(name):
    tx, params = build(name), tree(0)
    _, updates, state = jax.jit(functools.partial(run, tx))(params, gradients())
    eager_state, p = tx.init(params), params
    for t in range(STEPS):
        u, eager_state = tx.update(jax.tree.map(lambda g: g[t], gradients()), eager_state, p)  # noqa: B023
        p = apply(p, u)
    assert_close(jax.tree.map(lambda x: x[-1], updates), u)
    assert_close(state, eager_state)


@every_recipe
@pytest.mark.parametrize("mode", ["float32", "x64"])
def test_state_and_updates_keep_structure_shape_and_dtype(name, mode):
    """From init on, weak types included, whether the gradients have the parameters' dtypes or not."""
    with jax.enable_x64(mode == "x64"):
        tx, params = build(name), tree(0, wide=mode == "x64")
        state = tx.init(params)
        described = jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), state)
        jitted = jax.eval_shape(tx.init, params)
        assert jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), jitted) == described
        swap = {"float32": "bfloat16", "bfloat16": "float32", "float16": "bfloat16"}
        for cast in (lambda g: g, lambda g: g.astype(swap.get(g.dtype.name, g.dtype))):
            grads = jax.tree.map(cast, params)
            updates, new = jax.eval_shape(tx.update, grads, state, params)
            assert jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), new) == described
            chex.assert_trees_all_equal_shapes_and_dtypes(updates, grads)


@every_recipe
def test_statistics_of_low_precision_parameters_are_float32_and_real_where_they_can(name):
    state = jax.eval_shape(build(name).init, tree(0))
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        path = jax.tree_util.keystr(path)
        if "trace" in path or leaf.shape == ():
            continue
        real = any(field in path for field in ("nu", "sum_of_squares", "e_x"))
        assert leaf.dtype == ("complex64" if "complex64" in path and not real else "float32"), path


@some_recipes
def test_scan_with_mixed_gradient_dtypes(name):
    """bfloat16 gradients for float32 parameters and the reverse follow the run in equal dtypes."""
    tx = build(name)
    rounded = jax.tree.map(
        lambda g: g if jnp.iscomplexobj(g) else g.astype("bfloat16").astype(g.dtype), gradients()
    )
    swap = {"float32": "bfloat16", "bfloat16": "float32", "float16": "float32"}
    mixed = jax.tree.map(lambda g: g.astype(swap.get(g.dtype.name, g.dtype)), rounded)
    _, updates, _ = jax.jit(functools.partial(run, tx))(tree(0), mixed)
    _, expected, _ = jax.jit(functools.partial(run, tx))(tree(0), rounded)
    chex.assert_trees_all_equal_shapes_and_dtypes(updates, mixed)
    for path, u in jax.tree_util.tree_leaves_with_path(updates):
        e = functools.reduce(
            lambda node, key: node[getattr(key, "key", getattr(key, "idx", None))], path, expected
        )
        u, e = (np.asarray(x).astype("complex128") for x in (u, e))
        np.testing.assert_allclose(u, e, rtol=0.1, atol=0.03 * np.abs(e).max(initial=0))


@every_recipe
def test_float64_parameters_are_stepped_in_float64(name, x64):
    """The float32 run of the same numbers stays within float32's error of the float64 run."""
    tx = build(name)
    params, grads = tree(0)["float32"][0], gradients()["float32"][0]
    wide = [x.astype("float64") for x in (params, grads)]
    _, updates, state = jax.jit(functools.partial(run, tx))(*wide)
    _, narrow, _ = jax.jit(functools.partial(run, tx))(params, grads)
    assert updates.dtype == "float64"
    difference = np.abs(np.asarray(updates) - np.asarray(narrow))
    assert 0 < difference.max() < 2e-4 * np.abs(updates).max()
    assert all(x.dtype != "float32" for x in jax.tree.leaves(state))


@every_recipe
def test_one_compilation_serves_many_steps(name):
    tx, params = build(name), tree(0)
    update, traces = counted(tx.update)
    state = tx.init(params)
    for t in range(3):
        _, state = update(jax.tree.map(lambda g: g[t], gradients()), state, params)  # noqa: B023
    assert len(traces) == 1


@some_recipes
def test_vmap_over_parameters_equals_a_loop(name):
    tx = build(name)
    params = jax.tree.map(lambda a, b: jnp.stack([a, b]), tree(0), tree(7))
    grads = jax.tree.map(lambda g: jnp.stack([g, 2 * g]), gradients())
    batched = jax.jit(jax.vmap(functools.partial(run, tx)))(params, grads)
    single = jax.jit(functools.partial(run, tx))
    for i in range(2):
        alone = single(jax.tree.map(lambda x: x[i], params), jax.tree.map(lambda x: x[i], grads))  # noqa: B023
        assert_close(jax.tree.map(lambda x: x[i], batched), alone)  # noqa: B023


@some_recipes
def test_vmap_over_hyperparameters_equals_a_loop(name):
    """All numeric arguments batched at once; each lane equals the optimizer built from Python numbers."""
    arguments = numeric_arguments(name)
    lanes = [
        {n: v if isinstance(v, int) else float(np.float32(v * factor)) for n, v in arguments.items()}
        for factor in (1.0, 0.75)
    ]
    if "threshold" in arguments:
        lanes[1]["threshold"] = arguments["threshold"]
    batch = {n: jnp.asarray([lane[n] for lane in lanes]) for n in arguments}
    params, grads = tree(0), gradients()
    batched = jax.jit(jax.vmap(lambda h: run(build(name, **h), params, grads)[:2]))(batch)
    for i, lane in enumerate(lanes):
        alone = jax.jit(lambda: run(build(name, **lane), params, grads)[:2])()  # noqa: B023
        assert_close(jax.tree.map(lambda x: x[i], batched), alone, ulps=64)  # noqa: B023


@every_recipe
def test_every_numeric_argument_can_be_injected(name):
    """optax.inject_hyperparams keeps the numbers, and a change of any of them needs no compilation."""
    arguments = numeric_arguments(name)
    injected = optax.inject_hyperparams(RECIPES[name], hyperparam_dtype=jnp.float32)(**arguments)
    params, grads = tree(0), jax.tree.map(lambda g: g[0], gradients())
    state = injected.init(params)
    assert set(arguments) <= set(state.hyperparams)
    update, traces = counted(injected.update)
    updates, state = update(grads, state, params)
    expected, _ = jax.jit(build(name, **arguments).update)(grads, build(name).init(params), params)
    # b2 rounds to float32, so 1 - b2 is off by up to 3e-5 of itself.
    assert_close(updates, expected, ulps=2**11)
    state.hyperparams["learning_rate"] = state.hyperparams["learning_rate"] / 2
    update(grads, state, params)
    assert len(traces) == 1


@every_recipe
def test_gradient_through_the_update_is_finite_and_not_zero(name):
    tx = build(name)
    params = {"w": jnp.asarray([0.5, -1.0, 2.0])}

    def loss(scale):
        grads = {"w": scale[None] * jnp.asarray(np.random.default_rng(0).normal(size=(STEPS, 3)), "float32")}
        return jnp.sum(run(tx, params, grads)[0]["w"] ** 2)

    derivative = jax.jit(jax.grad(loss))(jnp.ones(3))
    assert jnp.isfinite(derivative).all()
    assert (derivative != 0).any()


@every_recipe
def test_zero_gradients_move_nothing_but_decay(name):
    """In float16 and bfloat16 as well: 0/0 must not become NaN."""
    tx, params = build(name), tree(0)
    grads = jax.tree.map(jnp.zeros_like, gradients())
    _, updates, _ = jax.jit(functools.partial(run, tx))(params, grads)
    for u in jax.tree.leaves(updates):
        assert jnp.isfinite(u).all()
        assert name in MOVES_BY_ITSELF or not u.any()
