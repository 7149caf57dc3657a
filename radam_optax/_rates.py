"""Links that turn a statistic into an adaptive learning rate, and the rectification of a rate."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jax import lax

from radam_optax import _clock, _numerics
from radam_optax._clock import Clock
from radam_optax._core.calls import handed, validated
from radam_optax._core.domains import (
    Decay,
    LengthChoice,
    NonNegative,
    Real,
    RealDType,
    Threshold,
    VarianceChoice,
    number_in,
)
from radam_optax._core.leaves import abs_sq, map_leaves, raised, reciprocal, root, times
from radam_optax._core.messages import warn
from radam_optax._core.states import expect, full_like
from radam_optax._core.values import Optimizer, Scalar, Schedule, as_scalar, in_dtype_of, is_static, scheduled

Exponent = Annotated[Scalar, number_in("[-2, 2]")]


@validated
def inverse_root(
    eps: NonNegative | None = None, eps_root: NonNegative = 0.0, *, floor: NonNegative | None = None
) -> optax.GradientTransformation:
    """The adaptive learning rate ``1 / (sqrt(v + eps_root) + eps)`` of a second moment v.

    Where the denominator is 0 the rate is 0, not infinite; derivatives are finite there as well.

    Args:
      eps: outside the root, in gradient units, >= 0. None: 1e-8, or 0 where there is a ``floor``.
      eps_root: inside the root, in gradient units squared, >= 0. 1e-6 inside acts like 1e-3 outside.
      floor: the least denominator, in gradient units, >= 0: ``1 / max(sqrt(v + eps_root) + eps, floor)``, as
        in ADOPT. None: there is none.

    Returns:
      A stateless transformation. The rate is in at least float32: in float16 eps = 1e-8 is 0.
    """

    if eps is None:
        eps = 1e-8 if floor is None else 0.0

    def update(updates, state, params=None):
        del params
        if floor is not None:
            kernel, scalars = _inverse_from_floor, (eps_root, eps, floor)
        elif not is_static(eps):
            kernel, scalars = _inverse_root_if, (eps_root, jnp.where(eps == 0, 1, eps), eps != 0)
        elif eps > 0:
            # Beside such an eps nobody sees the root of the least normal number, 1e-19 in float32.
            kernel, scalars = _inverse_root if eps >= 1e-11 else _inverse_exact_root, (eps_root, eps)
        else:
            positive = is_static(eps_root) and eps_root >= jnp.finfo("float32").tiny
            kernel, scalars = _inverse_of_positive_root if positive else _inverse_of_root, (eps_root,)
        return map_leaves(kernel, (updates,), (), scalars), state

    return optax.GradientTransformation(optax.init_empty_state, update)


def _inverse_root(v, eps_root, eps):
    """The least number under the root keeps derivatives finite, for less to trace than :func:`root`."""
    v = lax.max(lax.add(v, eps_root), jnp.finfo(v.dtype).tiny)
    return lax.reciprocal(lax.add(lax.sqrt(v), eps))


def _inverse_exact_root(v, eps_root, eps):
    return 1 / (root(v + eps_root) + eps)


def _inverse_of_positive_root(v, eps_root):
    return lax.rsqrt(lax.add(v, eps_root))


def _inverse_of_root(v, eps_root):
    """Without eps: one instruction instead of a root and a division, and 0 where that would be infinite."""
    v = v + eps_root
    at_0 = v == 0
    rate = lax.rsqrt(lax.select(at_0, lax.full_like(v, 1), v))
    return lax.select(at_0, lax.full_like(v, 0), rate)


def _inverse_root_if(v, eps_root, eps, given):
    return lax.select(given, _inverse_exact_root(v, eps_root, eps), _inverse_of_root(v, eps_root))


def _inverse_from_floor(v, eps_root, eps, floor):
    return reciprocal(jnp.maximum(root(v + eps_root) + eps, floor))


@validated
def power(exponent: Exponent) -> optax.GradientTransformation:
    """A power of a rate: ``l^exponent``, behind :func:`inverse_root` a dial from plain momentum to Adam.

    A rate of 0 stays 0, also under a negative exponent, but for the exponent 0, which makes every rate 1.

    Args:
      exponent: dimensionless, in [-2, 2]. 1 leaves the rate as it is; -1 makes one of a statistic that is no
        square.

    Source: Chen et al. (2020), Padam.
    """

    def update(updates, state, params=None):
        del params
        if is_static(exponent) and exponent == -1:
            return map_leaves(reciprocal, (updates,)), state
        return map_leaves(raised, (updates,), (), (exponent,)), state

    return optax.GradientTransformation(optax.init_empty_state, update)


class CeilingState(NamedTuple):
    """State of :func:`ceiling`."""

    clock: Clock | tuple[()]  # (): not needed, or that of the link around it.
    elapsed: jax.Array | tuple[()]  # shape=(), dtype=float32; (): not needed.
    average: optax.Updates  # of past rates; shapes of the parameters, real.

    count = _clock.count  # pyright: ignore[reportAssignmentType]


@validated
def ceiling(b3: Decay = 0.999, *, dtype: RealDType = None) -> optax.GradientTransformation:
    """Holds a rate down to the average of its past, which starts at 0: a warmup that is learned.

    ::

        a_t = b3 a_{t-1} + (1 - b3) l_t,    out = min(l_t, a_t)

    Args:
      b3: decay of the average, dimensionless, in [0, 1), or a schedule of the count of past updates.
      dtype: dtype of the average; None: that of the parameter, but at least float32, and real.

    Source: Ding et al. (2019), AdaMod.
    """

    def init(params):
        return CeilingState(*_clock.start(b3, False), full_like(params, 0.0, dtype, real=True))

    def update(updates, state, params=None):
        expect(CeilingState, state)
        del params
        time, weights = _clock.tick(b3, state, False)
        updates, average = map_leaves(_held_down, (updates,), (state.average,), (weights.old, weights.new))
        return updates, CeilingState(*time, average)

    return optax.GradientTransformation(init, update)


def _held_down(rate, average, old, new):
    average = old * average + new * rate
    return jnp.minimum(rate, average), average


@validated
def atan2_rate(a: NonNegative = 1.27, b: NonNegative = 1.0) -> Optimizer:
    """The rate that makes a step ``a atan2(m, b sqrt(v))`` of the momentum m: Adam without an eps.

    It takes a second moment v, and the momentum from :func:`scale_by_adaptive_rate`. The rate is
    ``a atan2(|m|, b sqrt(v)) / |m|``, and ``a / (b sqrt(v))`` where m is 0; where both are 0 it is 0.

    Args:
      a: the largest step is a pi/2 learning rates, dimensionless, >= 0.
      b: dimensionless, >= 0. For small ``m / sqrt(v)`` the step is a/b of Adam's.

    Raises:
      ValueError: ``update`` is called without ``momentum``.

    Source: Everett et al. (2024), section 5; a = 1.27 and b = 1 are those of the adam-atan2-pytorch package.
    """

    def update(updates, state, params=None, **extra_args):
        del params
        # First what may be complex: the rate is real.
        inputs = handed("atan2_rate", "momentum", extra_args), updates
        return map_leaves(_by_angle, inputs, (), (a, b)), state

    return optax.GradientTransformationExtraArgs(optax.init_empty_state, update)


def _by_angle(m, v, a, b):
    m, s = jnp.abs(m), b * root(v)
    at_0 = m == 0
    some = jnp.where(at_0, 1, m)
    return a * jnp.where(at_0, reciprocal(s), jnp.arctan2(some, s) / some)


@validated
def update_clipping(eps: NonNegative = 1e-8) -> Optimizer:
    """The rate ``1 / max(1, rms(g / max(sqrt(v), eps)))`` of a second moment v, one number for each leaf.

    It brakes where v has not seen gradients as large as this one. Its root mean square is one over all
    devices that a leaf is divided over; inside ``shard_map`` it is that of the device's part.

    Args:
      eps: the least denominator, in gradient units, >= 0.

    Raises:
      ValueError: ``update`` is called without ``gradient``, which :func:`scale_by_adaptive_rate` hands over.

    Source: Wortsman et al. (2023), StableAdamW, Algorithm 2.
    """

    def update(updates, state, params=None, **extra_args):
        del params
        inputs = handed("update_clipping", "gradient", extra_args), updates
        return map_leaves(_brake, inputs, (), (eps,)), state

    return optax.GradientTransformationExtraArgs(optax.init_empty_state, update)


def _brake(g, v, eps):
    surprise = times(g, _inverse_from_floor(v, 0, 0, eps))
    # The mean of no elements would be NaN.
    mean_sq = jnp.sum(abs_sq(surprise)) / max(1, surprise.size)
    return jnp.broadcast_to(1 / jnp.maximum(1, root(mean_sq)), v.shape)


class RectificationState(NamedTuple):
    """State of :func:`scale_by_rectification`: the step, and what was found there, for logging."""

    clock: Clock | tuple[()]  # (): that of the link around it.
    t: jax.Array  # shape=(), dtype=int32: the update that the following are of.
    rho: jax.Array  # shape=(), dtype=float32 (float64 in x64 mode).
    r: jax.Array  # shape=(), dtype=float32 (float64 in x64 mode).
    adaptive: jax.Array  # shape=(), dtype=float32 (float64 in x64 mode): 1.0 if r is in force, or 0.0.
    weights: _numerics.Average | tuple[()] = ()  # Of the average so far; (): constant b2.

    count = _clock.count  # pyright: ignore[reportAssignmentType]


@validated
def scale_by_rectification(
    b2: Decay = 0.999,
    *,
    threshold: Threshold = 5.0,
    fallback: Real = 1.0,
    variance: VarianceChoice = "first_order",
    length: LengthChoice = "centre_of_mass",
) -> optax.GradientTransformation:
    """RAdam's rectification: ``r_t * rate`` once ``rho_t > threshold``, ``fallback`` until then.

    At the end of a rate (:func:`scale_by_adaptive_rate`) a fallback of 1 makes the step that of plain
    momentum. In a chain of updates, where what comes in is a step and not a rate, the only sensible
    fallback is 0::

        optax.chain(scale_by_rms(decay=0.999), scale_by_rectification(0.999, fallback=0.0))

    Args:
      b2: decay of the second moment in the rate, dimensionless, in [0, 1); or a schedule of the count of past
        updates, for which rho_t is that of the average as it has come about (an extension).
      threshold: dimensionless; at least 4 with the first-order variance, at least 2 with the exact
        one, below which the variance is infinite.
      fallback: what comes out before the threshold: 1.0, momentum SGD (the paper); 0.0, no update
        (the authors' package).
      variance: "first_order" (the paper) or "exact", see :func:`rectification`.
      length: "centre_of_mass" (the paper) or "variance", see :func:`rectification`.

    Raises:
      ValueError: see Args. Warns (UserWarning) if b2 is so small that rho_t never gets past the threshold,
        which ``2/(1-b2) - 1`` is not above then.

    Source: Liu et al. (2020), Algorithm 2. There the threshold is 4; 5 is that of the authors' code,
    optax and PyTorch.
    """
    finite_from = {"first_order": "[4, inf)", "exact": "[2, inf)"}[variance]
    threshold = number_in(finite_from, f" with `variance`={variance!r}")("threshold", threshold)
    if is_static(b2, threshold) and (rho_inf := _numerics.limit_above(0, b2)) <= threshold:
        warn(f"`b2`={b2} never rectifies: rho_t stays below {rho_inf:.3g}, `threshold` is {threshold}.")

    def init(params):
        del params
        # An array for each, since one buffer could not be donated twice.
        shown = (jnp.zeros([], jnp.result_type(float)) for _ in range(3))
        weights = _numerics.new_average() if callable(b2) else ()
        return RectificationState(_clock.new(), jnp.zeros([], jnp.int32), *shown, weights=weights)

    def update(updates, state, params=None):
        expect(RectificationState, state)
        del params
        clock = _clock.after(_clock.running(state))
        at, weights = _length(b2, state, clock, length)
        floor = _numerics.FLOORS[variance]
        above = at.above(floor)
        rho, r = _numerics.rectifier(at.b2, above, variance)
        adaptive = lax.gt(above, threshold - floor)
        if callable(b2):  # A decay may fall, and leave no variance to match.
            adaptive &= r > 0
        scalars = (r, adaptive, fallback)
        updates = map_leaves(_rectify, (updates,), (), scalars, like=updates)
        found = (jnp.copy(clock.count), rho, r, adaptive, weights)
        return updates, RectificationState(clock, *jax.tree.map(in_dtype_of, tuple(state[1:]), found))

    return optax.GradientTransformation(init, update)


def _length(b2: Any, state: RectificationState, clock: Any, length: Any) -> Any:
    """rho_t in the form that loses nothing, and what a schedule's next one is made of."""
    kept: Any = state.weights
    kind = _numerics.Average if callable(b2) else tuple
    if not isinstance(kept, kind) or bool(kept) != callable(b2):
        now = "scheduled" if callable(b2) else "constant"
        raise ValueError(f"`weights` in the state are not those of a {now} `b2`; got {kept!r}.")
    if not callable(b2):
        return _numerics.moving_length(b2, clock.count, length), ()
    _numerics.check_sums("weights", kept)
    b = scheduled(cast(Schedule, b2), _clock.running(state).count)
    weights = _numerics.aged(jax.tree.map(as_scalar, kept), b)
    return _numerics.AverageLength(b, as_scalar(clock.count), weights, length), weights


def _rectify(rate, r, adaptive, fallback):
    return lax.select(adaptive, times(rate, r), lax.full_like(rate, fallback))
