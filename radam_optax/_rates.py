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
    """The adaptive learning rate of a second moment.

    ::

        l = 1 / (sqrt(v + eps_root) + eps)           of a second moment v

    Where the denominator is 0 the rate is 0, not infinite, and derivatives are finite. In float16 an eps of
    1e-8 would be 0: the rate is made in at least float32.

    Args:
      eps: Added beside the root, in the units of v's root, >= 0. None: 1e-8, or 0 where there is a ``floor``.
        Default: None.
      eps_root: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts
        like an ``eps`` of 1e-3 where gradients are small. Default: 0.0.
      floor: Least denominator, in the units of the root of v, >= 0:
        ``1 / max(sqrt(v + eps_root) + eps, floor)``, as in ADOPT. None: there is none. Default: None.

    Returns:
      An :class:`optax.GradientTransformation` without state. What comes out is the rate, in at least float32.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, nu = rx.inverse_root(eps=1.0), jnp.array([0.0, 4.0])
      >>> rate, _ = link.update(nu, link.init(nu))
      >>> print(np.asarray(rate).round(4))
      [1.     0.3333]

    References:
      Kingma & Ba (2015), Adam: A Method for Stochastic Optimization, Algorithm 1.
      https://arxiv.org/abs/1412.6980

      Taniguchi et al. (2024), ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal Rate,
      Algorithm 2, for ``floor``. https://arxiv.org/abs/2411.02853
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
    """A power of a rate: behind :func:`inverse_root` a dial from plain momentum to Adam.

    ::

        out = l^exponent

    A rate of 0 stays 0, also under a negative exponent; the exponent 0 makes every rate 1.

    Args:
      exponent: Power, dimensionless, in [-2, 2]. 1 leaves the rate as it is; -1 makes one of a statistic that
        is no square.

    Returns:
      An :class:`optax.GradientTransformation` without state. What comes out is the power, in at least
      float32.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, rate = rx.power(0.5), jnp.array([0.0, 4.0])
      >>> out, _ = link.update(rate, link.init(rate))
      >>> print(np.asarray(out).round(4))
      [0. 2.]

    References:
      Chen et al. (2020), Closing the Generalization Gap of Adaptive Gradient Methods, Algorithm 1.
      https://arxiv.org/abs/1806.06763
    """

    def update(updates, state, params=None):
        del params
        if is_static(exponent) and exponent == -1:
            return map_leaves(reciprocal, (updates,)), state
        return map_leaves(raised, (updates,), (), (exponent,)), state

    return optax.GradientTransformation(optax.init_empty_state, update)


class CeilingState(NamedTuple):
    """State of :func:`ceiling`.

    Attributes:
      clock: How many updates the link has seen. ``()``: nothing depends on it, or the link around this one
        has the clock.
      elapsed: Sum of ``-log(b)`` over the decays b of the updates so far, shape (), float32 (float64 in x64
        mode). ``()``: the decay is constant, or nothing is corrected.
      average: Average of the past rates, in the units of rates; a tree like the parameters, real.
    """

    clock: Clock | tuple[()]
    elapsed: jax.Array | tuple[()]
    average: optax.Updates

    @property
    def count(self) -> jax.Array:
        """Number of updates that the link has seen, shape (), int32."""
        return _clock.count_of(self)


@validated
def ceiling(b3: Decay = 0.999, *, dtype: RealDType = None) -> optax.GradientTransformation:
    """Holds a rate down to the average of its past, which starts at 0: a warmup that is learned.

    ::

        a_t = b3 a_{t-1} + (1 - b3) l_t              a_0 = 0
        out = min(l_t, a_t)

    Args:
      b3: Decay of the average of past rates, dimensionless, in [0, 1). A number, or a schedule of the count
        of past updates. Default: 0.999.
      dtype: Dtype of the statistic, real. None: that of the parameter, but at least float32, and real; in
        bfloat16 an average with a decay of 0.999 would never move. It stays as it is from ``init`` on,
        whatever comes in. Default: None.

    Returns:
      An :class:`optax.GradientTransformation`. What comes out is the rate, in at least float32. Its state is
      a :class:`CeilingState`.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, rate = rx.ceiling(0.9), jnp.array([1.0, 2.0])
      >>> out, state = link.update(rate, link.init(rate))
      >>> print(np.asarray(out).round(4))
      [0.1 0.2]

    References:
      Ding et al. (2019), An Adaptive and Momental Bound Method for Stochastic Learning, Algorithm 1.
      https://arxiv.org/abs/1910.12249
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
    """The rate that makes a step an arc tangent of the momentum: Adam without an eps.

    ::

        l = a atan2(|m|, b sqrt(v)) / |m|            of a second moment v and the momentum m

    Where m is 0 it is a / (b sqrt(v)), and where both are 0 it is 0. The defaults are those of the
    adam-atan2-pytorch package.

    Args:
      a: Factor of the arc tangent, dimensionless, >= 0: no step is larger than a pi/2 learning rates.
        Default: 1.27.
      b: Factor of the root, dimensionless, >= 0: where the momentum is small beside the root, the step is a/b
        of Adam's. Default: 1.0.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` without state. What comes out is the rate, in at least
      float32.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``momentum``, which :func:`scale_by_adaptive_rate` hands over;
        or an argument is outside its domain.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> rate = optax.chain(rx.second_moment(0.99), rx.atan2_rate(a=1.0))
      >>> link, gradient = rx.scale_by_adaptive_rate(rate=rate), jnp.array([1.0, -2.0])
      >>> updates, _ = link.update(gradient, link.init(gradient))
      >>> print(np.asarray(updates).round(4))  # A quarter of pi.
      [ 0.7854 -0.7854]

    References:
      Everett et al. (2024), Scaling Exponents Across Parameterizations and Optimizers, section 5.
      https://arxiv.org/abs/2407.05872
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
    """The rate that brakes a leaf whose gradient is larger than its second moment knows.

    ::

        l = 1 / max(1, rms(g / max(sqrt(v), eps)))   of a second moment v, one number for each leaf

    Of a leaf that is divided over devices the root mean square is that of the whole leaf; inside
    ``shard_map`` it is that of the device's part.

    Args:
      eps: Least denominator, in gradient units, >= 0. Default: 1e-8.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` without state. What comes out is the rate, in at least
      float32.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``gradient``, which :func:`scale_by_adaptive_rate` hands over;
        or an argument is outside its domain.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> rate = optax.chain(rx.second_moment(0.99, debias=False), rx.update_clipping())
      >>> link, gradient = rx.scale_by_adaptive_rate(rate=rate), jnp.array([1.0, -2.0])
      >>> updates, _ = link.update(gradient, link.init(gradient))
      >>> print(np.asarray(updates).round(4))
      [ 0.1 -0.2]

    References:
      Wortsman et al. (2023), Stable and low-precision training for large-scale vision-language models,
      Algorithm 2. https://arxiv.org/abs/2304.13013
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
    """State of :func:`scale_by_rectification`: the step, and what was found there, for logging.

    Attributes:
      clock: How many updates the link has seen. ``()``: nothing depends on it, or the link around this one
        has the clock.
      t: Number of the update that the following are of, shape (), int32; 0 before the first.
      rho: Length of the moving average, dimensionless.
      r: Rectifier in force, dimensionless, 0 to 1; 0 up to the threshold.
      weights: Weights that the average has given out, of a scheduled b2. ``()``: b2 is constant. Default: ().
    """

    clock: Clock | tuple[()]
    t: jax.Array
    rho: jax.Array
    r: jax.Array
    weights: _numerics.Average | tuple[()] = ()

    @property
    def count(self) -> jax.Array:
        """Number of updates that the link has seen, shape (), int32."""
        return _clock.count_of(self)


@validated
def scale_by_rectification(
    b2: Decay = 0.999,
    *,
    threshold: Threshold = 5.0,
    fallback: Real = 1.0,
    variance: VarianceChoice = "first_order",
    length: LengthChoice = "centre_of_mass",
) -> optax.GradientTransformation:
    """RAdam's rectification of a rate: ``r_t`` times the rate once rho_t is long enough, else a constant.

    ::

        rho_inf = 2 / (1 - b2) - 1,    rho_t = rho_inf - 2 t b2^t / (1 - b2^t)
        r_t     = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t))
        out     = r_t l                              where rho_t > threshold
        out     = fallback                           otherwise

    At the end of a rate, in :func:`scale_by_adaptive_rate`, a fallback of 1 makes the step that of plain
    momentum. In a chain of updates, where what comes in is a step and not a rate, the only sensible fallback
    is 0: ``optax.chain(rx.scale_by_rms(0.999), rx.scale_by_rectification(0.999, fallback=0.0))``. For a
    scheduled b2 rho_t is that of the average as it has come about (an extension).

    The paper's threshold is 4; 5 is that of the authors' code, optax and PyTorch.

    Args:
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      threshold: Length rho_t above which the rate is rectified, dimensionless: at least 4 with
        ``variance="first_order"``, at least 2 with "exact", since below them the variance is infinite. The
        paper has 4, the authors' code, optax and PyTorch have 5. Default: 5.0.
      fallback: What comes out before the threshold: 1.0, momentum SGD (the paper), or 0.0, no update (the
        authors' package). Default: 1.0.
      variance: Which variance of the rate is matched: "first_order", the paper's, finite for rho > 4, or
        "exact", finite for rho > 2 (an extension). Default: "first_order".
      length: Which length the moving average has: "centre_of_mass", the paper's, or "variance", that of the
        simple average with the same variance (an extension). Default: "centre_of_mass".

    Returns:
      An :class:`optax.GradientTransformation`. What comes out is the rectified rate, in the dtype that came
      in. Its state is a :class:`RectificationState`, which :func:`rectification_stats` reads.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``threshold`` is lower than the variance allows, or another argument is outside its domain.
      UserWarning: b2 is so small that rho_t never exceeds the threshold, 2 / (1 - b2) - 1 <= threshold: the
        rate is never adaptive.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, rate = rx.scale_by_rectification(0.999), jnp.array([3.0])
      >>> state = link.init(rate)
      >>> for _ in range(6):
      ...     out, state = link.update(rate, state)
      >>> print(f"rho = {state.rho:.3f}, r = {state.r:.4f}, out = {out[0]:.4f}")
      rho = 5.994, r = 0.0258, out = 0.0775

    References:
      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond, Algorithm 2.
      https://arxiv.org/abs/1908.03265
    """
    finite_from = {"first_order": "[4, inf)", "exact": "[2, inf)"}[variance]
    threshold = number_in(finite_from, f" with `variance`={variance!r}")("threshold", threshold)
    if is_static(b2, threshold) and (rho_inf := _numerics.limit_above(0, b2)) <= threshold:
        warn(f"`b2`={b2} never rectifies: rho_t stays below {rho_inf:.3g}, `threshold` is {threshold}.")

    def init(params):
        del params
        # An array for each, since one buffer could not be donated twice.
        shown = (jnp.zeros([], jnp.result_type(float)) for _ in range(2))
        weights = _numerics.new_average() if callable(b2) else ()
        return RectificationState(_clock.new(), jnp.zeros([], jnp.int32), *shown, weights=weights)

    def update(updates, state, params=None):
        expect(RectificationState, state)
        del params
        clock = _clock.after(_clock.running(state))
        at, weights = _length(b2, state, clock, length)
        floor = _numerics.FLOORS[variance]
        rho, r = _numerics.rectifier(at.b2, at.above(floor), variance, threshold - floor)
        updates = map_leaves(_rectify, (updates,), (), (r, lax.gt(r, 0.0), fallback), like=updates)
        found = (jnp.copy(clock.count), rho, r, weights)
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
