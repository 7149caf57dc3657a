"""Haiku: parameters are dicts of dicts by the modules' names."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.support.twins import side_by_side

haiku = pytest.importorskip("haiku", reason="Haiku is not installed (group 'clients')")


@pytest.mark.full
@pytest.mark.usefixtures("x64", "standard_promotion")
def test_every_optimizer_takes_the_same_way():
    """One module is trained, and the other is left as it is, by their names; to 1e-9."""
    inputs = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)))
    net = haiku.without_apply_rng(haiku.transform(lambda x: haiku.Linear(1)(jnp.tanh(haiku.Linear(2)(x)))))
    params = net.init(jax.random.key(0), inputs)

    @jax.grad
    def loss(params):
        return jnp.mean(jnp.square(net.apply(params, inputs) - inputs[:, :1]))

    def train(tx):
        labels = haiku.data_structures.map(
            lambda module, *_: "last" if module == "linear" else "rest", params
        )
        tx = optax.partition({"rest": tx, "last": optax.set_to_zero()}, labels)

        def step(carry, _):
            params, state = carry
            updates, state = tx.update(loss(params), state, params)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, (params, tx.init(params)), length=7)[0][0]

    for ours, theirs in side_by_side(train, ["adabelief", "radam", "nadam", "sgd"]).values():
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-9), ours, theirs)
