"""What a training log wants to know of an optimizer: pure functions of its state, however wrapped."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax

from radam_optax._core.leaves import map_leaves
from radam_optax._core.states import state_of
from radam_optax._rates import RectificationState


def rectification_stats(state: optax.OptState) -> dict[str, jax.Array]:
    """Where RAdam stands after its last update.

    Args:
      state: State of any optimizer that holds one :func:`scale_by_rectification`, however deep.

    Returns:
      A dictionary of arrays of shape (): "count", the updates so far (int32); "rho", the length of the moving
      average (dimensionless, 0 before the first update); "r", the rectifier in force (dimensionless, 0 to 1);
      "adaptive", whether rho has passed the threshold (bool). Up to there r is 0.

    Raises:
      ValueError: The state holds no rectification, or several; hand over a part of it then.

    Example:
      >>> import jax.numpy as jnp
      >>> import radam_optax as rx
      >>> optimizer, gradient = rx.radam(1e-3), jnp.array([1.0, -2.0])
      >>> _, state = optimizer.update(gradient, optimizer.init(gradient))
      >>> stats = rx.rectification_stats(state)
      >>> int(stats["count"]), round(float(stats["rho"]), 3), bool(stats["adaptive"])
      (1, 1.0, False)

    References:
      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond, section 4.
      https://arxiv.org/abs/1908.03265
    """
    found = state_of(RectificationState, state)
    return {
        "count": jnp.asarray(found.t),
        "rho": jnp.asarray(found.rho),
        "r": jnp.asarray(found.r),
        "adaptive": jnp.asarray(found.r).astype(bool),
    }


def step_count(state: optax.OptState) -> jax.Array:
    """The number of updates so far, where :func:`optax.tree.get` finds several counts.

    Args:
      state: State of any optimizer with a ``count`` in one of its links.

    Returns:
      The largest count, int32 of shape (): links that were held back (:func:`freeze_until`) have seen less.

    Raises:
      ValueError: No link counts its updates.

    Example:
      >>> import jax.numpy as jnp
      >>> import radam_optax as rx
      >>> optimizer, gradient = rx.adam(1e-3), jnp.array([1.0, -2.0])
      >>> _, state = optimizer.update(gradient, optimizer.init(gradient))
      >>> int(rx.step_count(state))
      1
    """
    counts = [
        jnp.asarray(value)
        for path, value in optax.tree.get_all_with_path(state, "count")
        if isinstance(path[-1], optax.tree_utils.NamedTupleKey)  # A parameter may be called "count", too.
    ]
    if not counts:
        raise ValueError("`state` holds no `count`: none of its links counts its updates.")
    return jnp.stack(counts).max(axis=0)


def effective_rate(updates: optax.Updates, gradients: optax.Updates) -> jax.Array:
    """The learning rate in effect: root mean square of the updates over that of the gradients.

    ::

        rms(updates) / rms(gradients)                over all leaves

    SGD gives its learning rate; an adaptive method gives what SGD would need for steps as large.

    Args:
      updates: Updates that ``update`` returned.
      gradients: Gradients that it was given, a tree of the same structure.

    Returns:
      An array of shape (), in units of updates per gradient; 0 if all gradients are 0.

    Raises:
      ValueError: The trees do not match.

    Example:
      >>> import jax.numpy as jnp
      >>> import radam_optax as rx
      >>> optimizer, gradient = rx.sgd(0.1), jnp.array([1.0, -2.0])
      >>> updates, _ = optimizer.update(gradient, optimizer.init(gradient))
      >>> round(float(rx.effective_rate(updates, gradient)), 4)
      0.1
    """
    of_updates = _norm(map_leaves(_magnitude, (updates, gradients)))
    of_gradients = _norm(map_leaves(_magnitude, (gradients, updates)))
    return jnp.where(of_gradients == 0, 0, of_updates / jnp.where(of_gradients == 0, 1, of_gradients))


def _magnitude(x, _):
    return jnp.abs(x)


def _norm(magnitudes: Any) -> jax.Array:
    """The Euclidean norm of a tree, relative to the largest element: squares neither over- nor underflow."""
    leaves = [x.astype(jnp.result_type(float)) for x in jax.tree.leaves(magnitudes) if x.size]
    largest = functools.reduce(jnp.maximum, map(jnp.max, leaves), jnp.zeros([], jnp.result_type(float)))
    scale = jnp.where(largest == 0, 1, largest)
    return largest * jnp.sqrt(sum(jnp.sum((x / scale) ** 2) for x in leaves))
