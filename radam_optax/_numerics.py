r"""The scalars of a step, exact in float32: bias corrections, the rectifier, the variance behind it.

Arrays in, arrays out; no trees. Everything is computed in float32, or in float64 in x64 mode.

Both textbook formulas subtract nearly equal numbers: ``1 - b2**t`` for small t, and the
length ``rho_t = 2/(1-b2) - 1 - 2 t b2**t/(1 - b2**t)``, which is about t, from two terms of size
``2/(1-b2)``. In float32 at b2 = 0.9999 the second gets rho_4 > 4 and r_6 wrong by half. Here, with

    x = -log(b2),  y = x/2,  Y = t y,  and Lambert's M(y) = y coth(y) - 1 = y^2/(3 + y^2/(5 + y^2/(7 + ...))),

    1 - b2^t = 2Y / (1 + Y + M(Y))                  (expm1 is off by 4e-7 in some compilers)
    t - rho_t = (M(Y) - M(y)) / y                   (centre of mass)
    t - n_t   = t (M(Y) - M(y)) / (1 + M(Y))        (variance, n_t = tanh(Y)/tanh(y))

so that ``rho_t - 4 = (t - 4) - (t - rho_t)`` loses nothing where it decides: t - 4 is an exact
integer. From Y = 0.75 on, the closed forms ``rho_inf - 2t/(exp(tx) - 1)`` and
``rho_inf - 2 rho_inf/(exp(tx) + 1)`` cancel no longer and take over.

The sums of a step are written in lax: an operator between arrays is a jitted function, which takes ten times
as long to trace.

A scheduled decay b_t has no closed form. There the weights that the average has given out are summed as it
goes (:class:`Average`): ``rho_t = 1 + 2 M_t/W_t`` from their sum W and their mean age M/W,
``n_t = W_t^2/S_t`` from the sum S of their squares. For a constant decay they are what the closed forms are.
"""

from __future__ import annotations

import math
import operator
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import ArrayLike

from radam_optax._core.calls import validated
from radam_optax._core.domains import LengthChoice, Real, VarianceChoice, anything, number_in, schedulable
from radam_optax._core.values import (
    Length,
    Scalar,
    ScalarOrSchedule,
    Schedule,
    Variance,
    as_scalar,
    is_static,
    refuse_coarse,
    scheduled,
)

# Where the closed forms take over, and how many denominators of the fraction are enough up to there: the
# first one left out changes rho_t by 1e-8, or by 1e-17 in float64.
_NEAR, _DEPTH, _DEPTH_64 = 0.75, 4, 8

# (rho - 2) Var[psi] / tau^2 in powers of u = 2/rho. It is smooth on all of 0 <= u <= 1, so that one
# polynomial serves every rho > 2: interpolated at 23 Chebyshev points in 80 digits, error 5e-16 in
# float64 and 3e-7 in float32, with none of the cancellation of the Gamma functions. The script that made it
# is tests/support/variance_polynomial.py; a test makes it again.
_VARIANCE_POLYNOMIAL = (
    0.5000000000000001, 0.43749999999993205, 0.359375000012087, 0.2705078116371317,
    0.18139651739612347, 0.10653608007367413, 0.05829363282455117, 0.03725443668243526,
    0.029462982056376055, 0.0016923885635246334, 0.03753371170874525, -0.19644078688785382,
    0.744299826953735, -1.8236259576748737, 3.2896046613227745, -4.54792250373776,
    4.902729483424272, -4.113104969618836, 2.644749523930203, -1.2627065675977955,
    0.4229099826478002, -0.08893258874673253, 0.008887335030485409,
)  # fmt: skip


def _decays(name: str, value: ArrayLike) -> Scalar:
    """Keeps a Python or NumPy number in double precision; an array of any shape passes unread."""
    refuse_coarse(f"`{name}`", value)
    is_array = isinstance(value, jax.Array) or (isinstance(value, np.ndarray) and value.ndim)
    return as_scalar(value) if is_array else number_in("[0, 1)")(name, value)


Decays = Annotated[Scalar, _decays]
DecaysOrSchedule = Annotated[ScalarOrSchedule, schedulable(_decays)]
Numbers = Annotated[ArrayLike, anything]


