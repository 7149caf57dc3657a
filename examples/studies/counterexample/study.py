"""Where Adam goes the wrong way for ever and AMSGrad does not: the synthetic problem of AMSGrad's paper."""

from collections.abc import Iterator, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import brentq

from examples.lab.study import Finding, Size, Study
from examples.studies.counterexample import problem

SIZES = {
    "steps": Size(5_000_000, 1_000_000, "steps of each run, rounded up to a multiple of the points"),
    "seeds": Size(10, 4, "stochastic runs per setting"),
}
POINTS = 100  # Of a curve.
SHOWN = 0.5  # The alpha of the picture; SGD, whose steps are not normalised, has its own.
SGD_SHOWN = 0.01
COLUMNS = ("optimizer", "alpha", "problem", "x_1", "seed", "step", "x", "regret", "expected_regret")
Results = Mapping[str, tuple[Sequence[float], dict[str, np.ndarray]]]  # Alphas; shape=(points, alphas, runs).

# x_T and R_T / T of an independent simulation in NumPy, online, from x_1 = 0, by T and alpha. The paper
# shows curves and states neither alpha nor x_1 nor the number of steps.
REFERENCE = {
    ("Adam", 5_000_000): {0.01: (0.806, 0.151), 0.1: (1.0, 0.1996), 0.5: (1.0, 0.2115), 1.0: (1.0, 0.2249)},
    ("Adam", 1_000_000): {0.1: (1.0, 0.1984), 0.5: (1.0, 0.2280), 1.0: (1.0, 0.2581)},
    ("AMSGrad, no correction", 5_000_000): {
        0.01: (-0.069, 0.094),
        0.1: (-0.6882, 0.0454),
        0.5: (-0.9989, 0.0151),
        1.0: (-0.9977, 0.0300),
    },
    ("AMSGrad, no correction", 1_000_000): {
        0.1: (-0.4951, 0.0621),
        0.5: (-0.9973, 0.0347),
        1.0: (-0.9946, 0.0685),
    },
    ("AMSGrad, maximum last", 5_000_000): {
        0.1: (-0.2263, 0.0785),
        0.5: (-0.9999, 0.0025),
        1.0: (-0.9997, 0.0039),
    },
    ("AdamNC", 5_000_000): {0.1: (-0.4465, 0.0730), 0.5: (-0.9986, 0.0246), 1.0: (-0.9972, 0.0383)},
    ("Adam, b2 = 0.9999", 5_000_000): {1.0: (-0.9972, 0.0432)},
    ("Adam, constant", 5_000_000): {0.001: (1.0, 0.2275), 0.01: (1.0, 0.498)},
    ("AMSGrad, constant", 5_000_000): {0.001: (-0.995, 0.0457), 0.01: (-0.950, 0.331)},
}
# The mean of 0.2 (x_t + 1) over T = 5e6 stochastic steps, mean of ten seeds of the same simulation, and
# the smallest and largest x_T.
STOCHASTIC = {
    "Adam": {0.1: (0.3998, 0.999, 1.0), 0.5: (0.3989, 0.993, 1.0), 1.0: (0.3978, 0.987, 1.0)},
    "AMSGrad, no correction": {
        0.1: (0.333, 0.305, 0.704),
        0.5: (0.104, -0.989, -0.480),
        1.0: (0.034, -0.997, -0.846),
    },
}
SIGN_CHANGES = {0.9: 0.999516, 0.0: 0.999603}  # Of the drift, in b2, by b1.
DRIFTS = {"Adam": 1.901, "AMSGrad": -0.0788}  # At b1 = 0.9, b2 = 0.99.

STYLES = {
    "SGD": ("#999999", "-"),
    "AdaGrad": ("#56B4E9", "-"),
    "RMSProp": ("#CC79A7", "-"),
    "Adam": ("#D55E00", "-"),
    "RAdam": ("#E69F00", "--"),
    "AdamNC": ("#0072B2", ":"),
    "AMSGrad, no correction": ("#009E73", "-"),
    "AMSGrad, maximum first": ("#009E73", "--"),
    "AMSGrad, maximum last": ("#000000", "-"),
}
SHADED = ("AdaGrad", "Adam", "AMSGrad, no correction")  # The ranges of all would hide each other.


def simulate(study: Study, chunk: int, seeds: int) -> Results:
    """All runs: the paper's forms with alpha / sqrt(t), then the constant learning rates."""
    results = {}
    for recipes, alphas in (
        (problem.OPTIMIZERS, problem.ALPHAS),
        (problem.CONSTANT, problem.CONSTANT_ALPHAS),
    ):
        for name, recipe in recipes.items():
            program = problem.make_program(recipe, chunk, seeds)
            carry = problem.start(recipe, alphas, seeds)
            arrays = jnp.asarray(alphas)
            _, records = study.scan(
                name,
                program,
                carry,
                lambda i, arrays=arrays: (arrays, jnp.asarray(i)),
                POINTS,
                lambda record: f"x {' '.join(f'{x:7.4f}' for x in record['x'][:, 0])}",
                chunk,
            )
            results[name] = alphas, records
    return results


