"""Faults for a training loop to survive, at steps that are drawn from the seed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

NONE, NAN, INF, SPIKE, OVERFLOW = range(5)
KINDS = ("none", "NaN in one leaf", "inf in one leaf", "gradient x 10,000", "overflow in float16")
ONE_IN = 50  # Steps per fault of a kind.


def draw(seed: int, steps: int, float16: bool) -> np.ndarray:
    """The fault of each step, int32 of shape (steps,); a longer run begins with those of a shorter one."""
    kinds = np.random.default_rng((seed, ONE_IN)).integers(ONE_IN, size=steps, dtype=np.int32)
    return np.where(kinds < (len(KINDS) if float16 else OVERFLOW), kinds, NONE)


def spoil_images(fault: jax.Array, images: jax.Array) -> jax.Array:
    """The images, or for OVERFLOW such that their range is beyond float16's, 65504."""
    return jnp.where(fault == OVERFLOW, 1e6, 1.0) * images


def spoil_gradients(fault: jax.Array, gradients: Any) -> Any:
    """The gradients: the first element of the first leaf is NaN or inf, or all are 10,000 times too large."""
    first, *others = jax.tree.leaves(gradients)
    value = jnp.select([fault == NAN, fault == INF], [jnp.nan, jnp.inf], first.ravel()[0])
    spoilt = jax.tree.unflatten(
        jax.tree.structure(gradients), [first.at[(0,) * first.ndim].set(value), *others]
    )
    return jax.tree.map(lambda g: jnp.where(fault == SPIKE, 1e4, 1.0) * g, spoilt)