class Rectification(NamedTuple):
    """The length of the moving average at a step and the rectifier that belongs to it.

    Attributes:
      rho: Length of the moving average, dimensionless.
      r: Rectifier, dimensionless, 0 to 1; 0 where the variance is infinite.
    """

    rho: jax.Array
    r: jax.Array


@validated
def total_weight(decay: Decays, count: Numbers, power: Real = 1.0) -> jax.Array:
    """The sum of the weights that a moving average has given out: what a bias correction divides by.

    ::

        (1 - decay^count)^power

    Exact in float32 at every count and decay, where the formula as it stands loses digits for few updates.

    Args:
      decay: Decay or decays of the average, dimensionless, in [0, 1): a number, which is used to its last
        bit, or an array.
      count: Number of updates up to this one, t >= 1; a number or an array.
      power: Power of the sum, dimensionless. Default: 1.0.

    Returns:
      An array of the shape of ``count``; relative error under 4e-7 in float32, 1e-13 in x64 mode
      (``python -m benchmarks numerics``). Derivatives with respect to ``decay`` are exact, at 0 too.

    Raises:
      TypeError: ``decay`` is no number, or one of 16 bits.
      ValueError: ``decay`` or ``power`` is outside its domain.

    Example:
      >>> import radam_optax as rx
      >>> f"{rx.total_weight(0.999, 1):.6f}"
      '0.001000'
      >>> f"{rx.total_weight(0.999, 1000):.6f}"
      '0.632305'

    References:
      Kingma & Ba (2015), Adam: A Method for Stochastic Optimization, Algorithm 1.
      https://arxiv.org/abs/1412.6980
    """
    t = _as_float(count)
    weight = one_minus_exp(lax.mul(t, rate(decay))) if is_static(decay) else _weight(decay, t)
    return weight if is_static(power) and power == 1.0 else weight**power


@validated
def rectification(
    b2: DecaysOrSchedule,
    count: Numbers,
    *,
    variance: VarianceChoice = "first_order",
    length: LengthChoice = "centre_of_mass",
) -> Rectification:
    """RAdam's length rho_t and variance rectifier r_t.

    ::

        rho_inf = 2 / (1 - b2) - 1,    rho_t = rho_inf - 2 t b2^t / (1 - b2^t)
        r_t     = sqrt(V(rho_inf) / V(rho_t))        V: the variance of the adaptive rate

    V is rho / (2 (rho - 2) (rho - 4)) with ``variance="first_order"``, the paper's; "exact" is its eq. 2,
    valid beyond the rho > 4 for which it is stated. With ``length="variance"``, an extension, rho_t is
    rho_inf tanh(-t log(b2) / 2), the length of the simple average that has the variance of the moving one.

    Args:
      b2: Decay or decays of the second moment, dimensionless, in [0, 1): a number, which is used to its last
        bit, or an array. Or a schedule of the count of past updates: then rho_t is that of the average as it
        has come about, and rho_inf that of the step's own decay (an extension); it takes as many steps as the
        largest count.
      count: Number of updates up to this one, t >= 1; a number or an array.
      variance: Which variance of the rate is matched: "first_order", the paper's, finite for rho > 4, or
        "exact", finite for rho > 2 (an extension). Default: "first_order".
      length: Which length the moving average has: "centre_of_mass", the paper's, or "variance", that of the
        simple average with the same variance (an extension). Default: "centre_of_mass".

    Returns:
      ``Rectification(rho, r)``, arrays of the shape of ``count``. r is 0 while V is infinite. Relative errors
      are under 4e-7 in float32 and 1e-13 in x64 mode for b2 >= 0.8 (``python -m benchmarks numerics``); below
      that, r is ill-conditioned near its own zero (float32: 3e-6 from b2 = 0.7). Those of a schedule are as
      small, from the decays as it returns them. Derivatives with respect to ``b2`` are finite.

    Raises:
      TypeError: ``b2`` is no number and no schedule, or one of 16 bits.
      ValueError: ``b2``, ``variance`` or ``length`` is outside its domain.

    Example:
      >>> import radam_optax as rx
      >>> at = rx.rectification(0.999, 6)
      >>> f"rho = {at.rho:.5f}, r = {at.r:.7f}"
      'rho = 5.99416, r = 0.0258211'
      >>> f"r = {rx.rectification(0.999, 6, variance='exact').r:.7f}"
      'r = 0.0378456'

    References:
      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond, section 4 and Algorithm 2.
      https://arxiv.org/abs/1908.03265
    """
    if callable(b2):
        return _along(b2, jnp.asarray(count), variance, length)
    return rectifier(b2, moving_length(b2, count, length).above(FLOORS[variance]), variance)


