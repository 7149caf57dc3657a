"""The pictures of the study of Var[psi]."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import radam_optax as rx
from examples.lab.style import BLUE, CONTEXT, GREEN, ORANGE, RED, SKY
from examples.studies.variance.float32 import DECAYS
from examples.studies.variance.formulas import B2, LENGTHS, LIMIT, MEANS, STEPS, Curves
from examples.studies.variance.simulation import Estimate

STYLES = {
    ("first_order", "centre_of_mass"): (GREEN, "-", r"first order, centre of mass (RAdam)"),
    ("first_order", "variance"): (ORANGE, "-", "first order, variance"),
    ("exact", "centre_of_mass"): (BLUE, "--", "exact, centre of mass"),
    ("exact", "variance"): (RED, "--", "exact, variance"),
}
T = np.arange(1, STEPS + 1)
FLOOR = 1e-9  # Of relative errors, on a logarithmic axis.


def draw_overview(
    curves: Curves, times: np.ndarray, estimate: Estimate, errors: Mapping[tuple[str, float], np.ndarray]
) -> Figure:
    """Formulas, lengths, the real variance, rectifiers, what they leave, and their rounding errors."""
    figure = Figure(figsize=(15, 8.6), layout="constrained")
    (formulas, lengths, ratios), (rectifiers, left, rounding) = figure.subplots(2, 3)
    _draw_formulas(formulas)
    _draw_lengths(lengths, curves)
    _draw_ratios(ratios, curves, times, estimate)
    for combination, (colour, line, label) in STYLES.items():
        r = np.where(curves.r[combination] > 0, curves.r[combination], np.nan)
        rectifiers.plot(T, r, color=colour, ls=line, label=label)
        left.plot(T, curves.rectified(combination), color=colour, ls=line, label=label)
    rectifiers.plot(T, np.sqrt(T / LIMIT), color="grey", ls=":", lw=1, label=r"$\propto\sqrt{t}$")
    rectifiers.plot(T, T / LIMIT, color="grey", ls="-.", lw=1, label=r"$\propto t$, a linear warmup")
    rectifiers.set_title("d  The rectifier", loc="left")
    rectifiers.set(ylabel=r"$r_t$", yscale="log", ylim=(1e-3, 1.5))
    left.axhline(1, color="grey", lw=0.8)
    left.set_title("e  What it leaves of the variance", loc="left")
    left.set(ylabel=r"$r_t^2\,\mathrm{Var}[\psi_t]\;/\;V(\rho_\infty)$", ylim=(0.2, 1.1))
    _draw_rounding(rounding, errors)
    for panel in (ratios, rectifiers, left, rounding):
        panel.set(xlabel="step $t$", xscale="log")
    for panel in (formulas, lengths, ratios, rectifiers, left, rounding):
        panel.grid(alpha=0.3)
        panel.legend(fontsize="small", ncols=2 if panel is rounding else 1)
    figure.suptitle(
        rf"The variance of the adaptive rate $\psi_t = 1/\sqrt{{\hat v_t}}$ at $\beta_2$ = {B2:g}, "
        r"gradients from N(0, 1)"
    )
    return figure


def _draw_formulas(panel: Axes) -> None:
    rho = 2 + np.geomspace(0.1, 2e3, 400)
    lines: dict[Literal["exact", "first_order"], tuple[str, str]] = {
        "exact": (BLUE, "exact"),
        "first_order": (GREEN, "first order"),
    }
    for kind, (colour, label) in lines.items():
        variance = np.asarray(rx.adaptive_rate_variance(rho, kind))
        panel.plot(rho, np.where(np.isfinite(variance), variance, np.nan), color=colour, label=label)
    at = np.array([5, 500])
    points = np.asarray(rx.adaptive_rate_variance(at))
    panel.plot(
        at, points, "o", color=BLUE, label=rf"$V(5)$ = {points[0] / points[1]:.0f} $V(500)$; paper: > 100"
    )
    panel.axvline(4, color="grey", ls=":", label=r"$\rho$ = 4")
    panel.set_title("a  Variance of a simple average's rate", loc="left")
    panel.set(xlabel=r"length $\rho$", ylabel=r"$V(\rho)$", xscale="log", yscale="log", ylim=(1e-4, 30))


def _draw_lengths(panel: Axes, curves: Curves) -> None:
    labels = {"centre_of_mass": r"centre of mass, $\rho_t$ (RAdam)", "variance": r"variance, $n_t$"}
    for length, colour in zip(LENGTHS, (GREEN, RED), strict=True):
        panel.plot(T, curves.rho[length], color=colour, label=f"with the same {labels[length]}")
    panel.plot(T, np.minimum(T, LIMIT), color="grey", ls=":", label=r"min($t$, $\rho_\infty$)")
    panel.set_title("b  Length of the simple average", loc="left")
    panel.set(xlabel="step $t$", ylabel="length (steps)")


def _draw_ratios(panel: Axes, curves: Curves, times: np.ndarray, estimate: Estimate) -> None:
    exact = curves.variance[:, 0]
    seen = times > 8
    panel.errorbar(
        times[seen],
        estimate.variance[seen, 0] / exact[times[seen] - 1],
        2 * estimate.error[seen, 0] / exact[times[seen] - 1],
        fmt=".",
        color="darkgrey",
        ms=5,
        lw=1,
        label="Monte Carlo of the moving average, 2 s.e.",
    )
    for combination, (colour, line, label) in STYLES.items():
        with np.errstate(invalid="ignore"):  # Infinite over infinite in the first two steps.
            panel.plot(T, curves.of_rho[combination] / exact, color=colour, ls=line, label=label, zorder=3)
    panel.set_title("c  Formulas over the moving average's variance", loc="left")
    panel.set(ylabel=r"$V$(length) / Var[$\psi_t$]", ylim=(0.95, 1.5))


def _draw_rounding(panel: Axes, errors: Mapping[tuple[str, float], np.ndarray]) -> None:
    for b2, colour in zip(DECAYS, (GREEN, BLUE, ORANGE, RED), strict=True):
        for package, line in (("optax", "-"), ("radam_optax", "--")):
            error = np.maximum(errors[package, b2], FLOOR)
            starts = np.unique(np.geomspace(1, len(error), 80).astype(int))
            worst = np.maximum.reduceat(error, starts - 1)
            panel.plot(starts, worst, line, color=colour, lw=1.2, label=rf"{package}, $\beta_2$ = {b2:g}")
    panel.set_title("f  The rectifier in float32", loc="left")
    panel.set(ylabel=f"relative error (0 drawn as {FLOOR:g})", yscale="log", ylim=(FLOOR / 2, 1e7))


def draw_means(curves: Curves, times: np.ndarray, estimate: Estimate, paths: int) -> Figure:
    """The paper's figure 9: gradients whose mean is not zero."""
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    absolute, relative = figure.subplots(1, 2)
    colours = CONTEXT, BLUE, SKY, ORANGE, RED, GREEN
    widths = (5.5, 4, 2.5, 1, 1, 1)  # The first four lie upon each other.
    for index, (mean, colour, width) in enumerate(zip(MEANS, colours, widths, strict=True)):
        for panel, scale in ((absolute, np.ones(STEPS)), (relative, curves.mean[:, index] ** 2)):
            exact = curves.variance[2:, index] / scale[2:]
            panel.plot(T[2:], exact, color=colour, lw=width, label=rf"$\mu$ = {mean:g}")
            seen = times[::3]
            simulated = estimate.variance[::3, index] / scale[seen - 1]
            panel.plot(seen, simulated, "o", color=colour, mfc="white", ms=3.5, mew=0.8, zorder=3)
    theory = np.where(T > 4, curves.of_rho["first_order", "centre_of_mass"], np.nan)
    absolute.plot(T, theory, color="grey", ls="--", label=r"first order, $\rho_t$")
    absolute.plot([], [], "o", mfc="white", mec="grey", ms=3.5, label=f"{paths:,} paths")
    absolute.set(title=r"Variance", ylabel=r"Var[$\psi_t$]")
    relative.set(title="Variance over squared mean", ylabel=r"Var[$\psi_t$] / E[$\psi_t$]$^2$")
    for panel in (absolute, relative):
        panel.set(xlabel="step $t$", xscale="log", yscale="log")
        panel.grid(alpha=0.3)
    figure.suptitle(
        rf"The adaptive rate for gradients from N($\mu$, 1), $\beta_2$ = {B2:g}; lines: exact, by quadrature"
    )
    handles = absolute.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(MEANS) + 2)
    return figure
