"""The pictures of the counterexample: positions and regret over steps, and which way x goes over b2."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from examples.lab.record import Record, Table
from examples.lab.style import CONTEXT, band, label_ends, level, look, rope, sheet
from examples.studies.counterexample import problem
from examples.studies.counterexample.problem import SHOWN
from examples.studies.counterexample.runs import SGD_SHOWN

FORMS = (
    "SGD",
    "AdaGrad",
    "AdamNC",
    "AMSGrad, no correction",
    "AMSGrad, maximum first",
    "AMSGrad, maximum last",
    "RMSProp",
    "Adam",
    "RAdam",
)
SHADED = ("AdaGrad", "AMSGrad, no correction")  # The ranges of all would hide each other.
LOSSES = rf"$f_t=1010x$ once in {problem.PERIOD} steps, $-10x$ otherwise"


def _alpha(name: str) -> float:
    return SGD_SHOWN if name == "SGD" else SHOWN


def _runs(table: Table, name: str, kind: str, measure: str, start: float = 0.0) -> np.ndarray:
    """Of shape (points, runs), at the alpha that is shown."""
    rows = table.where(optimizer=name, problem=kind, x_1=start)
    if "alpha" in rows:
        rows = rows.where(alpha=_alpha(name))
    return rows[measure].reshape(len(rows.distinct("step")), -1)


def _at_worst(ends: dict[str, float]) -> list[str]:
    return [name for name, end in ends.items() if end > 0.99]


def _positions(panel: Axes, steps: Any, means: dict[str, np.ndarray], rows: Table | None = None) -> None:
    """x over steps; those that stay at the worst point are one rope, since they lie upon each other."""
    together = _at_worst({name: float(x[-1]) for name, x in means.items()})
    for name, x in means.items():
        if name in together:
            continue
        if rows is not None and name in SHADED:
            band(panel, steps, _runs(rows, name, "stochastic", "x").T, label=name, **look(name))
        else:
            panel.plot(steps, x, label=name, **look(name))
    rope(panel, steps, {name: (means[name], look(name)["color"]) for name in together})
    panel.set_ylim(-1.12, 1.12)
    panel.set_yticks([-1, 0, 1], ["-1", "0", "+1"])
    label_ends(panel)


def _steps_axis(panel: Axes, steps: Sequence[float]) -> None:
    panel.set(xlim=(0, steps[-1]), xlabel="step, in millions")
    panel.xaxis.set_major_formatter(lambda value, _: f"{value / 1e6:g}")
    panel.locator_params(axis="x", nbins=5)


def draw(record: Record) -> Figure:
    """x over steps, online above and stochastic below."""
    table = record.table("curves")
    steps = table.distinct("step")
    online = {name: _runs(table, name, "online", "x")[:, 0] for name in FORMS}
    stochastic = {name: _runs(table, name, "stochastic", "x").mean(axis=1) for name in FORMS}
    stay = set(_at_worst({name: x[-1] for name, x in online.items()}))
    expected = stay == {"Adam", "RMSProp", "RAdam"} and all(online[name][-1] < 0 for name in FORMS[:6])
    figure, (above, below) = sheet(
        "Adam, RMSProp and RAdam go to the worst point; every AMSGrad leaves it"
        if expected
        else "Which optimizers go to the worst point, and which do not",
        rf"Position $x_t$ on [-1, 1] over steps: {LOSSES}. +1 is the worst point, -1 the optimum. "
        rf"$\beta_1$ = {problem.B1}, $\beta_2$ = {problem.B2}, $\alpha_t$ = {SHOWN:g}/√t "
        f"(SGD {SGD_SHOWN:g}/√t)",
        6.4, 2, 1, sharex=True,
    )  # fmt: skip
    _positions(above, steps, online)
    _positions(below, steps, stochastic, table)
    seeds = _runs(table, "Adam", "stochastic", "x").shape[1]
    above.set_title("online")
    below.set_title(f"stochastic: mean of {seeds} seeds, and two of the ranges")
    _steps_axis(below, steps)
    return figure


def draw_regret(record: Record) -> Figure:
    """Average regret over steps, as the paper's figure 1: online above, its expectation below."""
    table = record.table("curves")
    steps = table.distinct("step")
    figure, panels = sheet(
        "Where x goes to the worst point, the average regret stays",
        f"Average regret over steps: {LOSSES}, settings as for the positions",
        6.2, 2, 1, sharex=True,
    )  # fmt: skip
    kinds = (
        ("online", "regret", 0.2, "online"),
        ("stochastic", "expected_regret", 0.4, "stochastic, expected"),
    )
    for panel, (kind, measure, worst, title) in zip(panels, kinds, strict=True):
        means = {name: _runs(table, name, kind, measure).mean(axis=1) for name in FORMS}
        together = [name for name in means if means[name][-1] > 0.9 * worst]
        for name, regret in means.items():
            if name not in together:
                panel.plot(steps, regret, label=name, **look(name))
        rope(panel, steps, {name: (means[name], look(name)["color"]) for name in together})
        level(panel, worst, f"{worst} at x = +1", below=True)
        panel.set(ylim=(0, 0.5), title=title)
        label_ends(panel, [line for line in panel.get_lines() if line.get_label() in means])
    _steps_axis(panels[1], steps)
    return figure


