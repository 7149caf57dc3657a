"""Every curve of the study of Var[psi]: what the paper's formulas say, and what is so."""

from typing import NamedTuple

import numpy as np

import radam_optax as rx
from examples.studies.variance.exact import adaptive_rate_moments
from examples.studies.variance.float32 import DECAYS, PACKAGES, rectifier_errors

B2 = 0.999  # The decay, the steps and the means of the gradients of Liu et al. (2020), figure 9.
STEPS = 6000
MEANS = (0.0, 0.001, 0.01, 0.1, 1.0, 10.0)
LIMIT = 2 / (1 - B2) - 1  # rho_inf
VARIANCES = ("first_order", "exact")
LENGTHS = ("centre_of_mass", "variance")


class Curves(NamedTuple):
    """Arrays over t = 1, ..., STEPS, dimensionless for gradients of standard deviation 1."""

    mean: np.ndarray  # E[psi_t] of the real moving average, shape (STEPS, len(MEANS)).
    variance: np.ndarray  # Var[psi_t], the same shape.
    rho: dict[str, np.ndarray]  # By length: rho_t.
    of_rho: dict[tuple[str, str], np.ndarray]  # By (variance, length): V(rho_t).
    r: dict[tuple[str, str], np.ndarray]  # By (variance, length): r_t.

    def rectified(self, combination: tuple[str, str]) -> np.ndarray:
        """Variance of the rectified rate over its target, ``r_t^2 Var[psi_t] / V(rho_inf)``, mean 0.

        NaN in the steps before the rectifier opens.
        """
        r = self.r[combination]
        variance = np.where(r > 0, self.variance[:, 0], np.nan)
        return r**2 * variance / float(rx.adaptive_rate_variance(LIMIT))


def compute() -> Curves:
    """All of it: the real moving average by quadrature, the formulas by the package."""
    t = np.arange(1, STEPS + 1)
    mean, variance = np.moveaxis(
        np.asarray([adaptive_rate_moments(B2, STEPS, mean) for mean in MEANS]), 0, -1
    )
    rho, of_rho, r = {}, {}, {}
    for length in LENGTHS:
        for kind in VARIANCES:
            rectification = rx.rectification(B2, t, variance=kind, length=length)
            rho[length] = np.asarray(rectification.rho)
            r[kind, length] = np.asarray(rectification.r)
            of_rho[kind, length] = np.asarray(rx.adaptive_rate_variance(rectification.rho, kind))
    return Curves(mean, variance, rho, of_rho, r)


def float32_errors() -> dict[tuple[str, float], np.ndarray]:
    """By package and b2: the relative errors of the float32 rectifier."""
    return {(name, b2): rectifier_errors(b2, package) for b2 in DECAYS for name, package in PACKAGES.items()}
