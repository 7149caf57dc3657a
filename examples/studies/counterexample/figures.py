"""The pictures of the counterexample: regret and position over steps, and which way x goes over b2."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from examples.lab.style import CONTEXT, OPTIMIZERS, band
from examples.studies.counterexample import problem
from examples.studies.counterexample.problem import SHOWN
from examples.studies.counterexample.runs import POINTS, SGD_SHOWN, Results

# The lower line is the wider one, to be seen where several are one.
WIDTHS = {
    "SGD": 1.5,
    "AdaGrad": 1.5,
    "RMSProp": 4.5,
    "Adam": 3.0,
    "RAdam": 1.0,
    "AdamNC": 1.5,
    "AMSGrad, no correction": 1.5,
    "AMSGrad, maximum first": 1.5,
    "AMSGrad, maximum last": 1.5,
}
SHADED = ("AdaGrad", "Adam", "AMSGrad, no correction")  # The ranges of all would hide each other.


def draw(results: Results, chunk: int) -> Figure:
    """As the paper's figure 1: average regret and x over steps, online above and stochastic below."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True)
    online = len(problem.STARTS)
    steps = chunk * np.arange(1, POINTS + 1)
    for name, width in WIDTHS.items():
        style: dict[str, Any] = OPTIMIZERS[name] | {"linewidth": width}
        records = results[name][1]
        index = problem.ALPHAS.index(SGD_SHOWN if name == "SGD" else SHOWN)
        label = f"{name}, alpha = {SGD_SHOWN:g}" if name == "SGD" else name
        panels[0, 0].plot(steps, records["regret"][:, index, 0], label=label, **style)
        panels[0, 1].plot(steps, records["x"][:, index, 0], **style)
        for panel, key in zip(panels[1], ("expected_regret", "x"), strict=True):
            runs = records[key][:, index, online:]
            if name in SHADED:
                band(panel, steps, runs.T, **style)
            else:
                panel.plot(steps, runs.mean(axis=1), **style)
    for row, worst in zip(panels, (2 * 20 / 101 / 2, 0.4), strict=True):
        row[0].axhline(worst, color="grey", linewidth=0.8, linestyle=(0, (1, 3)))
        row[0].annotate("at x = +1", (1, worst), xycoords=("axes fraction", "data"), ha="right", va="top")
        row[0].set_ylim(0, 0.48)
        _show_position(row[1])
        for panel in row:
            panel.grid(alpha=0.3)
    seeds = results["Adam"][1]["x"].shape[2] - online
    panels[0, 0].set(title="online: average regret", ylabel="$R_t/t$")
    panels[0, 1].set_title("online: position")
    panels[1, 0].set(
        title=f"stochastic: expected regret (mean, some ranges of {seeds} seeds)", ylabel="mean of $0.2(x+1)$"
    )
    panels[1, 1].set_title("stochastic: position")
    for panel in panels[1]:
        panel.set_xlabel("step t")
    figure.suptitle(
        rf"$f_t = 1010x$ once in 101 steps, $-10x$ otherwise; $\beta_1={problem.B1}$, "
        rf"$\beta_2={problem.B2}$, $\alpha_t={SHOWN:g}/\sqrt{{t}}$"
    )
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def draw_successors(results: Results, over_b2: Results, chunk: int) -> Figure:
    """x over steps of what came after, from the worst point, and x at the end over b2; online to the left."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    panels = figure.subplots(2, 2)
    online, worst = len(problem.STARTS), problem.STARTS.index(1.0)
    steps = chunk * np.arange(1, POINTS + 1)
    for name in ("Adam", *problem.SUCCESSORS):
        alphas, records = results[name]
        x = records["x"][:, alphas.index(SHOWN)]
        style: dict[str, Any] = OPTIMIZERS[name] | {"linewidth": 3.0 if name == "Adam" else 1.5}
        panels[0, 0].plot(steps, x[:, worst], label=name, **style)
        panels[0, 1].plot(steps, x[:, online:].mean(axis=1), **style)
    for name, (b2, records) in over_b2.items():
        at = 1 - np.asarray(b2)
        panels[1, 0].plot(at, records["x"][-1, :, worst], marker="o", markersize=4, **OPTIMIZERS[name])
        band(panels[1, 1], at, records["x"][-1, :, online:].T, marker="o", markersize=4, **OPTIMIZERS[name])
    for panel in panels.flat:
        _show_position(panel)
        panel.grid(alpha=0.3)
    seeds = results["Adam"][1]["x"].shape[2] - online
    panels[0, 0].set(title=rf"online, from the worst point, $\beta_2={problem.B2}$", xlabel="step t")
    panels[0, 1].set(title=f"stochastic, from 0: mean of {seeds} seeds", xlabel="step t")
    for panel in panels[1]:
        panel.set(xscale="log", xlabel=r"$1-\beta_2$", ylabel=f"$x_t$ at step {steps[-1]:,}")
    panels[1, 0].set_title(r"Adam and ADOPT over $\beta_2$: online, from the worst point")
    panels[1, 1].set_title(f"the same, stochastic: mean and range of {seeds} seeds")
    figure.suptitle(
        rf"Successors on $f_t = 1010x$ once in 101 steps, $-10x$ otherwise; $\alpha_t={SHOWN:g}/\sqrt{{t}}$"
    )
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure


def _show_position(panel: Axes) -> None:
    panel.axhline(-1, color="grey", linewidth=0.8, linestyle=(0, (1, 3)))
    panel.set(ylim=(-1.08, 1.08), ylabel="$x_t$ (-1 is the optimum, +1 the worst point)")


def draw_drift(curves: Mapping[str, np.ndarray], roots: Mapping[float, float]) -> Figure:
    """Which way x goes, over b2."""
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    panel = figure.subplots()
    styles = OPTIMIZERS["Adam"], OPTIMIZERS["RMSProp"], OPTIMIZERS["AMSGrad"]
    for style, name in zip(styles, ("Adam, b1 = 0.9", "Adam, b1 = 0", "AMSGrad, b1 = 0.9"), strict=True):
        panel.plot(1 - curves["b2"], curves[name], label=f"{name}, exact", **style)
    measured = 1 - curves["measured b2"], curves["measured"]
    panel.plot(*measured, "o", color=CONTEXT, markersize=4, label="rx.adam, measured")
    panel.axhline(0, color="grey", linewidth=0.8)
    for y, (b1, root) in zip((-0.22, -0.45), roots.items(), strict=True):
        panel.annotate(
            rf"$\beta_2={root:.6f}$ ($\beta_1={b1:g}$)",
            (1 - root, 0),
            xytext=(1.5e-3, y),
            arrowprops={"arrowstyle": "->", "color": "grey"},
        )
    panel.set(
        xscale="log",
        xlabel=r"$1-\beta_2$ (memory: about $1/(1-\beta_2)$ steps)",
        ylabel=r"movement per 101 steps, in $\alpha$",
        title="Adam goes the wrong way (up) unless it remembers about twenty periods",
    )
    panel.set_yscale("symlog", linthresh=0.1)
    panel.set_ylim(-1, 60)
    panel.grid(alpha=0.3)
    panel.legend(loc="upper left")
    return figure
