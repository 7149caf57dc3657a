"""Ten optimizers with their learning rates, their paths over the surfaces, and what is read off a path."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import radam_optax as rx
from examples.lab.training import Recipe
from examples.studies.trajectories.surfaces import GENTLE, STEEP, SURFACES, along_and_across

RAVINE, SADDLE, CAMEL = range(len(SURFACES))
NEAR = 0.1  # A run has settled once it stays so close to a minimum,
LEFT = 0.5  # and has left the saddle once y is so large, halfway to the minimum.


class Method(NamedTuple):
    """An optimizer as it is run."""

    make: Recipe
    rate: float
    # What is shown of its parameters and its state.
    position: Callable[[Any, Any], Any] = lambda params, state: params


RATES = (
    "The learning rates: SGD, Nesterov and RAdam, whose first five steps are SGD's, have the largest of 1, "
    "2, 5 x 10^k that settles on all three surfaces; momentum has Nesterov's. The others' steps are about as "
    "long as the rate whatever the gradient, so they have 0.05, a hundredth of the ravine; but AdaGrad, "
    "whose steps shrink, has ten times that, and RMSProp with Nesterov, where momentum 0.9 adds up ten "
    "steps, a tenth."
)
METHODS = {
    "SGD": Method(rx.sgd, 0.1),
    "momentum": Method(rx.momentum, 0.05),
    "Nesterov": Method(rx.nesterov, 0.05),
    "AdaGrad": Method(lambda rate: rx.adagrad(rate, initial_accumulator_value=0.0), 0.5),
    "RMSProp": Method(rx.rmsprop, 0.05),
    # It trains the point ahead; shown is the book's variable.
    "RMSProp, Nesterov": Method(rx.rmsprop_nesterov, 0.005, lambda p, s: rx.without_lookahead(p, s, 0.9)),
    "Adam": Method(rx.adam, 0.05),
    "Adam, uncorrected": Method(lambda rate: rx.adam(rate, bias_correction=False), 0.05),
    "AMSGrad": Method(rx.amsgrad, 0.05),
    "RAdam": Method(rx.radam, 0.2),
}
ADAPTIVE = tuple(METHODS)[3:]


def start(method: Method) -> Any:
    """The parameters, shape (surfaces, 2), and the optimizer's state."""
    points = jnp.asarray([surface.start for surface in SURFACES])
    return points, method.make(method.rate).init(points)


def total_height(points: jax.Array) -> jax.Array:
    """The sum over the surfaces, each with its own point: one gradient for all, shape (surfaces, 2)."""
    heights = (surface.height(*point) for surface, point in zip(SURFACES, points, strict=True))
    return functools.reduce(jnp.add, heights)


def make_program(method: Method, steps: int) -> Any:
    """The jitted function of (parameters, state) that takes so many steps.

    All surfaces are one array of parameters, since the optimizers work element by element. The record is
    the positions after each step, shape (steps, surfaces, 2).
    """
    optimizer = method.make(method.rate)

    def step(carry, _):
        points, state = carry
        updates, state = optimizer.update(jax.grad(total_height)(points), state, points)
        points = optax.apply_updates(points, updates)
        return (points, state), method.position(points, state)

    return jax.jit(lambda carry: jax.lax.scan(step, carry, length=steps))


def heights(paths: np.ndarray) -> np.ndarray:
    """Above the deepest minimum, shape (steps, surfaces), of paths of shape (steps, surfaces, 2)."""
    columns = []
    for surface, path in zip(SURFACES, np.moveaxis(paths.astype(np.float64), 1, 0), strict=True):
        columns.append(surface.height(*path.T) - surface.height(*surface.minima[0]))
    return np.stack(columns, axis=1)


def settled(path: np.ndarray, surface: int) -> tuple[int, int] | None:
    """After how many steps, and at which of its minima, a path of shape (steps + 1, 2) stays; or None."""
    distances = np.linalg.norm(path[:, None] - np.asarray(SURFACES[surface].minima), axis=-1)
    last = int(distances[-1].argmin())
    away = ~(distances[:, last] <= NEAR)  # So that NaN is away.
    return None if away[-1] else (int(np.flatnonzero(away).max(initial=-1)) + 1, last)


def left_saddle(path: np.ndarray) -> int | None:
    """After how many steps |y| first is at least LEFT, or None."""
    far = np.flatnonzero(np.abs(path[:, 1]) >= LEFT)
    return int(far[0]) if len(far) else None


def crossings(path: np.ndarray) -> float:
    """The fraction of the steps that end on the other side of the ravine."""
    side = np.sign(along_and_across(*path.T)[1])
    return float((side[1:] * side[:-1] < 0).mean())


def sgd_steps_ravine(rate: float) -> int:
    """In closed form: the distances along and across shrink by 1 - rate * curvature per step."""
    along, across = along_and_across(*SURFACES[RAVINE].start)
    t = np.arange(100_000)
    distance = np.hypot(along * (1 - rate * GENTLE) ** t, across * (1 - rate * STEEP) ** t)
    return int(np.argmax(distance <= NEAR))


def sgd_steps_saddle(rate: float) -> int:
    """In closed form, as long as y^4 is small: y grows by 1 + rate per step."""
    return int(np.ceil(np.log(LEFT / SURFACES[SADDLE].start[1]) / np.log1p(rate)))
