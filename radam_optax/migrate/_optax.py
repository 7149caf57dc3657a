"""Moves of state from and to optax, and to the same optimizer with other arguments."""

from typing import Any

import jax
import optax

from radam_optax._core.calls import call_of
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
      state: that of optax's sgd, adagrad, rmsprop, adam, adamw, nadam, amsgrad, radam, adabelief, yogi,
        adamax, lion, of contrib's acprop, ademamix, adopt, schedule_free, or of a composition of its links.
        optax's states do not say which hyperparameters they were made with, nor Adam from RAdam:
        ``optimizer`` must be the same function with the same arguments. optax's schedule_free weighs its
        average by a later step of a schedule: there the two are the same once the warmup is over.

    Raises:
      ValueError: the states hold different statistics, or are of different parameters; or
        ``optimizer`` keeps its statistics in another sense than optax (AMSGrad's maximum of the
        raw second moment), or is still within its ``warmup_steps``, which optax counts otherwise.
      TypeError: dtypes do not fit.
    """
    moved = _between(state, params, optimizer, count)
    _check_warmup(moved, optimizer)
    return moved


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


def hand_over(
    state: optax.OptState,
    params: Any,
    optimizer: optax.GradientTransformation,
    *,
    count: int | None = None,
) -> optax.OptState:
    """The state of ``optimizer`` that goes on where the same function with other arguments stopped.

    A constant learning rate becomes a schedule, which goes on from the number of updates so far::

        state = migrate.hand_over(state, params, rx.adam(schedule))

    or a schedule a constant; a weight decay comes or goes. What is to be saved from then on is the
    state of ``optimizer``, with ``Checkpoints(folder, optimizer)``.

    Args:
      state: that of the same function of this package, or of a composition of the same links. It does
        not say which arguments it was made with: that they may change is believed.

    Raises:
      ValueError: the states hold different statistics, or keep one in different senses, or are of
        different parameters.
      TypeError: dtypes do not fit.
    """
    return _between(state, params, optimizer, count)


def _between(state: Any, params: Any, optimizer: Any, count: int | None) -> Any:
    statistics = _statistics.read(state)
    raw = _corrects_maximum(state)
    if "nu_max" in statistics.trees and raw != _corrects_maximum(jax.eval_shape(optimizer.init, params)):
        has, wanted, fitting = "corrected", "raw", "before_max"
        if raw:
            has, wanted, fitting = "raw", "corrected", "after_max"
        raise ValueError(
            f"The given state has AMSGrad's maximum of the {has} second moment, {optimizer!r} that of the "
            f"{wanted} one: go on with this package's amsgrad(bias_correction={fitting!r})."
        )
    known = _statistics.known_count(statistics.count, count)
    return _statistics.write(statistics._replace(count=known), params, optimizer)


def _check_warmup(state: Any, optimizer: Any) -> None:
    call = call_of(optimizer)
    steps = call.arguments.get("warmup_steps") if call else None
    if steps is not None and (count := _statistics.read(state).count or 0) < steps:
        raise ValueError(
            f"The state is of update {count} of the {steps} of a warmup, which optax begins a step later "
            f"than {optimizer!r}: move it when the warmup is over."
        )


def _corrects_maximum(state: Any) -> bool:
    """Whether the correction for bias comes after AMSGrad's maximum, which is that of the raw moment then."""

    def is_debias(x: Any) -> bool:
        return isinstance(x, DebiasState)

    return any(is_debias(part) for part in jax.tree.leaves(state, is_leaf=is_debias))
