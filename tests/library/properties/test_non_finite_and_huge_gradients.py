"""What is not finite is left out, bit by bit as if it had not been; what is too large is outlived."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from tests.support.forms import in_forms
from tests.support.recipes import BY_LEAF, build, every_recipe
from tests.support.trees import bits

STEPS = 8  # RAdam rectifies from the 6th on.
PARAMS = {"a": jnp.asarray([[1.0, -2.0]]), "b": jnp.asarray([0.5, 3.0, -1.0])}
WITHOUT_STATE = ("sgd",)


def gradient(step):
    rng = np.random.default_rng(step)
    return jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), p.dtype), PARAMS)


def spoilt(step, value):
    """The gradient of a step with one element of one leaf replaced."""
    grads = gradient(step)
    return grads | {"b": grads["b"].at[1].set(value)}


def follow(update, state, grads, params=PARAMS):
    """The updates, parameters and states of all steps; each step is the same program."""
    history = []
    for g in grads:
        updates, state = update(g, state, params)
        params = jax.tree.map(jnp.add, params, updates)
        history.append((updates, params, state))
    return history


@every_recipe
def test_a_step_that_is_not_finite_might_not_have_been(name):
    """Whichever value, whenever: no update, the state untouched, one more counted, and on as before."""
    tx = optax.apply_if_finite(build(name), max_consecutive_errors=3)
    update, start = jax.jit(tx.update), tx.init(PARAMS)
    for at in (0, STEPS // 2, STEPS - 1):
        others = [gradient(step) for step in range(STEPS) if step != at]
        expected = follow(update, start, others)
        for value in (jnp.nan, jnp.inf, -jnp.inf):
            history = follow(update, start, [*others[:at], spoilt(at, value), *others[at:]])
            updates, params, state = history.pop(at)
            _, params_before, state_before = history[at - 1] if at else (None, PARAMS, start)
            assert not any(x.any() for x in jax.tree.leaves(updates))
            assert bits(params) == bits(params_before)
            assert bits(state.inner_state) == bits(state_before.inner_state)
            assert (state.notfinite_count, state.total_notfinite, state.last_finite) == (1, 1, False)
            for (*actual, state), (*desired, expected_state) in zip(history, expected, strict=True):
                assert bits(actual) == bits(desired)
                assert bits(state.inner_state) == bits(expected_state.inner_state)
            assert state.total_notfinite == (0 if at == STEPS - 1 else 1)
            assert state.notfinite_count == 0


@every_recipe
def test_without_the_wrapper_one_nan_poisons_for_ever(name):
    """Even if its update is thrown away: it is in the state."""
    tx = build(name)
    update, state = jax.jit(tx.update), tx.init(PARAMS)
    for step in range(STEPS):
        updates, state = update(spoilt(step, jnp.nan) if step == 1 else gradient(step), state, PARAMS)
    assert np.isnan(updates["b"][1]) == (name not in WITHOUT_STATE)
    assert np.isfinite(updates["b"][0]) == (name not in BY_LEAF)  # A mean is NaN with one of its elements.


@pytest.mark.parametrize("value", [jnp.nan, jnp.inf, -jnp.inf])
@pytest.mark.parametrize("decay", [1.0, 0.9])
def test_the_running_maximum_is_not_poisoned(value, decay):
    """By itself it would be for ever, since neither max(nan, nu) nor decay inf comes back."""
    tx = optax.chain(rx.second_moment(0.9), rx.amsgrad_max(decay))
    grads = [gradient(0), spoilt(1, value), *map(gradient, range(2, 200))]
    *_, (_, _, (_, alone)) = follow(jax.jit(tx.update), tx.init(PARAMS), grads)
    assert not np.isfinite(alone.nu_max["b"][1])

    wrapped = optax.apply_if_finite(tx, 3)
    *_, (_, _, state) = follow(jax.jit(wrapped.update), wrapped.init(PARAMS), grads)
    del grads[1]
    *_, (_, _, expected) = follow(jax.jit(wrapped.update), wrapped.init(PARAMS), grads)
    assert bits(state.inner_state) == bits(expected.inner_state)
    assert state.total_notfinite == 1


def test_a_gradient_whose_square_overflows_is_caught_by_clipping_alone():
    """It is finite, and its second moment is inf: that element would never move again."""
    huge = spoilt(3, 1e30)
    grads = [*map(gradient, range(3)), huge, *map(gradient, range(4, 300))]
    moved = {}
    clip = optax.clip_by_global_norm(1.0)
    for name, tx in {"alone": rx.amsgrad(0.1), "clipped": optax.chain(clip, rx.amsgrad(0.1))}.items():
        wrapped = optax.apply_if_finite(tx, 3)
        *_, (updates, _, state) = follow(jax.jit(wrapped.update), wrapped.init(PARAMS), grads)
        assert state.total_notfinite == 0
        moved[name] = float(abs(updates["b"][1]))
    assert moved["alone"] == 0
    assert moved["clipped"] > 1e-3


SPIKE, AT, LATER, B2 = 1e4, 100, 3000, 0.99
# The second moment of unit gradients right after the spike, bias-corrected.
LEFT = 1 + (1 - B2) * (SPIKE**2 - 1) / (1 - B2 ** (AT + 1))


SIGNS = functools.partial(jax.random.rademacher, dtype="float32")


def effective_rates(tx, draw, steps, spike):
    """Of the steps since the spike."""
    grads = draw(jax.random.key(0), (AT + 1 + steps, 100)).at[AT].multiply(spike)

    def step(state, g):
        updates, state = tx.update(g, state)
        return state, rx.effective_rate(updates, g)

    return np.asarray(jax.jit(lambda: jax.lax.scan(step, tx.init(grads[0]), grads)[1])()[AT + 1 :])


def slowdown(tx, steps=LATER, draw=SIGNS):
    """How many times faster, so many steps after the spike, Adam is that has not seen it."""
    adam = effective_rates(rx.adam(1.0, b2=B2), draw, steps, 1.0)[-50:]
    return adam.mean() / effective_rates(tx, draw, steps, SPIKE)[-50:].mean()


def test_a_spike_slows_amsgrad_down_for_good():
    """By the root of what it leaves, 1250 times; by less where an element of the spike was small."""
    assert np.isclose(slowdown(rx.amsgrad(1.0, b2=B2)), LEFT**0.5, rtol=1e-3)
    assert np.isclose(slowdown(rx.amsgrad(1.0, b2=B2), draw=jax.random.normal), 72, rtol=0.1)
    assert np.isclose(slowdown(rx.adam(1.0, b2=B2)), 1.0, rtol=1e-3)


@pytest.mark.parametrize("decay", in_forms([0.99, 0.998], [0.99]))
def test_a_forgetting_maximum_recovers_in_time(decay):
    """It is Adam again after ln(what the spike left) / (1 - decay) steps, halfway there at half of them."""
    time = math.ceil(math.log(LEFT) / -math.log(decay))
    tx = rx.amsgrad(1.0, b2=B2, max_decay=decay)
    assert 1 <= slowdown(tx, time + 500) < 1.01
    assert np.isclose(slowdown(tx, time // 2), LEFT**0.25, rtol=0.2)


@pytest.mark.parametrize("ratio", in_forms([1.0, 2.0, 10.0], [2.0]))
def test_clipping_bounds_what_a_spike_leaves(ratio):
    """At a norm of so many ordinary ones, a spike counts as a gradient of that size."""
    clip = optax.clip_by_global_norm(ratio * 10.0)  # Unit gradients of 100 elements have norm 10.
    bound = math.sqrt(1 + (1 - B2) * (ratio**2 - 1) / (1 - B2 ** (AT + 1)))
    assert np.isclose(slowdown(optax.chain(clip, rx.amsgrad(1.0, b2=B2))), bound, rtol=1e-3)
