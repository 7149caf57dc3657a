"""Derivatives through many steps of an optimizer: with respect to gradients, learning rate, b1 and b2."""

import functools
import inspect
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from tests.support.forms import in_forms
from tests.support.recipes import CATALOGUE, GROUPS, RECIPES, build, some_groups

STEPS, SIZE = 12, 3
HYPERPARAMETERS = {"learning_rate": 0.1, "b1": 0.9, "b2": 0.99, "decay": 0.99}


def inputs(name, scale=1.0, *, steps=STEPS, **changes):
    """All that there is to differentiate by; a scale of 0 makes all gradients exactly zero."""
    names = inspect.signature(RECIPES[name]).parameters
    chosen = {n: v for n, v in (HYPERPARAMETERS | changes).items() if n in names}
    gradients = scale * np.random.default_rng(0).normal(size=(steps, SIZE))
    return {n: jnp.asarray(v, float) for n, v in {"gradients": gradients, **chosen}.items()}


def unrolled(name, x, count=0):
    """The parameters after all gradients, the first of which is that of step count + 1."""
    tx = build(name, **{n: v for n, v in x.items() if n != "gradients"})
    params = jnp.linspace(-0.5, 1.0, SIZE)
    state = tx.init(params)
    if optax.tree.get_all_with_path(state, "count"):
        state = optax.tree.set(state, count=count)

    def step(carry, g):
        params, state = carry
        updates, state = tx.update(g, state, params)
        return (params + updates, state), None

    return jax.lax.scan(step, (params, state), x["gradients"])[0][0]


def loss(name, x, count=0):
    return jnp.sum(unrolled(name, x, count) * jnp.arange(1.0, SIZE + 1))


def both_modes(name, x, count):
    """The reverse-mode derivative of the loss and the forward-mode derivative of the parameters."""
    of_params = jax.jacfwd(functools.partial(unrolled, name))
    return jax.grad(functools.partial(loss, name))(x, count), of_params(x, count)


@some_groups
def test_derivatives_are_finite(group):
    """Random gradients and zeros, with momentum and b1 = 0, from the first step and late in a run."""
    derivatives = jax.jit(lambda xs, count: {name: both_modes(name, x, count) for name, x in xs.items()})
    for case in itertools.product((1.0, 0.0), (0.9, 0.0), (0, 10_000)):
        scale, b1, count = case
        xs = {name: inputs(name, scale, b1=b1) for name in GROUPS[group] if name in CATALOGUE}
        for name, (reverse, forward) in derivatives(xs, jnp.asarray(count)).items():
            weights = np.arange(1, SIZE + 1)
            for argument in xs[name]:
                assert jnp.isfinite(reverse[argument]).all(), (name, *case, argument)
                assert jnp.isfinite(forward[argument]).all(), (name, *case, argument)
                forward_64 = np.asarray(forward[argument], "float64")
                contracted = np.tensordot(weights, forward_64, 1)
                # What is added up may cancel, and its rounding does not: by AdaBound's learning rate, where
                # all step sizes are at their bounds, the derivative is 0.
                size = max(np.tensordot(weights, np.abs(forward_64), 1).max(), 1e-3)
                np.testing.assert_allclose(
                    reverse[argument], contracted, rtol=1e-3, atol=1e-3 * size, err_msg=name
                )


@pytest.mark.parametrize(
    "name",
    in_forms(["adam", "nadam", "amsgrad", "amsgrad_after_max", "radam", "radam_exact"], ["amsgrad", "radam"]),
)
def test_derivatives_are_those_of_finite_differences(name, x64):
    """By all arguments at b1 = 0.9; at b1 = 0 by b1, from the right."""
    x, restore = ravel_pytree(inputs(name))
    h, h_b1 = 1e-6, 1e-5
    near_x = [x + sign * h * jnp.eye(x.size)[i] for sign in (1, -1) for i in range(x.size)]
    from_0 = [ravel_pytree(inputs(name, b1=b1))[0] for b1 in (0.0, h_b1, 2 * h_b1)]

    def function(flat):
        return loss(name, restore(flat))

    @jax.jit
    def values(points, places):
        return jax.vmap(function)(points), jax.vmap(jax.grad(function))(places)

    losses, (at_x, at_0) = values(jnp.stack(near_x + from_0), jnp.stack([x, from_0[0]]))
    up, down, (of_0, of_h, of_2h) = jnp.split(losses, [x.size, 2 * x.size])
    np.testing.assert_allclose(at_x, (up - down) / (2 * h), rtol=1e-5, atol=1e-8)
    difference = (-3 * of_0 + 4 * of_h - of_2h) / (2 * h_b1)
    np.testing.assert_allclose(restore(at_0)["b1"], difference, rtol=1e-5)


def test_second_derivatives_are_finite():
    """By all arguments, over steps on both sides of the threshold, at zero gradients as well."""
    _, restore = ravel_pytree(inputs("radam", steps=8))
    hessian = jax.jit(jax.hessian(lambda flat: loss("radam", restore(flat))))
    for scale in (1.0, 0.0):
        second = hessian(ravel_pytree(inputs("radam", scale, steps=8))[0])
        assert jnp.isfinite(second).all(), scale
        assert (second != 0).any()
