"""The step of the resilient training: what is not finite is left out, what is too large is clipped."""

import csv
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from tests.support.trees import bits


class Loop:
    """The loop of ``examples/resilient``, one step at a time, with faults at will."""

    def __init__(self, float16):
        from flax import nnx

        from examples.data import digits, split
        from examples.models.convolutional import Network
        from examples.resilient import faults, guarded

        self.float16, self.faults = float16, faults
        graph, params = nnx.split(Network(nnx.Rngs(0)))
        optimizer = guarded.guard(rx.amsgrad(0.01))
        self.start = guarded.start(optimizer, params)
        self.program = guarded.make_program(optimizer, graph, float16)
        self.data, _ = digits.load()
        self.batches = split.batch_indices(0, 200, len(self.data.labels), digits.BATCH)

    def train(self, *faults, **loss_scale):
        """The runs before and after each step, and for each whether it was taken."""
        runs = [self.start._replace(loss_scale=self.start.loss_scale.replace(**loss_scale))]
        taken = []
        for step, fault in enumerate(faults):
            batch = self.batches[step : step + 1]
            faults = np.asarray([getattr(self.faults, fault)], np.int32)
            run = jax.tree.map(jnp.copy, runs[-1])  # The program takes what it is given.
            run, (_, finite) = self.program(run, self.data.images[batch], self.data.labels[batch], faults)
            runs.append(run)
            taken.append(bool(finite[0]))
        return runs, taken


@pytest.fixture(scope="module")
def loops():
    pytest.importorskip("flax")
    pytest.importorskip("sklearn")
    return functools.cache(Loop)


@pytest.mark.parametrize(
    ("float16", "fault"),
    [(False, "NAN"), (False, "INF"), (True, "NAN"), (True, "INF"), (True, "OVERFLOW")],
)
def test_the_loop_leaves_a_step_out_and_goes_on(loops, float16, fault):
    runs, taken = loops(float16).train("NONE", "NONE", fault, "NONE", "NONE")
    assert taken == [True, True, False, True, True]
    before, after = runs[2:4]
    assert bits(before.params) == bits(after.params)
    assert bits(before.opt_state.inner_state) == bits(after.opt_state.inner_state)
    assert after.opt_state.total_notfinite == runs[-1].opt_state.total_notfinite == 1
    assert bits(runs[-1].params) != bits(after.params)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(runs[-1]))


def test_what_overflows_in_float16_does_not_in_float32(loops):
    _, taken = loops(False).train("NONE", "OVERFLOW")
    assert taken == [True, True]


def test_an_overflow_halves_the_loss_scale_and_finite_steps_double_it(loops):
    """After more of them than the interval, as in Flax, counted anew from each change."""
    faults = ["NONE", "OVERFLOW", *["NONE"] * 4, "OVERFLOW", "OVERFLOW", "NONE"]
    runs, _ = loops(True).train(*faults, scale=jnp.float32(1024), growth_interval=2)
    scales = [int(run.loss_scale.scale) for run in runs]
    assert scales == [1024, 1024, 512, 512, 512, 1024, 1024, 512, 256, 256]


def test_a_loss_scale_that_is_too_large_finds_its_way_down(loops):
    runs, taken = loops(True).train(*["NONE"] * 40, scale=jnp.float32(2**40))
    skipped = taken.index(True)
    assert 10 < skipped < 30
    assert not any(taken[:skipped])
    assert all(taken[skipped:])
    assert runs[-1].loss_scale.scale == 2.0 ** (40 - skipped)
    assert bits(runs[skipped].params) == bits(runs[0].params)
    assert runs[-1].opt_state.total_notfinite == skipped


def test_the_loop_takes_a_spike_as_a_gradient_of_norm_1(loops):
    """It would be 10,000 times an ordinary one; the second moment tells what it was."""
    runs, taken = loops(False).train("NONE", "SPIKE")
    assert all(taken)
    before, after = (jax.tree.leaves(optax.tree.get(run.opt_state, "nu")) for run in runs[1:])
    added = sum(np.sum(b - 0.999 * a) for a, b in zip(before, after, strict=True))
    assert np.isclose(added, 0.001, rtol=1e-3)


def test_the_example_stops_where_no_gradient_is_finite(tmp_path, monkeypatch):
    """With one clear error, and the last good checkpoints left."""
    for package in ("flax", "orbax.checkpoint", "rich", "sklearn"):
        pytest.importorskip(package)
    from examples.resilient import faults, resilient_training

    def from_step_21_on(seed, steps, float16):
        return np.where(np.arange(steps) < 20, faults.NONE, faults.NAN).astype(np.int32)

    monkeypatch.setattr(resilient_training, "draw", from_step_21_on)
    with pytest.raises(SystemExit) as stopped:
        resilient_training.main(["--faults", "--steps", "200", "--save-every", "10", "--out", str(tmp_path)])
    cause, _, rest = stopped.value.code.partition(". ")
    assert cause == "Stopped at step 40: the last 20 gradients were not finite"
    assert rest == "The checkpoints of steps [10, 20, 30] stay."
    with (tmp_path / "log.csv").open(encoding="utf-8") as file:
        assert [row["skipped"] for row in csv.DictReader(file)] == ["0", "0", "10"]


def test_the_spike_example_shows_what_is_claimed(tmp_path):
    """AMSGrad is the slowest to the end; clipped it does not notice; forgetting, it is where Adam is."""
    for package in ("flax", "matplotlib", "rich", "sklearn"):
        pytest.importorskip(package)
    from matplotlib.image import imread

    from examples.studies.sparse_spike import study as sparse_spike

    sparse_spike.main(["--steps", "1500", "--seeds", "1", "--out", str(tmp_path)])
    with (tmp_path / "spike.csv").open(newline="", encoding="utf-8") as file:
        rows = {(row["optimizer"], row["spike"], int(row["step"])): row for row in csv.DictReader(file)}
    assert len(rows) == 4 * 2 * 30

    def at(optimizer, spike, column, step=1500):
        return float(rows[optimizer, spike, step][column])

    for optimizer in sparse_spike.OPTIMIZERS:
        assert at(optimizer, "0", "train_loss", 100) == at(optimizer, "1", "train_loss", 100)
    assert at("AMSGrad", "1", "train_loss") > 10 * at("AMSGrad", "0", "train_loss")
    assert at("AMSGrad", "1", "step_size") < at("AMSGrad", "0", "step_size") / 3
    assert np.isclose(
        at("AMSGrad, clipped", "1", "train_loss"), at("AMSGrad, clipped", "0", "train_loss"), 0.1
    )
    forgetting = at("AMSGrad, forgets", "1", "train_loss")
    assert np.isclose(forgetting, at("Adam", "1", "train_loss"), rtol=0.5)
    assert forgetting < at("AMSGrad", "1", "train_loss") / 3

    picture = imread(tmp_path / "sparse_spike.png")
    assert picture.shape[1] == 1800
    assert picture.std() > 0.05
