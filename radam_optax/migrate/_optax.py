"""Moves of state, from and to optax."""

from typing import Any

import jax
import optax

from radam_optax._moments import DebiasState
from radam_optax.migrate import _statistics


def from_optax(
    state: optax.OptState,
    params: Any,
    optimizer: optax.GradientTransformation,
    *,
    count: int | None = None,
) -> optax.OptState:
    """The state of ``optimizer`` of this package that goes on where optax's function of its name stopped.

    Args:
      state: that of optax's sgd, adagrad, rmsprop, adam, adamw, nadam, amsgrad, radam or of a
        composition of its links. optax's states do not say which hyperparameters they were made with,
        nor Adam from RAdam: ``optimizer`` must be the same function with the same arguments.

    Raises:
      ValueError: the states hold different statistics, or are of different parameters; or
        ``optimizer`` keeps its statistics in another sense than optax (AMSGrad's maximum of the
        corrected second moment).
      TypeError: dtypes do not fit.
    """
    return _between(state, params, optimizer, count)


def to_optax(
    state: optax.OptState,
    params: Any,
    optimizer: optax.GradientTransformation,
    *,
    count: int | None = None,
) -> optax.OptState:
    """The state of optax's ``optimizer`` that goes on where this package's function of its name stopped.

    Args and errors: those of :func:`from_optax`, the other way round.
    """
    return _between(state, params, optimizer, count)


def _between(state: Any, params: Any, optimizer: Any, count: int | None) -> Any:
    statistics = _statistics.read(state)
    if "nu_max" in statistics.trees:
        for side in (state, jax.eval_shape(optimizer.init, params)):
            if any(isinstance(part, DebiasState) for part in jax.tree.leaves(side, is_leaf=_is_debias)):
                raise ValueError(
                    "optax's AMSGrad takes the maximum of the corrected second moment, this state or "
                    "optimizer that of the raw one: use amsgrad(bias_correction='before_max'), its default."
                )
    known = _statistics.known_count(statistics.count, count)
    return _statistics.write(statistics._replace(count=known), params, optimizer)


def _is_debias(x: Any) -> bool:
    return isinstance(x, DebiasState)
