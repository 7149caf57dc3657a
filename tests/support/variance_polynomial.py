"""The polynomial of the exact variance in ``_numerics``: ``python -m tests.support.variance_polynomial``.

The function is (rho - 2) Var[psi] / tau^2 with u = 2/rho,

    f(u) = rho - (rho - 2) (rho/2) (Gamma((rho-1)/2) / Gamma(rho/2))^2,

smooth on 0 <= u <= 1: at u = 1, rho = 2, the variance has its pole, which the factor takes away, and at u = 0
the limit is 1/2. It is interpolated at the Chebyshev points of (0, 1), in digits enough that the change to
powers of u, whose coefficients alternate in sign, loses nothing.
"""

from typing import Any

import mpmath as mp

DEGREE = 22
DIGITS = 80


def variance(u: Any) -> Any:
    """f(u), where the two terms of size rho cancel but for 1/2: there are digits enough for that as well."""
    rho = 2 / u
    ratio = mp.exp(2 * (mp.loggamma((rho - 1) / 2) - mp.loggamma(rho / 2)))
    return rho - (rho - 2) * rho / 2 * ratio


def coefficients() -> tuple[float, ...]:
    """Of the powers of u, ascending."""
    with mp.workdps(DIGITS):
        count = DEGREE + 1
        points = [(1 + mp.cos(mp.pi * (2 * k + 1) / (2 * count))) / 2 for k in range(count)]
        powers = mp.matrix([[u**power for power in range(count)] for u in points])
        return tuple(map(float, mp.lu_solve(powers, mp.matrix([variance(u) for u in points]))))


if __name__ == "__main__":
    for coefficient in coefficients():
        print(repr(coefficient))
