"""JAXopt's OptaxSolver: whole runs, their implicit derivatives, and single steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.twins import side_by_side

jaxopt = pytest.importorskip("jaxopt", reason="JAXopt is not installed (group 'clients')")
MATRIX = np.random.default_rng(0).normal(size=(5, 3))


def ridge(params, strength):
    return jnp.mean(jnp.square(MATRIX @ params["w"] - 1)) + strength * jnp.sum(jnp.square(params["w"]))


@pytest.mark.full
@pytest.mark.usefixtures("x64", "standard_promotion")
def test_every_optimizer_takes_the_same_way():
    """To 1e-9."""
    start = {"w": jnp.zeros(3)}

    def run(tx):
        def solve(strength):
            solver = jaxopt.OptaxSolver(ridge, tx, maxiter=20, tol=1e-6, implicit_diff=True)
            return solver.run(start, strength).params["w"]

        return jax.value_and_grad(lambda strength: solve(strength).sum())(0.1)

    results = side_by_side(run, ["radam", "nadam"])
    for ours, theirs in results.values():
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-9), ours, theirs)
