"""What a training log wants to know of an optimizer: pure functions of its state, however wrapped."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from radam_optax._rates import RectificationState
from radam_optax._tree import abs_sq, map_leaves


def rectification_stats(state: optax.OptState) -> dict[str, jax.Array]:
    """Where RAdam stands after its last update.

    Args:
      state: the state of any optimizer that holds one :func:`scale_by_rectification`.

    Returns:
      Arrays of shape (): "count", the updates so far (int32); "rho", the length of the moving average
      (dimensionless; 0 before the first update); "r", the rectifier (dimensionless, 0 to 1);
      "adaptive", whether rho has passed the threshold, so that r is in force (bool).

    Raises:
      ValueError: the state holds no rectification, or several (hand over a part of it then).
    """
    leaves = jax.tree.leaves(state, is_leaf=lambda x: isinstance(x, RectificationState))
    found = [leaf for leaf in leaves if isinstance(leaf, RectificationState)]
    if len(found) != 1:
        raise ValueError(f"`state` must hold one state of `scale_by_rectification`; it holds {len(found)}.")
    return {name: jnp.asarray(value) for name, value in found[0]._asdict().items()}


def step_count(state: optax.OptState) -> jax.Array:
    """The number of updates so far, int32, where :func:`optax.tree.get` finds several counts.

    Args:
      state: the state of any optimizer with a ``count`` in one of its links.

    Returns:
      The largest count: links that were held back (:func:`freeze_until`) have seen less.

    Raises:
      ValueError: no link counts its updates.
    """
    counts = [value for _, value in optax.tree.get_all_with_path(state, "count")]
    if not counts:
        raise ValueError("`state` holds no `count`: none of its links counts its updates.")
    return jnp.stack([jnp.asarray(c) for c in counts]).max(axis=0)


def effective_rate(updates: optax.Updates, gradients: optax.Updates) -> jax.Array:
    """The learning rate in effect: root mean square of the updates over that of the gradients.

    SGD gives its learning rate; an adaptive method gives what SGD would need for steps as large.

    Args:
      updates: what ``update`` returned.
      gradients: what it was given, a tree of the same structure.

    Returns:
      Shape (), in units of updates per gradient; 0 if all gradients are 0.
    """
    of_updates, of_gradients = _power(updates), _power(gradients)
    ratio = of_updates / jnp.where(of_gradients == 0, 1, of_gradients)
    return jnp.where(of_gradients == 0, 0, jnp.sqrt(ratio))


def _power(tree: Any) -> jax.Array:
    total = jnp.zeros([], jnp.result_type(float))
    for squares in jax.tree.leaves(map_leaves(abs_sq, (tree,))):
        total += jnp.sum(squares).astype(total.dtype)
    return total
