r"""Mean and variance of the adaptive rate of a real moving average, to twelve digits, by quadrature.

The paper takes psi^2 = (1 - b2^t)/((1 - b2) sum_j b2^j g_j^2) to be scaled inverse chi-squared, which it is
only for equal weights. For any weights, with X = psi^-2 and the Laplace transform of a noncentral
chi-squared variable,

    E[psi^2] = int_0^inf E[exp(-l X)] dl,    E[psi] = pi^-1/2 int_0^inf l^-1/2 E[exp(-l X)] dl,
    E[exp(-l X)] = prod_j (1 + s b2^j)^-1/2 exp(-mu^2/2 s b2^j/(1 + s b2^j)),    s = 2 l (1-b2)/(1-b2^t).

On a grid of s, fixed for all t, the exponent of step t + 1 is that of step t and one more term. With
s = exp(u) the integrands are analytic for \|Im u\| < pi/2 and decay on both sides, so that the trapezoidal
rule converges geometrically.
"""

import numpy as np

LOG_S = np.arange(-80, 80, 0.1)  # To where the integrands have fallen by 1e-16 from t = 3 on.


def adaptive_rate_moments(b2: float, steps: int, mean: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """E[psi_t] and Var[psi_t] for t = 1, ..., steps and independent gradients from N(mean, 1).

    Args:
      b2: decay of the second moment, dimensionless, 0 < b2 < 1.
      steps: how many.
      mean: of the gradients, in units of their standard deviation.

    Returns:
      Two arrays of shape (steps,), infinite where the moment is: E[psi] at t = 1, Var[psi] for t <= 2.
    """
    exponent = np.zeros_like(LOG_S)
    first, second = np.full(steps, np.inf), np.full(steps, np.inf)
    du = LOG_S[1] - LOG_S[0]
    for j in range(steps):
        s = np.exp(LOG_S + j * np.log(b2))
        exponent += (np.log1p(s) + mean**2 * s / (1 + s)) / 2
        scale = -np.expm1((j + 1) * np.log(b2)) / (2 * (1 - b2))  # l / s.
        if j >= 1:
            first[j] = np.sqrt(scale / np.pi) * du * np.exp(LOG_S / 2 - exponent).sum()
        if j >= 2:
            second[j] = scale * du * np.exp(LOG_S - exponent).sum()
    return first, np.where(np.isfinite(second), second - np.where(np.isfinite(second), first, 0) ** 2, np.inf)
