"""Updates that do not act against the gradient."""

from __future__ import annotations

import jax.numpy as jnp
import optax

from radam_optax._core.calls import check_direction, validated
from radam_optax._core.domains import Forgetting, Link
from radam_optax._core.leaves import agree, map_leaves, times
from radam_optax._core.values import Optimizer


@validated
def cautious(inner: Link, *, floor: Forgetting = 1e-3) -> Optimizer:
    """Leaves out what has another sign than the gradient, and makes up for it in the size of the rest.

    ::

        u * [u g > 0] / max(mean of [u g > 0], floor)          the mean is that of a leaf

    Its state is that of ``inner``. The mean is one over all devices that a leaf is divided over; inside
    ``shard_map`` it is that of the device's part.

    Args:
      inner: from gradients to a direction of ascent, before the learning rate, as any ``scale_by_*``::

          optax.chain(rx.cautious(rx.scale_by_radam()), rx.scale_by_learning_rate(1e-3))

      floor: the least mean, dimensionless, in (0, 1]; it bounds how much what remains can grow.

    Raises:
      ValueError: ``inner`` is a complete optimizer of this package, whose updates point the other way.

    Source: Liang et al. (2024), Algorithm 2; the floor is that of timm.
    """
    check_direction("cautious", "inner", inner)
    inner = optax.with_extra_args_support(inner)

    def update(updates, state, params=None, **extra_args):
        found, state = inner.update(updates, state, params, **extra_args)
        return map_leaves(_where_agreed, (found, updates), (), (floor,), like=found), state

    return optax.GradientTransformationExtraArgs(inner.init, update)


def _where_agreed(u, g, floor):
    agreed = agree(u, g)
    mean = jnp.sum(agreed, dtype=floor.dtype) / max(1, u.size)
    # A product, which a NaN does not disappear in.
    return times(u, jnp.where(agreed, 1 / jnp.maximum(mean, floor), 0))
