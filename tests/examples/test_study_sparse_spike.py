"""Long-term memory: the closed forms beside the optimizers, and findings that can fail."""

import numpy as np
import pytest

for package in ("flax", "matplotlib", "orbax", "rich", "sklearn"):
    pytest.importorskip(package)

from examples.studies.sparse_spike import study as sparse_spike
from examples.studies.sparse_spike.findings import rare_findings, slowdown_findings, training_findings
from examples.studies.sparse_spike.memory import (
    AT,
    B2,
    METHODS,
    PERIODS,
    SPIKE,
    make_walk,
    measured_progress,
    measured_slowdown,
    progress,
    rare_gradients,
    recovered,
    slowdown,
    steps_of_period,
    turning_period,
)
from examples.studies.sparse_spike.spike import CHUNK, Curves, is_slow, summary_row


def test_the_informative_gradient_outweighs_the_others_twice():
    grads = np.asarray(rare_gradients(10, 30))
    assert np.flatnonzero(grads > 0).tolist() == [9, 19, 29]
    assert grads[:10].tolist() == [-1.0] * 9 + [18.0]


@pytest.mark.parametrize("name", METHODS)
def test_progress_is_its_closed_form(name):
    periods = (3, 20, 150, 400, 900)
    expected = [progress(steps_of_period(METHODS[name], k)) for k in periods]
    np.testing.assert_allclose(measured_progress(METHODS[name], periods), expected, atol=1e-3)


def test_the_closed_form_is_the_average_of_a_long_sequence():
    """In NumPy, without the package: Adam and AMSGrad after 40 periods."""
    period, g = 50, np.tile(np.r_[np.full(49, -1.0), 98.0], 40)
    m = v = 0.0
    steps, largest = [], 0.0
    for x in g:
        m, v = 0.9 * m + 0.1 * x, B2 * v + (1 - B2) * x**2
        largest = max(largest, v)
        steps.append((m / np.sqrt(v), m / np.sqrt(largest)))
    adam, amsgrad = np.transpose(steps)[:, -1 - period : -1]
    np.testing.assert_allclose(steps_of_period(METHODS["Adam"], period), adam, rtol=1e-6)
    np.testing.assert_allclose(steps_of_period(METHODS["AMSGrad"], period), amsgrad, rtol=1e-6)


def test_adam_walks_the_wrong_way_and_amsgrad_does_not():
    last = {}
    for name in ("Adam", "AMSGrad"):
        program, carry = make_walk(METHODS[name], 0.02, 500, 12_500)
        last[name], rate = (np.asarray(x) for x in program(carry)[1])
        # AMSGrad's is that of the first informative gradient for good.
        first = 1 / np.sqrt(1 + (998**2 - 1) * (1 - B2) / (1 - B2**500))
        assert rate[499] == pytest.approx(first, rel=1e-3)
        assert (rate[998] == pytest.approx(first, rel=1e-3)) == (name == "AMSGrad")
        assert np.abs(last[name]).max() <= 1
    assert last["Adam"][-1] > 0.9
    assert last["AMSGrad"][-1] < -0.9
    assert turning_period(METHODS["Adam"]) < 500


@pytest.mark.parametrize("name", METHODS)
def test_slowdown_is_its_closed_form(name):
    np.testing.assert_allclose(
        measured_slowdown(METHODS[name], 3000), slowdown(METHODS[name], 3000), rtol=1e-3
    )


def test_what_a_spike_leaves():
    left = 1 + (1 - B2) * (SPIKE**2 - 1) / (1 - B2**AT)
    np.testing.assert_allclose(slowdown(METHODS["AMSGrad"], 3000)[[0, -1]], left**0.5)
    assert recovered(slowdown(METHODS["AMSGrad"], 3000)) is None
    assert recovered(slowdown(METHODS["Adam"], 3000)) == pytest.approx(np.log(1e6) / (1 - B2), rel=0.01)
    assert recovered(slowdown(METHODS["AMSGrad, clipped"], 10)) == 0


def test_findings_of_the_closed_forms_can_fail():
    walks = {name: (np.full(2, x), np.ones(2)) for name, x in (("Adam", -1.0), ("AMSGrad", 1.0))}
    length = PERIODS[-1] - 1
    parts = {name: (np.zeros(length), np.full(len(PERIODS), 0.5)) for name in METHODS}
    assert not any(finding.agrees for finding in rare_findings(walks, parts))
    slowdowns = {name: (np.ones(10), np.full(10, 2.0)) for name in METHODS}
    assert not any(finding.agrees for finding in slowdown_findings(slowdowns))


def curves(losses, sizes, chunks=40):
    """Two seeds; before the spike all is as without it."""
    loss, size = np.ones((2, 2, chunks)), np.ones((2, 2, chunks))
    before = AT // CHUNK
    for values, ends in ((loss, losses), (size, sizes)):
        values[0, :, before:], values[1, :, before:] = ends
    return Curves(loss, size)


def test_slow_steps_are_counted_from_the_spike_on():
    slow = curves((0.1, 0.5), (1.0, 0.4))
    assert is_slow(slow).sum() == 38
    assert summary_row(slow) == ["1", "0.5", "0.5", "0.1", "1900, all"]
    assert summary_row(curves((0.1, 0.5), (1.0, 0.6)))[-1] == "0"


def test_findings_of_the_training_can_fail():
    slow, same = curves((0.1, 0.5), (1.0, 0.4)), curves((0.1, 0.1), (1.0, 1.0))
    good = {"Adam": same, "AMSGrad": slow, "AMSGrad, clipped": same, "AMSGrad, forgets": same}
    bad = {"Adam": slow, "AMSGrad": same, "AMSGrad, clipped": slow, "AMSGrad, forgets": slow}
    assert [f.agrees for f in training_findings(good, 2000)] == [True] * 4
    assert [f.agrees for f in training_findings(bad, 2000)] == [False] * 4
    # Too few steps to recover.
    assert len(training_findings(good, 600)) == 2


def test_a_spike_that_is_never_reached_is_one_clear_error(tmp_path, capsys):
    with pytest.raises(SystemExit):
        sparse_spike.main(["--steps", "100", "--out", str(tmp_path)])
    assert "argument --steps: the spike is at step 101; got 100" in capsys.readouterr().err
