"""Equinox: models are the parameters, with leaves that are no arrays, and None where there is no gradient."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.forms import in_forms
from tests.support.recipes import SOME, build
from tests.support.trees import assert_close, bits
from tests.support.twins import side_by_side

eqx = pytest.importorskip("equinox", reason="Equinox is not installed (group 'clients')")
NAMES = ("adam", "radam", "amsgrad", "rmsprop")
INPUTS = jnp.asarray(np.random.default_rng(0).normal(size=(8, 3)), "float32")
TARGETS = jnp.sin(INPUTS[:, :2])


class Net(eqx.Module):
    """One that has everything: weights, an index array, a function, a number."""

    weight: jax.Array
    bias: jax.Array
    order: jax.Array
    activation: object
    size: int

    def __init__(self, dtype="float32"):
        self.weight = jnp.full((2, 3), 0.3, dtype)
        self.bias = jnp.zeros(2, dtype)
        self.order = jnp.asarray([2, 0, 1])
        self.activation = jax.nn.tanh
        self.size = 3

    def __call__(self, x):
        return self.activation(self.weight @ x[self.order].astype(self.weight.dtype) + self.bias)


@eqx.filter_value_and_grad
def loss(model):
    return jnp.mean(jnp.square(jax.vmap(model)(INPUTS) - TARGETS.astype(model.weight.dtype)))


def train(tx, kept=eqx.is_inexact_array, dtype="float32", steps=7):
    """As Equinox's examples do."""

    @eqx.filter_jit
    def step(model, state):
        _, grads = loss(model)
        updates, state = tx.update(grads, state, eqx.filter(model, kept))
        return eqx.apply_updates(model, updates), state

    model = Net(dtype)
    state = tx.init(eqx.filter(model, kept))
    for _ in range(steps):
        model, state = step(model, state)
    return eqx.filter(model, eqx.is_inexact_array), state


@pytest.mark.full
@pytest.mark.usefixtures("x64", "standard_promotion")
def test_every_optimizer_takes_the_same_way():
    """To 1e-9."""
    for ours, theirs in side_by_side(lambda tx: train(tx, dtype="float64", steps=3)[0], NAMES).values():
        np.testing.assert_allclose(ours.weight, theirs.weight, rtol=1e-9)
        np.testing.assert_allclose(ours.bias, theirs.bias, rtol=1e-9)


@pytest.mark.parametrize("name", in_forms(SOME, SOME[:1]))
def test_state_is_saved_and_read(name):
    tx = build(name)
    state = tx.init(eqx.filter(Net(), eqx.is_inexact_array))
    file = io.BytesIO()
    later = jax.tree.map(lambda x: x + jnp.ones_like(x), state)
    eqx.tree_serialise_leaves(file, later)
    file.seek(0)
    assert bits(eqx.tree_deserialise_leaves(file, state)) == bits(later)


def test_an_ensemble_is_trained_as_each_alone():
    tx = build("radam")

    def first_update(weight):
        return tx.update(weight, tx.init(weight), weight)

    weights = jnp.asarray(np.random.default_rng(1).normal(size=(3, 4)), "float32")
    together = eqx.filter_jit(eqx.filter_vmap(first_update))(weights)
    assert_close(jax.tree.map(lambda x: x[1], together), jax.jit(first_update)(weights[1]))


@pytest.mark.parametrize("name", in_forms(SOME, SOME[:1]))
def test_leaves_without_gradients_have_no_state(name):
    """Equinox's examples filter by `is_array`, and `filter_grad` gives None for the index array."""
    model, state = train(build(name), eqx.is_array)
    alone, expected = train(build(name))
    assert bits(model) == bits(alone)
    assert bits(jax.tree.leaves(state)) == bits(jax.tree.leaves(expected))