def _along(b2: Schedule, count: jax.Array, variance: Variance, length: Length) -> Rectification:
    def step(past, carry):
        average, found = carry
        b = scheduled(b2, past)
        average = aged(average, b)
        t = past + 1
        at = AverageLength(b, t.astype(b.dtype), average, length)
        here = rectifier(b, at.above(FLOORS[variance]), variance)
        return average, jax.tree.map(lambda x, now: jnp.where(count == t, now, x), found, here)

    zeros = jnp.zeros(count.shape, jnp.result_type(float))
    last = jnp.max(count, initial=0).astype(jnp.int32)
    return jax.lax.fori_loop(0, last, step, (new_average(), Rectification(zeros, zeros)))[1]


@validated
def adaptive_rate_variance(rho: Numbers, method: VarianceChoice = "exact") -> jax.Array:
    """The variance of the adaptive rate of so many gradients.

    ::

        psi = 1 / sqrt(mean of g_1^2, ..., g_rho^2)  of gradients that are N(0, 1)

        exact        Var[psi] = rho/(rho-2) - (rho/2) (Gamma((rho-1)/2) / Gamma(rho/2))^2      rho > 2
        first_order  Var[psi] = rho / (2 (rho-2) (rho-4))                                      rho > 4

    For gradients of standard deviation sigma divide the result by sigma^2. The exact form is the paper's eq.
    2 by Legendre's duplication formula.

    Args:
      rho: Degrees of freedom, dimensionless, > 2 for the exact variance and > 4 for the first-order one to be
        finite; a number or an array.
      method: Which variance: "exact", or "first_order", the paper's approximation. Default: "exact".

    Returns:
      An array of the shape of ``rho``, infinite where the variance is. The exact one has a relative error
      under 1e-6 in float32 and 1e-13 in x64 mode (``python -m benchmarks numerics``).

    Raises:
      ValueError: ``method`` is none of the two.

    Example:
      >>> import radam_optax as rx
      >>> [f"{rx.adaptive_rate_variance(5.0, method):.4f}" for method in ("exact", "first_order")]
      ['0.2520', '0.8333']

    References:
      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond, eqs. 2 and 5.
      https://arxiv.org/abs/1908.03265
    """
    rho = jnp.asarray(rho).astype(jnp.result_type(float))
    finite = rho > (2 if method == "exact" else 4)
    rho = jnp.where(finite, rho, 5)
    first_order = rho / (2 * (rho - 2) * jnp.where(finite, rho - 4, 1))
    exact = _horner(_VARIANCE_POLYNOMIAL, 2 / rho) / (rho - 2)
    return jnp.where(finite, exact if method == "exact" else first_order, jnp.inf)


class MovingLength(NamedTuple):
    """The length rho_t of a moving average: a whole, t or rho_inf, without a part."""

    b2: Scalar
    t: jax.Array
    near: jax.Array  # Whether the average has not yet got far, and the whole is t.
    offset: jax.Array  # What belongs to that whole.
    part: jax.Array  # A quotient, since XLA computes that once, but sums and products again for every use.

    def above(self, floor: float) -> jax.Array:
        """``rho_t - floor``, with its right sign and to full relative precision."""
        of_step = lax.add(lax.sub(self.t, floor), self.offset)
        of_limit = lax.add(lax.full_like(of_step, 0), limit_above(floor, self.b2))
        return lax.sub(lax.select(self.near, of_step, of_limit), self.part)


