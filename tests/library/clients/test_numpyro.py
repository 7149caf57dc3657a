"""NumPyro's stochastic variational inference, which takes an optax optimizer as it is or made its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.twins import side_by_side

numpyro = pytest.importorskip("numpyro", reason="NumPyro is not installed (group 'clients')")
infer = pytest.importorskip("numpyro.infer")
DATA = np.asarray([1.2, 0.7, 1.9, 1.1])


def model():
    mean = numpyro.sample("mean", numpyro.distributions.Normal(0, 1))
    numpyro.sample("y", numpyro.distributions.Normal(mean, 0.5).expand([4]).to_event(1), obs=DATA)


def guide():
    loc = numpyro.param("loc", jnp.zeros([]))
    scale = numpyro.param("scale", jnp.ones([]), constraint=numpyro.distributions.constraints.positive)
    numpyro.sample("mean", numpyro.distributions.Normal(loc, scale))


@pytest.mark.full
@pytest.mark.usefixtures("x64", "standard_promotion")
@pytest.mark.parametrize("made", [lambda tx: tx, numpyro.optim.optax_to_numpyro])
def test_every_optimizer_takes_the_same_way(made):
    """To 1e-9."""

    def run(tx):
        svi = infer.SVI(model, guide, made(tx), infer.Trace_ELBO())
        state = svi.init(jax.random.key(0))
        state, losses = jax.lax.scan(lambda state, _: svi.update(state), state, length=7)
        return svi.get_params(state), losses

    results = side_by_side(run, ["radam", "adamw"])
    for ours, theirs in results.values():
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-9), ours, theirs)
