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

from tests.support.recipes import (
    GROUPS,
    MOVES_BY_ITSELF,
    RECIPES,
    build,
    build_all,
    every_group,
    every_recipe,
    some_groups,
)
from tests.support.runs import apply, counted, each, jit_unoptimized, run
from tests.support.trees import STEPS, as_wide, assert_close, gradients, tree


def numeric_arguments(name):
    """The arguments of a recipe that inject_hyperparams would make arrays, with their defaults."""
    parameters = inspect.signature(RECIPES[name]).parameters
    defaults = {n: p.default for n, p in parameters.items()} | {"learning_rate": 0.1}
    return {n: v for n, v in defaults.items() if isinstance(v, int | float) and not isinstance(v, bool)}


@functools.cache
def all_steps(group):
    """The run of each recipe of a group, in one program that several tests share."""
    return each(build_all(group), run)


def one_step(txs):
    """The updates and the new state of each optimizer."""
    return lambda grads, states, params: {n: tx.update(grads, states[n], params) for n, tx in txs.items()}


def init(txs, params):
    return {name: tx.init(params) for name, tx in txs.items()}


def at(t, tree):
    return jax.tree.map(lambda x: x[t], tree)


@every_group
def test_a_fresh_state_can_be_donated(group):
    """No two of its leaves are one buffer."""
    txs, params = build_all(group), {"a": jnp.ones(2), "b": jnp.ones(3)}
    step = jit_unoptimized(one_step(txs), donate_argnums=1)
    jax.block_until_ready(step(params, init(txs, params), params))


@some_groups
def test_jit_equals_eager(group):
    for name, (_, updates, state) in all_steps(group)(tree(0), gradients()).items():
        tx, p = build(name), tree(0)
        eager_state = tx.init(p)
        for t in range(STEPS):
            u, eager_state = tx.update(at(t, gradients()), eager_state, p)
            p = apply(p, u)
        assert_close(at(-1, updates), u, of=name)
        assert_close(state, eager_state, of=name)


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
            chex.assert_trees_all_equal_shapes_and_dtypes(updates, jax.tree.map(as_wide, grads, params))


@every_recipe
def test_statistics_of_low_precision_parameters_are_float32_and_real_where_they_can(name):
    state = jax.eval_shape(build(name).init, tree(0))
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        path = jax.tree_util.keystr(path)
        if "trace" in path or leaf.shape == ():
            continue
        real = any(field in path for field in ("nu", "sum_of_squares", "e_x", "average"))
        assert leaf.dtype == ("complex64" if "complex64" in path and not real else "float32"), path


@some_groups
def test_scan_with_mixed_gradient_dtypes(group):
    """bfloat16 gradients for float32 parameters and the reverse follow the run in equal dtypes, as wide
    as the wider of the two.
    """
    rounded = jax.tree.map(
        lambda g: g if jnp.iscomplexobj(g) else g.astype("bfloat16").astype(g.dtype), gradients()
    )
    swap = {"float32": "bfloat16", "bfloat16": "float32", "float16": "float32"}
    mixed = jax.tree.map(lambda g: g.astype(swap.get(g.dtype.name, g.dtype)), rounded)
    found, expected = (all_steps(group)(tree(0), grads) for grads in (mixed, rounded))
    for name in GROUPS[group]:
        updates = found[name][1]
        chex.assert_trees_all_equal_shapes_and_dtypes(updates, jax.tree.map(as_wide, mixed, tree(0)))
        for u, e in zip(*map(jax.tree.leaves, (updates, expected[name][1])), strict=True):
            u, e = (np.asarray(x).astype("complex128") for x in (u, e))
            np.testing.assert_allclose(u, e, rtol=0.1, atol=0.03 * np.abs(e).max(initial=0), err_msg=name)


@every_group
def test_float64_parameters_are_stepped_in_float64(group, x64):
    """The float32 run of the same numbers stays within float32's error of the float64 run."""
    narrow = tree(0)["float32"][0], gradients()["float32"][0]
    wide = [x.astype("float64") for x in narrow]
    both = each(build_all(group), lambda tx, *inputs: [run(tx, *x)[1:] for x in inputs])
    for name, ((updates, state), (of_narrow, _)) in both(wide, narrow).items():
        assert updates.dtype == "float64"
        difference = np.abs(np.asarray(updates) - np.asarray(of_narrow))
        assert 0 < difference.max() < 2e-4 * np.abs(updates).max(), name
        assert all(x.dtype != "float32" for x in jax.tree.leaves(state)), name


