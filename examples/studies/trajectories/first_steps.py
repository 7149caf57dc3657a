"""How long an optimizer's first steps are, in learning rates: measured, and in formulas."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import radam_optax as rx
from examples.studies.trajectories.paths import Method

GRADIENTS = (0.01, 1.0, 100.0)  # Each is held constant, so that a step is all the algorithm's.
STEPS = 100

# Of a gradient g > 0: the first step divided by the learning rate, as text and as a function.
FORMULAS: dict[str, tuple[str, Callable[[float], float]]] = {
    "SGD": ("g", lambda g: g),
    "momentum": ("g", lambda g: g),
    "Nesterov": ("1.9 g", lambda g: 1.9 * g),
    "AdaGrad": ("1", lambda g: g / np.sqrt(g**2 + 1e-7)),
    "RMSProp": ("1 / √0.1", lambda g: g / np.sqrt((1 - 0.9) * g**2 + 1e-8)),
    "RMSProp, Nesterov": ("1 / √0.1", lambda g: g / np.sqrt((1 - 0.9) * g**2 + 1e-6)),
    "Adam": ("1", lambda g: g / (g + 1e-8)),
    "Adam, uncorrected": (
        "0.1 / √0.001",
        lambda g: (1 - 0.9) * g / (np.sqrt(1 - 0.999) * g + 1e-8),
    ),
    "AMSGrad": ("1", lambda g: g / (g + 1e-8)),
    "RAdam": ("g", lambda g: g),
}


def step_sizes(method: Method) -> np.ndarray:
    """Those of STEPS steps at each of GRADIENTS, in learning rates: shape (STEPS, len(GRADIENTS))."""
    optimizer, gradients = method.make(1.0), jnp.asarray(GRADIENTS)

    @jax.jit
    def run() -> Any:
        def step(carry, _):
            params, state = carry
            before = method.position(params, state)
            updates, state = optimizer.update(gradients, state, params)
            params = optax.apply_updates(params, updates)
            return (params, state), before - method.position(params, state)

        params = jnp.zeros_like(gradients)
        return jax.lax.scan(step, (params, optimizer.init(params)), length=STEPS)[1]

    return np.asarray(run())


def first_adaptive(sizes: np.ndarray) -> int:
    """The first step whose size does not follow the gradient's, counted from 1."""
    return int(np.argmax(sizes[:, -1] / sizes[:, 0] < np.sqrt(GRADIENTS[-1] / GRADIENTS[0]))) + 1


def radam(threshold: float) -> Method:
    """RAdam that adapts once rho_t reaches the threshold: 5 in the authors' code, 4 in the paper."""
    return Method(lambda rate: rx.radam(rate, threshold=threshold), 1.0)
