"""The trajectories: minima, closed forms, first steps, the choice of the learning rates."""

import jax
import numpy as np
import pytest

for package in ("flax", "matplotlib", "orbax", "rich"):
    pytest.importorskip(package)

from examples.studies.trajectories.figures import MAIN, VARIANTS, animate
from examples.studies.trajectories.findings import counts, first_step_findings, path_findings
from examples.studies.trajectories.first_steps import (
    FORMULAS,
    GRADIENTS,
    first_adaptive,
    step_sizes,
)
from examples.studies.trajectories.paths import (
    METHODS,
    RAVINE,
    SADDLE,
    crossings,
    left_saddle,
    make_program,
    settled,
    sgd_steps_ravine,
    sgd_steps_saddle,
    start,
)
from examples.studies.trajectories.study import path_rows
from examples.studies.trajectories.surfaces import AXIS, GENTLE, STEEP, SURFACES
from tests.support.records import record


def path_of(method, steps=400):
    first = np.asarray([surface.start for surface in SURFACES], np.float32)
    _, positions = make_program(method, steps)(start(method))
    return np.concatenate([first[None], np.asarray(positions)])


@pytest.fixture(scope="module")
def paths():
    return {name: path_of(method) for name, method in METHODS.items()}


@pytest.fixture(scope="module")
def sizes():
    return {name: step_sizes(method) for name, method in METHODS.items()}


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
def test_the_minima_are_minima(surface, x64):
    """A gradient of zero, positive curvatures, and the deepest one first."""

    def height(p):
        return surface.height(p[0], p[1])

    for minimum in surface.minima:
        p = np.asarray(minimum, np.float64)
        np.testing.assert_allclose(jax.grad(height)(p), 0, atol=1e-5)
        assert np.linalg.eigvalsh(jax.hessian(height)(p)).min() > 0
    heights = [surface.height(*minimum) for minimum in surface.minima]
    assert min(heights) >= heights[0] - 1e-12


def test_the_camel_back_is_that_of_the_literature():
    heights = [4 * SURFACES[-1].height(*minimum) for minimum in SURFACES[-1].minima[::2]]
    np.testing.assert_allclose(heights, [-1.0316285, -0.2154638, 2.1042503], atol=1e-6)


def test_the_ravine_has_its_curvatures_along_its_axis():
    hessian = jax.hessian(lambda p: SURFACES[RAVINE].height(p[0], p[1]))(np.zeros(2, np.float32))
    values, vectors = np.linalg.eigh(hessian)
    np.testing.assert_allclose(values, [GENTLE, STEEP], rtol=1e-5)
    assert abs(vectors[:, 0] @ [np.cos(AXIS), np.sin(AXIS)]) == pytest.approx(1, abs=1e-5)


def test_a_row_of_the_array_moves_as_it_would_alone():
    """One gradient of the sum serves all surfaces: the optimizers work element by element."""
    surface = SURFACES[SADDLE]
    gradient = jax.jit(jax.grad(lambda p: surface.height(p[0], p[1])))
    for name in ("SGD", "Adam", "RAdam"):
        method = METHODS[name]
        optimizer, p = method.make(method.rate), np.asarray(surface.start, np.float32)
        state = optimizer.init(p)
        for _ in range(20):
            updates, state = optimizer.update(gradient(p), state, p)
            p = p + updates
        np.testing.assert_allclose(path_of(method, 20)[-1, SADDLE], p, rtol=1e-5, atol=1e-6)


def test_sgd_is_its_closed_form(paths):
    path = paths["SGD"]
    assert settled(path[:, RAVINE], RAVINE) == (sgd_steps_ravine(0.1), 0)
    assert abs(left_saddle(path[:, SADDLE]) - sgd_steps_saddle(0.1)) <= 1
    # The overshoot across is (1 - 0.1 * 18) = -0.8 per step.
    assert crossings(path[:51, RAVINE]) == 1


@pytest.mark.parametrize("name", ["SGD", "Nesterov", "RAdam"])
def test_the_learning_rate_is_the_largest_that_settles(paths, name):
    def settles(path):
        return all(settled(path[:, i], i) for i in range(len(SURFACES)))

    method = METHODS[name]
    mantissa = round(method.rate / 10 ** np.floor(np.log10(method.rate)))
    assert settles(paths[name])
    for larger in (2.5, 5) if mantissa == 2 else (2, 5):
        assert not settles(path_of(method._replace(rate=larger * method.rate)))


def test_settled_knows_a_path_that_never_does():
    path = np.zeros((5, 2))
    assert settled(path, RAVINE) == (0, 0)
    assert settled(path + 1, RAVINE) is None
    assert settled(path + np.nan, RAVINE) is None
    path[2] = 1
    assert settled(path, RAVINE) == (3, 0)


@pytest.mark.parametrize("name", METHODS)
def test_first_steps_follow_the_formula(sizes, name):
    np.testing.assert_allclose(sizes[name][0], [FORMULAS[name][1](g) for g in GRADIENTS], rtol=1e-4)


def test_why_bias_correction_exists(sizes):
    """Without it: (1 - 0.9^t) / sqrt(1 - 0.999^t), 3.16 at first and 6.57 at worst."""
    t = np.arange(1, 101)
    np.testing.assert_allclose(
        sizes["Adam, uncorrected"][:, 1], (1 - 0.9**t) / np.sqrt(1 - 0.999**t), rtol=1e-3
    )
    np.testing.assert_allclose(sizes["Adam"][:, 1], 1, rtol=1e-3)
    assert first_adaptive(sizes["RAdam"]) == 6


def test_findings_can_fail(paths, sizes):
    table = counts(paths)
    assert all(finding.agrees for finding in path_findings(paths, table))
    swapped = paths | {"SGD": paths["Adam"], "Adam": paths["SGD"], "momentum": paths["AMSGrad"]}
    findings = path_findings(swapped, counts(swapped))
    assert not any(finding.agrees for finding in findings)

    assert all(finding.agrees for finding in first_step_findings(sizes))
    others = dict(zip(sizes, reversed(sizes.values()), strict=True))
    assert sum(not finding.agrees for finding in first_step_findings(others)) >= 4


@pytest.mark.parametrize(("names", "steps", "expected"), [(MAIN, 31, 20), (VARIANTS, 4, 4)])
def test_the_animation_shows_all_steps_within_its_frames(paths, names, steps, expected, tmp_path):
    columns = ("optimizer", "surface", "step", "x", "y", "height")
    some = path_rows({name: path[:steps] for name, path in paths.items()})
    figure, draw, frames, _ = animate(
        record(tmp_path, {"paths": (columns, some)}, {"frames": 20}, {}), names, "A claim."
    )
    assert frames == expected
    shown = []
    for frame in range(frames):
        draw(frame)
        (clock,) = (text.get_text() for text in figure.axes[2].texts)
        shown.append(int(clock.split()[-1]))
    assert shown[:3] == [0, 1, 2]
    assert shown[-1] == steps - 1
    assert np.all(np.diff(shown) >= 1)
    assert len(figure.axes[0].get_lines()) == 2 * len(names)
