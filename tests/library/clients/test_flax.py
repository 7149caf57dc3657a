"""Flax: NNX's optimizers, which keep the state in variables, and linen's TrainState."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import radam_optax as rx
from tests.support.twins import TWINS

nnx = pytest.importorskip("flax.nnx", reason="Flax is not installed (group 'test')")
linen = pytest.importorskip("flax.linen")
train_state = pytest.importorskip("flax.training.train_state")
serialization = pytest.importorskip("flax.serialization")
INPUTS = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)), "float32")
TARGETS = INPUTS[:, :1] ** 2
FEW = ("radam", "adamw")


class Perceptron(nnx.Module):
    def __init__(self, dtype):
        rngs = nnx.Rngs(0)
        self.hidden = nnx.Linear(3, 2, dtype=dtype, param_dtype=dtype, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, deterministic=True, rngs=rngs)
        self.out = nnx.Linear(2, 1, dtype=dtype, param_dtype=dtype, rngs=rngs)

    def __call__(self, x):
        return self.out(self.dropout(jnp.tanh(self.hidden(x))))


def nnx_loss(model):
    return jnp.mean(jnp.square(model(INPUTS) - TARGETS).astype(model.out.kernel.dtype))


def with_optimizer(tx, dtype):
    model = Perceptron(dtype)
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    return model, optimizer, lambda model, optimizer: optimizer.update(model, nnx.grad(nnx_loss)(model))


def with_model_and_optimizer(tx, dtype):
    model = Perceptron(dtype)
    optimizer = nnx.ModelAndOptimizer(model, tx)
    return model, optimizer, lambda model, optimizer: optimizer.update(nnx.grad(nnx_loss)(model))


def trained(make, dtype, steps=7):
    """The parameters of both twins of each name, trained in one program."""
    made = [make(factory(0.1), dtype) for name in FEW for factory in TWINS[name]]

    @nnx.jit
    def step(models, optimizers):
        for model, optimizer, (*_, update) in zip(models, optimizers, made, strict=True):
            update(model, optimizer)

    models, optimizers = nnx.List([m for m, *_ in made]), nnx.List([o for _, o, _ in made])
    for _ in range(steps):
        step(models, optimizers)
    params = [jax.tree.leaves(nnx.state(model, nnx.Param)) for model in models]
    return list(zip(params[::2], params[1::2], strict=True))


@pytest.mark.full
@pytest.mark.usefixtures("x64", "standard_promotion")
@pytest.mark.parametrize("make", [with_optimizer, with_model_and_optimizer])
def test_nnx_takes_the_same_way(make):
    """To 1e-9."""
    for ours, theirs in trained(make, "float64"):
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-9), ours, theirs)


@pytest.mark.full
@pytest.mark.usefixtures("standard_promotion")
def test_nnx_in_bfloat16():
    """To the rounding of the step: optax keeps its averages in bfloat16 too, this package in float32."""
    for ours, theirs in trained(with_optimizer, "bfloat16", steps=1):
        for x, y in zip(ours, theirs, strict=True):
            assert x.dtype == y.dtype == "bfloat16"
            np.testing.assert_allclose(np.float32(x), np.float32(y), rtol=2**-7, atol=2**-9)


@pytest.mark.full
@pytest.mark.usefixtures("x64", "standard_promotion")
def test_linen_takes_the_same_way():
    """To 1e-9, with the state written to bytes and read on the way."""
    net = linen.Dense(1, param_dtype="float64")
    inputs = INPUTS.astype("float64")
    params = net.init(jax.random.key(0), inputs)["params"]

    @jax.jit
    def step(states):
        def next_of(state):
            def loss(params):
                return jnp.mean(jnp.square(state.apply_fn({"params": params}, inputs) - inputs[:, :1] ** 2))

            return state.apply_gradients(grads=jax.grad(loss)(state.params))

        return [next_of(state) for state in states]

    states = [
        train_state.TrainState.create(apply_fn=net.apply, params=params, tx=factory(0.1))
        for name in FEW
        for factory in TWINS[name]
    ]
    for _ in range(7):
        states = [serialization.from_bytes(s, serialization.to_bytes(s)) for s in step(states)]
    for ours, theirs in zip(states[::2], states[1::2], strict=True):
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-9), ours.params, theirs.params)


def test_an_equal_optimizer_in_a_train_state_does_not_compile_again():
    net = linen.Dense(1)
    params = net.init(jax.random.key(0), INPUTS)["params"]

    @jax.jit
    def step(state):
        return state.apply_gradients(grads=state.params)

    for learning_rate in (0.1, 0.1, 0.2):
        step(train_state.TrainState.create(apply_fn=net.apply, params=params, tx=rx.radam(learning_rate)))
    assert step._cache_size() == 2
