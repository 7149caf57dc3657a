"""Links that turn gradients into statistics: moving averages, sums, running maxima.

A first moment serves as the ``momentum`` of :func:`scale_by_adaptive_rate`, a second moment starts
its ``rate``. Statistics flow in at least float32, whatever the dtype of the gradients, and a state's dtype
stays as it is from ``init`` on.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from radam_optax import _clock
from radam_optax._clock import Clock
from radam_optax._core.calls import handed, validated
from radam_optax._core.domains import (
    AnyDType,
    Decay,
    FixedDecay,
    Flag,
    Forgetting,
    Link,
    NonNegative,
    Real,
    RealDType,
)
from radam_optax._core.leaves import abs_sq, averaged, map_leaves, times
from radam_optax._core.states import expect, full_like
from radam_optax._core.values import Optimizer, value_at


class FirstMomentState(NamedTuple):
    """State of :func:`first_moment` and :func:`nesterov_moment`.

    Attributes:
      clock: How many updates the link has seen. ``()``: nothing depends on it, or the link around this one
        has the clock.
      elapsed: Sum of ``-log(b)`` over the decays b of the updates so far, shape (), float32 (float64 in x64
        mode). ``()``: the decay is constant, or nothing is corrected.
      mu: Average of the gradients, in gradient units; a tree like the parameters.
    """

    clock: Clock | tuple[()]
    elapsed: jax.Array | tuple[()]
    mu: optax.Updates

    @property
    def count(self) -> jax.Array:
        """Number of updates that the link has seen, shape (), int32."""
        return _clock.count_of(self)


@validated
def first_moment(
    b1: Decay,
    *,
    debias: Flag = True,
    initial: Real = 0.0,
    delayed: Real | None = None,
    dtype: AnyDType = None,
) -> optax.GradientTransformation:
    """Moving average of the gradient: Adam's momentum.

    ::

        mu_t = b1 mu_{t-1} + (1 - b1) g_t            mu_0 = initial
        out  = mu_t / (1 - b1^t)                     out = mu_t without debias

    Args:
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates.
      debias: Whether to divide by the sum of the weights that the average has given out, ``1 - b^t`` for a
        constant decay b, since it starts at zero. Exact for scheduled decays too. Default: True.
      initial: What the average starts from, in gradient units. Default: 0.0.
      delayed: What comes out at the first step, in gradient units; at the others it is the average before the
        gradient of the step, as from a :func:`delay` behind it but without an array for it. None: no delay.
        Default: None.
      dtype: Dtype of the state, floating or complex. None: that of the parameter, but at least float32. It
        stays as it is from ``init`` on, whatever comes in. Default: None.

    Returns:
      An :class:`optax.GradientTransformation`. What comes out is the average, in at least float32 whatever
      the dtype of the gradients. Its state is a :class:`FirstMomentState`.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.first_moment(0.9, debias=False), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> out, state = link.update(gradient, state)
      >>> print(np.asarray(out).round(4))
      [ 0.1 -0.2]

    References:
      Kingma & Ba (2015), Adam: A Method for Stochastic Optimization, Algorithm 1.
      https://arxiv.org/abs/1412.6980
    """
    counts = delayed is not None

    def init(params):
        return FirstMomentState(*_clock.start(b1, debias, counts=counts), full_like(params, initial, dtype))

    def update(updates, state, params=None):
        expect(FirstMomentState, state)
        del params
        time, weights = _clock.tick(b1, state, debias)
        kernel, share = _read(_average, _average_before, b1, state, weights, debias, delayed)
        updates, mu = map_leaves(kernel, (updates,), (state.mu,), (weights.old, weights.new, *share))
        return updates, FirstMomentState(*time, mu)

    return optax.GradientTransformation(init, update)


def _average(g, mu, old, new, *share):
    mu = averaged(mu, g, old, new)
    return _corrected(mu, *share), mu


def _corrected(average, share=None):
    """The average as it is read: times its share, where it is corrected for bias."""
    return average if share is None else times(average, share)


def _average_before(g, mu, old, new, share, first, at_first):
    return _before(mu, share, first, at_first), averaged(mu, g, old, new)


def _before(average, share, first, at_first):
    return jax.lax.select(first, jax.lax.full_like(average, at_first), times(average, share))


def _read(kernel, kernel_before, decay, state, weights, debias, delayed):
    """How an average is read: the kernel, and its scalars besides the weights."""
    if delayed is None:
        return kernel, (weights.share,) if debias else ()
    total, first = _clock.passed(decay, state, debias)
    return kernel_before, (1 / total, first, delayed)


@validated
def nesterov_moment(
    b1: Decay,
    *,
    ahead: Decay | None = None,
    debias: Flag = True,
    initial: Real = 0.0,
    dtype: AnyDType = None,
) -> optax.GradientTransformation:
    """Moving average of the gradient, looked at one step ahead: NAdam's momentum.

    ::

        mu_t = b1 mu_{t-1} + (1 - b1) g_t                                                  mu_0 = initial
        out  = a_{t+1} mu_t / (1 - a_1 ... a_{t+1}) + (1 - a_t) g_t / (1 - a_1 ... a_t)    a = ahead
        out  = a_{t+1} mu_t + (1 - a_t) g_t                                                without debias

    Args:
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates.
      ahead: Decay a that the output is made with, dimensionless, in [0, 1). A number, or a schedule of the
        count of past updates. None: b1, the NAdam of Dozat and of optax; in PyTorch's and Keras's it is a
        schedule that rises to b1. Default: None.
      debias: Whether to divide by the sum of the weights that the average has given out, ``1 - b^t`` for a
        constant decay b, since it starts at zero. Exact for scheduled decays too. Default: True.
      initial: What the average starts from, in gradient units. Default: 0.0.
      dtype: Dtype of the state, floating or complex. None: that of the parameter, but at least float32. It
        stays as it is from ``init`` on, whatever comes in. Default: None.

    Returns:
      An :class:`optax.GradientTransformation`. What comes out is the momentum, in at least float32 whatever
      the dtype of the gradients. Its state is a :class:`FirstMomentState`, whose clock is that of ``ahead``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.nesterov_moment(0.9), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> out, state = link.update(gradient, state)
      >>> print(np.asarray(out).round(4))
      [ 1.4737 -2.9474]

    References:
      Dozat (2016), Incorporating Nesterov Momentum into Adam, Algorithm 2.
      https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ
    """
    a = b1 if ahead is None else ahead
    counts = callable(b1)

    def init(params):
        return FirstMomentState(*_clock.start(a, debias, counts=counts), full_like(params, initial, dtype))

    def update(updates, state, params=None):
        expect(FirstMomentState, state)
        del params
        time, now = _clock.tick(a, state, debias)
        _, then = _clock.tick(
            a, time, debias
        )  # The weights of the next step, which the momentum anticipates.
        old = now.old if ahead is None else value_at(b1, state.clock.count)
        scalars = (old, 1 - old, then.old / then.total, now.new / now.total)
        updates, mu = map_leaves(_look_ahead, (updates,), (state.mu,), scalars)
        return updates, FirstMomentState(*time, mu)

    return optax.GradientTransformation(init, update)


def _look_ahead(g, mu, old, new, of_mu, of_g):
    mu = averaged(mu, g, old, new)
    return times(mu, of_mu) + times(g, of_g), mu


class SecondMomentState(NamedTuple):
    """State of :func:`second_moment` and :func:`yogi_moment`.

    Attributes:
      clock: How many updates the link has seen. ``()``: nothing depends on it, or the link around this one
        has the clock.
      elapsed: Sum of ``-log(b)`` over the decays b of the updates so far, shape (), float32 (float64 in x64
        mode). ``()``: the decay is constant, or nothing is corrected.
      nu: Average of the squared gradients, in gradient units squared; a tree like the parameters, real.
    """

    clock: Clock | tuple[()]
    elapsed: jax.Array | tuple[()]
    nu: optax.Updates

    @property
    def count(self) -> jax.Array:
        """Number of updates that the link has seen, shape (), int32."""
        return _clock.count_of(self)


@validated
def second_moment(
    b2: Decay,
    *,
    debias: Flag = True,
    initial: NonNegative = 0.0,
    delayed: NonNegative | None = None,
    dtype: RealDType = None,
) -> optax.GradientTransformation:
    """Moving average of the squared gradient.

    ::

        nu_t = b2 nu_{t-1} + (1 - b2) |g_t|^2        nu_0 = initial
        out  = nu_t / (1 - b2^t)                     out = nu_t without debias

    With ``lambda count: 1 - 1 / (count + 1)`` as b2 it is the mean of all squares (AdamNC). Of complex
    gradients it is that of the squared modulus, and real.

    Args:
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates.
      debias: Whether to divide by the sum of the weights that the average has given out, ``1 - b^t`` for a
        constant decay b, since it starts at zero. Exact for scheduled decays too. Default: True.
      initial: What the average of squares starts from, in gradient units squared, >= 0. Default: 0.0.
      delayed: What comes out at the first step of the squares, in gradient units squared, >= 0; at the others
        it is the average before the gradient of the step, as from a :func:`delay` behind it but without an
        array for it. None: no delay. Default: None.
      dtype: Dtype of the statistic, real. None: that of the parameter, but at least float32, and real; in
        bfloat16 an average with a decay of 0.999 would never move. It stays as it is from ``init`` on,
        whatever comes in. Default: None.

    Returns:
      An :class:`optax.GradientTransformation`. What comes out is the statistic, in at least float32 whatever
      the dtype of the gradients. Its state is a :class:`SecondMomentState`.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.second_moment(0.999), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> out, state = link.update(gradient, state)
      >>> print(np.asarray(out).round(4))
      [1. 4.]

    References:
      Kingma & Ba (2015), Adam: A Method for Stochastic Optimization, Algorithm 1.
      https://arxiv.org/abs/1412.6980

      Reddi et al. (2018), On the Convergence of Adam and Beyond, Algorithm 3, for schedules.
      https://arxiv.org/abs/1904.09237
    """
    return _moving(b2, debias, initial, dtype, delayed)


@validated
def yogi_moment(
    b2: Decay,
    *,
    debias: Flag = True,
    initial: NonNegative = 1e-6,
    dtype: RealDType = None,
) -> optax.GradientTransformation:
    """Yogi's second moment, which changes by at most ``(1 - b2) |g|^2`` in a step.

    ::

        nu_t = nu_{t-1} - (1 - b2) sign(nu_{t-1} - |g_t|^2) |g_t|^2      nu_0 = initial
        out  = nu_t / (1 - b2^t)                                         out = nu_t without debias

    The division by 1 - b2^t is optax's, not the paper's.

    Args:
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates.
      debias: Whether to divide by the sum of the weights that the average has given out, ``1 - b^t`` for a
        constant decay b, since it starts at zero. Exact for scheduled decays too. Default: True.
      initial: What the average of squares starts from, in gradient units squared, >= 0. Default: 1e-6.
      dtype: Dtype of the statistic, real. None: that of the parameter, but at least float32, and real; in
        bfloat16 an average with a decay of 0.999 would never move. It stays as it is from ``init`` on,
        whatever comes in. Default: None.

    Returns:
      An :class:`optax.GradientTransformation`. What comes out is the statistic, in at least float32 whatever
      the dtype of the gradients. Its state is a :class:`SecondMomentState`.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.yogi_moment(0.9, debias=False), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> out, state = link.update(gradient, state)
      >>> print(np.asarray(out).round(4))
      [0.1 0.4]

    References:
      Zaheer et al. (2018), Adaptive Methods for Nonconvex Optimization, Algorithm 2.
      https://proceedings.neurips.cc/paper/2018/hash/90365351ccc7437a1309dc64e4db32a3-Abstract.html
    """
    return _moving(b2, debias, initial, dtype, additive=True)


def _moving(b2, debias, initial, dtype, delayed=None, *, additive=False) -> optax.GradientTransformation:
    counts = delayed is not None

    def init(params):
        nu = full_like(params, initial, dtype, real=True)
        return SecondMomentState(*_clock.start(b2, debias, counts=counts), nu)

    def update(updates, state, params=None):
        expect(SecondMomentState, state)
        del params
        # Chosen here: a function in a closure is not what it was where closures are taken apart.
        kernel = _additive_average_of_squares if additive else _average_of_squares
        time, weights = _clock.tick(b2, state, debias)
        kernel, share = _read(kernel, _average_of_squares_before, b2, state, weights, debias, delayed)
        updates, nu = map_leaves(kernel, (updates,), (state.nu,), (weights.old, weights.new, *share))
        return updates, SecondMomentState(*time, nu)

    return optax.GradientTransformation(init, update)


def _average_of_squares(g, nu, old, new, *share):
    nu = averaged(nu, abs_sq(g), old, new)
    return _corrected(nu, *share), nu


def _average_of_squares_before(g, nu, old, new, share, first, at_first):
    return _before(nu, share, first, at_first), averaged(nu, abs_sq(g), old, new)


def _additive_average_of_squares(g, nu, old, new, *share):
    del old
    square = abs_sq(g)
    # Both may be infinite. Times a sign is exact: how the rest is fused cannot change a bit.
    nu = nu - jnp.where(nu == square, 0, jnp.sign(nu - square) * (new * square))
    return _corrected(nu, *share), nu


class CenteredSecondMomentState(NamedTuple):
    """State of :func:`centered_second_moment`.

    Attributes:
      clock: How many updates the link has seen. ``()``: nothing depends on it, or the link around this one
        has the clock.
      elapsed: Sum of ``-log(b)`` over the decays b of the updates so far, shape (), float32 (float64 in x64
        mode). ``()``: the decay is constant, or nothing is corrected.
      mu: Average of the gradients, in gradient units; a tree like the parameters.
      nu: Average of the squared gradients, in gradient units squared; a tree like the parameters, real.
    """

    clock: Clock | tuple[()]
    elapsed: jax.Array | tuple[()]
    mu: optax.Updates
    nu: optax.Updates

    @property
    def count(self) -> jax.Array:
        """Number of updates that the link has seen, shape (), int32."""
        return _clock.count_of(self)


@validated
def centered_second_moment(
    b2: Decay,
    *,
    debias: Flag = True,
    initial: NonNegative = 0.0,
    dtype: RealDType = None,
) -> optax.GradientTransformation:
    """Moving variance of the gradient.

    ::

        mu_t = b2 mu_{t-1} + (1 - b2) g_t            nu_t = b2 nu_{t-1} + (1 - b2) |g_t|^2
        out  = max(0, nu_t / c - |mu_t / c|^2)       c = 1 - b2^t, or 1 without debias

    Under steady gradients the difference rounds to a negative number, whose root would be NaN: it is clamped
    at 0. nu starts from ``initial``, mu from 0.

    Args:
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates.
      debias: Whether to divide by the sum of the weights that the average has given out, ``1 - b^t`` for a
        constant decay b, since it starts at zero. Exact for scheduled decays too. Default: True.
      initial: What the average of squares starts from, in gradient units squared, >= 0. Default: 0.0.
      dtype: Dtype of the statistic, real. None: that of the parameter, but at least float32, and real; in
        bfloat16 an average with a decay of 0.999 would never move. It stays as it is from ``init`` on,
        whatever comes in. Default: None.

    Returns:
      An :class:`optax.GradientTransformation`. What comes out is the statistic, in at least float32 whatever
      the dtype of the gradients. Its state is a :class:`CenteredSecondMomentState`.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.centered_second_moment(0.9), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> for factor in (1.0, 1.1):
      ...     out, state = link.update(factor * gradient, state)
      >>> print(np.asarray(out).round(4))
      [0.0025 0.01  ]

    References:
      Graves (2013), Generating Sequences With Recurrent Neural Networks, eqs. 38-40.
      https://arxiv.org/abs/1308.0850
    """

    def init(params):
        mu, nu = full_like(params), full_like(params, initial, dtype, real=True)
        return CenteredSecondMomentState(*_clock.start(b2, debias), mu, nu)

    def update(updates, state, params=None):
        expect(CenteredSecondMomentState, state)
        del params
        time, weights = _clock.tick(b2, state, debias)
        scalars = (weights.old, weights.new, weights.share)
        updates, mu, nu = map_leaves(_variance, (updates,), (state.mu, state.nu), scalars)
        return updates, CenteredSecondMomentState(*time, mu, nu)

    return optax.GradientTransformation(init, update)


def _variance(g, mu, nu, old, new, share):
    mu = averaged(mu, g, old, new)
    nu = averaged(nu, abs_sq(g), old, new)
    # Kept finite: where both overflow, their difference would be NaN.
    mean_sq = jnp.minimum(abs_sq(times(mu, share)), jnp.finfo(nu.dtype).max)
    return jnp.maximum(nu * share - mean_sq, 0), mu, nu


class BeliefMomentState(NamedTuple):
    """State of :func:`belief_moment`.

    Attributes:
      clock: How many updates the link has seen. ``()``: nothing depends on it, or the link around this one
        has the clock.
      elapsed: Sum of ``-log(b)`` over the decays b of the updates so far, shape (), float32 (float64 in x64
        mode). ``()``: the decay is constant, or nothing is corrected.
      nu: Average of the squared distance between gradient and expectation, in gradient units squared; a tree
        like the parameters, real.
      centre: State of the transformation that says what is expected.
    """

    clock: Clock | tuple[()]
    elapsed: jax.Array | tuple[()]
    nu: optax.Updates
    centre: optax.OptState

    @property
    def count(self) -> jax.Array:
        """Number of updates that the link has seen, shape (), int32."""
        return _clock.count_of(self)


@validated
def belief_moment(
    b2: Decay,
    *,
    debias: Flag = True,
    eps: NonNegative = 1e-16,
    centre: Link | None = None,
    delayed: NonNegative | None = None,
    dtype: RealDType = None,
) -> Optimizer:
    """Moving average of the squared distance between the gradient and what was expected of it.

    ::

        nu_t = b2 nu_{t-1} + (1 - b2) |g_t - m_t|^2 + eps
        out  = nu_t / (1 - b2^t)                     out = nu_t without debias

    m is the momentum, which :func:`scale_by_adaptive_rate` hands to its rate. AdaBelief's is the uncorrected
    average, ``rx.first_moment(b1, debias=False)``.

    Args:
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates.
      debias: Whether to divide by the sum of the weights that the average has given out, ``1 - b^t`` for a
        constant decay b, since it starts at zero. Exact for scheduled decays too. Default: True.
      eps: Added to the average at every step, in gradient units squared, >= 0. Default: 1e-16.
      centre: Transformation from the gradient to what is expected of it, m, where that is not the momentum.
        None: the momentum. Default: None.
      delayed: What comes out at the first step of the squares, in gradient units squared, >= 0; at the others
        it is the average before the gradient of the step, as from a :func:`delay` behind it but without an
        array for it. None: no delay. Default: None.
      dtype: Dtype of the statistic, real. None: that of the parameter, but at least float32, and real; in
        bfloat16 an average with a decay of 0.999 would never move. It stays as it is from ``init`` on,
        whatever comes in. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs`. What comes out is the statistic, in at least float32
      whatever the dtype of the gradients. Its state is a :class:`BeliefMomentState`.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``momentum``, outside of a rate, and there is no ``centre``; or
        an argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> expected = rx.first_moment(0.9, debias=False)
      >>> link, gradient = rx.belief_moment(0.999, centre=expected), jnp.array([1.0, -2.0])
      >>> out, state = link.update(gradient, link.init(gradient))
      >>> print(np.asarray(out).round(4))
      [0.81 3.24]

    References:
      Zhuang et al. (2020), AdaBelief Optimizer, Algorithm 2. https://arxiv.org/abs/2010.07468
    """
    predict = optax.with_extra_args_support(_given_momentum() if centre is None else centre)

    def init(params):
        nu = full_like(params, 0.0, dtype, real=True)
        clock, elapsed = _clock.start(b2, debias, counts=delayed is not None)
        predictor = predict.init(params)
        clock = clock or _clock.of_links(predictor)
        return BeliefMomentState(clock, elapsed, nu, _clock.handed((), predictor))

    def update(updates, state, params=None, **extra_args):
        expect(BeliefMomentState, state)
        predictor = _clock.handed(state.clock, state.centre)
        expected, predictor = predict.update(updates, predictor, params, **extra_args)
        time, weights = _clock.tick(b2, state, debias)
        kernel, share = _read(
            _average_of_surprise, _average_of_surprise_before, b2, state, weights, debias, delayed
        )
        scalars = (weights.old, weights.new, eps, *share)
        updates, nu = map_leaves(kernel, (updates, expected), (state.nu,), scalars)
        return updates, BeliefMomentState(*time, nu, _clock.handed((), predictor))

    return optax.GradientTransformationExtraArgs(init, update)


def _average_of_surprise(g, m, nu, old, new, eps, *share):
    nu = averaged(nu, abs_sq(g - m), old, new) + eps
    return _corrected(nu, *share), nu


def _average_of_surprise_before(g, m, nu, old, new, eps, share, first, at_first):
    return _before(nu, share, first, at_first), averaged(nu, abs_sq(g - m), old, new) + eps


def _given_momentum() -> optax.GradientTransformationExtraArgs:
    def update(updates, state, params=None, **extra_args):
        del updates, params
        return handed("belief_moment", "momentum", extra_args, ", or give it a `centre`"), state

    return optax.GradientTransformationExtraArgs(optax.init_empty_state, update)


class InfinityMomentState(NamedTuple):
    """State of :func:`infinity_moment`.

    Attributes:
      nu: Largest recent gradient, in gradient units; a tree like the parameters, real.
    """

    nu: optax.Updates


@validated
def infinity_moment(
    b2: FixedDecay = 0.999, eps: NonNegative = 1e-8, *, dtype: RealDType = None
) -> optax.GradientTransformation:
    """The largest recent gradient: AdaMax's statistic.

    ::

        nu_t = max(b2 nu_{t-1}, |g_t| + eps)         nu_0 = 0

    It is no square: the rate that belongs to it is ``optax.chain(rx.infinity_moment(b2), rx.power(-1.0))``.
    The paper has no eps; it stands where optax and PyTorch have it.

    Args:
      b2: Decay of the maximum: what is left of it after a step, dimensionless, in [0, 1). A number, no
        schedule. Default: 0.999.
      eps: Added to the size of each gradient, in gradient units, >= 0. Default: 1e-8.
      dtype: Dtype of the statistic, real. None: that of the parameter, but at least float32, and real; in
        bfloat16 an average with a decay of 0.999 would never move. It stays as it is from ``init`` on,
        whatever comes in. Default: None.

    Returns:
      An :class:`optax.GradientTransformation`. What comes out is the statistic, in at least float32 whatever
      the dtype of the gradients. Its state is an :class:`InfinityMomentState`.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.infinity_moment(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> out, state = link.update(gradient, state)
      >>> print(np.asarray(out).round(4))
      [1. 2.]

    References:
      Kingma & Ba (2015), Adam: A Method for Stochastic Optimization, Algorithm 2.
      https://arxiv.org/abs/1412.6980
    """

    def init(params):
        return InfinityMomentState(full_like(params, 0.0, dtype, real=True))

    def update(updates, state, params=None):
        expect(InfinityMomentState, state)
        del params
        updates, nu = map_leaves(_largest, (updates,), (state.nu,), (b2, eps))
        return updates, InfinityMomentState(nu)

    return optax.GradientTransformation(init, update)


def _largest(g, nu, decay, eps):
    nu = jnp.maximum(decay * nu, jnp.abs(g) + eps)
    return nu, nu


class SumOfSquaresState(NamedTuple):
    """State of :func:`sum_of_squares`.

    Attributes:
      sum_of_squares: Sum of the squared gradients, in gradient units squared; a tree like the parameters,
        real.
    """

    sum_of_squares: optax.Updates


@validated
def sum_of_squares(initial: NonNegative = 0.0, *, dtype: RealDType = None) -> optax.GradientTransformation:
    """Sum of all squared gradients: AdaGrad's statistic.

    ::

        s_t = s_{t-1} + |g_t|^2                      s_0 = initial

    Args:
      initial: What the sum starts from, in gradient units squared, >= 0. Default: 0.0.
      dtype: Dtype of the statistic, real. None: that of the parameter, but at least float32, and real; in
        bfloat16 an average with a decay of 0.999 would never move. It stays as it is from ``init`` on,
        whatever comes in. Default: None.

    Returns:
      An :class:`optax.GradientTransformation`. What comes out is the statistic, in at least float32 whatever
      the dtype of the gradients. Its state is a :class:`SumOfSquaresState`.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.sum_of_squares(0.1), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> out, state = link.update(gradient, state)
      >>> print(np.asarray(out).round(4))
      [1.1 4.1]

    References:
      Duchi et al. (2011), Adaptive Subgradient Methods for Online Learning and Stochastic Optimization,
      Figure 1. https://jmlr.org/papers/v12/duchi11a.html
    """

    def init(params):
        return SumOfSquaresState(full_like(params, initial, dtype, real=True))

    def update(updates, state, params=None):
        expect(SumOfSquaresState, state)
        del params
        updates, total = map_leaves(_add_square, (updates,), (state.sum_of_squares,))
        return updates, SumOfSquaresState(total)

    return optax.GradientTransformation(init, update)


def _add_square(g, total):
    total = total + abs_sq(g)
    return total, total


class AmsgradMaxState(NamedTuple):
    """State of :func:`amsgrad_max`.

    Attributes:
      nu_max: Running maximum of the second moment, in gradient units squared; a tree like the parameters,
        real.
    """

    nu_max: optax.Updates


@validated
def amsgrad_max(decay: Forgetting = 1.0, *, dtype: RealDType = None) -> optax.GradientTransformation:
    """Running maximum of a second moment.

    ::

        nu_max_t = max(decay nu_max_{t-1}, nu_t)     nu_max_0 = 0

    Where it stands among the links of a rate decides which AMSGrad it is: before or behind the bias
    correction.

    Args:
      decay: What is left of the maximum after a step, dimensionless, in (0, 1]. 1 never forgets, as in the
        paper; below 1 one spike does not slow the training down for ever (an extension). Default: 1.0.
      dtype: Dtype of the statistic, real. None: that of the parameter, but at least float32, and real; in
        bfloat16 an average with a decay of 0.999 would never move. It stays as it is from ``init`` on,
        whatever comes in. Default: None.

    Returns:
      An :class:`optax.GradientTransformation`. What comes out is the maximum, in at least float32. Its state
      is an :class:`AmsgradMaxState`.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.amsgrad_max(decay=0.9), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> for nu in (gradient**2, gradient * 0):
      ...     out, state = link.update(nu, state)
      >>> print(np.asarray(out).round(4))
      [0.9 3.6]

    References:
      Reddi et al. (2018), On the Convergence of Adam and Beyond, Algorithm 2.
      https://arxiv.org/abs/1904.09237
    """

    def init(params):
        return AmsgradMaxState(full_like(params, 0.0, dtype, real=True))

    def update(updates, state, params=None):
        expect(AmsgradMaxState, state)
        del params
        updates, nu_max = map_leaves(_maximum, (updates,), (state.nu_max,), (decay,))
        return updates, AmsgradMaxState(nu_max)

    return optax.GradientTransformation(init, update)


def _maximum(nu, nu_max, decay):
    nu_max = jax.lax.max(times(nu_max, decay), nu)
    return nu_max, nu_max


class DebiasState(NamedTuple):
    """State of :func:`debias`.

    Attributes:
      clock: How many updates the link has seen. ``()``: nothing depends on it, or the link around this one
        has the clock.
      elapsed: Sum of ``-log(b)`` over the decays b of the updates so far, shape (), float32 (float64 in x64
        mode). ``()``: the decay is constant, or nothing is corrected.
    """

    clock: Clock | tuple[()]
    elapsed: jax.Array | tuple[()]

    @property
    def count(self) -> jax.Array:
        """Number of updates that the link has seen, shape (), int32."""
        return _clock.count_of(self)


@validated
def debias(decay: Decay, *, power: Real = 1.0) -> optax.GradientTransformation:
    """Bias correction of a moment, as a link of its own.

    ::

        out = x / (1 - decay^t)^power                of what comes in, x

    It puts the correction somewhere else in the line: behind :func:`amsgrad_max` (PyTorch), or with
    ``power=-0.5`` behind :func:`inverse_root`, so that eps stands beside the uncorrected root (the authors of
    RAdam).

    Args:
      decay: Decay of the moment to correct, dimensionless, in [0, 1). A number, or a schedule of the count of
        past updates.
      power: Power of the sum of weights that is divided by, dimensionless: 1.0 for a moment, 0.5 for its
        root, -0.5 for the inverse of its root. Default: 1.0.

    Returns:
      An :class:`optax.GradientTransformation`. What comes out is what comes in, corrected. Its state is a
      :class:`DebiasState`.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.debias(0.9), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> out, state = link.update(gradient, state)
      >>> print(np.asarray(out).round(4))
      [ 10. -20.]

    References:
      Kingma & Ba (2015), Adam: A Method for Stochastic Optimization, section 3.
      https://arxiv.org/abs/1412.6980
    """

    def init(params):
        del params
        return DebiasState(*_clock.start(decay))

    def update(updates, state, params=None):
        expect(DebiasState, state)
        del params
        time, weights = _clock.tick(decay, state)
        updates = map_leaves(times, (updates,), (), (weights.total**-power,))
        return updates, DebiasState(*time)

    return optax.GradientTransformation(init, update)
