"""Schedules of b2 whose second moments give the past more weight than an exponential average."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

SUMMED = 1000  # Terms of NosAdam's sum that are added one by one.


def nosadam(gamma: float) -> Callable[[Any], Any]:
    """``B_{t-1} / B_t`` with ``B_t = sum of k^-gamma, k = 1 ... t``: g_k^2 has a weight that falls with k.

    Source: Huang et al. (2019), with the hyperharmonic series.
    """
    first = np.cumsum(np.arange(1.0, SUMMED + 1) ** -gamma)

    def tail(t):  # Euler and Maclaurin's, but for a constant; what it leaves out is 1e-13 from SUMMED on.
        return t ** (1 - gamma) / (1 - gamma) + t**-gamma / 2 - gamma * t ** (-gamma - 1) / 12

    def b2(count):
        t = jnp.asarray(count + 1, float)
        late = first[-1] + tail(t) - tail(float(SUMMED))
        total = jnp.where(count < SUMMED, jnp.asarray(first)[jnp.minimum(count, SUMMED - 1)], late)
        return 1 - t**-gamma / total

    return b2


def adax(beta: float) -> Callable[[Any], Any]:
    """That of ``v = (1 + beta) v + beta g^2``, divided by ``(1 + beta)^t - 1``: the first g^2 counts most.

    Source: Li et al. (2020).
    """
    growth = float(np.log1p(beta))

    def b2(count):
        past = jnp.asarray(count, float)
        return jnp.expm1(-growth * past) / jnp.expm1(-growth * (past + 1))

    return b2