def moving_length(b2: Scalar, count: ArrayLike, length: Length) -> MovingLength:
    """The length at step ``count``, see the head of this module."""
    t = _as_float(count)
    x = rate(b2)
    y = min(x / 2, _NEAR) if is_static(x) else lax.min(x / 2, _NEAR)
    reach = lax.mul(t, y)
    square = lax.mul(reach, reach)
    depth = _DEPTH if t.dtype == jnp.float32 else _DEPTH_64
    left = lax.exp(lax.mul(t, -x))
    if length == "variance":
        fraction, m = _fraction(square, depth), y * y / _fraction(y * y, _DEPTH_64)
        offset = lax.full_like(t, 0)
        of_step = lax.mul(t, lax.sub(square, lax.mul(fraction, m))), lax.add(fraction, square)
        of_limit = lax.mul(left, 2 * limit_above(0, b2)), lax.add(left, 1.0)
    else:
        # M(y) = y^2/3 - y^4/(9f + 3y^2), f being the fraction from 5 on. The first term stands apart: where
        # rho_t is near its floor the others are small, and so is their rounding error.
        fraction, f = _fraction(square, depth, 5), _fraction(y * y, _DEPTH_64, 5)
        offset = lax.sub(-(y**3) / (9 * f + 3 * y * y), lax.mul(lax.sub(lax.mul(t, t), 1.0), y / 3))
        of_step = lax.mul(square, square), lax.mul(lax.add(lax.mul(fraction, 3.0), square), -3 * y)
        of_limit = lax.mul(lax.mul(t, 2.0), left), lax.sub(1.0, left)
    near = lax.lt(reach, _NEAR)
    part = lax.div(*(lax.select(near, *both) for both in zip(of_step, of_limit, strict=True)))
    return MovingLength(b2, t, near, offset, part)


class Sum(NamedTuple):
    """A sum and what its roundings have left out, so that a million terms cost no more than one."""

    value: jax.Array  # shape=(), dtype=float32 (float64 in x64 mode).
    rest: jax.Array  # As value.

    def plus(self, term: jax.Array) -> Sum:
        term = term + self.rest
        value = self.value + term
        taken = value - self.value
        return Sum(value, (self.value - (value - taken)) + (term - taken))


def check_sums(name: str, sums: tuple[Any, ...]) -> None:
    """Raises TypeError if a part of a state is not what :class:`Sum` made it."""
    for x in sums:
        if not isinstance(x, Sum) or len(jax.tree.leaves(x)) != 2:
            raise TypeError(f"`{name}` in the state must be a sum and its rest; got {x!r}.")


class Average(NamedTuple):
    """How far a moving average with a scheduled decay has come: what it has given its terms for weights.

    ::

        W_t = b_t W_{t-1} + 1 - b_t,    M_t = b_t (M_{t-1} + W_{t-1}),    S_t = b_t^2 S_{t-1} + (1 - b_t)^2
    """

    weight: Sum  # W, the sum of the weights.
    age: Sum  # M, their sum times the steps since.
    square: Sum  # S, the sum of their squares.


def new_average() -> Average:
    """Before the first update."""
    return Average(*(Sum(*(jnp.zeros([], jnp.result_type(float)) for _ in range(2))) for _ in range(3)))


def aged(average: Average, b: jax.Array) -> Average:
    """One step on. What is added is small where the sum is large: its rounding does not matter."""
    (w, w_rest), (m, m_rest), (s, s_rest) = average
    new = 1 - b
    return Average(
        average.weight.plus(new * (1 - w) - new * w_rest),
        average.age.plus((b * w - new * m) + (b * w_rest - new * m_rest)),
        average.square.plus(new * (new - (1 + b) * s) - new * (1 + b) * s_rest),
    )


class AverageLength(NamedTuple):
    """The length rho_t of an average with a scheduled decay."""

    b2: Scalar  # Of this step.
    t: jax.Array
    average: Average
    length: Length

    def above(self, floor: Scalar) -> jax.Array:
        """``rho_t - floor``, with its right sign."""
        (w, w_rest), (m, m_rest), (s, s_rest) = self.average
        if self.length == "variance":
            excess, whole = (w * w - floor * s) + (2 * w * w_rest - floor * s_rest), s
        else:
            excess, whole = (2 * m - (floor - 1) * w) + (2 * m_rest - (floor - 1) * w_rest), w
        # Decays of 1 give no weight to anything: it is as before the second update.
        nothing = w == 0
        above = jnp.where(nothing, 1 - floor, excess / jnp.where(nothing, 1, whole))
        # No average has the variance of one of more terms than it has; nearly equal weights round beyond it.
        return jnp.minimum(above, self.t - floor) if self.length == "variance" else above


# Where the variance is infinite: a length and its distance from there are computed to full precision.
FLOORS = {"first_order": 4.0, "exact": 2.0}


