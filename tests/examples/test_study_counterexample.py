"""AMSGrad's synthetic problem: the package beside loops in NumPy, the drift beside a simulation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

for package in ("flax", "matplotlib", "rich", "sklearn"):
    pytest.importorskip(package)

T = 1500
ALPHAS = (0.1, 1.0)


def oracle(name: str, g: np.ndarray, alpha: float) -> np.ndarray:
    """x_1 ... x_{T+1} by the papers' formulas, one number after the other, in float64."""
    b1, b2 = (0.9, {"Adam, b2 = 0.999": 0.999, "Adam, b2 = 0.9999": 0.9999}.get(name, 0.99))
    m = v = largest = total = 0.0
    x = [0.0]
    for t, gradient in enumerate(g, start=1):
        m = b1 * m + (1 - b1) * gradient
        v = b2 * v + (1 - b2) * gradient**2
        total += gradient**2
        rate = alpha / np.sqrt(t)
        if name == "SGD":
            step = rate * gradient
        elif name == "AdaGrad":
            step = alpha * gradient / np.sqrt(total)
        elif name == "RMSProp":
            step = rate * gradient / np.sqrt(v)
        elif name.startswith("Adam,") or name == "Adam":
            step = rate * m / np.sqrt(v)
        elif name == "AdamNC":
            step = rate * m / np.sqrt(total / t)
        elif name == "RAdam":
            rho_inf = 2 / (1 - b2) - 1
            rho = rho_inf - 2 * t * b2**t / (1 - b2**t)
            step = rate * m / (1 - b1**t)
            if rho > 5:
                r = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
                step *= r * np.sqrt((1 - b2**t) / v)
        else:
            first = name != "AMSGrad, maximum last"
            largest = max(largest, v if first else v / (1 - b2**t))
            nu = largest / (1 - b2**t) if name == "AMSGrad, maximum first" else largest
            step = rate * (m if name == "AMSGrad, no correction" else m / (1 - b1**t)) / np.sqrt(nu)
        x.append(np.clip(x[-1] - step, -1.0, 1.0))
    return np.array(x)


def successor(name: str, g: np.ndarray, alpha: float) -> np.ndarray:
    """The same of the later optimizers."""
    b1, b2 = 0.9, 0.99
    m = v = largest = total = 0.0
    x = [0.0]
    for t, gradient in enumerate(g, start=1):
        before, v = v, b2 * v + (1 - b2) * gradient**2
        largest = max(largest, v)
        rate = alpha / np.sqrt(t)
        if name.startswith("ADOPT"):
            v = gradient**2 if t == 1 else v
            scaled = gradient / np.sqrt(before) if t > 1 else 0.0
            bound = np.inf if name == "ADOPT, unclipped" else (t - 1) ** 0.25
            m = b1 * m + (1 - b1) * np.clip(scaled, -bound, bound)
            step = rate * m
        elif name == "LaProp":
            m = b1 * m + (1 - b1) * gradient / np.sqrt(v / (1 - b2**t))
            step = rate * m / (1 - b1**t)
        elif name == "Lion":
            step = rate * np.sign(b1 * m + (1 - b1) * gradient)
            m = b2 * m + (1 - b2) * gradient
        else:
            m = b1 * m + (1 - b1) * gradient
            if name in ("AdaBound", "AMSBound"):
                nu = largest if name == "AMSBound" else v
                low, high = 0.01 * (1 - 1 / (1e-3 * t + 1)), 0.01 * (1 + 1 / (1e-3 * t))
                scale = alpha * np.sqrt(1 - b2**t) / (1 - b1**t) / np.sqrt(nu)
                step = np.clip(scale, low, high) / np.sqrt(t) * m
            elif name.startswith("Padam"):
                nu = largest if name == "Padam" else v
                step = rate * m / (1 - b1**t) * np.sqrt(1 - b2**t) / nu**0.25
            elif name == "NosAdam":
                total += t**-0.1 * gradient**2
                step = rate * m / np.sqrt(total / np.sum(np.arange(1, t + 1) ** -0.1))
            else:
                assert name == "AdaX"
                total = (1 + 1e-4) * total + 1e-4 * gradient**2
                step = rate * m / np.sqrt(total / ((1 + 1e-4) ** t - 1))
        x.append(np.clip(x[-1] - step, -1.0, 1.0))
    return np.array(x)


@pytest.mark.parametrize("group", ["OPTIMIZERS", "SUCCESSORS"])
def test_all_optimizers_move_as_loops_in_numpy(group, x64):
    from examples.studies.counterexample import problem

    loop = {"OPTIMIZERS": oracle, "SUCCESSORS": successor}[group]
    for name, recipe in getattr(problem, group).items():
        program = problem.make_program(recipe, T, seeds=2)
        carry, record = program(problem.start(recipe, ALPHAS, 2), jnp.asarray(ALPHAS), jnp.asarray(0))
        g = np.asarray(problem.gradients(jnp.asarray(0), T, 2))
        for index, alpha in enumerate(ALPHAS):
            for run in (0, 3, 4):  # Online from 0, and the two stochastic ones.
                x = loop(name, g[:, run], alpha)
                played = g[:, run] * x[:-1]
                best = min(g[:, run].sum(), -g[:, run].sum())
                close = {"rtol": 1e-9, "atol": 1e-10, "err_msg": f"{name}, {alpha}, {run}"}
                np.testing.assert_allclose(record["x"][index, run], x[-1], **close)
                np.testing.assert_allclose(record["regret"][index, run], (played.sum() - best) / T, **close)
                expected = np.mean(0.2 * (x[:-1] + 1))
                np.testing.assert_allclose(record["expected_regret"][index, run], expected, **close)
        assert int(jax.tree.leaves(carry[2])[0].size) == len(ALPHAS) * 5


