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

        agreed = [u g > 0]                           u is what ``inner`` makes of the gradient g
        out    = u agreed / max(mean(agreed), floor)           one mean for each leaf

    Of a leaf that is divided over devices the mean is that of the whole leaf; inside ``shard_map`` it is that
    of the device's part. The floor is that of timm; the paper adds a small number to the mean.

    Args:
      inner: Transformation from gradients to a direction of ascent, before the learning rate, such as
        ``rx.scale_by_radam()``.
      floor: Least mean that the rest is divided by, dimensionless, in (0, 1]; what remains grows by at most
        its inverse. Default: 1e-3.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` with the state of ``inner``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``inner`` is a complete optimizer of this package, whose updates point the other way; or an
        argument is outside its domain.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer = optax.chain(rx.cautious(rx.scale_by_radam()), rx.scale_by_learning_rate(0.1))
      >>> state = optimizer.init(jnp.zeros(2))
      >>> for gradient in (jnp.array([1.0, -2.0]), jnp.array([1.0, 0.5])):
      ...     updates, state = optimizer.update(gradient, state)
      >>> print(np.asarray(updates).round(4))  # The momentum of the second element is still negative.
      [-0.2  0. ]

    References:
      Liang et al. (2024), Cautious Optimizers: Improving Training with One Line of Code, Algorithm 2.
      https://arxiv.org/abs/2411.16085
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
