"""Var[psi] of the adaptive rate: formulas, the real moving average, and what RAdam's r_t leaves of it."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

import radam_optax as rx
from examples.lab.console import print_table
from examples.lab.study import Size, Study
from examples.studies.variance.figures import PICTURES
from examples.studies.variance.findings import findings
from examples.studies.variance.float32 import DECAYS, PACKAGES
from examples.studies.variance.formulas import B2, LENGTHS, MEANS, STEPS, Curves, compute, float32_errors
from examples.studies.variance.simulation import PATHS, Estimate, estimate, simulate

SIZES = {"seeds": Size(200, 4, f"simulations of {PATHS} paths, each like the paper's figure 9")}
READING = (
    "Heavy tails: psi_t has moments below the t-th only. Its variance is infinite for t <= 2, and for t <= 4 "
    "that of the Monte Carlo's variance is, so that no number of paths makes it reliable there: {}."
)


def rows_of_steps(curves: Curves) -> Iterator[tuple[object, ...]]:
    """One row per step: lengths, variances and rectifiers, by combination."""
    combinations = list(curves.r)
    rectified = {combination: curves.rectified(combination) for combination in combinations}
    for i in range(STEPS):
        yield (
            i + 1,
            *(curves.rho[length][i] for length in LENGTHS),
            *curves.mean[i],
            *curves.variance[i],
            *(curves.of_rho[combination][i] for combination in combinations),
            *(curves.r[combination][i] for combination in combinations),
            *(rectified[combination][i] for combination in combinations),
        )


def step_columns(curves: Curves) -> list[str]:
    """The header of :func:`rows_of_steps`."""
    names = ["_".join(combination) for combination in curves.r]
    return [
        "step",
        *(f"length_{length}" for length in LENGTHS),
        *(f"mean_psi_mu_{mean:g}" for mean in MEANS),
        *(f"var_psi_mu_{mean:g}" for mean in MEANS),
        *(f"{quantity}_{name}" for quantity in ("v", "r", "rectified") for name in names),
    ]


def rows_of_simulation(
    curves: Curves, times: np.ndarray, estimates: Mapping[int, Estimate]
) -> Iterator[tuple[object, ...]]:
    """One row per mean of the gradients, step and number of paths."""
    for paths, simulated in estimates.items():
        for (i, k), variance in np.ndenumerate(simulated.variance):
            exact = curves.variance[times[i] - 1, k]
            yield MEANS[k], times[i], paths, variance, simulated.error[i, k], exact


def print_tables(study: Study, curves: Curves, errors: Mapping[tuple[str, float], np.ndarray]) -> None:
    """The formulas by rho, the rectifiers by step, the rounding errors by b2."""
    rows = []
    for rho in (3, 4, 5, 6, 8, 10, 16, 20, 50, 100, 500, 1999):
        exact, first_order = (
            float(rx.adaptive_rate_variance(rho, kind)) for kind in ("exact", "first_order")
        )
        rows.append([str(rho), f"{exact:.6g}", f"{first_order:.6g}", f"{first_order / exact:.5f}"])
    print_table(study.console, "Var[psi] by length", ["rho", "exact", "first order", "ratio"], rows)

    steps = (3, 5, 10, 100, 1000, STEPS)
    header = ["variance, length", *(f"t={t}" for t in steps)]
    left = {combination: curves.rectified(combination) for combination in curves.r}
    for title, values in (
        ("The rectifier r_t", curves.r),
        ("Rectified variance r_t^2 Var[psi_t] over its target V(rho_inf)", left),
    ):
        rows = [
            [", ".join(combination).replace("_", " "), *(_cell(of_step[t - 1]) for t in steps)]
            for combination, of_step in values.items()
        ]
        print_table(study.console, title, header, rows)

    rows = [
        [f"{b2:g}", *(f"{errors[p, b2].max():.1e} at {errors[p, b2].argmax() + 1}" for p in PACKAGES)]
        for b2 in DECAYS
    ]
    print_table(study.console, "Worst relative error of r_t in float32, at step", ["b2", *PACKAGES], rows)


def _cell(value: float) -> str:
    return f"{value:.4f}" if value > 0 else "-"  # 0 or NaN: does not adapt yet.


def main(arguments: Sequence[str]) -> None:
    """Computes, simulates, draws; writes three tables, two pictures and ``summary.json``."""
    study = Study("variance", __doc__, arguments, SIZES)
    curves = compute()
    errors = float32_errors()
    times = np.unique(np.append(np.geomspace(3, STEPS, 90).round().astype(int), 1000))
    pilots = np.where(np.isfinite(curves.mean), curves.mean, 1)
    moments = simulate(study, B2, times, MEANS, pilots, study.options.seeds)
    all_, first = estimate(moments, PATHS), estimate(moments[:1], PATHS)

    study.write_csv("steps.csv", step_columns(curves), rows_of_steps(curves))
    study.write_csv(
        "simulation.csv",
        ("mu", "step", "paths", "var_psi", "standard_error", "var_psi_exact"),
        rows_of_simulation(curves, times, {PATHS: first, PATHS * study.options.seeds: all_}),
    )
    study.write_csv(
        "float32.csv",
        ("package", "b2", "step", "relative_error"),
        ((*key, t, error) for key, values in errors.items() for t, error in enumerate(values, start=1)),
    )
    print_tables(study, curves, errors)
    early = ", ".join(
        f"{all_.variance[i, 0]:.3g} for {curves.variance[t - 1, 0]:.3g} at t = {t}"
        for i, t in enumerate(times)
        if t <= 4
    )
    study.console.print(READING.format(early), soft_wrap=True)
    study.conclude(
        findings(curves, times, all_, errors),
        {"worst_float32_error": {f"{p}, b2 = {b2:g}": float(e.max()) for (p, b2), e in errors.items()}},
        PICTURES,
    )
