"""Links that turn gradients into statistics: moving averages, sums, running maxima.

A first moment serves as the ``momentum`` of :func:`scale_by_adaptive_rate`, a second moment starts
its ``rate``. Statistics flow in at least float32, whatever the dtype of the gradients.

Parameters that several links share:

``b1``, ``b2``, ``decay``
    Weight of the past in a moving average, ``average = decay * average + (1 - decay) * newcomer``;
    dimensionless, in [0, 1). Or a schedule: a callable of the count of past updates (0 at the first),
    as learning rates have in optax.
``debias``
    Divide by the sum of the weights that the average has seen (:func:`total_weight`), since it
    starts at zero. Exact for scheduled decays too.
``dtype``
    Dtype of the state; None: that of the parameter, but at least float32 (in bfloat16 a second
    moment with b2 = 0.999 never moves: 1 - b2 is under half a unit in the last place), and real for
    statistics of ``|g|^2``. It stays as it is from ``init`` on, whatever comes in.
``delayed``
    None, or what comes out at the first step. Then what comes out of the others is the average as it was
    before this step's gradient, like a :func:`delay` behind it, but without an array of its own.

All raise ValueError or TypeError for hyperparameters outside their domain, ValueError for updates
that do not match the state in structure or shape, TypeError for integer or boolean leaves.
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
    """State of :func:`first_moment` and :func:`nesterov_moment`."""

    clock: Clock | tuple[()]  # (): not needed, or that of the link around it.
    elapsed: jax.Array | tuple[()]  # shape=(), dtype=float32; (): not needed.
    mu: optax.Updates  # shapes of the parameters.

    count = _clock.count  # pyright: ignore[reportAssignmentType]


@validated
def first_moment(
    b1: Decay,
    *,
    debias: Flag = True,
    initial: Real = 0.0,
    delayed: Real | None = None,
    dtype: AnyDType = None,
) -> optax.GradientTransformation:
    r"""Moving average of the gradient: Adam's momentum.

    ::

        mu_t = b1 mu_{t-1} + (1 - b1) g_t          mu_0 = initial
        out  = mu_t / (1 - b1^t)                   out = mu_t without debias

    Args:
      b1: decay, see the head of this module.
      debias: as there.
      initial: what ``mu`` starts from, in gradient units.
      delayed: as there, in gradient units.
      dtype: dtype of ``mu``, as there.

    Source: Kingma & Ba (2015), Algorithm 1.
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


def _average(g, mu, old, new, share):
    mu = averaged(mu, g, old, new)
    return times(mu, share), mu


def _average_before(g, mu, old, new, share, first, at_first):
    return _before(mu, share, first, at_first), averaged(mu, g, old, new)


def _before(average, share, first, at_first):
    return jax.lax.select(first, jax.lax.full_like(average, at_first), times(average, share))


