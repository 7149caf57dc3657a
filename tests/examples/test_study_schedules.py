"""The study of schedules: what a method is told it does, the best of its runs, findings that can fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

for package in ("matplotlib", "orbax", "rich", "tokenizers"):
    pytest.importorskip(package)

import radam_optax as rx
from examples.lab.style import THEMES, place_labels
from examples.studies.schedules.figures import PICTURES, runs_of
from examples.studies.schedules.findings import findings
from examples.studies.schedules.methods import (
    ADAM,
    ADAM_UNWARMED,
    ADAMW_FREE,
    GI_ADAM,
    METHODS,
    PEAKS,
    RADAM,
    RADAM_FREE,
    RADAM_TO_HALF,
    Setting,
    warmup_cosine,
)
from examples.studies.schedules.runs import COLUMNS, Runs, contestants, rows
from tests.support.records import record

STEPS = 40


def test_the_learning_rate_rises_in_equal_steps_and_falls_along_a_cosine():
    rates = jax.vmap(warmup_cosine(Setting(2.0, 4, 12)))(jnp.arange(15))
    np.testing.assert_allclose(rates[:5], [0.5, 1.0, 1.5, 2.0, 2.0], rtol=1e-6)
    np.testing.assert_allclose(rates[8], 1.0, rtol=1e-6)
    np.testing.assert_allclose(rates[12:], 0, atol=1e-6)
    unwarmed = jax.vmap(warmup_cosine(Setting(2.0, 0, 12)))(jnp.arange(12))
    np.testing.assert_allclose(unwarmed, 1 + np.cos(np.pi * np.arange(12) / 12), rtol=1e-5)


def test_every_method_tries_all_peaks_with_what_it_is_told():
    for method in METHODS.values():
        settings = method.settings(STEPS)
        assert {setting.peak for setting in settings} == set(PEAKS)
        assert len(settings) == len(PEAKS) * len(method.warmups) * len(method.lengths)
    assert {s.warmup for s in METHODS[ADAM].settings(STEPS)} == {0, 2, 8}
    assert {s.length for s in METHODS[RADAM].settings(STEPS)} == {20, 40}


def steps_of(name, setting, gradients):
    """The parameters after every step, those that are evaluated, and the last state."""
    method = METHODS[name]
    optimizer = method.recipe(jnp.asarray(setting))

    def step(carry, g):
        params, state = carry
        updates, state = optimizer.update(g, state, params)
        params = params + updates
        return (params, state), (params, method.evaluated(state, params))

    start = jnp.ones(gradients.shape[1])
    (_, state), path = jax.jit(lambda: jax.lax.scan(step, (start, optimizer.init(start)), gradients))()
    return *path, state


def test_gi_adam_starts_at_the_first_square_and_is_corrected_as_if_at_zero():
    gradients = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    found, evaluated, _ = steps_of(GI_ADAM, (0.1, 0.0, 1e9), jnp.asarray(gradients))
    x, m, v = np.ones(3), np.zeros(3), gradients[0].astype(np.float64) ** 2
    for t, g in enumerate(gradients.astype(np.float64), start=1):
        m = 0.9 * m + 0.1 * g
        v = v if t == 1 else 0.999 * v + 0.001 * g**2
        x = x - 0.1 * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        np.testing.assert_allclose(found[t - 1], x, rtol=1e-4)
    np.testing.assert_array_equal(found, evaluated)


def test_of_a_schedule_free_method_the_average_is_evaluated():
    gradients = jnp.asarray(np.random.default_rng(0).normal(size=(30, 3)), jnp.float32)
    found, evaluated, state = steps_of(ADAMW_FREE, (0.1, 2.0, 30.0), gradients)
    np.testing.assert_array_equal(evaluated[-1], rx.schedule_free_eval_params(state, found[-1]))
    assert np.abs(evaluated[-1] - found[-1]).max() > 1e-3


def results(seeds=3, points=20):
    """Runs that all end at 50."""
    return {
        name: Runs(settings, *np.full((2, len(settings), seeds, points), 50.0))
        for name, method in METHODS.items()
        for settings in [method.settings(STEPS)]
    }


def test_the_best_setting_ends_lowest_in_the_mean_of_the_seeds():
    runs = results()[ADAM]
    runs.test[4, :, -1] = 40, 41, 42
    runs.test[1, 0, -1] = 10  # One lucky seed.
    runs.test[2, :, 3] = 1  # Early only.
    runs.test[3] = np.nan
    runs.test[1, 1:, -1] = 70
    assert runs.best == 4
    assert runs.at_best[:, -1].tolist() == [40, 41, 42]
    at_peaks = runs.at_peaks()
    assert at_peaks.shape == (len(PEAKS), 3)
    assert at_peaks[PEAKS.index(runs.settings[4].peak)].tolist() == [40, 41, 42]


def test_some_runs_are_contestants_of_their_own():
    found = contestants(results(), STEPS)
    assert {(s.warmup, s.length) for s in found[ADAM_UNWARMED].settings} == {(0, 40)}
    assert {s.length for s in found[RADAM].settings} == {40}
    assert {s.length for s in found[RADAM_TO_HALF].settings} == {20}


def verdict(runs):
    return [finding.agrees for finding in findings(contestants(runs, STEPS))]


def test_the_findings_follow_the_numbers():
    alike = [True] * 7 + [False] * 3
    assert verdict(results()) == alike
    notes = [finding.note for finding in findings(contestants(results(), STEPS))]
    assert [note.startswith("Adam's own best setting has no warmup") for note in notes] == [
        *(False, True, False, False, True, True, True, False, False, False)
    ]
    assert notes[-1] == "The highest is at peak 0.003, of Adam + cosine at 0.003."

    runs = results()
    runs[RADAM_FREE].test[:, :, 9:] += 1  # From half of the steps on.
    assert verdict(runs) == [False, True, False, False, *alike[4:]]
    runs[RADAM_FREE].test[:, 0] = 50  # Not with every seed.
    assert verdict(runs) == alike

    runs = results()
    runs[ADAM].test[:3] += 5  # With the first peak.
    assert verdict(runs) == [True] * 10


@pytest.mark.parametrize("seeds", [1, 3])
def test_figures_and_rows_of_any_result(seeds, tmp_path):
    runs = results(seeds)
    found = list(rows(runs, 2))
    left = record(tmp_path, {"curves": (COLUMNS, found)}, {}, {})
    for draw in PICTURES.values():
        with THEMES[0].applied():
            place_labels(draw(left))
    for (name, one), (other, expected) in zip(
        runs_of(left).items(), contestants(runs, STEPS).items(), strict=True
    ):
        assert (name, one.settings) == (other, expected.settings)
        np.testing.assert_allclose(one.test, expected.test, rtol=1e-5)
    assert len(found) == sum(len(those.settings) for those in runs.values()) * seeds * 20
    assert {len(row) for row in found} == {len(COLUMNS)}
    assert {row[5] for row in found} == set(range(2, 42, 2))
