"""The pictures of the study of Var[psi]: what the rectifier leaves, and how exact its formulas are."""

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import radam_optax as rx
from examples.lab.record import Record, Table
from examples.lab.style import (
    AMBER,
    CONTEXT,
    CRIMSON,
    DOTTED,
    INDIGO,
    SKY,
    SOLID,
    TEAL,
    label_ends,
    level,
    look,
    plain_log,
    rope,
    sheet,
)
from examples.studies.variance.float32 import DECAYS, PACKAGES
from examples.studies.variance.formulas import B2, LIMIT, MEANS, STEPS

PSI = r"$\psi_t=1/\sqrt{\hat v_t}$"
# By the columns of the table: those with the centre of mass are RAdam's.
FORMULAS: dict[str, tuple[str, dict[str, Any]]] = {
    "first_order_centre_of_mass": ("RAdam", look("RAdam")),
    "exact_centre_of_mass": ("exact variance", look("RAdam, exact variance")),
    "first_order_variance": ("length by variance", {"color": INDIGO, "linestyle": SOLID}),
    "exact_variance": ("both of these", {"color": INDIGO, "linestyle": DOTTED}),
}
DECAY_COLOURS = dict(zip(DECAYS, (TEAL, SKY, INDIGO, CRIMSON), strict=True))
MEAN_COLOURS = dict(zip(MEANS, (TEAL, SKY, INDIGO, AMBER, CRIMSON, CONTEXT), strict=True))


def _over_steps(panel: Axes, first: int = 3) -> None:
    panel.set(xscale="log", xlim=(first, STEPS), xlabel="step")
    plain_log(panel.xaxis, 1)


def draw(record: Record) -> Figure:
    """The variance of the adaptive rate, as Adam has it and as RAdam's rectifier leaves it."""
    steps = record.table("steps")
    limit = float(rx.adaptive_rate_variance(LIMIT))
    rectified = steps["rectified_first_order_centre_of_mass"]
    late = steps["step"] >= 10
    figure, (left, right) = sheet(
        "Adam's rate varies hundreds of times as much at first as later; RAdam's rectifier undoes that",
        f"Variance of the adaptive rate {PSI} over its final one, for gradients from N(0, 1) and "
        rf"$\beta_2$ = {B2:g}; Adam's by quadrature, dots by Monte Carlo",
        3.8, 1, 2,
    )  # fmt: skip
    left.plot(steps["step"], steps["var_psi_mu_0"] / limit, label="Adam", **look("Adam"))
    left.plot(steps["step"], rectified, label="RAdam", **look("RAdam"))
    seen = _simulated(record).where(mu=0.0)
    dots = slice(6, None, 6)  # The first ones have no finite standard error.
    left.plot(
        seen["step"][dots], seen["var_psi"][dots] / limit, "o", ms=5, color=look("Adam")["color"],
        label="_Monte Carlo",
    )  # fmt: skip
    left.set(yscale="log", title="Adam's and RAdam's")
    plain_log(left.yaxis, 1)
    for column, (name, style) in FORMULAS.items():
        right.plot(steps["step"], steps[f"rectified_{column}"], label=name, **style)
    right.set(title="rectified, by formula", ylim=(0, 1.15))
    for panel in (left, right):
        _over_steps(panel)
        label_ends(panel)
    least = float(np.nanmin(rectified[late]))
    right.annotate(
        f"at least {least:.2f}\nfrom step 10 on", (0.97, 0.06), xycoords="axes fraction", ha="right",
        va="bottom", color=look("RAdam")["color"],
    )  # fmt: skip
    return figure


def _simulated(record: Record) -> Table:
    """That with the most paths."""
    table = record.table("simulation")
    return table.where(paths=max(table.distinct("paths")))


def draw_formulas(record: Record) -> Figure:
    """The formulas for the variance: over the length of a simple average, and over the real one."""
    steps = record.table("steps")
    figure, (left, right) = sheet(
        "RAdam's formula for the variance is far too large at first, and later by a tenth",
        f"Left: formulas over the length of a simple average. Right: they over the variance of {PSI} of the "
        rf"real moving average, by quadrature, at $\beta_2$ = {B2:g}",
        3.8, 1, 2,
    )  # fmt: skip
    rho = 2 + np.geomspace(0.1, 2e3, 400)
    kinds: dict[Literal["exact", "first_order"], tuple[str, str]] = {
        "exact": ("exact", "RAdam, exact variance"),
        "first_order": ("first order", "RAdam"),
    }
    for kind, (label, name) in kinds.items():
        variance = np.asarray(rx.adaptive_rate_variance(rho, kind))
        left.plot(rho, np.where(np.isfinite(variance), variance, np.nan), label=label, **look(name))
    left.axvline(4, color=CONTEXT, ls=":", lw=1.2)
    left.annotate("4", (4, 1.5e-4), xytext=(4, 0), textcoords="offset points", color=CONTEXT)
    left.set(xscale="log", yscale="log", ylim=(1e-4, 30), xlabel="length, steps", title="variance")
    plain_log(left.xaxis, 1)
    plain_log(left.yaxis, 1)
    for column, (name, style) in FORMULAS.items():
        with np.errstate(invalid="ignore"):  # Infinite over infinite in the first two steps.
            right.plot(steps["step"], steps[f"v_{column}"] / steps["var_psi_mu_0"], label=name, **style)
    right.set(ylim=(0.95, 1.5), title="formula over variance")
    _over_steps(right)
    for panel in (left, right):
        label_ends(panel)
    return figure


