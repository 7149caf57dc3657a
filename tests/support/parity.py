"""What optimizers of different frameworks are compared over: the gradients, and a distance of two paths."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

STEPS, SIZE = 1000, 6


def make_noise():
    """Of order 1, but: spikes of 100, a fall to 0.01, zeros for a while and at random, one constant sign."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(STEPS, SIZE))
    noise[:, 0] = np.abs(noise[:, 0])
    noise[[300, 650], ::2] *= 1e2
    noise[500:] *= 1e-2
    noise[:3, 1] = 0
    noise[700:750, 2] = 0
    noise[rng.random(noise.shape) < 0.03] = 0
    return noise.astype("float32").astype("float64")


NOISE = make_noise()


# Of the size of a network's weights: in float32 1000 roundings of numbers near 1 alone are 1e-5.
START = 0.1 * np.random.default_rng(1).normal(size=SIZE).astype("float32").astype("float64")


def follow(tx, dtype="float64", noise=NOISE, start=START):
    """The parameters after each step, in float64."""

    def step(carry, g):
        p, state = carry
        updates, state = tx.update(g, state, p)
        p = optax.apply_updates(p, updates)
        return (p, state), p

    with jax.enable_x64(dtype == "float64"):
        p, noise = jnp.asarray(start, dtype), jnp.asarray(noise, dtype)
        path = jax.jit(lambda p: jax.lax.scan(step, (p, tx.init(p)), noise)[1])(p)
        return np.asarray(path, "float64")


def distance(actual, expected):
    """At the worst step, relative to the largest value that a parameter takes on the way."""
    return (np.abs(actual - expected) / np.abs(expected).max(axis=0)).max()


def build(make, arguments):
    """In x64 mode, so that hyperparameters keep their last bit."""
    with jax.enable_x64(True):
        return make(**arguments)
