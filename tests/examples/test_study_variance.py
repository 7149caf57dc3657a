"""The study of Var[psi]: its quadrature, its simulation, its errors and its verdict have oracles."""

# What needs a package comes after the skip.

import math

import jax
import numpy as np
import pytest

for package in ("flax", "matplotlib", "rich", "sklearn"):
    pytest.importorskip(package)

import optax

import radam_optax as rx
from examples.lab.study import Study
from examples.lab.style import THEMES, place_labels
from examples.studies.variance.exact import adaptive_rate_moments
from examples.studies.variance.figures import FORMULAS, PICTURES, draw, draw_means
from examples.studies.variance.findings import BEST, RADAM, findings
from examples.studies.variance.float32 import DECAYS, exact_rectifier, rectifier_errors
from examples.studies.variance.float32 import STEPS as FLOAT32_STEPS
from examples.studies.variance.formulas import B2, MEANS, STEPS, Curves, compute
from examples.studies.variance.simulation import PATHS, Estimate, estimate, simulate
from examples.studies.variance.study import rows_of_simulation, rows_of_steps, step_columns
from tests.support.records import record

TIMES = np.array([3, 10, 100, 1000, STEPS])
SIZES = {"optax": 1e-2, "radam_optax": 1e-7}
ERRORS = {(name, b2): np.full(100, size) for b2 in DECAYS for name, size in SIZES.items()}


@pytest.fixture(scope="module")
def curves() -> Curves:
    return compute()


def verdict(curves: Curves, estimate_: Estimate | None = None, errors=ERRORS) -> dict[str, bool]:
    """Whether each claim agrees; the estimate is right unless given."""
    exact = curves.variance[TIMES - 1]
    estimate_ = estimate_ or Estimate(exact, exact / 100)
    return {finding.claim: finding.agrees for finding in findings(curves, TIMES, estimate_, errors)}


def test_the_quadrature_of_equal_weights_is_the_formula():
    """With b2 -> 1 psi^2 is scaled inverse chi-squared of t degrees of freedom."""
    mean, variance = adaptive_rate_moments(1 - 1e-9, 100)
    published = {
        3: 1.09014068290,
        4: 2 - math.pi / 2,
        5: 0.251956061405,
        10: 0.0755459592751,
        100: 5.19281574929e-3,
    }
    for t, value in published.items():
        assert variance[t - 1] == pytest.approx(value, rel=1e-6)
        assert mean[t - 1] == pytest.approx(
            math.sqrt(t / 2) * math.exp(math.lgamma((t - 1) / 2) - math.lgamma(t / 2))
        )
    assert np.isinf(variance[:2]).all()
    assert np.isinf(mean[0])
    assert mean[1] == pytest.approx(math.sqrt(math.pi))


@pytest.mark.parametrize("mu", [0.1, 1.0, 3.0])
def test_the_quadrature_of_other_means_is_a_mixture(mu):
    """A noncentral chi-squared variable is a Poisson mixture of chi-squared ones."""
    mean, variance = adaptive_rate_moments(1 - 1e-9, 8, mu)
    for t in (3, 8):
        k = np.arange(200)
        log_factorial = np.array([math.lgamma(i + 1) for i in k])
        weights = np.exp(k * np.log(t * mu**2 / 2) - t * mu**2 / 2 - log_factorial)
        second = np.sum(weights * t / (t + 2 * k - 2))
        assert variance[t - 1] + mean[t - 1] ** 2 == pytest.approx(second, rel=1e-6)


def test_the_variances_of_a_real_moving_average(curves):
    assert curves.variance[2:5, 0] == pytest.approx([1.0901, 0.4292, 0.2520], abs=1e-4)
    length = (1 - B2**1000) / (1 + B2**1000) * (1 + B2) / (1 - B2)
    assert curves.rho["variance"][999] == pytest.approx(length, rel=1e-5)
    assert curves.variance[999, 0] == pytest.approx(float(rx.adaptive_rate_variance(length)), rel=1e-3)


def test_an_estimate_is_a_variance_with_its_error():
    paths = np.random.default_rng(0).normal(3, 2, size=(4, 1000))
    d = (paths - 3.1)[:, None, None, :]
    moments = np.stack([(d**power).mean(axis=-1) for power in (1, 2, 4)], axis=-1)
    result = estimate(moments, 1000)
    assert result.variance[0, 0] == pytest.approx(paths.var())
    assert result.error[0, 0] == pytest.approx(4 * math.sqrt(2 / 4000), rel=0.1)


