"""Hyperparameters as people have them: arrays, one for each coordinate, of any kind; and the refused."""

import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx

PARAMS = {"a": jnp.asarray([[0.5, -1.0, 2.0], [1.0, 3.0, -0.5]]), "b": jnp.asarray([1.0, 2.0, 3.0])}
GRADIENTS = jax.tree.map(lambda p: 0.1 * p, PARAMS)
RATES = np.asarray([0.1, 0.0, 0.3], "float32")


def updates_of(tx, steps=2):
    @jax.jit
    def run():
        state = tx.init(PARAMS)
        for _ in range(steps):
            updates, state = tx.update(GRADIENTS, state, PARAMS)
        return updates

    return run()


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adamw", "radamw"])
def test_a_learning_rate_may_be_one_for_each_coordinate(name):
    factory = getattr(rx, name)
    expected = jax.tree.map(lambda u: np.asarray(u) * RATES, updates_of(factory(1.0)))
    for rate in (RATES, jnp.asarray(RATES), lambda count: jnp.asarray(RATES)):
        chex.assert_trees_all_close(updates_of(factory(rate)), expected, rtol=1e-6)


def test_a_weight_decay_may_be_one_for_each_coordinate():
    expected = jax.tree.map(
        lambda u, p: u - RATES * np.asarray(p), updates_of(rx.adamw(1.0, weight_decay=0.0)), PARAMS
    )
    for decay in (RATES, jnp.asarray(RATES), lambda count: jnp.asarray(RATES)):
        found = updates_of(rx.adamw(1.0, weight_decay=decay))
        chex.assert_trees_all_close(found, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adam", "radamw", "amsgrad"])
def test_arrays_of_one_number_are_numbers(name):
    factory = getattr(rx, name)
    decays = {} if name == "sgd" else {"b1": np.full((1,), 0.8), "b2": jnp.full((1,), 0.99)}
    plain = {} if name == "sgd" else {"b1": 0.8, "b2": 0.99}
    expected = updates_of(factory(0.5, **plain))
    for rate in (np.full((1,), 0.5), jnp.full((1,), 0.5), lambda count: jnp.full((1, 1), 0.5)):
        chex.assert_trees_all_close(updates_of(factory(rate, **decays)), expected, rtol=1e-6)


def test_an_array_that_does_not_broadcast_is_refused():
    tx = rx.adam(jnp.ones(2))
    message = r"Leaf 'a' of the updates has shape \(2, 3\), to which a hyperparameter of shape \(2,\)"
    with pytest.raises(ValueError, match=message):
        tx.update(GRADIENTS, tx.init(PARAMS), PARAMS)
    with pytest.raises(ValueError, match=r"`learning_rate` must be in \[0, inf\); got -1.0"):
        rx.adam(np.asarray([1.0, -1.0]))
    with pytest.raises(ValueError, match="A schedule must return a scalar; got an array of shape"):
        updates_of(rx.adam(0.1, b1=lambda count: jnp.full(3, 0.9)))


SIXTEEN_BITS = "must have the precision of float32; got"


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize(
    "name",
    [
        *("adam", "adamw", "amsgrad", "nadam", "radam", "radamw", "adabelief", "yogi", "adam_2k"),
        *("adam_eps", "rmsprop", "rmsprop_nesterov", "adadelta", "adamnc"),
    ],
)
def test_hyperparameters_of_sixteen_bits_are_refused(name, dtype):
    """0.999 is 1 there: momentum SGD for ever, or NaN."""
    params = jax.tree.map(lambda p: p.astype(dtype), PARAMS)
    with pytest.raises(TypeError, match=f"`.*` {SIXTEEN_BITS} {dtype}.*hyperparam_dtype=jnp.float32"):
        optax.inject_hyperparams(getattr(rx, name))(learning_rate=0.1).init(params)


@pytest.mark.parametrize("name", ["radam", "adam_eps"])
def test_what_the_refusal_says_to_do_works(name):
    params = jax.tree.map(lambda p: p.astype("bfloat16"), PARAMS)
    injected = optax.inject_hyperparams(getattr(rx, name), hyperparam_dtype=jnp.float32)(learning_rate=0.1)
    found, plain = (
        tx.update(params, tx.init(params), params)[0] for tx in (injected, getattr(rx, name)(0.1))
    )
    chex.assert_trees_all_close(found, plain, rtol=2e-2)


@pytest.mark.parametrize("value", [jnp.bfloat16(0.9), np.float16(0.9), np.asarray(0.9, "float16")])
def test_a_decay_of_sixteen_bits_is_refused_wherever_it_comes_from(value):
    for call in (
        lambda: rx.adam(0.1, b1=value),
        lambda: rx.total_weight(value, 3),
        lambda: rx.presets.torch_adam(0.1, betas=(value, 0.999)),
        lambda: updates_of(rx.adam(0.1, b2=lambda count: jnp.asarray(value))),
    ):
        with pytest.raises(TypeError, match=SIXTEEN_BITS):
            call()
    rx.adam(value)  # A learning rate multiplies, and three digits of it will do.


def _of_optax(name):
    return getattr(optax, name, None) or getattr(optax.contrib, name, None)


# `clip` has two bounds here, which go by what they are, and `schedule_free` takes a direction.
OTHER_NAMES = {"clip", "schedule_free"}


@pytest.mark.parametrize(
    "name",
    [name for name in rx.__all__ if inspect.isfunction(_of_optax(name)) and name not in OTHER_NAMES],
)
def test_optaxs_arguments_and_defaults_are_here(name):
    theirs, ours = (inspect.signature(f).parameters for f in (_of_optax(name), getattr(rx, name)))
    positional = [n for n, p in theirs.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert list(ours)[: len(positional)] == positional
    for argument, parameter in theirs.items():
        here, there = ours[argument].default, parameter.default
        # A function, which would be shown by its address, is None here.
        assert repr(here) == repr(there) or (here is None and inspect.isfunction(there))


def test_nothing_is_infinite_on_the_way():
    """Where JAX is told to look for infinities, in eager mode too."""
    with jax.debug_infs(True):
        for tx in (rx.adam(0.1, b1=0.0), rx.radam(0.1), rx.amsgrad(0.1, b2=0.0), rx.adadelta(0.1, eps=0)):
            updates, _ = tx.update(GRADIENTS, tx.init(PARAMS), PARAMS)
            chex.assert_tree_all_finite(updates)


def test_shapes_are_checked_where_chexs_assertions_are_switched_off():
    """A library may do so in production; what the checks protect are results."""
    tx, params = rx.adam(0.1), jnp.ones((3, 4))
    chex.disable_asserts()
    try:
        for shape in ((4,), (2, 3, 4)):
            with pytest.raises(ValueError, match=r"has shape .*, and not that of the optimizer's state"):
                tx.update(jnp.ones(shape), tx.init(params), params)
    finally:
        chex.enable_asserts()
