"""Schedule-free around anything, in any wrapper: what to evaluate and back, its state, restarts."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import radam_optax as rx
from radam_optax.checkpoint import Checkpoints
from tests.support.trees import bits

PARAMS = {"w": jnp.linspace(-1, 1, 8).reshape(4, 2), "b": jnp.asarray([0.5, -0.25, 2.0], "bfloat16")}
STEPS = 12


def gradient(step, params=PARAMS):
    rng = np.random.default_rng(step)
    return jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), p.dtype), params)


def train(tx, steps=range(STEPS), params=PARAMS, state=None):
    state, update = tx.init(params) if state is None else state, jax.jit(tx.update)
    for step in steps:
        updates, state = update(gradient(step), state, params)
        params = optax.apply_updates(params, updates)
    return params, state


RECIPES = {
    "sgd": functools.partial(rx.schedule_free_sgd, 0.1),
    "adamw": functools.partial(rx.schedule_free_adamw, 0.1, 4, weight_decay=0.1),
    "radam": functools.partial(rx.schedule_free_radam, 0.1, r=1.0),
    "lion": lambda: rx.schedule_free(rx.scale_by_lion(), 0.1),
}
WRAPPERS = {
    "chain": lambda tx: optax.chain(optax.clip(10.0), tx),
    "every_second": lambda tx: optax.MultiSteps(tx, 2),
    "if_finite": lambda tx: optax.apply_if_finite(tx, 3),
    "partition": lambda tx: optax.partition({"all": tx}, "all"),
    "masked": lambda tx: optax.masked(tx, {"w": True, "b": False}),
    "compressed": lambda tx: rx.compress_state(tx, rx.codecs.int8_blockwise(block_size=2), min_size=1),
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_average_follows_from_what_is_trained_and_leads_back(name):
    params, state = train(RECIPES[name]())
    x = rx.schedule_free_eval_params(state, params)
    assert abs(x["w"] - params["w"]).max() > 1e-4
    back = rx.schedule_free_train_params(state, x)
    np.testing.assert_allclose(back["w"], params["w"], rtol=1e-6, atol=1e-6)
    assert jax.tree.map(jnp.result_type, x) == jax.tree.map(jnp.result_type, params)


def test_the_average_is_that_of_the_iterates():
    """Of z, with weights t^r (max lr)^power: added up by hand."""
    tx, params = rx.schedule_free_sgd(0.1, 4, r=2.0), {"w": PARAMS["w"]}
    state, total, expected = tx.init(params), 0.0, 0.0
    for step in range(STEPS):
        updates, state = tx.update({"w": gradient(step)["w"]}, state, params)
        params = optax.apply_updates(params, updates)
        weight = (step + 1) ** 2 * (0.1 * min(1, (step + 1) / 4)) ** 2
        total, expected = total + weight, expected + weight * np.asarray(state.z["w"], "float64")
    np.testing.assert_allclose(rx.schedule_free_eval_params(state, params)["w"], expected / total, rtol=1e-5)


@pytest.mark.parametrize("name", WRAPPERS)
def test_the_average_is_found_however_deep_the_state_is(name):
    wrapped = WRAPPERS[name](rx.schedule_free_adamw(0.1))
    with jax.numpy_dtype_promotion("standard"):  # As optax needs.
        params, state = train(wrapped)
    x = rx.schedule_free_eval_params(state, params)
    assert abs(x["w"] - params["w"]).max() > 1e-3
    if name == "masked":  # What is not trained is its own average.
        assert bits(x["b"]) == bits(params["b"])
    if name in ("chain", "if_finite", "partition"):
        alone = train(rx.schedule_free_adamw(0.1))
        np.testing.assert_allclose(x["w"], rx.schedule_free_eval_params(*alone[::-1])["w"], rtol=1e-6)


def test_it_trains_with_injected_hyperparameters():
    tx = optax.inject_hyperparams(rx.schedule_free_adamw, hyperparam_dtype=jnp.float32)(learning_rate=0.1)
    params, state = train(tx)
    plain = train(rx.schedule_free_adamw(0.1))
    x, expected = (rx.schedule_free_eval_params(*found[::-1]) for found in ((params, state), plain))
    np.testing.assert_allclose(x["w"], expected["w"], rtol=1e-5)


def test_it_trains_a_network_of_nnx():
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, rx.schedule_free_radam(0.1, silent_sgd_phase=False), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer):
        optimizer.update(model, nnx.grad(lambda model: (model(jnp.ones((1, 3))) ** 2).sum())(model))

    for _ in range(3):
        step(model, optimizer)
    params = nnx.state(model, nnx.Param)
    x = rx.schedule_free_eval_params(optimizer.opt_state, params)
    assert jax.tree.structure(x) == jax.tree.structure(params)
    assert abs(x["kernel"][...] - params["kernel"][...]).max() > 1e-4


def test_the_iterate_is_encoded_on_request_only():
    tx, codec = rx.schedule_free_adamw(0.1), rx.codecs.int8_blockwise(block_size=2)
    plain = rx.compress_state(tx, codec, min_size=1).init(PARAMS).inner
    assert (plain.z["w"].dtype, plain.inner[0].nu["w"].dtype) == ("float32", "int8")
    asked = rx.compress_state(tx, codec, min_size=1, mask=lambda path, x: True).init(PARAMS).inner
    assert asked.z["w"].dtype == "int8"


def test_its_numbers_are_float32_and_the_iterate_of_low_precision_too():
    state = rx.schedule_free_sgd(0.1).init({"b": PARAMS["b"]})
    assert state.z["b"].dtype == "float32"
    assert (
        rx.schedule_free_sgd(0.1, state_dtype="bfloat16").init({"b": PARAMS["b"]}).z["b"].dtype == "bfloat16"
    )
    assert {x.dtype.name for x in jax.tree.leaves((state.weight_sum, state.max_lr, state.b1))} == {"float32"}


def test_the_sum_of_a_million_weights_is_exact():
    """Where one in bfloat16 stops at 256, and one in float32 is off by a hundredth."""
    tx, params = rx.schedule_free_sgd(0.1), jnp.zeros([])

    def step(state, _):
        return tx.update(jnp.zeros([]), state, params)[1], None

    state = jax.jit(lambda: jax.lax.scan(step, tx.init(params), None, 1_000_000)[0])()
    weight = np.float32(0.1) ** 2
    np.testing.assert_allclose(state.weight_sum.value / weight, 1e6, rtol=3e-7)


def test_it_goes_on_from_a_checkpoint_bit_by_bit(tmp_path):
    tx = rx.schedule_free_radam(0.1, weight_decay=0.1)
    expected = train(tx)
    params, state = train(tx, range(5))
    with Checkpoints(tmp_path, tx) as checkpoints:
        checkpoints.save(5, params, state)
        restored = checkpoints.restore(params)
    again = train(tx, range(5, STEPS), restored.params, restored.opt_state)
    assert bits(again) == bits(expected)


def test_the_parameters_are_asked_for():
    tx = rx.schedule_free_sgd(0.1)
    with pytest.raises(ValueError, match="`schedule_free` needs `params`"):
        tx.update(PARAMS, tx.init(PARAMS))
    with pytest.raises(ValueError, match="`state` must hold one `ScheduleFreeState`; it holds 0"):
        rx.schedule_free_eval_params(rx.sgd(0.1).init(PARAMS), PARAMS)


@pytest.mark.parametrize("r", [81.0, 500.0])
def test_a_power_that_overflows_weighs_nothing_while_the_learning_rate_is_0(r):
    tx = rx.schedule_free_radam(0.1, r=r)  # Whose first rates are 0.
    state = tx.init(PARAMS)
    for _ in range(8):
        updates, state = tx.update(PARAMS, state, PARAMS)
    assert all(jnp.isfinite(u).all() for u in jax.tree.leaves(updates))