def test_a_simulation_is_of_the_real_moving_average(tmp_path):
    study = Study("variance", None, ["--quick", "--out", str(tmp_path)], {})
    means, times = (0.0, 1.0), np.array([3, 20, 60])
    exact = [adaptive_rate_moments(0.9, 60, mean) for mean in means]
    pilots = np.where(np.isfinite(e := np.stack([mean for mean, _ in exact], axis=-1)), e, 1)
    moments = simulate(study, 0.9, times, means, pilots, 2)
    assert moments.shape == (2, 3, 2, 3)
    result = estimate(moments, PATHS)
    variance = np.stack([variance for _, variance in exact], axis=-1)[times - 1]
    assert (np.abs(result.variance - variance)[1:] < 5 * result.error[1:]).all()


def test_the_exact_rectifier_is_the_published_one():
    r = exact_rectifier(0.999)
    published = {6: 0.0258211128, 7: 0.0327388144, 10: 0.0489980134, 100: 0.215335437, 1000: 0.645325652}
    assert [r[t - 1] for t in published] == pytest.approx(list(published.values()), rel=1e-8)
    assert not r[:5].any()


def test_errors_of_float32_are_those_of_the_rectifier():
    assert rectifier_errors(0.9999, rx).max() < 4e-7
    with jax.numpy_dtype_promotion("standard"):
        errors = rectifier_errors(0.9999, optax)
    assert errors.shape == (FLOAT32_STEPS,)
    assert errors[5:].max() > 0.1


def test_the_verdict_disagrees_with_the_paper_where_it_is_wrong(curves):
    agreed = verdict(curves)
    assert [claim for claim, agrees in agreed.items() if not agrees] == [
        "first-order error much smaller than the value",
        "Var[psi_t] is tractable",
        "Var[psi_t] is that of a simple average of length rho_t",
        "r_t makes the variance constant",
        "r_t is similar to a linear warmup",
        "optax: r_t in float32 within 1e-05",
    ]


def test_the_verdict_follows_the_data(curves):
    """Each finding about the curves comes out the other way on curves for which it should."""
    as_hoped = curves._replace(
        of_rho=curves.of_rho | {("exact", "centre_of_mass"): curves.of_rho[BEST]},
        r=curves.r | {RADAM: np.where(np.arange(STEPS) < 4, 0, curves.r[BEST])},
    )
    agreed = verdict(as_hoped)
    assert agreed["Var[psi_t] is that of a simple average of length rho_t"]
    assert agreed["r_t makes the variance constant"]
    late = np.where(np.arange(STEPS)[:, None] < 4, np.inf, curves.variance)
    assert verdict(curves._replace(variance=late))["Var[psi_t] is tractable"]
    linear = curves._replace(
        r=curves.r | {RADAM: np.arange(STEPS) / STEPS},
        variance=np.full_like(curves.variance, 0.1),
        mean=np.ones_like(curves.mean),
    )
    agreed = verdict(linear)
    assert agreed["r_t is similar to a linear warmup"]
    assert not agreed["steps before the first adaptive one"]
    assert not agreed["the rate varies most at first"]
    exact = curves.variance[TIMES - 1]
    assert not verdict(curves, Estimate(1.1 * exact, exact / 100))["Monte Carlo agrees with the quadrature"]
    swapped = {(name, b2): 1e-3 - error / 10 for (name, b2), error in ERRORS.items()}
    agreed = verdict(curves, errors=swapped)
    assert agreed["optax: r_t in float32 within 1e-05"]
    assert not agreed["radam_optax: r_t in float32 within 4e-07"]


def test_the_pictures_show_every_curve(curves, tmp_path):
    exact = curves.variance[TIMES - 1]
    columns = ("mu", "step", "paths", "var_psi", "standard_error", "var_psi_exact")
    errors = [(*key, t, error) for key, values in ERRORS.items() for t, error in enumerate(values, start=1)]
    tables = {
        "steps": (step_columns(curves), rows_of_steps(curves)),
        "simulation": (columns, rows_of_simulation(curves, TIMES, {PATHS: Estimate(exact, exact / 100)})),
        "float32": (("package", "b2", "step", "relative_error"), errors),
    }
    left = record(tmp_path, tables, {}, {})
    for picture in PICTURES.values():
        with THEMES[0].applied():
            place_labels(picture(left))
    assert len(draw(left).axes[1].lines) == len(FORMULAS)
    assert len(draw_means(left).axes[1].lines) == 2 * len(MEANS)
