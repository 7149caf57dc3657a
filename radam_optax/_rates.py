"""Links that turn a statistic into an adaptive learning rate, and the rectification of a rate."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from radam_optax import _numerics
from radam_optax._core.domains import Length, Scalar, Variance, expect, number, validated, warn
from radam_optax._core.leaves import map_leaves, times


@validated()
def inverse_root(eps: Scalar = 1e-8, eps_root: Scalar = 0.0) -> optax.GradientTransformation:
    """The adaptive learning rate ``1 / (sqrt(v + eps_root) + eps)`` of a second moment v.

    Where the denominator is 0 the rate is 0, not infinite; derivatives are finite there as well.

    Args:
      eps: outside the root, in gradient units, >= 0.
      eps_root: inside the root, in gradient units squared, >= 0. 1e-6 inside acts like 1e-3 outside.

    Returns:
      A stateless transformation. The rate is in at least float32: in float16 eps = 1e-8 is 0.
    """

    def update(updates, state, params=None):
        del params
        if isinstance(eps, float) and eps > 0:
            return map_leaves(_inverse_root, (updates,), (), (eps_root, eps)), state
        if isinstance(eps, float):  # One instruction instead of a root and a division.
            never_0 = isinstance(eps_root, float) and eps_root > 1e-30  # Nor is it 0 in float32.
            kernel = _inverse_of_positive_root if never_0 else _inverse_of_root
            return map_leaves(kernel, (updates,), (), (eps_root,)), state
        rate_at_0 = jnp.where(eps == 0, 0, 1 / _or_1(eps))
        return map_leaves(_inverse_root_or, (updates,), (), (eps_root, eps, rate_at_0)), state

    return optax.GradientTransformation(optax.init_empty_state, update)


@jax.custom_jvp
def _inverse_root(v, eps_root, eps):
    return 1 / (jnp.sqrt(v + eps_root) + eps)


@_inverse_root.defjvp
def _inverse_root_jvp(primals, tangents):
    """Derivatives, which at 0 are 0 and not infinite, pay for the choice between them; values do not."""
    v, eps_root, eps = primals
    with jax.numpy_dtype_promotion("standard"):
        return jax.jvp(_inverse_root_or, (v, eps_root, eps, 1 / eps), (*tangents, -tangents[2] / eps / eps))


def _inverse_of_positive_root(v, eps_root):
    return jax.lax.rsqrt(v + eps_root)


def _inverse_of_root(v, eps_root):
    v = v + eps_root
    rate = jax.lax.rsqrt(_or_1(v))
    return jax.lax.select(v == 0, jnp.zeros_like(v), rate)


def _inverse_root_or(v, eps_root, eps, rate_at_0):
    v = v + eps_root
    rate = 1 / (jnp.sqrt(_or_1(v)) + eps)
    return jax.lax.select(v == 0, jax.lax.full_like(v, rate_at_0), rate)


def _or_1(v):
    """A stand-in at 0, where the root has no finite derivative; a NaN goes through."""
    return jax.lax.select(v == 0, jnp.ones_like(v), v)


class RectificationState(NamedTuple):
    """State of :func:`scale_by_rectification`: the step, and what was found there, for logging."""

    count: jax.Array  # shape=(), dtype=int32.
    rho: jax.Array  # shape=(), dtype=float32 (float64 in x64 mode).
    r: jax.Array  # shape=(), dtype=float32 (float64 in x64 mode).
    adaptive: jax.Array  # shape=(), dtype=bool.


@validated(b2=number("[0, 1)"))
def scale_by_rectification(
    b2: Scalar = 0.999,
    *,
    threshold: Scalar = 5.0,
    fallback: Scalar = 1.0,
    variance: Variance = "first_order",
    length: Length = "centre_of_mass",
) -> optax.GradientTransformation:
    """RAdam's rectification: ``r_t * rate`` once ``rho_t > threshold``, ``fallback`` until then.

    At the end of a rate (:func:`scale_by_adaptive_rate`) a fallback of 1 makes the step that of plain
    momentum. In a chain of updates, where what comes in is a step and not a rate, the only sensible
    fallback is 0::

        optax.chain(scale_by_rms(decay=0.999), scale_by_rectification(0.999, fallback=0.0))

    Args:
      b2: decay of the second moment in the rate, dimensionless, in [0, 1).
      threshold: dimensionless; at least 4 with the first-order variance, at least 2 with the exact
        one, below which the variance is infinite.
      fallback: what comes out before the threshold: 1.0, momentum SGD (the paper); 0.0, no update
        (the authors' package).
      variance: "first_order" (the paper) or "exact", see :func:`rectification`.
      length: "centre_of_mass" (the paper) or "variance", see :func:`rectification`.

    Raises:
      ValueError: see Args. Warns (UserWarning) if b2 is so small that rho_t never gets past the
      threshold: 2/(1-b2) - 1 <= threshold.

    Source: Liu et al. (2020), Algorithm 2. There the threshold is 4; 5 is that of the authors' code,
    optax and PyTorch.
    """
    finite_from = {"first_order": "[4, inf)", "exact": "[2, inf)"}[variance]
    threshold = number(finite_from, f" with `variance`={variance!r}")("threshold", threshold)
    rho_inf = _numerics.limit_above(0, b2)
    if isinstance(rho_inf, float) and isinstance(threshold, float) and rho_inf <= threshold:
        warn(f"`b2`={b2} never rectifies: rho_t stays below {rho_inf:.3g}, `threshold` is {threshold}.")

    def init(params):
        del params
        rho, r = (
            jnp.zeros([], jnp.result_type(float)) for _ in range(2)
        )  # One buffer could not be donated twice.
        return RectificationState(jnp.zeros([], jnp.int32), rho, r, jnp.zeros([], bool))

    def update(updates, state, params=None):
        expect(RectificationState, state)
        del params
        count = jnp.asarray(optax.safe_increment(state.count))
        at = _numerics.moving_length(b2, count, length)
        rho, r = _numerics.rectifier(at, variance)
        # XLA computes a division once, but sums and products again in the loop of every leaf.
        adaptive = at.above(threshold) / rho > 0
        scalars = (r, adaptive, fallback)
        updates = map_leaves(_rectify, (updates,), (), scalars, keep_dtype=True)
        return updates, RectificationState(count, rho, r, adaptive)

    return optax.GradientTransformation(init, update)


def _rectify(rate, r, adaptive, fallback):
    return jax.lax.select(adaptive, times(rate, r), jax.lax.full_like(rate, fallback))
