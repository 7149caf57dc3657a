"""BlackJAX: variational inference and Stein's descent, whose steps are an optax optimizer's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.twins import side_by_side

blackjax = pytest.importorskip("blackjax", reason="BlackJAX is not installed (group 'clients')")


def log_density(x):
    return -jnp.sum(jnp.square(x["a"] - 1)) / 2


def variational(tx):
    found = blackjax.meanfield_vi(log_density, tx, 5)
    keys = jax.random.split(jax.random.key(1), 7)
    return jax.lax.scan(lambda state, key: found.step(key, state), found.init({"a": jnp.zeros(2)}), keys)


def stein(tx):
    found = blackjax.svgd(jax.grad(log_density), tx)
    state = found.init({"a": jnp.linspace(-1, 1, 6).reshape(3, 2)})
    return jax.lax.scan(lambda state, _: (found.step(state), None), state, length=7)[0].particles


@pytest.mark.full
@pytest.mark.usefixtures("x64", "standard_promotion")
def test_every_optimizer_takes_the_same_way():
    """To 1e-9."""

    def run(tx):
        last, infos = variational(tx)
        return last.mu, last.rho, infos.elbo, stein(tx)

    results = side_by_side(run, ["radam", "yogi"])
    for ours, theirs in results.values():
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-9), ours, theirs)