def test_the_gradients_are_the_papers(x64):
    from examples.studies.counterexample import problem

    g = np.concatenate([problem.gradients(jnp.asarray(i), 500, 3) for i in range(40)])
    t = np.arange(1, len(g) + 1)
    np.testing.assert_array_equal(g[:, 0], np.where(t % 101 == 1, 1010.0, -10.0))
    assert np.all((g[:, 3:] == 1010) | (g[:, 3:] == -10))
    rare = (g[:, 3:] == 1010).mean(axis=0)  # Standard deviation 0.0007.
    assert np.all(abs(rare - 0.01) < 0.003)
    assert len({column.tobytes() for column in g[:, 3:].T}) == 3


@pytest.mark.parametrize(("b1", "b2"), [(0.9, 0.99), (0.0, 0.99), (0.9, 0.9), (0.5, 0.0), (0.9, 0.997)])
def test_the_drift_is_that_of_a_long_simulation(b1, b2, x64):
    from examples.studies.counterexample import problem

    m = v = largest = 0.0
    moved = {False: 0.0, True: 0.0}
    for t in range(101 * 120):
        g = 1010.0 if t % 101 == 0 else -10.0
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        largest = max(largest, v)
        if t % 101 == 0:
            moved = {False: 0.0, True: 0.0}
        moved[False] -= m / np.sqrt(v)
        moved[True] -= m / np.sqrt(largest)
    for maximum, expected in moved.items():
        np.testing.assert_allclose(problem.drift(b1, b2, maximum), expected, rtol=1e-8)
    np.testing.assert_allclose(problem.measured_drift(b1, jnp.asarray([b2]), 120)[0], moved[False], rtol=1e-8)


def test_the_verdict_notices_other_numbers():
    from examples.studies.counterexample import findings as verdict
    from examples.studies.counterexample import problem
    from examples.studies.counterexample.runs import POINTS

    points, runs = POINTS, len(problem.STARTS) + 2
    results = {}
    for recipes, alphas in (
        (problem.OPTIMIZERS, problem.ALPHAS),
        (problem.SUCCESSORS, problem.ALPHAS),
        (problem.CONSTANT, problem.CONSTANT_ALPHAS),
    ):
        for name in recipes:
            shape = (points, len(alphas), runs)
            results[name] = alphas, {k: np.zeros(shape) for k in ("x", "regret", "expected_regret")}
    findings = verdict.compare(results, 5_000_000) + verdict.judge(results)
    findings += verdict.judge_successors(results)
    assert len(findings) == 33 + len(problem.SUCCESSORS)
    assert not any(finding.agrees for finding in findings)

    reference = verdict.REFERENCE["Adam", 1_000_000]
    _, records = results["Adam"]
    for alpha, (x, regret) in reference.items():
        records["x"][-1, problem.ALPHAS.index(alpha), 0] = x
        records["regret"][-1, problem.ALPHAS.index(alpha), 0] = regret + 4e-5
    agrees = [f.agrees for f in verdict.compare(results, 1_000_000) if f.claim.startswith("Adam")]
    assert agrees == [True, True, True]
    assert verdict.compare(results, 999_900) == []


@pytest.mark.parametrize(("worst", "agrees"), [(-0.1, [True, True]), (0.1, [True, False])])
def test_adopt_leaves_the_worst_point_only_if_it_does_with_every_b2(worst, agrees):
    from examples.studies.counterexample import findings as verdict
    from examples.studies.counterexample import problem

    x = np.full((2, len(problem.B2S), len(problem.STARTS) + 2), -0.9)
    clipped = x.copy()
    clipped[-1, 3, -2:] = worst
    results = {name: (problem.B2S, {"x": at}) for name, at in (("ADOPT, unclipped", x), ("ADOPT", clipped))}
    found = verdict.judge_over_b2(results)
    assert [finding.agrees for finding in found] == agrees
    assert [finding.note for finding in found] == ["", "" if agrees[1] else verdict.CLIPPED]
    assert found[1].measured == f"-0.9000; {worst:.4f}"


def test_the_sum_of_nosadam_is_exact_where_it_is_not_added_up(x64):
    from examples.studies.counterexample.decays import nosadam

    t = np.array([1, 2, 999, 1000, 1001, 1002, 5000, 100_000])
    sums = np.cumsum(np.arange(1.0, t[-1] + 1) ** -0.1)
    expected = [1 - k**-0.1 / sums[k - 1] for k in t.tolist()]
    np.testing.assert_allclose(jax.vmap(nosadam(0.1))(jnp.asarray(t - 1)), expected, rtol=1e-12, atol=1e-15)