@every_group
def test_one_compilation_serves_many_steps(group):
    txs, params = build_all(group), tree(0)
    update, traces = counted(one_step(txs), jit_unoptimized)
    states = init(txs, params)
    for t in range(3):
        found = update(at(t, gradients()), states, params)
        states = {name: state for name, (_, state) in found.items()}
    assert len(traces) == 1


@some_groups
def test_vmap_over_parameters_equals_a_loop(group):
    params = jax.tree.map(lambda a, b: jnp.stack([a, b]), tree(0), tree(7))
    grads = jax.tree.map(lambda g: jnp.stack([g, 2 * g]), gradients())
    batched = jit_unoptimized(jax.vmap(all_steps(group).__wrapped__))(params, grads)
    for i in range(2):
        assert_close(at(i, batched), all_steps(group)(at(i, params), at(i, grads)))


@some_groups
def test_vmap_over_hyperparameters_equals_a_loop(group):
    """All numeric arguments batched at once; each lane equals the optimizer built from Python numbers."""

    def stepped(name, hyperparameters):
        return run(build(name, **hyperparameters), tree(0), gradients())[:2]

    def lanes_of(name):
        arguments = numeric_arguments(name)
        lanes = [
            {n: v if isinstance(v, int) else float(np.float32(v * factor)) for n, v in arguments.items()}
            for factor in (1.0, 0.75)
        ]
        if "threshold" in arguments:
            lanes[1]["threshold"] = arguments["threshold"]
        return lanes

    lanes = {name: lanes_of(name) for name in GROUPS[group]}

    @jit_unoptimized
    def both_ways(batches):
        batched = {n: jax.vmap(functools.partial(stepped, n))(batch) for n, batch in batches.items()}
        return batched, [{n: stepped(n, lanes[n][i]) for n in batches} for i in range(2)]

    batches = {n: {k: jnp.asarray([lane[k] for lane in both]) for k in both[0]} for n, both in lanes.items()}
    batched, alone = both_ways(batches)
    for i in range(2):
        assert_close(at(i, batched), alone[i], ulps=64)


@every_group
def test_every_numeric_argument_can_be_injected(group):
    """optax.inject_hyperparams keeps the numbers, and a change of any of them needs no compilation."""
    arguments = {name: numeric_arguments(name) for name in GROUPS[group]}
    injected = {
        name: optax.inject_hyperparams(RECIPES[name], hyperparam_dtype=jnp.float32)(**numbers)
        for name, numbers in arguments.items()
    }
    plain = {name: build(name, **numbers) for name, numbers in arguments.items()}
    params, grads = tree(0), at(0, gradients())
    states = init(injected, params)
    update, traces = counted(one_step(injected), jit_unoptimized)
    found = update(grads, states, params)
    expected = jit_unoptimized(one_step(plain))(grads, init(plain, params), params)
    for name, (updates, state) in found.items():
        assert set(arguments[name]) <= set(states[name].hyperparams)
        # b2 rounds to float32, so 1 - b2 is off by up to 3e-5 of itself.
        assert_close(updates, expected[name][0], ulps=2**11, of=name)
        state.hyperparams["learning_rate"] = state.hyperparams["learning_rate"] / 2
    update(grads, {name: state for name, (_, state) in found.items()}, params)
    assert len(traces) == 1


@every_group
def test_gradient_through_the_update_is_finite_and_not_zero(group):
    params = {"w": jnp.asarray([0.5, -1.0, 2.0])}
    noise = jnp.asarray(np.random.default_rng(0).normal(size=(STEPS, 3)), "float32")

    def loss(tx, scale):
        return jnp.sum(run(tx, params, {"w": scale[None] * noise})[0]["w"] ** 2)

    derivatives = each(build_all(group), jax.grad(loss, argnums=1))(jnp.ones(3))
    for name, derivative in derivatives.items():
        assert jnp.isfinite(derivative).all(), name
        assert (derivative != 0).any() or name == "lion", name  # Whose step is a sign.


@every_group
def test_zero_gradients_move_nothing_but_decay(group):
    """In float16 and bfloat16 as well: 0/0 must not become NaN."""
    zeros = jax.tree.map(jnp.zeros_like, gradients())
    for name, (_, updates, _) in all_steps(group)(tree(0), zeros).items():
        for u in jax.tree.leaves(updates):
            assert jnp.isfinite(u).all(), name
            assert name in MOVES_BY_ITSELF or not u.any(), name