def draw_successors(record: Record) -> Figure:
    """x over steps of what came after Adam: online from the worst point, and stochastic from 0."""
    table = record.table("curves")
    steps = table.distinct("step")
    names = ("Adam", *problem.SUCCESSORS)
    online = {name: _runs(table, name, "online", "x", 1.0)[:, 0] for name in names}
    stochastic = {name: _runs(table, name, "stochastic", "x").mean(axis=1) for name in names}
    stay = _at_worst({name: x[-1] for name, x in online.items() if name != "Adam"})
    figure, (above, below) = sheet(
        f"{len(stay)} of {len(names) - 1} successors of Adam stay at the worst point as Adam does",
        rf"Position $x_t$ over steps: {LOSSES}. +1 is the worst point, -1 the optimum. "
        rf"$\beta_1$ = {problem.B1}, $\beta_2$ = {problem.B2}, $\alpha_t$ = {SHOWN:g}/√t",
        7.4, 2, 1, sharex=True,
    )  # fmt: skip
    _positions(above, steps, online)
    _positions(below, steps, stochastic)
    above.set_title("online, from the worst point")
    below.set_title(f"stochastic, from 0: mean of {_runs(table, 'Adam', 'stochastic', 'x').shape[1]} seeds")
    _steps_axis(below, steps)
    return figure


def draw_over_b2(record: Record) -> Figure:
    """x at the end over b2, of Adam and of ADOPT with and without its clipping."""
    table = record.table("over_b2")
    at = 1 - np.array(table.distinct("b2"))
    runs = {
        (name, kind): table.where(optimizer=name, problem=kind, x_1=start)["x"].reshape(
            len(table.distinct("step")), len(at), -1
        )[-1]
        for name in problem.OVER_B2
        for kind, start in (("online", 1.0), ("stochastic", 0.0))
    }
    worst = {
        name: max(x.mean(axis=-1).max() for (of, _), x in runs.items() if of == name)
        for name in problem.OVER_B2
    }
    figure, panels = sheet(
        "ADOPT leaves the worst point with any b2, unless its steps are clipped"
        if worst["ADOPT, unclipped"] < 0 < worst["ADOPT"]
        else "Which b2 leaves the worst point",
        rf"Position at step {table.distinct('step')[-1]:,.0f} over 1 - $\beta_2$: {LOSSES}. +1 is the worst "
        f"point, -1 the optimum; mean and range of {runs['Adam', 'stochastic'].shape[1]} seeds",
        3.9, 1, 2, sharey=True,
    )  # fmt: skip
    for panel, kind in zip(panels, ("online", "stochastic"), strict=True):
        for name in problem.OVER_B2:
            band(panel, at, runs[name, kind].T, marker="o", markersize=5, label=name, **look(name))
        panel.set(xscale="log", xlabel=r"$1-\beta_2$", xlim=(1, 1e-4), ylim=(-1.12, 1.12), title=kind)
        panel.set_yticks([-1, 0, 1], ["-1", "0", "+1"])
        panel.set_xticks([1e-4, 1e-2, 1], ["0.0001", "0.01", "1"])
        label_ends(panel)
    return figure


def draw_drift(record: Record) -> Figure:
    """Which way x goes, over b2."""
    table = record.table("drift")
    lines = {
        "Adam, b1 = 0.9": look("Adam"),
        "Adam, b1 = 0": look("RMSProp"),  # Which it is.
        "AMSGrad, b1 = 0.9": look("AMSGrad"),
    }
    roots = []
    figure, panel = sheet(
        "Adam goes the wrong way unless it remembers about twenty periods",
        f"Movement of x per period of {problem.PERIOD} steps, in learning rates: {LOSSES}. "
        "Up is wrong, down is right; dots: measured",
        4.4,
    )  # fmt: skip
    for name, style in lines.items():
        rows = table.where(kind="exact", optimizer=name)
        panel.plot(1 - rows["b2"], rows["drift"], label=name, **style)
        if rows["drift"].max() > 0:
            roots.append(_root(rows["b2"], rows["drift"]))
    dots = table.where(kind="measured")
    panel.plot(1 - dots["b2"], dots["drift"], "o", color=look("Adam")["color"], label="_measured")
    panel.axhline(0, color=CONTEXT, lw=1.2)
    panel.set_xscale("log")
    panel.set_yscale("symlog", linthresh=0.1)
    panel.set(
        ylim=(-2, 100), xlim=(1e-1, 1e-5), xlabel=r"$1-\beta_2$; the memory is about $1/(1-\beta_2)$ steps"
    )
    panel.set_xticks([10.0**-k for k in range(1, 6)], ["0.1", "0.01", "0.001", "0.0001", "0.00001"])
    panel.set_yticks([-1, -0.1, 0, 0.1, 1, 10, 100], ["-1", "-0.1", "0", "0.1", "1", "10", "100"])
    middle = float(np.sqrt(np.prod([1 - root for root in roots])))
    panel.annotate(
        f"turns at $\\beta_2$ = {roots[0]:.4f}, or\n{roots[1]:.4f} with $\\beta_1$ = 0",
        (middle, 0), xytext=(18, 34), textcoords="offset points", color=CONTEXT, va="bottom",
        arrowprops={"arrowstyle": "->", "color": CONTEXT},
    )  # fmt: skip
    label_ends(panel)
    return figure


def _root(b2: np.ndarray, drift: np.ndarray) -> float:
    """Where a drift that begins above 0 first crosses it, by linear interpolation."""
    first = int(np.argmax(drift < 0))
    part = drift[first - 1] / (drift[first - 1] - drift[first])
    return float(b2[first - 1] + part * (b2[first] - b2[first - 1]))


PICTURES = {
    "counterexample": draw,
    "counterexample_regret": draw_regret,
    "counterexample_successors": draw_successors,
    "counterexample_b2": draw_over_b2,
    "counterexample_drift": draw_drift,
}
