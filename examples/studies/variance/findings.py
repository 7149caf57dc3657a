"""What Liu et al. (2020) say of Var[psi], beside what is so."""

from collections.abc import Iterator, Mapping

import numpy as np

import radam_optax as rx
from examples.lab.study import Finding
from examples.studies.variance.formulas import STEPS, Curves
from examples.studies.variance.simulation import Estimate

RADAM = ("first_order", "centre_of_mass")
BEST = ("exact", "variance")
SETTLED = 8  # psi_t has an 8th moment after this step, and the estimate of its variance a standard error.


def findings(
    curves: Curves, times: np.ndarray, estimate: Estimate, errors: Mapping[tuple[str, float], np.ndarray]
) -> list[Finding]:
    """All rows of the verdict."""
    return [
        *_of_formulas(),
        *_of_the_moving_average(curves),
        *_of_the_rectifier(curves),
        *_of_the_simulation(curves, times, estimate),
        *_of_float32(errors),
    ]


def _of_formulas() -> Iterator[Finding]:
    rho = 2 + np.geomspace(0.01, 1e4, 1000)
    variance = np.asarray(rx.adaptive_rate_variance(rho), np.float64)
    falls = bool((np.diff(variance) < 0).all())
    yield Finding(
        "Var[psi] falls as rho grows",
        "theorem 1, for rho > 4",
        f"{'everywhere' if falls else 'not everywhere'} on {rho[0]:.2f} <= rho <= {rho[-1]:.0f}",
        falls,
    )
    exact, first_order = (
        float(rx.adaptive_rate_variance(5.0, kind) / rx.adaptive_rate_variance(500.0, kind))
        for kind in ("exact", "first_order")
    )
    yield Finding(
        "Var at rho = 5 over Var at 500",
        "over 100 times",
        f"{exact:.1f} (first order: {first_order:.1f})",
        exact > 100,
    )
    rho = 4 + np.geomspace(0.01, 1e4, 1000)
    error = np.asarray(rx.adaptive_rate_variance(rho, "first_order") / rx.adaptive_rate_variance(rho)) - 1
    at = [float(np.interp(length, rho, error)) for length in (5, 10, 50)]
    small = bool((error < 0.1).all())
    yield Finding(
        "first-order error much smaller than the value",
        "for rho > 4",
        f"{at[0]:.2f}, {at[1]:.2f}, {at[2]:.3f} of it at rho = 5, 10, 50",
        small,
        "" if small else f"it is under a tenth only from rho = {rho[error >= 0.1][-1]:.0f}.",
    )


def _of_the_moving_average(curves: Curves) -> Iterator[Finding]:
    variance = curves.variance[:, 0]
    finite = np.flatnonzero(np.isfinite(variance))[0] + 1
    yield Finding(
        "Var[psi_t] is tractable",
        "iff rho_t > 4: t >= 5",
        f"finite for t >= {finite}: {variance[2]:.3f}, {variance[3]:.3f}, {variance[4]:.3f} at 3, 4, 5",
        finite == 5,
        "" if finite == 5 else "rho > 4 is what the first-order formula needs; the variance needs rho > 2.",
    )
    excess = _largest(curves.of_rho["exact", "centre_of_mass"][2:] / variance[2:] - 1)
    by_variance = _largest(curves.of_rho[BEST][2:] / variance[2:] - 1)
    at = 1000
    yield Finding(
        "Var[psi_t] is that of a simple average of length rho_t",
        "assumed",
        f"V(rho_t) up to {excess[0]:.1%} off (t = {excess[1] + 3}); "
        f"{curves.of_rho['exact', 'centre_of_mass'][at - 1]:.3e} for {variance[at - 1]:.3e} at {at}",
        abs(excess[0]) < 0.05,
        ""
        if abs(excess[0]) < 0.05
        else f"the length n_t, by variance in place of centre of mass, is up to {by_variance[0]:.2%} off.",
    )
    early, late = (curves.variance[t - 1] / curves.mean[t - 1] ** 2 for t in (5, STEPS))
    ratios = early / late
    yield Finding(
        "the rate varies most at first",
        "problematically large early",
        f"Var/E^2 at t = 5: {ratios.min():.0f} to {ratios.max():.0f} times that at {STEPS}, all means",
        bool((ratios > 10).all()),
    )


def _of_the_rectifier(curves: Curves) -> Iterator[Finding]:
    r = curves.r[RADAM]
    first = int(np.flatnonzero(r > 0)[0]) + 1
    usual = int(np.flatnonzero(curves.rho["centre_of_mass"] >= 5)[0]) + 1
    yield Finding(
        "steps before the first adaptive one",
        "4 (Ma & Yarats, 2021)",
        f"{first - 1} by rho_t > 4, {usual - 1} by rho_t >= 5",
        first == 5,
    )
    left = curves.rectified(RADAM)
    flat = bool(np.nanmin(left) > 0.95 and np.nanmax(left) < 1.05)
    best = curves.rectified(BEST)
    yield Finding(
        "r_t makes the variance constant",
        "r_t^2 Var = Var at rho_inf",
        f"{left[4]:.2f} of it at t = 5, {left[9]:.2f} at 10, {left[99]:.2f} at 100, {left[999]:.2f} at 1000",
        flat,
        ""
        if flat
        else f"with exact variance and n_t it is {np.nanmin(best):.4f} to {np.nanmax(best):.4f} throughout.",
    )
    growth = float(np.log(r[199] / r[19]) / np.log(10))
    yield Finding(
        "r_t is similar to a linear warmup",
        "similar form",
        f"grows like t^{growth:.2f} from t = 20 to 200",
        growth > 0.75,
        "" if growth > 0.75 else "r_t is nearly sqrt(rho_t / rho_inf), and rho_t nearly t.",
    )


def _of_the_simulation(curves: Curves, times: np.ndarray, estimate: Estimate) -> Iterator[Finding]:
    settled = times > SETTLED
    z = (estimate.variance[settled] - curves.variance[times[settled] - 1]) / estimate.error[settled]
    at = int(np.abs(times - 1000).argmin())
    yield Finding(
        "Monte Carlo agrees with the quadrature",
        f"{curves.variance[times[at] - 1, 0]:.4e} at t = {times[at]}",
        f"{estimate.variance[at, 0]:.4e} ± {estimate.error[at, 0]:.1e}; for all t > {SETTLED} and means, "
        f"up to {np.abs(z).max():.1f} s.e. apart",
        bool((np.abs(z) < 5).all()),
    )


def _of_float32(errors: Mapping[tuple[str, float], np.ndarray]) -> Iterator[Finding]:
    for package, bound in (("optax", 1e-5), ("radam_optax", 4e-7)):
        worst = {b2: error.max() for (name, b2), error in errors.items() if name == package}
        yield Finding(
            f"{package}: r_t in float32 within {bound:g}",
            "expected of float32" if package == "optax" else "its documentation",
            ", ".join(f"{error:.0e} at {b2:g}" for b2, error in worst.items()),
            max(worst.values()) < bound,
            ""
            if max(worst.values()) < bound
            else "rho_t, about t at first, is computed as the difference of two numbers of size 2/(1 - b2).",
        )


def _largest(values: np.ndarray) -> tuple[float, int]:
    """The value of largest size, and where it is."""
    at = int(np.abs(values).argmax())
    return float(values[at]), at