def _read(kernel, kernel_before, decay, state, weights, debias, delayed):
    """How an average is read: the kernel, and its scalars besides the weights."""
    if delayed is None:
        return kernel, (weights.share,)
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
    r"""Moving average of the gradient, looked at one step ahead: NAdam's momentum.

    ::

        mu_t = b1 mu_{t-1} + (1 - b1) g_t                                        mu_0 = initial
        out  = a_{t+1} mu_t / (1 - a_1 ... a_{t+1}) + (1 - a_t) g_t / (1 - a_1 ... a_t)
        out  = a_{t+1} mu_t + (1 - a_t) g_t                                      without debias

    Args:
      b1: decay, see the head of this module.
      ahead: a, the decay that ``out`` is made with; None: b1, the NAdam of Dozat and of optax. In PyTorch's
        and Keras's it is a schedule that rises to b1.
      debias: as there.
      initial: what ``mu`` starts from, in gradient units.
      dtype: dtype of ``mu``, as there.

    Returns:
      A transformation with a :class:`FirstMomentState`, whose clock is that of ``ahead``.

    Source: Dozat (2016), Algorithm 2.
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
    """State of :func:`second_moment` and :func:`yogi_moment`."""

    clock: Clock | tuple[()]  # (): not needed, or that of the link around it.
    elapsed: jax.Array | tuple[()]  # shape=(), dtype=float32; (): not needed.
    nu: optax.Updates  # shapes of the parameters, real.

    count = _clock.count  # pyright: ignore[reportAssignmentType]


@validated
def second_moment(
    b2: Decay,
    *,
    debias: Flag = True,
    initial: NonNegative = 0.0,
    delayed: NonNegative | None = None,
    dtype: RealDType = None,
) -> optax.GradientTransformation:
    r"""Moving average of the squared gradient.

    ::

        nu_t = b2 nu_{t-1} + (1 - b2) |g_t|^2      nu_0 = initial
        out  = nu_t / (1 - b2^t)                   out = nu_t without debias

    Args:
      b2: decay, see the head of this module; ``lambda count: 1 - 1 / (count + 1)`` makes ``nu`` the
        mean of all squares (AdamNC).
      debias: as there.
      initial: what ``nu`` starts from, in gradient units squared, >= 0.
      delayed: as there, in gradient units squared, >= 0.
      dtype: dtype of ``nu``, as there.

    Source: Kingma & Ba (2015), Algorithm 1; Reddi et al. (2018), Algorithm 3 for schedules.
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
    r"""Yogi's second moment, which changes by at most ``(1 - b2) |g|^2`` in a step.

    ::

        nu_t = nu_{t-1} - (1 - b2) sign(nu_{t-1} - |g_t|^2) |g_t|^2      nu_0 = initial
        out  = nu_t / (1 - b2^t)                                         out = nu_t without debias

    Args: those of :func:`second_moment`, but ``delayed``.

    Source: Zaheer et al. (2018), Algorithm 2. The division by 1 - b2^t is optax's, not the paper's.
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


def _average_of_squares(g, nu, old, new, share):
    nu = averaged(nu, abs_sq(g), old, new)
    return times(nu, share), nu


def _average_of_squares_before(g, nu, old, new, share, first, at_first):
    return _before(nu, share, first, at_first), averaged(nu, abs_sq(g), old, new)


def _additive_average_of_squares(g, nu, old, new, share):
    del old
    square = abs_sq(g)
    # Both may be infinite. Times a sign is exact: how the rest is fused cannot change a bit.
    nu = nu - jnp.where(nu == square, 0, jnp.sign(nu - square) * (new * square))
    return times(nu, share), nu


class CenteredSecondMomentState(NamedTuple):
    """State of :func:`centered_second_moment`."""

    clock: Clock | tuple[()]  # (): not needed, or that of the link around it.
    elapsed: jax.Array | tuple[()]  # shape=(), dtype=float32; (): not needed.
    mu: optax.Updates  # shapes of the parameters.
    nu: optax.Updates  # shapes of the parameters, real.

    count = _clock.count  # pyright: ignore[reportAssignmentType]


@validated
def centered_second_moment(
    b2: Decay,
    *,
    debias: Flag = True,
    initial: NonNegative = 0.0,
    dtype: RealDType = None,
) -> optax.GradientTransformation:
    r"""Moving variance of the gradient.

    ::

        mu_t = b2 mu_{t-1} + (1 - b2) g_t,    nu_t = b2 nu_{t-1} + (1 - b2) |g_t|^2
        out  = max(0, nu_t / c - |mu_t / c|^2)         c = 1 - b2^t, or 1 without debias

    Under steady gradients the difference rounds to a negative number: it is clamped at 0, where its
    root would be NaN.

    Args: those of :func:`second_moment`; ``dtype`` is that of ``nu``.

    Source: Graves (2013), eqs. 38-40.
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
    """State of :func:`belief_moment`."""

    clock: Clock | tuple[()]  # (): not needed, or that of the link around it.
    elapsed: jax.Array | tuple[()]  # shape=(), dtype=float32; (): not needed.
    nu: optax.Updates  # shapes of the parameters, real.
    centre: optax.OptState

    count = _clock.count  # pyright: ignore[reportAssignmentType]


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
    r"""Moving average of the squared distance between the gradient and what was expected of it.

    ::

        nu_t = b2 nu_{t-1} + (1 - b2) |g_t - m_t|^2 + eps
        out  = nu_t / (1 - b2^t)                             out = nu_t without debias

    m_t is the momentum, which :func:`scale_by_adaptive_rate` hands to its rate as the extra argument
    ``momentum=``. AdaBelief's is the uncorrected average, ``first_moment(b1, debias=False)``.

    Args:
      b2: decay, see the head of this module.
      debias: as there.
      eps: added at every step, in gradient units squared, >= 0.
      centre: a transformation whose output is m_t, for use where the momentum is another one.
      delayed: as ``debias``, in gradient units squared, >= 0.
      dtype: dtype of ``nu``, as there.

    Raises:
      ValueError: ``update`` is called without ``momentum`` and there is no ``centre``.

    Source: Zhuang et al. (2020), Algorithm 2.
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


def _average_of_surprise(g, m, nu, old, new, eps, share):
    nu = averaged(nu, abs_sq(g - m), old, new) + eps
    return times(nu, share), nu


def _average_of_surprise_before(g, m, nu, old, new, eps, share, first, at_first):
    return _before(nu, share, first, at_first), averaged(nu, abs_sq(g - m), old, new) + eps


def _given_momentum() -> optax.GradientTransformationExtraArgs:
    def update(updates, state, params=None, **extra_args):
        del updates, params
        return handed("belief_moment", "momentum", extra_args, ", or give it a `centre`"), state

    return optax.GradientTransformationExtraArgs(optax.init_empty_state, update)


class InfinityMomentState(NamedTuple):
    """State of :func:`infinity_moment`."""

    nu: optax.Updates  # shapes of the parameters, real.


@validated
def infinity_moment(
    b2: FixedDecay = 0.999, eps: NonNegative = 1e-8, *, dtype: RealDType = None
) -> optax.GradientTransformation:
    """The largest recent gradient: ``nu_t = max(b2 nu_{t-1}, |g_t| + eps)``, AdaMax's statistic.

    It is no square: the rate that belongs to it is ``chain(infinity_moment(b2), power(-1.0))``.

    Args:
      b2: what is left of the maximum after a step, dimensionless, in [0, 1).
      eps: added to every gradient, in gradient units, >= 0.
      dtype: dtype of ``nu``, see the head of this module.

    Source: Kingma & Ba (2015), Algorithm 2; eps stands where optax and PyTorch have it, the paper has none.
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
    """State of :func:`sum_of_squares`."""

    sum_of_squares: optax.Updates  # shapes of the parameters, real.