def rows(results: Results, chunk: int) -> Iterator[tuple[object, ...]]:
    """Those of the CSV file; stochastic runs start at 0, online ones have no seed."""
    online = len(problem.STARTS)
    for name, (alphas, records) in results.items():
        for point, alpha, run in np.ndindex(records["x"].shape):
            start = ("online", problem.STARTS[run], "") if run < online else ("stochastic", 0.0, run - online)
            values = (records[key][point, alpha, run] for key in ("x", "regret", "expected_regret"))
            yield name, alphas[alpha], *start, (point + 1) * chunk, *values


def compare(results: Results, steps: int) -> list[Finding]:
    """The digits of the independent simulation beside those of the package."""
    findings = []
    for (name, of), reference in REFERENCE.items():
        alphas, records = results[name]
        for alpha, published in reference.items() if of == steps else ():
            index = alphas.index(alpha)
            measured = records["x"][-1, index, 0], records["regret"][-1, index, 0]
            # Half a unit of the last digit given, and as much again for the rounding of a sum.
            digits = [3 if round(value, 3) == value else 4 for value in published]
            agrees = all(
                abs(m - p) <= 1.02 * 0.5 * 10**-d for m, p, d in zip(measured, published, digits, strict=True)
            )
            text = "x {:.4f}, R/T {:.4f}"
            findings.append(
                Finding(
                    f"{name}, alpha {alpha:g}", text.format(*published), text.format(*measured), bool(agrees)
                )
            )
    online = len(problem.STARTS)
    for name, reference in STOCHASTIC.items() if steps == 5_000_000 else ():
        alphas, records = results[name]
        for alpha, (mean, low, high) in reference.items():
            regrets = records["expected_regret"][-1, alphas.index(alpha), online:]
            x = records["x"][-1, alphas.index(alpha), online:]
            # Two means over different seeds: within two standard errors of their difference, and rounding.
            error = 2 * np.sqrt(2 * regrets.var(ddof=1) / len(regrets)) if len(regrets) > 1 else np.inf
            findings.append(
                Finding(
                    f"{name}, alpha {alpha:g}, stochastic",
                    f"E R/T {mean:.4f}, x in [{low:.3f}, {high:.3f}]",
                    f"E R/T {regrets.mean():.4f}, x in [{x.min():.3f}, {x.max():.3f}]",
                    bool(abs(regrets.mean() - mean) <= error + 1e-3),
                )
            )
    return findings


NOTE = (
    "still on its way. AMSGrad moves by 1.56e-3 alpha sqrt(T), which crosses [-1, 1] once alpha sqrt(T) is "
    "1280; the paper states neither alpha nor T."
)


