"""Moves of state from and to optax, and to the same optimizer with other arguments."""

from __future__ import annotations

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
    """Moves a state of optax's function into that of this package's function of the same name.

    The next update is that of optax's optimizer. optax's states do not say which hyperparameters they were
    made with, nor Adam from RAdam: ``optimizer`` must be the same function with the same arguments.

    It takes states of optax's sgd, adagrad, rmsprop, adam, adamw, nadam, amsgrad, radam, adabelief, yogi,
    adamax, lion, of contrib's acprop, ademamix, adopt, schedule_free, and of compositions of their links.
    optax's schedule_free weighs its average by a later step of a schedule: there the two are the same once
    the warmup is over.

    Args:
      state: State of optax's optimizer, as its ``update`` returned it.
      params: Parameters that the state is of, in the same containers.
      optimizer: Optimizer of this package to go on with.
      count: Number of updates so far where the state does not hold it, as of SGD, AdaGrad and RMSProp at a
        constant learning rate, and ``optimizer`` counts, as a schedule does; a whole number >= 0. None: the
        number that the state holds. Default: None.

    Returns:
      A state of ``optimizer``.

    Raises:
      ValueError: The states hold different statistics, or are of different parameters; or
        ``optimizer`` keeps its statistics in another sense than optax (AMSGrad's maximum of the
        raw second moment), or is still within its ``warmup_steps``, which optax counts otherwise; or
        ``count`` is missing, or is not what the state holds.
      TypeError: A dtype does not fit into the one that is kept here.

    Example:
      >>> import jax.numpy as jnp
      >>> import optax
      >>> import radam_optax as rx
      >>> params, theirs = jnp.ones(2), optax.radam(1e-3)
      >>> _, state = theirs.update(jnp.ones(2), theirs.init(params), params)
      >>> state = rx.migrate.from_optax(state, params, rx.radam(1e-3))
      >>> int(optax.tree.get(state, "count"))
      1
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
    """Moves a state of this package's function into that of optax's function of the same name.

    The next update is that of this package's optimizer, to within optax's rounding. States do not say which
    hyperparameters they were made with: ``optimizer`` must be the same function with the same arguments.

    Args:
      state: State of an optimizer of this package, as its ``update`` returned it.
      params: Parameters that the state is of, in the same containers.
      optimizer: Optimizer of optax to go on with.
      count: Number of updates so far where the state does not hold it, as of SGD, AdaGrad and RMSProp at a
        constant learning rate, and ``optimizer`` counts, as a schedule does; a whole number >= 0. None: the
        number that the state holds. Default: None.

    Returns:
      A state of ``optimizer``.

    Raises:
      ValueError: The states hold different statistics, or are of different parameters; or the state
        holds its statistics in another sense than optax (AMSGrad's maximum of the raw second moment); or
        ``count`` is missing, or is not what the state holds.
      TypeError: A dtype does not fit into the one that optax keeps.

    Example:
      >>> import jax.numpy as jnp
      >>> import optax
      >>> import radam_optax as rx
      >>> params, ours = jnp.ones(2), rx.adam(1e-3)
      >>> _, state = ours.update(jnp.ones(2), ours.init(params), params)
      >>> state = rx.migrate.to_optax(state, params, optax.adam(1e-3))
      >>> type(state[0]).__name__, int(state[0].count)
      ('ScaleByAdamState', 1)
    """
    return _between(state, params, optimizer, count)


def hand_over(
    state: optax.OptState,
    params: Any,
    optimizer: optax.GradientTransformation,
    *,
    count: int | None = None,
) -> optax.OptState:
    """Moves a state into that of the same function with other arguments.

    A constant learning rate becomes a schedule, which goes on from the number of updates so far, or a
    schedule a constant; a weight decay comes or goes. The state does not say which arguments it was made
    with: that they may change is believed. What is to be saved from then on is the state of ``optimizer``.

    Args:
      state: State of the same function of this package, or of a composition of the same links.
      params: Parameters that the state is of, in the same containers.
      optimizer: Optimizer of this package to go on with.
      count: Number of updates so far where the state does not hold it, as of SGD, AdaGrad and RMSProp at a
        constant learning rate, and ``optimizer`` counts, as a schedule does; a whole number >= 0. None: the
        number that the state holds. Default: None.

    Returns:
      A state of ``optimizer``.

    Raises:
      ValueError: The states hold different statistics, or keep one in different senses, or are of
        different parameters; or ``count`` is missing, or is not what the state holds.
      TypeError: A dtype does not fit into the one that is kept in the new state.

    Example:
      >>> import jax.numpy as jnp
      >>> import optax
      >>> import radam_optax as rx
      >>> params, before = jnp.ones(2), rx.adam(1e-3)
      >>> _, state = before.update(jnp.ones(2), before.init(params), params)
      >>> after = rx.adam(optax.cosine_decay_schedule(1e-3, 1000))
      >>> state = rx.migrate.hand_over(state, params, after)
      >>> updates, state = after.update(jnp.ones(2), state, params)
      >>> int(state[-1].count)  # Of the schedule: it goes on, and does not begin again.
      2
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