@validated
def sum_of_squares(initial: NonNegative = 0.0, *, dtype: RealDType = None) -> optax.GradientTransformation:
    """Sum of all squared gradients, ``initial + |g_1|^2 + ... + |g_t|^2``: AdaGrad's statistic.

    Args:
      initial: what the sum starts from, in gradient units squared, >= 0.
      dtype: dtype of the sum, see the head of this module.

    Source: Duchi et al. (2011), Figure 1.
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
    """State of :func:`amsgrad_max`."""

    nu_max: optax.Updates  # shapes of the parameters, real.


@validated
def amsgrad_max(decay: Forgetting = 1.0, *, dtype: RealDType = None) -> optax.GradientTransformation:
    """Running maximum of a second moment: ``nu_max = max(decay nu_max, nu)``.

    Where it stands among the links of a rate decides which AMSGrad it is (:func:`scale_by_amsgrad`).

    Args:
      decay: dimensionless, in (0, 1]. 1 is the paper's; below 1 the maximum slowly forgets, so that
        one spike does not slow the training down for ever (an extension).
      dtype: dtype of ``nu_max``, see the head of this module.

    Source: Reddi et al. (2018), Algorithm 2.
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
    """State of :func:`debias`."""

    clock: Clock | tuple[()]  # (): not needed, or that of the link around it.
    elapsed: jax.Array | tuple[()]  # shape=(), dtype=float32; (): not needed.

    count = _clock.count  # pyright: ignore[reportAssignmentType]


@validated
def debias(decay: Decay, *, power: Real = 1.0) -> optax.GradientTransformation:
    """Division by ``(1 - decay^t)^power``, as a link of its own.

    It puts the bias correction of a moment somewhere else in the line: after :func:`amsgrad_max`
    (PyTorch), or with ``power=-0.5`` behind :func:`inverse_root`, so that eps stands beside the
    uncorrected root (the authors of RAdam).

    Args:
      decay: decay of the moment to correct, see the head of this module.
      power: 1.0 for a moment, 0.5 for its root, -0.5 for the inverse of its root.

    Source: Kingma & Ba (2015), section 3.
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
