"""What is not finite is left out, bit by bit as if it had not been; what is too large is outlived."""

import csv
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from tests.support.recipes import build, every_recipe

STEPS = 8  # RAdam rectifies from the 6th on.
PARAMS = {"a": jnp.asarray([[1.0, -2.0]]), "b": jnp.asarray([0.5, 3.0, -1.0])}
WITHOUT_STATE = ("sgd",)


def gradient(step):
    rng = np.random.default_rng(step)
    return jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), p.dtype), PARAMS)


def spoilt(step, value):
    """The gradient of a step with one element of one leaf replaced."""
    grads = gradient(step)
    return grads | {"b": grads["b"].at[1].set(value)}


def follow(update, state, grads, params=PARAMS):
    """The updates, parameters and states of all steps; each step is the same program."""
    history = []
    for g in grads:
        updates, state = update(g, state, params)
        params = jax.tree.map(jnp.add, params, updates)
        history.append((updates, params, state))
    return history


def bits(tree):
    return [(x.dtype, x.shape, np.asarray(x).tobytes()) for x in jax.tree.leaves(tree)]


@every_recipe
def test_a_step_that_is_not_finite_might_not_have_been(name):
    """Whichever value, whenever: no update, the state untouched, one more counted, and on as before."""
    tx = optax.apply_if_finite(build(name), max_consecutive_errors=3)
    update, start = jax.jit(tx.update), tx.init(PARAMS)
    for at in (0, STEPS // 2, STEPS - 1):
        others = [gradient(step) for step in range(STEPS) if step != at]
        expected = follow(update, start, others)
        for value in (jnp.nan, jnp.inf, -jnp.inf):
            history = follow(update, start, [*others[:at], spoilt(at, value), *others[at:]])
            updates, params, state = history.pop(at)
            _, params_before, state_before = history[at - 1] if at else (None, PARAMS, start)
            assert not any(x.any() for x in jax.tree.leaves(updates))
            assert bits(params) == bits(params_before)
            assert bits(state.inner_state) == bits(state_before.inner_state)
            assert (state.notfinite_count, state.total_notfinite, state.last_finite) == (1, 1, False)
            for (*actual, state), (*desired, expected_state) in zip(history, expected, strict=True):
                assert bits(actual) == bits(desired)
                assert bits(state.inner_state) == bits(expected_state.inner_state)
            assert state.total_notfinite == (0 if at == STEPS - 1 else 1)
            assert state.notfinite_count == 0


@every_recipe
def test_without_the_wrapper_one_nan_poisons_for_ever(name):
    """Even if its update is thrown away: it is in the state."""
    tx = build(name)
    update, state = jax.jit(tx.update), tx.init(PARAMS)
    for step in range(STEPS):
        updates, state = update(spoilt(step, jnp.nan) if step == 1 else gradient(step), state, PARAMS)
    assert np.isnan(updates["b"][1]) == (name not in WITHOUT_STATE)
    assert np.isfinite(updates["b"][0])


@pytest.mark.parametrize("value", [jnp.nan, jnp.inf, -jnp.inf])
@pytest.mark.parametrize("decay", [1.0, 0.9])
def test_the_running_maximum_is_not_poisoned(value, decay):
    """By itself it would be for ever, since neither max(nan, nu) nor decay inf comes back."""
    tx = optax.chain(rx.second_moment(0.9), rx.amsgrad_max(decay))
    grads = [gradient(0), spoilt(1, value), *map(gradient, range(2, 200))]
    *_, (_, _, (_, alone)) = follow(jax.jit(tx.update), tx.init(PARAMS), grads)
    assert not np.isfinite(alone.nu_max["b"][1])

    wrapped = optax.apply_if_finite(tx, 3)
    *_, (_, _, state) = follow(jax.jit(wrapped.update), wrapped.init(PARAMS), grads)
    del grads[1]
    *_, (_, _, expected) = follow(jax.jit(wrapped.update), wrapped.init(PARAMS), grads)
    assert bits(state.inner_state) == bits(expected.inner_state)
    assert state.total_notfinite == 1


def test_a_gradient_whose_square_overflows_is_caught_by_clipping_alone():
    """It is finite, and its second moment is inf: that element would never move again."""
    huge = spoilt(3, 1e30)
    grads = [*map(gradient, range(3)), huge, *map(gradient, range(4, 300))]
    moved = {}
    clip = optax.clip_by_global_norm(1.0)
    for name, tx in {"alone": rx.amsgrad(0.1), "clipped": optax.chain(clip, rx.amsgrad(0.1))}.items():
        wrapped = optax.apply_if_finite(tx, 3)
        *_, (updates, _, state) = follow(jax.jit(wrapped.update), wrapped.init(PARAMS), grads)
        assert state.total_notfinite == 0
        moved[name] = float(abs(updates["b"][1]))
    assert moved["alone"] == 0
    assert moved["clipped"] > 1e-3


SPIKE, AT, LATER, B2 = 1e4, 100, 3000, 0.99
# The second moment of unit gradients right after the spike, bias-corrected.
LEFT = 1 + (1 - B2) * (SPIKE**2 - 1) / (1 - B2 ** (AT + 1))


SIGNS = functools.partial(jax.random.rademacher, dtype="float32")


def effective_rates(tx, draw, steps, spike):
    """Of the steps since the spike."""
    grads = draw(jax.random.key(0), (AT + 1 + steps, 100)).at[AT].multiply(spike)

    def step(state, g):
        updates, state = tx.update(g, state)
        return state, rx.effective_rate(updates, g)

    return np.asarray(jax.jit(lambda: jax.lax.scan(step, tx.init(grads[0]), grads)[1])()[AT + 1 :])


def slowdown(tx, steps=LATER, draw=SIGNS):
    """How many times faster, so many steps after the spike, Adam is that has not seen it."""
    adam = effective_rates(rx.adam(1.0, b2=B2), draw, steps, 1.0)[-50:]
    return adam.mean() / effective_rates(tx, draw, steps, SPIKE)[-50:].mean()


def test_a_spike_slows_amsgrad_down_for_good():
    """By the root of what it leaves, 1250 times; by less where an element of the spike was small."""
    assert np.isclose(slowdown(rx.amsgrad(1.0, b2=B2)), LEFT**0.5, rtol=1e-3)
    assert np.isclose(slowdown(rx.amsgrad(1.0, b2=B2), draw=jax.random.normal), 72, rtol=0.1)
    assert np.isclose(slowdown(rx.adam(1.0, b2=B2)), 1.0, rtol=1e-3)


@pytest.mark.parametrize("decay", [0.99, 0.998])
def test_a_forgetting_maximum_recovers_in_time(decay):
    """It is Adam again after ln(what the spike left) / (1 - decay) steps, halfway there at half of them."""
    time = math.ceil(math.log(LEFT) / -math.log(decay))
    tx = rx.amsgrad(1.0, b2=B2, max_decay=decay)
    assert 1 <= slowdown(tx, time + 500) < 1.01
    assert np.isclose(slowdown(tx, time // 2), LEFT**0.25, rtol=0.2)


@pytest.mark.parametrize("ratio", [1.0, 2.0, 10.0])
def test_clipping_bounds_what_a_spike_leaves(ratio):
    """At a norm of so many ordinary ones, a spike counts as a gradient of that size."""
    clip = optax.clip_by_global_norm(ratio * 10.0)  # Unit gradients of 100 elements have norm 10.
    bound = math.sqrt(1 + (1 - B2) * (ratio**2 - 1) / (1 - B2 ** (AT + 1)))
    assert np.isclose(slowdown(optax.chain(clip, rx.amsgrad(1.0, b2=B2))), bound, rtol=1e-3)


class Loop:
    """The loop of ``examples/resilient_training.py``, one step at a time, with faults at will."""

    def __init__(self, float16):
        from flax import nnx

        from examples.data import digits as _digits
        from examples.data import split as _data
        from examples.models import convolutional as _network
        from examples.resilient import faults as _faults
        from examples.resilient import guarded as _guarded

        self.float16, self.faults = float16, _faults
        graph, params = nnx.split(_network.Network(nnx.Rngs(0)))
        optimizer = _guarded.guard(rx.amsgrad(0.01))
        self.start = _guarded.start(optimizer, params)
        self.program = _guarded.make_program(optimizer, graph, float16)
        self.data, _ = _digits.load()
        self.batches = _data.batch_indices(0, 200, len(self.data.labels), _digits.BATCH)

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
    from examples.resilient import faults as _faults
    from examples.resilient import resilient_training

    def from_step_21_on(seed, steps, float16):
        return np.where(np.arange(steps) < 20, _faults.NONE, _faults.NAN).astype(np.int32)

    monkeypatch.setattr(_faults, "draw", from_step_21_on)
    with pytest.raises(SystemExit) as stopped:
        resilient_training.main(["--faults", "--steps", "200", "--save-every", "10", "--out", str(tmp_path)])
    cause, _, rest = stopped.value.code.partition(". ")
    assert cause == "Stopped at step 40: the last 20 gradients were not finite"
    assert rest == "The checkpoints of steps [10, 20, 30] stay."
    with (tmp_path / "log.csv").open(encoding="utf-8") as file:
        assert [row["skipped"] for row in csv.DictReader(file)] == ["0", "0", "10"]


@pytest.mark.full
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

    picture = imread(tmp_path / "spike.png")
    assert picture.shape[:2] == (720, 1800)
    assert picture.std() > 0.05