def rectifier(b2: Scalar, above: jax.Array, variance: Variance, beyond: Scalar = 0.0) -> Rectification:
    """rho_t and r_t of a length that is so much ``above`` the floor of its variance.

    r_t is 0 unless that is ``beyond`` a threshold, and where the step's own decay would leave the variance
    infinite.
    """
    floor = FLOORS[variance]
    rho, rho_inf, inf_above = lax.add(above, floor), limit_above(0, b2), limit_above(floor, b2)
    finite = lax.gt(above, beyond)
    if not is_static(inf_above):
        finite &= inf_above > 0
        inf_above = jnp.where(inf_above > 0, inf_above, 1)
    elif inf_above <= 0:
        return Rectification(rho, lax.full_like(rho, 0))
    if variance == "exact":
        limit = inf_above / _horner(_VARIANCE_POLYNOMIAL, 2 / rho_inf)
        square = lax.div(above, _horner(_VARIANCE_POLYNOMIAL, 2 / rho))
    else:
        limit = inf_above * limit_above(2, b2) / rho_inf
        square = lax.div(lax.mul(above, lax.add(above, 2.0)), rho)
    # A root has no derivative at 0.
    square = lax.select(finite, square, lax.full_like(square, 1))
    r = lax.sqrt(lax.mul(square, 1 / limit))
    return Rectification(rho, lax.select(finite, r, lax.full_like(r, 0)))


def limit_above(floor: Scalar, b2: Scalar) -> Scalar:
    """``rho_inf - floor``; a Python float if both arguments are."""
    return ((1 + b2) - floor * (1 - b2)) / (1 - b2)


def rate(decay: Scalar) -> Scalar:
    """``-log(decay)``; decay - 1 is exact near 1, where the logarithm would lose it.

    It counts as at least 1e-35, which no sum of weights can tell from 0, so that all is finite.
    """
    if is_static(decay):
        return -math.log(max(decay, 1e-35)) if decay < 0.5 else -math.log1p(decay - 1)
    small = decay < 0.5
    of_small = jnp.log(jnp.maximum(jnp.where(small, decay, 1), 1e-35))
    return -jnp.where(small, of_small, jnp.log1p(jnp.where(small, 1, decay) - 1))


def one_minus_exp(x: jax.Array) -> jax.Array:
    """``1 - exp(-x)`` for x >= 0, to full relative precision."""
    # From x = 0.5 on the difference cancels no longer.
    y = lax.mul(x, 0.5)
    square = lax.mul(y, y)
    m = lax.div(square, _fraction(square, 2 if x.dtype == jnp.float32 else 5))
    near = lax.div(x, lax.add(lax.add(m, y), 1.0))
    return lax.select(lax.lt(y, 0.25), near, lax.sub(1.0, lax.exp(lax.neg(x))))


@jax.custom_jvp
def _weight(decay: jax.Array, t: jax.Array) -> jax.Array:
    """``1 - decay**t``; its derivative is stated, since the logarithm has none at decay = 0."""
    return one_minus_exp(t * rate(decay))


@_weight.defjvp
def _weight_jvp(primals, tangents):
    decay, t = primals
    return _weight(decay, t), -t * _power(decay, t - 1) * tangents[0]


@jax.custom_jvp
def _power(base: jax.Array, n: jax.Array) -> jax.Array:
    """``base**n`` for n >= 0, whose derivative n base^(n - 1) is 0 at n = 0, also of a base of 0."""
    return base**n


@_power.defjvp
def _power_jvp(primals, tangents):
    base, n = primals
    return _power(base, n), n * _power(base, jnp.maximum(n - 1, 0)) * tangents[0]


def _fraction(square: Scalar, depth: int, first: int = 3) -> Scalar:
    """``3 + y^2/(5 + y^2/(7 + ...))`` of y^2, from the denominator ``first`` to 2 depth + 1."""
    over, plus = (operator.truediv, operator.add) if is_static(square) else (lax.div, lax.add)
    total: Any = 2.0 * depth + 1
    for k in range(2 * depth - 1, first - 1, -2):
        total = plus(over(square, total), float(k))
    return total


def _horner(coefficients: tuple[float, ...], x: Scalar) -> Scalar:
    times, plus = (operator.mul, operator.add) if is_static(x) else (lax.mul, lax.add)
    total: Any = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        total = plus(times(x, total), coefficient)
    return total


def _as_float(count: ArrayLike) -> jax.Array:
    return lax.convert_element_type(jnp.asarray(count), jnp.result_type(float))
