"""One optimizer's training step in JAX, as it is compiled everywhere in the benchmarks."""

from typing import Any

import jax
import optax


def compiled_step(tx: optax.GradientTransformation, params: Any, state: Any, gradients: Any) -> Any:
    """``params, state = step(params, state, gradients)``, compiled; the old ones are overwritten.

    JAX matches donated arguments to results by shape and in order: were they taken in another order
    than they are returned in, every leaf would be copied.

    Args:
      tx: the optimizer.
      params, state, gradients: arrays, or their shapes (:class:`jax.ShapeDtypeStruct`).
    """
    return jitted_step(tx).lower(params, state, gradients).compile()


def jitted_step(tx: optax.GradientTransformation) -> Any:
    """What :func:`compiled_step` compiles."""

    def step(params, state, gradients):
        updates, state = tx.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    return jax.jit(step, donate_argnums=(0, 1))


def nbytes(tree: Any) -> int:
    """Of all arrays, or shapes, in a tree."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
