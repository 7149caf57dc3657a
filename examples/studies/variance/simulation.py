"""Monte Carlo of the adaptive rate of the moving average that the optimizers use."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import radam_optax as rx
from examples.lab.study import Study

PATHS = 5000  # Of one simulation: Liu et al. (2020), figure 9.


class Estimate(NamedTuple):
    """Var[psi_t] of simulated paths, shape (steps, means)."""

    variance: np.ndarray
    error: np.ndarray  # Standard error; means nothing for t <= 8, where psi has no 8th moment.


def estimate(moments: np.ndarray, paths: int) -> Estimate:
    """From the means over the paths of d, d^2 and d^4, where d is psi less a number near E[psi].

    Nothing cancels: the mean of d is small beside its standard deviation.

    Args:
      moments: shape (simulations, steps, means, 3).
      paths: of each simulation.
    """
    first, second, fourth = np.moveaxis(moments.astype(np.float64).mean(axis=0), -1, 0)
    variance = second - first**2
    return Estimate(variance, np.sqrt((fourth - second**2) / (len(moments) * paths)))


def simulate(
    study: Study, b2: float, times: np.ndarray, means: Sequence[float], pilots: np.ndarray, simulations: int
) -> np.ndarray:
    """Moments of the simulated psi_t as :func:`estimate` wants them, at the steps ``times``.

    Args:
      study: whose progress it is part of.
      b2: decay of the second moment.
      times: ascending steps, the last one being that of the simulation.
      means: of the gradients N(mean, 1); all see the same noise.
      pilots: numbers near E[psi_t], shape (times[-1], len(means)).
      simulations: how many, of ``PATHS`` paths each; the k-th is drawn from the seed k.
    """
    tx = rx.second_moment(b2)
    steps = np.arange(1, times[-1] + 1)

    @jax.jit
    def program(carry, seed, means, pilots):
        key = jax.random.key(seed)

        def measure(square, pilot):
            d = 1 / jnp.sqrt(square) - pilot
            return jnp.stack([jnp.mean(d**power, axis=1) for power in (1, 2, 4)], axis=-1)

        def step(state, now):
            t, pilot, wanted = now
            noise = jax.random.normal(jax.random.fold_in(key, t), (1, PATHS))
            square, state = tx.update(means + noise, state)
            moments = jax.lax.cond(wanted, measure, lambda *_: jnp.zeros((len(means), 3)), square, pilot)
            return state, moments

        start = tx.init(jnp.zeros((len(means), PATHS)))
        _, moments = jax.lax.scan(step, start, (steps, pilots, np.isin(steps, times)))
        return carry, moments[times - 1]

    pilots = pilots.astype(np.float32)[..., None]
    means_ = np.array(means, np.float32)[:, None]
    _, moments = study.scan(
        f"{PATHS} paths",
        program,
        jnp.zeros(()),
        lambda seed: (np.uint32(seed), means_, pilots),
        simulations,
        lambda now: f"Var[psi] {estimate(now[None], PATHS).variance[-1, 0]:.3e} at t = {times[-1]}",
    )
    return moments
