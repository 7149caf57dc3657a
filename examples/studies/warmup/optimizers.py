"""The optimizers of the study of warmup, by the name in its tables."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import optax

import radam_optax as rx

B2 = 0.999  # Of all optimizers.
CLIP = 25.0  # Largest norm of a gradient, as in the paper's translation.

ADAM, WARMUP, TWO_K, EPS = "Adam", "Adam + linear warmup", "Adam-2k", "Adam-eps"
UNTUNED, EXPONENTIAL = "Adam + untuned linear", "Adam + untuned exponential"
RADAM, NO_SGD, EXACT = "RAdam", "RAdam, no SGD phase", "RAdam, exact variance"
RAISED = "RAdam, raised rate"


def multipliers(steps: int, warmup: int) -> dict[str, np.ndarray]:
    """By optimizer, what its steps 1, ..., steps are multiplied by beside the learning rate."""
    t = np.arange(1, steps + 1)
    left = 1 - (t - 1) / steps
    linear = np.minimum(1, (1 - B2) / 2 * t)
    rectifier = np.asarray(rx.rectification(B2, t).r, float)
    return {
        ADAM: left,
        WARMUP: left * np.minimum(1, t / warmup),
        UNTUNED: left * linear,
        EXPONENTIAL: left * -np.expm1(-(1 - B2) * t),
        RADAM: left * rectifier,
    }


def raised(steps: int, warmup: int) -> float:
    """The factor on RAdam's learning rate with which its steps sum to as much as those of the tuned warmup.

    It is near 1 in long runs, and large in runs that are short for the rectifier, which takes about
    2 / (1 - b2) steps to open.
    """
    sums = {name: values.sum() for name, values in multipliers(steps, warmup).items()}
    return float(sums[WARMUP] / sums[RADAM])


def optimizers(rate: float, steps: int, warmup: int, freeze: int) -> dict[str, optax.GradientTransformation]:
    """All of them, with gradients clipped and a learning rate that falls to 0 linearly.

    Args:
      rate: the learning rate without warmup and decay.
      steps: until it is 0.
      warmup: steps of the tuned linear warmup.
      freeze: steps for which Adam-2k's parameters stand still.
    """

    def decayed(schedule: Callable) -> Callable:
        return lambda count: schedule(count) * (1 - count / steps)

    constant = decayed(lambda count: rate)
    higher = rate * raised(steps, warmup)
    recipes = {
        ADAM: rx.adam(constant, b2=B2),
        WARMUP: rx.adam(decayed(lambda count: rate * jnp.minimum(1, (count + 1) / warmup)), b2=B2),
        UNTUNED: rx.adam(decayed(rx.untuned_linear_warmup(rate, B2)), b2=B2),
        EXPONENTIAL: rx.adam(decayed(rx.untuned_exponential_warmup(rate, B2)), b2=B2),
        TWO_K: rx.adam_2k(constant, b2=B2, steps=freeze),
        EPS: rx.adam_eps(constant, b2=B2),
        RADAM: rx.radam(constant, b2=B2),
        NO_SGD: rx.radam(constant, b2=B2, degenerated_to_sgd=False),
        EXACT: rx.radam(constant, b2=B2, variance="exact"),
        RAISED: rx.radam(decayed(lambda count: higher), b2=B2),
    }
    return {name: optax.chain(optax.clip_by_global_norm(CLIP), recipe) for name, recipe in recipes.items()}