def draw_rectifier(record: Record) -> Figure:
    """The length of the simple average, and the rectifier, over steps."""
    steps = record.table("steps")
    t = steps["step"]
    figure, (left, right) = sheet(
        "The rectifier grows like the root of the step, not like a linear warmup",
        rf"Left: length of the simple average that stands for the moving one. Right: $r_t$. Both at "
        rf"$\beta_2$ = {B2:g}",
        3.8, 1, 2,
    )  # fmt: skip
    left.plot(t, steps["length_centre_of_mass"], label="RAdam", **look("RAdam"))
    left.plot(t, steps["length_variance"], label="by variance", color=INDIGO)
    left.set(title="length, steps", xlabel="step", xlim=(0, STEPS), ylim=(0, 1.1 * LIMIT))
    level(left, LIMIT, f"{LIMIT:.0f}", left=True)
    left.locator_params(axis="x", nbins=4)
    r = steps["r_first_order_centre_of_mass"]
    right.plot(t, np.where(r > 0, r, np.nan), label="RAdam", **look("RAdam"))
    name = "Adam + untuned linear"
    right.plot(t, np.minimum(1, (1 - B2) / 2 * t), label="linear", **look(name))
    right.plot(t, np.sqrt(np.minimum(1, t / LIMIT)), color=CONTEXT, ls=DOTTED, label="_root")
    right.annotate("root of the step", (40, 0.19), color=CONTEXT, ha="right", va="bottom")
    right.set(yscale="log", ylim=(5e-3, 1.5), title="multiplies the learning rate")
    plain_log(right.yaxis, 1)
    _over_steps(right, 1)
    for panel in (left, right):
        label_ends(panel)
    return figure


def draw_rounding(record: Record) -> Figure:
    """The relative error of the rectifier in float32, of this package and of optax."""
    table = record.table("float32")
    figure, (left, right) = sheet(
        "In float32 this package's rectifier is exact to rounding, whatever b2 is",
        "Relative error of the rectifier in float32 over steps, largest of neighboring steps; where a line "
        "is missing, the error is 0",
        3.8, 1, 2, sharey=True,
    )  # fmt: skip
    last = int(table["step"].max())
    starts = np.unique(np.geomspace(1, last, 60).astype(int))
    for panel, package in zip((left, right), PACKAGES, strict=True):
        for b2, colour in DECAY_COLOURS.items():
            error = table.where(package=package, b2=b2)["relative_error"]
            worst = np.maximum.reduceat(error, starts - 1)
            shown = np.where(worst > 0, worst, np.nan)
            panel.plot(starts, shown, color=colour, lw=1.8, label=f"$\\beta_2$ = {b2:g}")
        panel.set(xscale="log", yscale="log", xlim=(1, last), ylim=(1e-9, 100), xlabel="step", title=package)
        plain_log(panel.xaxis, 1)
        panel.set_yticks([1e-8, 1e-6, 1e-4, 1e-2, 1], ["$10^{-8}$", "$10^{-6}$", "0.0001", "0.01", "1"])
    label_ends(left)
    label_ends(right)
    return figure


def draw_means(record: Record) -> Figure:
    """The paper's figure 9: gradients whose mean is not zero."""
    steps, table = record.table("steps"), record.table("simulation")
    paths = min(table.distinct("paths"))
    seen = table.where(paths=paths)
    finite = steps["step"] >= 3
    t = steps["step"][finite]
    figure, (left, right) = sheet(
        "A large mean makes the variance small, and it still falls from step to step",
        rf"Variance of {PSI}, absolute and over the squared mean, for gradients from N($\mu$, 1) at "
        rf"$\beta_2$ = {B2:g}: by quadrature, dots of {paths:,.0f} paths",
        4.0, 1, 2,
    )  # fmt: skip
    for panel, relative in ((left, False), (right, True)):
        lines = {}
        for mean, colour in MEAN_COLOURS.items():
            scale = steps[f"mean_psi_mu_{mean:g}"] ** 2 if relative else np.ones(STEPS)
            values = steps[f"var_psi_mu_{mean:g}"][finite] / scale[finite]
            lines[f"$\\mu$ = {mean:g}"] = values, colour
            some = seen.where(mu=mean)
            every = slice(5, None, 12)
            at = some["step"][every].astype(int)
            panel.plot(at, some["var_psi"][every] / scale[at - 1], "o", ms=4, color=colour, label="_paths")
        together = [name for name in lines if name not in ("$\\mu$ = 1", "$\\mu$ = 10")]
        drawn = rope(panel, t, {name: lines[name] for name in together})
        for name in lines:
            if name not in together:
                drawn += panel.plot(t, lines[name][0], color=lines[name][1], label=name)
        panel.set(yscale="log", title="variance / mean²" if relative else "variance")
        _over_steps(panel)
        plain_log(panel.yaxis, 1)
        label_ends(panel, drawn)
    return figure


PICTURES = {
    "variance": draw,
    "variance_formulas": draw_formulas,
    "variance_rectifier": draw_rectifier,
    "variance_float32": draw_rounding,
    "variance_means": draw_means,
}