def judge(results: Results) -> list[Finding]:
    """What the paper claims of the end of the way and of the average regret."""

    def ends(name: str, alpha: float) -> tuple[float, float, np.ndarray]:
        alphas, records = results[name]
        x = records["x"][-1, alphas.index(alpha)]
        return x[0], x[len(problem.STARTS) :].mean(), records["regret"][:, alphas.index(alpha), 0]

    findings = []
    for name in ("Adam", "RMSProp", "RAdam"):
        online, stochastic, regret = ends(name, SHOWN)
        findings.append(
            Finding(
                f"{name} goes to the worst point (online; stochastic)",
                "+1; +1" if name in ("Adam", "RMSProp") else "-",
                f"{online:.4f}; {stochastic:.4f}",
                bool(online > 0.99 and stochastic > 0.9 and regret[-1] > 0.19),
            )
        )
    for name, alpha in (
        ("SGD", SGD_SHOWN),
        ("AdaGrad", 1.0),
        ("AdamNC", SHOWN),
        ("AMSGrad, no correction", SHOWN),
        ("AMSGrad, no correction", 0.1),
    ):
        online, stochastic, regret = ends(name, alpha)
        agrees = bool(online < -0.98 and regret[-1] < 0.75 * regret[len(regret) // 4])
        findings.append(
            Finding(
                f"{name}, alpha {alpha:g}: goes to -1, and R_T/T to 0 (online)",
                "-1; 0",
                f"{online:.4f}; {regret[-1]:.4f}",
                agrees,
                "" if agrees else NOTE,
            )
        )
    return findings


def explain() -> tuple[list[Finding], dict[float, float]]:
    """The drift: its values, where it changes sign, and theorem 1's family of problems."""
    measured = {
        "Adam": float(problem.measured_drift(problem.B1, jnp.asarray([problem.B2]), 60)[0]),
        "AMSGrad": problem.drift(problem.B1, problem.B2, maximum=True),
    }
    findings = [
        Finding(
            f"Drift of {name} per period, in alpha", f"{DRIFTS[name]:+.4g}", f"{value:+.4g}",
            bool(abs(value - DRIFTS[name]) <= 5e-4),
        )
        for name, value in measured.items()
    ]  # fmt: skip
    roots = {b1: brentq(lambda b2, b1=b1: problem.drift(b1, b2), 0.999, 0.9999) for b1 in SIGN_CHANGES}
    for b1, published in SIGN_CHANGES.items():
        findings.append(
            Finding(
                f"Adam's drift changes sign at b2 (b1 = {b1:g})", f"{published}", f"{roots[b1]:.6f}",
                bool(abs(roots[b1] - published) <= 5.1e-7),
            )
        )  # fmt: skip
    ends = problem.theorem_1(jnp.asarray([2.5, 3.0, 10.0]), 100_000)
    findings.append(
        Finding(
            "Theorem 1, C = 2.5, 3, 10: Adam converges to +1", "+1", ", ".join(f"{x:.4f}" for x in ends),
            bool((ends > 0.99).all()),
        )
    )  # fmt: skip
    return findings, roots


def draw(results: Results, chunk: int) -> Figure:
    """As the paper's figure 1: average regret and x over steps, online above and stochastic below."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True)
    online = len(problem.STARTS)
    steps = chunk * np.arange(1, POINTS + 1)
    for name, (colour, line) in STYLES.items():
        records = results[name][1]
        style = {"color": colour, "linestyle": line}
        index = problem.ALPHAS.index(SGD_SHOWN if name == "SGD" else SHOWN)
        label = f"{name}, alpha = {SGD_SHOWN:g}" if name == "SGD" else name
        panels[0, 0].plot(steps, records["regret"][:, index, 0], label=label, **style)
        panels[0, 1].plot(steps, records["x"][:, index, 0], **style)
        for panel, key in zip(panels[1], ("expected_regret", "x"), strict=True):
            runs = records[key][:, index, online:]
            panel.plot(steps, runs.mean(axis=1), **style)
            if name in SHADED:
                panel.fill_between(steps, runs.min(axis=1), runs.max(axis=1), color=colour, alpha=0.15, lw=0)
    for row, worst in zip(panels, (2 * 20 / 101 / 2, 0.4), strict=True):
        row[0].axhline(worst, color="grey", linewidth=0.8, linestyle=(0, (1, 3)))
        row[0].annotate("at x = +1", (1, worst), xycoords=("axes fraction", "data"), ha="right", va="top")
        row[0].set_ylim(0, 0.48)
        row[1].axhline(-1, color="grey", linewidth=0.8, linestyle=(0, (1, 3)))
        row[1].set(ylim=(-1.08, 1.08), ylabel="$x_t$ (-1 is the optimum, +1 the worst point)")
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


def drifts() -> dict[str, np.ndarray]:
    """The drift over b2: exact for Adam with two b1 and for AMSGrad, and as radam_optax moves."""
    b2 = 1 - np.logspace(-1, -5, 161)
    few = 1 - np.logspace(-1, -4, 13)
    return {
        "b2": b2,
        "Adam, b1 = 0.9": np.array([problem.drift(0.9, b) for b in b2]),
        "Adam, b1 = 0": np.array([problem.drift(0.0, b) for b in b2]),
        "AMSGrad, b1 = 0.9": np.array([problem.drift(0.9, b, maximum=True) for b in b2]),
        "measured b2": few,
        "measured": np.asarray(problem.measured_drift(0.9, jnp.asarray(few), 1000)),
    }


def draw_drift(curves: Mapping[str, np.ndarray], roots: Mapping[float, float]) -> Figure:
    """Which way x goes, over b2."""
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    panel = figure.subplots()
    colours = ("#D55E00", "#CC79A7", "#009E73")
    for colour, name in zip(colours, ("Adam, b1 = 0.9", "Adam, b1 = 0", "AMSGrad, b1 = 0.9"), strict=True):
        panel.plot(1 - curves["b2"], curves[name], color=colour, label=f"{name}, exact")
    measured = 1 - curves["measured b2"], curves["measured"]
    panel.plot(*measured, "o", color="#000000", markersize=4, label="rx.adam, measured")
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


def main(arguments: Sequence[str]) -> None:
    """Simulates in float64, and writes the curves, the drift, their pictures and the verdict."""
    study = Study("counterexample", __doc__, arguments, SIZES)
    chunk = -(-study.options.steps // POINTS)
    with jax.enable_x64(True):
        results = simulate(study, chunk, study.options.seeds)
        explained, roots = explain()
        curves = drifts()
    study.write_csv("curves.csv", COLUMNS, rows(results, chunk))
    study.write_figure("curves.png", draw(results, chunk))
    exact = [name for name in curves if "," in name]
    lines = [("exact", name, *at) for name in exact for at in zip(curves["b2"], curves[name], strict=True)]
    dots = zip(curves["measured b2"], curves["measured"], strict=True)
    lines += [("measured", exact[0], *at) for at in dots]
    study.write_csv("drift.csv", ("kind", "optimizer", "b2", "drift"), lines)
    study.write_figure("drift.png", draw_drift(curves, roots))
    ends = {
        name: {
            str(alpha): {key: values[-1, i].tolist() for key, values in records.items()}
            for i, alpha in enumerate(alphas)
        }
        for name, (alphas, records) in results.items()
    }
    study.conclude([*compare(results, POINTS * chunk), *judge(results), *explained], ends)
