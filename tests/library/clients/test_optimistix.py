"""Optimistix's minimisers, which take the closures of an optimizer apart and put their own in the place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.twins import TWINS, side_by_side

optimistix = pytest.importorskip("optimistix", reason="Optimistix is not installed (group 'clients')")
equinox = pytest.importorskip("equinox")
START = {"x": np.asarray([-1.0, 2.0]), "y": np.asarray(0.5)}
TARGET = np.asarray([1.0, 0.3])


def well(y, target):
    return jnp.sum(jnp.square(y["x"] - target)) + jnp.square(y["y"] ** 2 - target[0])


def minimise(tx, target=TARGET, wrap=lambda solver: solver, steps=40):
    solver = wrap(optimistix.OptaxMinimiser(tx, rtol=1e-6, atol=1e-6))
    return optimistix.minimise(well, solver, START, target, max_steps=steps, throw=False).value


def assert_same(results, rtol=1e-9):
    for ours, theirs in results.values():
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-9), ours, theirs)


@pytest.mark.full
@pytest.mark.usefixtures("x64", "standard_promotion")
def test_every_optimizer_takes_the_same_way():
    """The learning rate is an argument of the program."""
    assert_same(side_by_side(minimise, ["adam", "radam", "nadam", "adadelta"]))


@pytest.mark.full
@pytest.mark.usefixtures("x64", "standard_promotion")
def test_the_best_point_many_learning_rates_and_the_derivative_of_the_minimum():
    def everything(tx):
        best = minimise(tx, wrap=optimistix.BestSoFarMinimiser)
        slope = jax.jacobian(lambda target: minimise(tx, target)["x"])(TARGET)
        return best, slope

    assert_same(side_by_side(everything, ["radam"]))
    rates = jnp.asarray([0.03, 0.1])
    ours, theirs = (jax.jit(jax.vmap(lambda rate: minimise(f(rate))))(rates) for f in TWINS["radam"])  # noqa: B023
    assert_same({"radam": (ours, theirs)})


def test_a_solver_made_anew_is_the_same_program():
    traces = []

    @equinox.filter_jit
    def solve(solver):
        traces.append(None)
        return optimistix.minimise(well, solver, START, TARGET, max_steps=3, throw=False).value

    for rate in (0.1, 0.2):
        solve(optimistix.OptaxMinimiser(TWINS["radam"].ours(jnp.asarray(rate)), rtol=1e-6, atol=1e-6))
    assert len(traces) == 1
