"""Long-term memory in formulas: rare informative gradients, and a spike among equal ones.

The problem of rare gradients, in the spirit of Reddi et al. (2018): on [-1, 1], with a period of k steps,
k - 1 gradients are -1 and misleading, and the k-th is 2 (k - 1) and informative: it outweighs them twice.
The sum over a period is k - 1 > 0, so the optimum is x = -1.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import radam_optax as rx

B1, B2 = 0.9, 0.99  # The second moment remembers 1 / (1 - b2) = 100 steps.
SPIKE = 1e4  # The factor on the gradient of one step, and which one; the first is step 1.
AT = 101


class Method(NamedTuple):
    """An optimizer as a function of learning rate and b1, and how it remembers."""

    make: Callable[[float, float], optax.GradientTransformation]
    decay: float  # Of the maximum: 0 is Adam, which has none, and 1 is AMSGrad.
    clip: float = np.inf  # The largest norm of a gradient.


def _amsgrad(max_decay: float) -> Method:
    return Method(lambda rate, b1: rx.amsgrad(rate, b1, B2, max_decay=max_decay), max_decay)


def _clipped(norm: float) -> Method:
    return Method(
        lambda rate, b1: optax.chain(optax.clip_by_global_norm(norm), rx.amsgrad(rate, b1, B2)), 1.0, norm
    )


METHODS = {
    "Adam": Method(lambda rate, b1: rx.adam(rate, b1, B2), 0.0),
    "AMSGrad": _amsgrad(1.0),
    "AMSGrad, clipped": _clipped(1.0),
    "AMSGrad, forgets": _amsgrad(B2),
    "AMSGrad, forgets slowly": _amsgrad(0.998),
}


PERIOD, WALK = 500, 12_500  # Steps of a period, and of a walk, among rare gradients.
PERIODS = tuple(sorted({round(k) for k in np.geomspace(3, 2000, 16)}))
AFTER = 8000  # Steps after a spike among equal gradients.
# By optimizer: in closed form and measured; or, of walks, x and the effective rate.
Pairs = Mapping[str, tuple[np.ndarray, np.ndarray]]


def rare_gradients(period: Any, steps: int) -> jax.Array:
    """Shape (steps,); the informative one is the last of each period, of k >= 2 steps."""
    last = jnp.arange(1, steps + 1) % period == 0
    return jnp.where(last, 2 * (period - 1), -1).astype(float)


def _remember(second_moment: np.ndarray, decay: float) -> np.ndarray:
    """The maximum that forgets: u_j = max(decay u_{j-1}, v_j)."""
    if decay == 0:
        return second_moment
    kept = decay ** np.arange(len(second_moment))
    return kept * np.maximum.accumulate(second_moment / kept)


def steps_of_period(method: Method, period: int) -> np.ndarray:
    """In closed form: ``m_j / sqrt(u_j)`` in learning rates, j = 0 ... k - 1 steps after the rare gradient.

    The averages of a periodic sequence are ``-1 + (C + 1) w(b1)`` for g and ``1 + (C^2 - 1) w(b2)`` for g^2,
    where C is the rare gradient and ``w(b) = (1 - b) b^j / (1 - b^k)``, after many periods.
    """
    large = min(2.0 * (period - 1), method.clip)

    def weight(b: float) -> np.ndarray:
        return (1 - b) * b ** np.arange(period) / (1 - b**period)

    momentum = -1 + (large + 1) * weight(B1)
    return momentum / np.sqrt(_remember(1 + (large**2 - 1) * weight(B2), method.decay))


def progress(steps: np.ndarray, axis: int = -1) -> np.ndarray:
    """The way made towards the optimum as a part of the way gone: from -1, all wrong, to 1."""
    return steps.sum(axis) / np.abs(steps).sum(axis)


def turning_period(method: Method) -> int:
    """The shortest period of which the closed form has x move away from the optimum."""
    return next(k for k in range(2, 10_000) if progress(steps_of_period(method, k)) < 0)


def measured_progress(method: Method, periods: Sequence[int]) -> np.ndarray:
    """That of the optimizer in the last whole period of each of the lengths; shape (len(periods),)."""
    length = 2 * max(periods)
    optimizer = method.make(1.0, B1)

    def one(period):
        def step(state: Any, g: jax.Array) -> tuple[Any, Any]:
            updates, state = optimizer.update(g, state)
            return state, updates

        grads = rare_gradients(period, length)
        steps = jax.lax.scan(step, optimizer.init(jnp.zeros(())), grads)[1]
        begin = (length // period - 1) * period  # The step of a rare gradient, counted from 1.
        index = jnp.arange(1, length + 1)
        return jnp.where((index >= begin) & (index < begin + period), -steps, 0.0)

    return progress(np.asarray(jax.jit(jax.vmap(one))(jnp.asarray(periods)), np.float64))


def make_walk(method: Method, rate: float, period: int, steps: int) -> tuple[Any, Any]:
    """The jitted function of the carry (x, state, state) that takes so many steps, and the first carry.

    The record is x_t, and the effective rate of the same optimizer without momentum, 1 / sqrt(u_t).
    """
    optimizer = optax.chain(method.make(rate, B1), rx.project(lambda x: jnp.clip(x, -1.0, 1.0)))
    still = method.make(1.0, 0.0)

    def step(carry, g):
        x, state, still_state = carry
        updates, state = optimizer.update(g, state, x)
        x = x + updates
        still_updates, still_state = still.update(g, still_state)
        return (x, state, still_state), (x, rx.effective_rate(still_updates, g))

    x = jnp.zeros(())
    carry = x, optimizer.init(x), still.init(x)
    return jax.jit(lambda carry: jax.lax.scan(step, carry, rare_gradients(period, steps))), carry


def slowdown(method: Method, steps: int) -> np.ndarray:
    """In closed form: sqrt(u) at the spike, which is step AT, and so many steps later; it was 1 before.

    j steps after a spike s the second moment is ``1 + (s^2 - 1)(1 - b2) b2^j / (1 - b2^(AT + j))``, as all
    other gradients are 1.
    """
    large = min(SPIKE, method.clip)
    j = np.arange(steps + 1)
    left = (1 - B2) * B2**j / (1 - B2 ** (AT + j))
    return np.sqrt(np.maximum(_remember(1 + (large**2 - 1) * left, method.decay), 1.0))


def measured_slowdown(method: Method, steps: int) -> np.ndarray:
    """That of the optimizer, shape (steps + 1,)."""
    optimizer = method.make(1.0, 0.0)
    grads = jnp.ones(AT + steps).at[AT - 1].set(SPIKE)

    def step(state, g):
        updates, state = optimizer.update(g, state)
        return state, updates

    updates = jax.jit(lambda: jax.lax.scan(step, optimizer.init(grads[0]), grads)[1])()
    # The gradient that an optimizer sees is what its clipping leaves of it.
    seen = np.minimum(np.asarray(grads), method.clip)
    return (seen / -np.asarray(updates))[AT - 1 :]


def recovered(slowdowns: np.ndarray) -> int | None:
    """After how many steps a step is at most sqrt(2) times shorter than without the spike, or None."""
    within = np.flatnonzero(slowdowns <= np.sqrt(2))
    return int(within[0]) if len(within) else None
