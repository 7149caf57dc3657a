"""What Reddi et al. (2018) and an independent simulation say of the counterexample, beside what is so."""

import jax.numpy as jnp
import numpy as np
from scipy.optimize import root_scalar

from examples.lab.study import Finding
from examples.studies.counterexample import problem
from examples.studies.counterexample.problem import SHOWN
from examples.studies.counterexample.runs import SGD_SHOWN, Results

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


# What the papers prove of later optimizers: Taniguchi et al. (2024), Luo et al. (2019), Chen et al. (2020),
# Huang et al. (2019), Li et al. (2020).
PROVEN = {
    "ADOPT": "converges with any b2",
    "ADOPT, unclipped": "converges with any b2",
    "AdaBound": "converges",
    "AMSBound": "converges",
    "Padam": "converges",
    "NosAdam": "converges",
    "AdaX": "converges",
}
CLIPPED = (
    "its bound (t-1)^(1/4) cuts the rare gradient, which alone points the right way; at b2 = 0 that is 101 "
    "times as long as the others when it is divided by its rate, and counts for less than all of them until "
    "t is 10^8."
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


def judge_successors(results: Results) -> list[Finding]:
    """Which of the later optimizers leave the worst point, +1, for the better half.

    Online runs start there, and stochastic ones, of which the mean counts, at 0.
    """
    findings = []
    for name in problem.SUCCESSORS:
        alphas, records = results[name]
        online, stochastic = _ends(records["x"][-1, alphas.index(SHOWN)])
        published = PROVEN.get(name)
        leaves = online < 0 and stochastic < 0
        findings.append(
            Finding(
                f"{name} {'leaves' if published else 'stays at'} the worst point (online; stochastic)",
                published or "-",
                f"{online:.4f}; {stochastic:.4f}",
                bool(leaves if published else online > 0.9 and stochastic > 0.8),
                CLIPPED if name == "ADOPT" and not leaves else "",
            )
        )
    return findings


def judge_over_b2(results: Results) -> list[Finding]:
    """Whether ADOPT leaves the worst point with every b2, as it ends at the worst of them."""
    findings = []
    for name in ("ADOPT, unclipped", "ADOPT"):
        ends = np.array([_ends(x) for x in results[name][1]["x"][-1]])
        online, stochastic = ends.max(axis=0)
        leaves = bool((ends < 0).all())
        note = "" if leaves or name != "ADOPT" else CLIPPED
        claim = f"{name}: leaves the worst point with every b2 (online; stochastic)"
        findings.append(Finding(claim, PROVEN[name], f"{online:.4f}; {stochastic:.4f}", leaves, note))
    return findings


def _ends(x: np.ndarray) -> tuple[float, float]:
    """Of the runs: the online one from +1, and the mean of the stochastic ones."""
    return x[problem.STARTS.index(1.0)], x[len(problem.STARTS) :].mean()


def explain() -> list[Finding]:
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
    roots = {
        b1: root_scalar(lambda b2, b1=b1: problem.drift(b1, b2), bracket=(0.999, 0.9999)).root
        for b1 in SIGN_CHANGES
    }
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
    return findings
