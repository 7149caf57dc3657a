"""A transformation prints as the call that makes it."""

import copy
import inspect
import pickle

import dill
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from radam_optax._core.calls import call_of
from tests.support.recipes import RECIPES

FACTORIES = [
    name
    for name, value in vars(rx).items()
    if inspect.isfunction(value)
    and inspect.signature(value).return_annotation is not None
    and "GradientTransformation" in str(inspect.signature(value).return_annotation)
]
REQUIRED = {
    "learning_rate": 0.5,
    "b1": 0.5,
    "b2": 0.9,
    "decay": 0.5,
    "steps": 3,
    "inner": rx.first_moment(0.5),
    "rate": rx.inverse_root(),
    "exponent": -1.0,
    "upper": 2.0,
    "projection_fn": abs,
    "codec": rx.codecs.int8_blockwise(block_size=32),
}


@pytest.mark.parametrize("name", FACTORIES)
def test_the_text_makes_it_again(name):
    parameters = inspect.signature(getattr(rx, name)).parameters.values()
    required = {p.name: REQUIRED[p.name] for p in parameters if p.default is p.empty}
    made = getattr(rx, name)(**required)
    assert repr(made).startswith(f"{name}(")
    again = eval(repr(made).replace("<built-in function abs>", "abs"), vars(rx))
    assert repr(again) == repr(made)
    assert call_of(again).arguments.keys() == call_of(made).arguments.keys()
    assert call_of(made).factory is getattr(rx, name)


def test_only_what_differs_from_the_defaults_is_shown():
    assert repr(rx.radam(1e-3)) == "radam(learning_rate=0.001)"
    assert (
        repr(rx.radam(1e-3, 0.9, b2=0.99, amsgrad=True))
        == "radam(learning_rate=0.001, b2=0.99, amsgrad=True)"
    )
    assert (
        repr(rx.scale_by_adaptive_rate(rate=rx.second_moment(0.9)))
        == "scale_by_adaptive_rate(rate=second_moment(b2=0.9))"
    )


def test_the_arguments_are_kept_with_their_defaults():
    call = call_of(rx.adamw(1e-3, b2=0.99))
    assert call.name == "adamw"
    assert (call.arguments["b2"], call.arguments["weight_decay"]) == (0.99, 1e-4)


@pytest.mark.parametrize("name", RECIPES)
def test_it_is_a_transformation_of_optax_still(name):
    tx = RECIPES[name](learning_rate=0.1)
    assert isinstance(tx, optax.GradientTransformationExtraArgs)
    assert optax.with_extra_args_support(tx) is tx


def test_a_mixture_prints_and_is_copied_with_its_parts():
    tx = rx.mixture((1.0, rx.first_moment(0.9)), (0.5, rx.delay(steps=2)))
    assert repr(tx) == "mixture((1.0, first_moment(b1=0.9)), (0.5, delay(steps=2)))"
    assert repr(eval(repr(tx), vars(rx))) == repr(copy.deepcopy(tx)) == repr(tx)


def test_what_optax_made_has_no_call():
    assert call_of(optax.chain(rx.sgd(0.1))) is None


def test_a_transformation_keeps_its_call_where_it_is_taken_apart():
    """As Equinox does, which maps over it."""
    tx = rx.adam(0.1)
    mapped = jax.tree.map(lambda part: part, tx)
    for again in (tx._replace(init=tx.init), mapped, jax.tree.unflatten(*jax.tree.flatten(tx)[::-1])):
        assert repr(again) == repr(tx)
        assert type(again) is type(tx)
    assert jax.tree.structure(tx) == jax.tree.structure(rx.adam(0.2))


def warmup(count):
    return count / 10


@pytest.mark.parametrize("make", [
    lambda: rx.radam(1e-3),
    lambda: rx.adamw(warmup, 0.9, weight_decay=0.1),
    lambda: rx.scale_by_adaptive_rate(rate=rx.second_moment(0.9), momentum=rx.first_moment(0.5)),
    lambda: rx.mixture((1.0, rx.first_moment(0.9)), (0.5, rx.delay(steps=2))),
    lambda: rx.compress_state(rx.adam(0.1), rx.codecs.int8_blockwise(block_size=32)),
])  # fmt: skip
def test_equal_calls_make_equal_transformations(make):
    one, two = make(), make()
    assert one == two == pickle.loads(pickle.dumps(one))
    assert (one != two) is False
    assert hash(one) == hash(two)
    assert len({one, two, rx.sgd(0.1)}) == 2


def test_others_are_not_equal():
    adam = rx.adam(0.1)
    others = [
        rx.adam(0.2),
        rx.adam(0.1, b1=0.8),
        rx.adamw(0.1, weight_decay=0.0),
        adam._replace(update=rx.adam(0.2).update),
        optax.adam(0.1),
        rx.adam(lambda count: 0.1),
        None,
    ]
    assert adam not in others
    # An array has no hash: what is made of it is itself alone.
    traced = rx.adam(jnp.float32(0.1))
    assert traced == traced != rx.adam(jnp.float32(0.1))
    assert hash(traced) != hash(rx.adam(jnp.float32(0.1)))


def test_an_equal_optimizer_does_not_compile_a_step_again():
    def step(tx, params, state, gradients):
        updates, state = tx.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    jitted, params = jax.jit(step, static_argnums=0), jnp.ones(3)
    for learning_rate in (0.1, 0.1, 0.2, 0.1):
        tx = rx.sgd(learning_rate)
        params, _ = jitted(tx, params, tx.init(params), jnp.ones(3))
    assert jitted._cache_size() == 2
    np.testing.assert_allclose(params, 0.5)


def test_a_transformation_is_copied_and_pickled_by_its_call():
    """By value too, as dill does with what a checkout holds; but not where a part of it was replaced."""
    tx = rx.radamw(0.1, weight_decay=np.float32(0.5))
    for copied in (
        copy.deepcopy(tx),
        pickle.loads(pickle.dumps(tx)),
        dill.loads(dill.dumps(tx, recurse=True)),
    ):
        assert repr(copied) == repr(tx)
    other = copy.deepcopy(tx._replace(init=lambda params: "another"))
    assert other.init(1.0) == "another"
