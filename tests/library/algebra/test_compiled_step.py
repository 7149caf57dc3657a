"""What a compiled step does not do: keep arrays of its own, or compile again for other hyperparameters."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from benchmarks.subjects.peers import CATALOGUE
from benchmarks.subjects.step import jitted_step
from tests.support.compiler import AS_USERS

LEAF = jax.ShapeDtypeStruct((64, 64), jnp.float32)
# XLA's CPU compiler keeps an array of a leaf where a quotient or root is used twice, as it computes it once,
# or where it writes a momentum in place before it has read the old one. Those for TPUs and GPUs do not.
KEEPS_ARRAYS = dict.fromkeys(("adabelief", "adadelta", "adam_2k", "rmsprop_nesterov"), 2) | {
    # optax's have as many, or, of ACProp, one more; a mean over a leaf is taken before it is used.
    **dict.fromkeys(
        ("adopt", "adoptw", "adan", "lion", "adamod", "schedule_free_sgd", "schedule_free_adamw"), 2
    ),
    "schedule_free_radam": 2,
    "acprop": 3,
    "stable_adamw": 4,
}


def temporary_bytes(tx):
    """Of a step on two leaves."""
    params = {"one": LEAF, "two": LEAF}
    state = jax.eval_shape(tx.init, params)
    step = jitted_step(tx).lower(params, state, params).compile(AS_USERS)
    return step.memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_step_has_no_temporary_array_of_the_size_of_a_leaf(name):
    allowed = KEEPS_ARRAYS.get(name, 0) + 0.25
    assert temporary_bytes(CATALOGUE[name].ours()) < allowed * 4 * LEAF.size


def test_a_temporary_array_would_be_noticed():
    def update(updates, state, params=None):
        del params
        return jax.tree.map(jnp.sort, updates), state

    assert temporary_bytes(optax.GradientTransformation(optax.init_empty_state, update)) >= 4 * LEAF.size


def rmsprop(learning_rate, b1, b2):
    """RMSProp with a momentum behind it."""
    return rx.rmsprop(learning_rate, b2, momentum=b1)


@pytest.mark.parametrize("factory", [rx.adam, rx.amsgrad, rx.radam, rx.adabelief, rx.nadam, rmsprop])
def test_other_hyperparameters_do_not_compile_again(factory):
    tx = optax.inject_hyperparams(factory)(learning_rate=0.1, b1=0.9, b2=0.99)
    params = {"w": jnp.linspace(-1, 1, 5)}
    step = jax.jit(tx.update)
    results = set()
    for changed in ({}, {"learning_rate": 0.3}, {"b1": 0.5}, {"b2": 0.9}):
        state = tx.init(params)
        given = {name: jnp.asarray(value, jnp.float32) for name, value in changed.items()}
        state = state._replace(hyperparams=state.hyperparams | given)
        for i in range(8):
            updates, state = step(jax.tree.map(lambda p, i=i: p * 2.0**i, params), state, params)
        results.add(np.asarray(updates["w"]).tobytes())
    assert step._cache_size() == 1
    assert len(results) == 4
