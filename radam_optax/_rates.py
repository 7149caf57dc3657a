"""Links that turn a statistic into an adaptive learning rate, and the rectification of a rate."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from radam_optax import _clock, _numerics
from radam_optax._clock import Clock
from radam_optax._core.calls import validated
from radam_optax._core.domains import (
    FixedDecay,
    LengthChoice,
    NonNegative,
    Real,
    Threshold,
    VarianceChoice,
    number_in,
)
from radam_optax._core.leaves import map_leaves, root, times
from radam_optax._core.messages import warn
from radam_optax._core.states import expect
from radam_optax._core.values import in_dtype_of, is_static


@validated
def inverse_root(eps: NonNegative = 1e-8, eps_root: NonNegative = 0.0) -> optax.GradientTransformation:
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
        if not is_static(eps):
            kernel, scalars = _inverse_root_if, (eps_root, jnp.where(eps == 0, 1, eps), eps != 0)
        elif eps > 0:
            kernel, scalars = _inverse_root, (eps_root, eps)
        else:
            kernel, scalars = _inverse_of_root, (eps_root,)
        return map_leaves(kernel, (updates,), (), scalars), state

    return optax.GradientTransformation(optax.init_empty_state, update)


def _inverse_root(v, eps_root, eps):
    return 1 / (root(v + eps_root) + eps)


def _inverse_of_root(v, eps_root):
    """Without eps: one instruction instead of a root and a division, and 0 where that would be infinite."""
    v = v + eps_root
    at_0 = v == 0
    rate = jax.lax.rsqrt(jax.lax.select(at_0, jax.lax.full_like(v, 1), v))
    return jax.lax.select(at_0, jax.lax.full_like(v, 0), rate)


def _inverse_root_if(v, eps_root, eps, given):
    return jax.lax.select(given, _inverse_root(v, eps_root, eps), _inverse_of_root(v, eps_root))


class RectificationState(NamedTuple):
    """State of :func:`scale_by_rectification`: the step, and what was found there, for logging."""

    clock: Clock | tuple[()]  # (): that of the link around it.
    t: jax.Array  # shape=(), dtype=int32: the update that the following are of.
    rho: jax.Array  # shape=(), dtype=float32 (float64 in x64 mode).
    r: jax.Array  # shape=(), dtype=float32 (float64 in x64 mode).
    adaptive: jax.Array  # shape=(), dtype=float32 (float64 in x64 mode): 1.0 if r is in force, or 0.0.

    count = _clock.count  # pyright: ignore[reportAssignmentType]


@validated
def scale_by_rectification(
    b2: FixedDecay = 0.999,
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
    threshold = number_in(finite_from, f" with `variance`={variance!r}")("threshold", threshold)
    rho_inf = _numerics.limit_above(0, b2)
    if is_static(rho_inf, threshold) and rho_inf <= threshold:
        warn(f"`b2`={b2} never rectifies: rho_t stays below {rho_inf:.3g}, `threshold` is {threshold}.")

    def init(params):
        del params
        # An array for each, since one buffer could not be donated twice.
        shown = (jnp.zeros([], jnp.result_type(float)) for _ in range(3))
        return RectificationState(_clock.new(), jnp.zeros([], jnp.int32), *shown)

    def update(updates, state, params=None):
        expect(RectificationState, state)
        del params
        clock = _clock.after(_clock.running(state))
        at = _numerics.moving_length(b2, clock.count, length)
        rho, r = _numerics.rectifier(at, variance)
        # XLA computes a division once, but sums and products again in the loop of every leaf.
        adaptive = at.above(threshold) / rho > 0
        scalars = (r, adaptive, fallback)
        updates = map_leaves(_rectify, (updates,), (), scalars, like=updates)
        shown = map(in_dtype_of, state[1:], (jnp.copy(clock.count), rho, r, adaptive))
        return updates, RectificationState(clock, *shown)

    return optax.GradientTransformation(init, update)


def _rectify(rate, r, adaptive, fallback):
    return jax.lax.select(adaptive, times(rate, r), jax.lax.full_like(rate, fallback))
