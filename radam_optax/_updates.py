"""Links that act on finished updates: heavy-ball momentum, weight decay, the learning rate.

optax has these. Here they keep its arguments and states, but hold the dtype of state and updates when
gradients, parameters and traced hyperparameters differ in theirs, and work under strict dtype
promotion, where optax's let the dtype drift or raise.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from radam_optax._core.calls import validated
from radam_optax._core.chains import masked
from radam_optax._core.domains import AnyDType, FixedDecay, Flag, LearningRate, Mask, NonNegative, Rate, Share
from radam_optax._core.leaves import abs_sq, agree, map_leaves, root, times
from radam_optax._core.states import check_params, expect, full_like
from radam_optax._core.values import Scalar, ScalarOrSchedule, is_static, scheduled


@validated
def trace(
    decay: Share, nesterov: Flag = False, accumulator_dtype: AnyDType = None
) -> optax.GradientTransformation:
    """Heavy-ball or Nesterov momentum of finished updates.

    ::

        trace_t = g + decay trace_{t-1}
        out     = trace_t                            nesterov: g + decay trace_t

    As optax's, but the dtype of state and updates stays when gradients, parameters and traced hyperparameters
    differ in theirs, and it works under strict dtype promotion.

    Args:
      decay: Weight of the past in the momentum, dimensionless, in [0, 1].
      nesterov: Whether the momentum is looked at one step ahead, ``g + momentum * v`` with the new v.
        Default: False.
      accumulator_dtype: Dtype of the momentum, floating or complex. None: that of the parameter, be it one of
        16 bits, as in optax. Default: None.

    Returns:
      An :class:`optax.GradientTransformation`. What comes out is the momentum, in the dtype of the updates.
      Its state is :class:`optax.TraceState`, with ``trace``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.trace(0.9), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> for _ in range(2):
      ...     out, state = link.update(gradient, state)
      >>> print(np.asarray(out).round(4))
      [ 1.9 -3.8]

    References:
      Polyak (1964), Some methods of speeding up the convergence of iteration methods.
      https://doi.org/10.1016/0041-5553(64)90137-5

      Sutskever et al. (2013), On the importance of initialization and momentum in deep learning, eq. 1.
      https://proceedings.mlr.press/v28/sutskever13.html
    """

    def init(params):
        # optax's trace has the parameter's dtype, even one of 16 bits; moments here have not.
        return optax.TraceState(full_like(params, 0.0, accumulator_dtype, keep_dtype=True))

    def update(updates, state, params=None):
        expect(optax.TraceState, state)
        kernel = _look_ahead if nesterov else _accumulate  # optax's argument, so the choice has to be here.
        inputs, states = (updates,), (state.trace,)
        updates, new = map_leaves(kernel, inputs, states, (decay,), like=updates, at_least=params)
        return updates, optax.TraceState(new)

    return optax.GradientTransformation(init, update)


def _accumulate(g, trace, decay):
    trace = g + times(trace, decay)
    return trace, trace


def _look_ahead(g, trace, decay):
    trace = g + times(trace, decay)
    return g + times(trace, decay), trace


class ScaleByPastUpdatesState(NamedTuple):
    """State of AdaDelta's numerator, the last link of :func:`scale_by_adadelta`.

    Attributes:
      e_x: Average of the squared updates, in update units squared; a tree like the parameters, real.
    """

    e_x: optax.Updates


@validated
def scale_by_past_updates(decay: FixedDecay, eps: NonNegative) -> optax.GradientTransformation:
    """Multiplies by the root mean square of its own past outputs: AdaDelta's numerator.

    ::

        out_t = sqrt(e_x_{t-1} + eps) u_t,    e_x_t = decay e_x_{t-1} + (1 - decay) |out_t|^2

    Args:
      decay: dimensionless, in [0, 1).
      eps: in units of updates squared, >= 0; what the first steps live from: with 0 there are none.

    Source: Zeiler (2012), Algorithm 1.
    """

    def init(params):
        return ScaleByPastUpdatesState(full_like(params, real=True))

    def update(updates, state, params=None):
        expect(ScaleByPastUpdatesState, state)
        inputs, scalars = (updates,), (decay, 1 - decay, eps)
        updates, e_x = map_leaves(_match_past, inputs, (state.e_x,), scalars, like=updates, at_least=params)
        return updates, ScaleByPastUpdatesState(e_x)

    return optax.GradientTransformation(init, update)


def _match_past(u, e_x, old, new, eps):
    u = times(u, root(e_x + eps))
    e_x = old * e_x + new * abs_sq(u)
    # Says only that u is NaN where its square is. TPU compilers make one loop of results that the
    # update is computed from, but a second one, and copies, of any other.
    return jax.lax.select(e_x == e_x, u, jax.lax.full_like(u, jnp.nan)), e_x


@validated
def add_decayed_weights(
    weight_decay: Rate = 0.0, mask: Mask | None = None, *, cautious: Flag = False
) -> optax.GradientTransformation:
    """Adds a share of the parameters to the updates: before the learning rate, decoupled weight decay.

    ::

        out = u + weight_decay p                     cautious: only where u p > 0

    As optax's, but the dtype of updates stays when parameters and traced hyperparameters differ from theirs,
    and it works under strict dtype promotion.

    Args:
      weight_decay: Share of the parameters that is added to the updates, dimensionless, >= 0; a number, a
        schedule of the count of past updates, or an array that broadcasts against the parameters. A Python 0
        is the identity and needs no parameters. Default: 0.0.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
      cautious: Whether only elements whose update and parameter have one sign decay: those that the update
        takes towards 0 anyway. Of complex ones the real part of ``conj(update) * params`` decides.
        Default: False.

    Returns:
      An :class:`optax.GradientTransformation`. Its state has ``count`` if ``weight_decay`` is a schedule;
      that of :func:`optax.masked` is around it if there is a ``mask``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``; or an argument is outside its domain, or updates do
        not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, params = rx.add_decayed_weights(0.1), jnp.array([1.0, -2.0])
      >>> out, _ = link.update(jnp.zeros(2), link.init(params), params)
      >>> print(np.asarray(out).round(4))
      [ 0.1 -0.2]

    References:
      Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization, Algorithm 2.
      https://arxiv.org/abs/1711.05101

      Chen et al. (2025), Cautious Weight Decay. https://arxiv.org/abs/2510.12402
    """

    def init(params):
        return _start(weight_decay, params)

    def update(updates, state, params=None):
        # Recipes without decay need no parameters, as in optax; a traced 0 may be another number tomorrow.
        if is_static(weight_decay) and weight_decay == 0:
            return updates, state
        inputs = (updates, _needed(params))
        kernel, scalars = _add_where_agreed if cautious else _add, (_now(weight_decay, state),)
        updates = map_leaves(kernel, inputs, (), scalars, like=updates, at_least=params)
        return updates, _next(weight_decay, state)

    link = optax.GradientTransformation(init, update)
    return link if mask is None else masked(link, mask)


def _add(u, p, weight_decay):
    return u + times(p, weight_decay)


def _add_where_agreed(u, p, weight_decay):
    return u + jnp.where(agree(u, p), times(p, weight_decay), 0)


def scale_params(factor: ScalarOrSchedule) -> optax.GradientTransformation:
    """Moves the parameters to ``factor p`` besides the update; it belongs behind the learning rate.

    Factor and product are rounded to the precision of p: for a factor of 1 - 1e-6 that is 3 % of the
    change in float32, always to the same side, and so a part of what a framework does that multiplies.

    Args:
      factor: dimensionless, or a schedule of the count of past updates. A Python 1 is the identity.

    Raises:
      ValueError: ``update`` is called without ``params``.
    """
    if is_static(factor) and factor == 1:
        return optax.identity()

    def init(params):
        return _start(factor, params)

    def update(updates, state, params=None):
        inputs, scalars = (updates, _needed(params)), (_now(factor, state),)
        updates = map_leaves(_scaled, inputs, (), scalars, like=updates, at_least=params)
        return updates, _next(factor, state)

    return optax.GradientTransformation(init, update)


def _scaled(u, p, factor):
    # The choice keeps the compiler from making one rounding of the product and the difference.
    return u + (jax.lax.select(p == 0, p, times(p, factor)) - p)


def _needed(params: Any) -> Any:
    if params is None:
        raise ValueError("Weight decay needs `params`: call `update(updates, state, params)`.")
    return params


@validated
def scale_by_learning_rate(
    learning_rate: LearningRate = None, flip_sign: Flag = True
) -> optax.GradientTransformation:
    """Multiplies by minus the learning rate: from a direction of ascent to a step of descent.

    ::

        out = -learning_rate u                       flip_sign=False: learning_rate u

    As optax's, but the dtype of updates stays when a traced learning rate has another, and None is the
    identity.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted. Default: None.
      flip_sign: Whether the sign is changed. Default: True.

    Returns:
      An :class:`optax.GradientTransformation`. Its state has ``count`` if ``learning_rate`` is a schedule.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_learning_rate(0.1), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> out, state = link.update(gradient, state)
      >>> print(np.asarray(out).round(4))
      [-0.1  0.2]
    """
    if learning_rate is None:
        return optax.identity()
    if not flip_sign:
        return scale(learning_rate)
    if callable(learning_rate):
        return scale(lambda count: -scheduled(learning_rate, count, factor=True))
    return scale(-learning_rate)


def scale(factor: ScalarOrSchedule) -> optax.GradientTransformation:
    """Multiplies by ``factor``, a number or a schedule of the count of past updates."""

    def init(params):
        return _start(factor, params)

    def update(updates, state, params=None):
        scalars = (_now(factor, state),)
        updates = map_leaves(times, (updates,), (), scalars, like=updates, at_least=params)
        return updates, _next(factor, state)

    return optax.GradientTransformation(init, update)


def _start(value: ScalarOrSchedule, params: optax.Params) -> optax.OptState:
    check_params(params)
    return optax.ScaleByScheduleState(jnp.zeros([], jnp.int32)) if callable(value) else optax.EmptyState()


def _now(value: ScalarOrSchedule, state: Any) -> Scalar:
    expect(optax.ScaleByScheduleState if callable(value) else optax.EmptyState, state)
    return scheduled(value, state.count, factor=True) if callable(value) else value


def _next(value: ScalarOrSchedule, state: Any) -> optax.OptState:
    return optax.ScaleByScheduleState(optax.safe_increment(state.count)) if callable(value) else state
