"""States of Flax NNX are saved as they are, and restored as what the templates are."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx

nnx = pytest.importorskip("flax.nnx")
pytest.importorskip("orbax.checkpoint")
from radam_optax.checkpoint import Checkpoints

OPTIMIZERS = {
    "radamw": optax.chain(optax.clip(1.0), rx.radamw(0.1)),
    "compressed": rx.compress_state(rx.adam(0.1), rx.codecs.int8_blockwise(block_size=16), min_size=64),
}


class Model(nnx.Module):
    def __init__(self, seed):
        rngs = nnx.Rngs(seed)
        self.layers = nnx.List([nnx.Linear(8, 8, rngs=rngs), nnx.Linear(8, 1, rngs=rngs)])
        self.calls = nnx.Variable(jnp.zeros([], "int32"))  # No parameter.


def start(tx, seed):
    model = Model(seed)
    return model, nnx.Optimizer(model, tx, wrt=nnx.Param)


@nnx.jit
def step(model, optimizer):
    optimizer.update(model, jax.tree.map(jnp.sin, nnx.state(model, nnx.Param)))


def arrays(model, optimizer):
    return [np.asarray(x) for x in jax.tree.leaves((nnx.state(model, nnx.Param), optimizer.opt_state))]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_run_resumes_in_place(name, tmp_path):
    """Bit by bit, in a model and an optimizer that were others; Optimizer's own count is an extra."""
    tx = OPTIMIZERS[name]
    model, optimizer = start(tx, 0)
    for _ in range(3):
        step(model, optimizer)
    with Checkpoints(tmp_path, tx) as checkpoints:
        checkpoints.save(3, nnx.state(model, nnx.Param), optimizer.opt_state, {"step": optimizer.step})
    other = start(tx, 1)
    with Checkpoints(tmp_path, tx) as checkpoints:
        like = nnx.state(other[0], nnx.Param)
        restored = checkpoints.restore(like, {"step": other[1].step}, opt_state=other[1].opt_state)
    assert jax.tree.structure(restored.params) == jax.tree.structure(like)
    assert jax.tree.structure(restored.opt_state) == jax.tree.structure(other[1].opt_state)
    nnx.update(other[0], restored.params)
    nnx.update(other[1], nnx.state({"opt_state": restored.opt_state} | restored.extra))
    assert int(other[1].step[...]) == 3
    for pair in ((model, optimizer), other):
        step(*pair)
    for a, b in zip(arrays(*other), arrays(model, optimizer), strict=True):
        np.testing.assert_array_equal(a, b)


def test_templates_are_of_nnx_or_not(tmp_path):
    """One checkpoint; in variables, as shapes, and as the plain trees that jitted code has."""
    tx = OPTIMIZERS["radamw"]
    model, optimizer = start(tx, 0)
    state = nnx.state(model, nnx.Param)
    pure = nnx.to_pure_dict(state)
    abstract = nnx.state(nnx.eval_shape(lambda: Model(0)), nnx.Param)
    with Checkpoints(tmp_path, tx) as checkpoints:
        checkpoints.save(1, state, optimizer.opt_state)
        checkpoints.save(2, pure, tx.init(pure))
        checkpoints.save(3, nnx.as_pure(state), nnx.as_pure(optimizer.opt_state))
        for number in (1, 2, 3):
            for like in (state, pure, abstract, nnx.as_pure(state)):
                found = checkpoints.restore(like, step=number)
                assert jax.tree.structure(found.params) == jax.tree.structure(like)
                for a, b in zip(jax.tree.leaves(found.params), jax.tree.leaves(state), strict=True):
                    np.testing.assert_array_equal(a, b)
                tx.update(nnx.as_pure(found.params), nnx.as_pure(found.opt_state), nnx.as_pure(found.params))


def test_what_is_to_be_saved_of_an_optimizer_is_said(tmp_path):
    model, optimizer = start(OPTIMIZERS["radamw"], 0)
    with (
        Checkpoints(tmp_path, OPTIMIZERS["radamw"]) as checkpoints,
        pytest.raises(ValueError, match=r"`opt_state` must be .*of nnx\.Optimizer, its `opt_state`\.$"),
    ):
        checkpoints.save(1, nnx.state(model, nnx.Param), nnx.state(optimizer))
