"""The training log gets its numbers from any state, however deeply it is wrapped."""

import contextlib

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx

PARAMS = {"a": jnp.asarray([0.5, -1.0, 2.0]), "b": jnp.ones((2, 2))}
GRADIENTS = {"a": jnp.asarray([1.0, -2.0, 0.5]), "b": jnp.full((2, 2), 0.1)}
NOT_FINITE = {"a": jnp.asarray([1.0, jnp.nan, 0.5]), "b": jnp.full((2, 2), 0.1)}


def radam_behind(*wraps):
    """Each wrap around the next one, the last around RAdam."""
    tx = rx.radam(0.1)
    for wrap in reversed(wraps):
        tx = WRAPS[wrap](tx)
    return tx


WRAPS = {
    "chain": lambda tx: optax.chain(optax.identity(), tx, optax.scale_by_schedule(lambda count: 1.0)),
    "named_chain": lambda tx: optax.named_chain(("first", optax.trace(0.9)), ("second", tx)),
    "masked": lambda tx: optax.masked(tx, {"a": True, "b": False}),
    "partition": lambda tx: optax.partition({"x": tx, "y": rx.adam(0.1)}, {"a": "x", "b": "y"}),
    "multi_transform": lambda tx: optax.multi_transform({"x": rx.sgd(0.1), "y": tx}, {"a": "x", "b": "y"}),
    "apply_if_finite": lambda tx: optax.apply_if_finite(tx, 3),
    "flatten": optax.flatten,
    "MultiSteps": lambda tx: optax.MultiSteps(tx, every_k_schedule=2).gradient_transformation(),
    "inject_hyperparams": lambda tx: optax.inject_hyperparams(rx.radam)(0.1, b2=0.999),
    "lookahead": lambda tx: optax.lookahead(tx, sync_period=3, slow_step_size=0.5),
    "freeze_until": lambda tx: rx.freeze_until(tx, 0),
    "adaptive_rate": lambda tx: rx.scale_by_adaptive_rate(rate=rx.sum_of_squares(), momentum=tx),
}
# These two do not work under strict promotion, in optax itself.
STANDARD = {"MultiSteps", "lookahead"}


def promotion(*wraps):
    return jax.numpy_dtype_promotion("standard") if STANDARD & {*wraps} else contextlib.nullcontext()


def run(tx, steps, gradients=GRADIENTS, params=PARAMS, state=None):
    """The state after some steps with the same gradients."""

    def step(state, _):
        return tx.update(gradients, state, params)[1], None

    return jax.lax.scan(step, tx.init(params) if state is None else state, length=steps)[0]


def assert_stats(stats, steps, b2=0.999, threshold=5.0, **settings):
    rho, r = rx.rectification(b2, steps, **settings)
    assert {name: (x.shape, x.dtype) for name, x in stats.items()} == {
        "count": ((), "int32"),
        "rho": ((), "float32"),
        "r": ((), "float32"),
        "adaptive": ((), "bool"),
    }
    assert stats["count"] == steps
    np.testing.assert_allclose(stats["rho"], rho, rtol=4e-7)
    np.testing.assert_allclose(stats["r"], jnp.where(rho > threshold, r, 0), rtol=4e-7)
    assert stats["adaptive"] == (rho > threshold)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"b2": 0.99, "variance": "exact", "threshold": 2.0},
        {"b2": 0.99, "length": "variance", "threshold": 4.0},
        {"b2": 0.9, "variance": "exact", "length": "variance", "threshold": 3.0},
    ],
)
def test_stats_are_those_of_the_last_update(settings):
    tx = rx.scale_by_radam(**settings)
    state = tx.init(PARAMS)
    for steps in range(1, 8):
        _, state = tx.update(GRADIENTS, state)
        assert_stats(rx.rectification_stats(state), steps, **settings)


def test_stats_before_the_first_update_are_zero():
    stats = rx.rectification_stats(rx.radam(0.1).init(PARAMS))
    assert not any(stats.values())


@pytest.mark.parametrize("wrap", WRAPS)
def test_stats_and_count_are_found_behind_a_wrapper(wrap):
    """Eagerly and under jit."""
    params = optax.LookaheadParams.init_synced(PARAMS) if wrap == "lookahead" else PARAMS
    with promotion(wrap):
        state = run(radam_behind(wrap), 14 if wrap == "MultiSteps" else 7, params=params)
    for way in (lambda f: f, jax.jit):
        stats, count = way(rx.rectification_stats)(state), way(rx.step_count)(state)
        assert_stats(stats, 7, b2=jnp.float32(0.999) if wrap == "inject_hyperparams" else 0.999)
        assert (count, count.dtype, count.shape) == (7, "int32", ())


@pytest.mark.parametrize(
    "wraps",
    [
        ("MultiSteps", "apply_if_finite", "chain"),
        ("apply_if_finite", "partition", "masked", "chain"),
        ("chain", "masked", "inject_hyperparams"),
        ("masked", "MultiSteps", "named_chain", "adaptive_rate"),
    ],
    ids="-".join,
)
def test_stats_are_found_behind_wrappers_of_wrappers(wraps):
    with promotion(*wraps):
        state = run(radam_behind(*wraps), 14 if "MultiSteps" in wraps else 7)
    assert_stats(
        rx.rectification_stats(state), 7, b2=jnp.float32(0.999) if "inject_hyperparams" in wraps else 0.999
    )


def test_stats_count_the_updates_that_were_made():
    """Neither gradients that were still being accumulated nor those that were not finite."""
    tx = radam_behind("apply_if_finite")
    state = run(tx, 2, NOT_FINITE, state=run(tx, 6))
    assert_stats(rx.rectification_stats(state), 6)
    assert rx.step_count(state) == 6
    with promotion("MultiSteps"):
        state = run(radam_behind("MultiSteps"), 13)
    assert_stats(rx.rectification_stats(state), 6)


def test_stats_under_vmap_are_those_of_each_lane():
    tx = rx.radam(0.1)
    params = jax.tree.map(lambda p: jnp.stack([p, 2 * p]), PARAMS)
    state = jax.vmap(lambda p: run(tx, 6, params=p))(params)
    outside, inside = rx.rectification_stats(state), jax.vmap(rx.rectification_stats)(state)
    for lane in range(2):
        for stats in (outside, inside):
            assert_stats({name: x[lane] for name, x in stats.items()}, 6)
    np.testing.assert_array_equal(rx.step_count(state), [6, 6])


def test_stats_follow_a_batch_of_b2():
    b2 = jnp.asarray([0.9, 0.999])
    stats = jax.vmap(lambda b2: rx.rectification_stats(run(rx.radam(0.1, b2=b2), 6)))(b2)
    for lane in range(2):
        assert_stats({name: x[lane] for name, x in stats.items()}, 6, b2=b2[lane])


def test_stats_in_x64_mode_are_float64(x64):
    params = jax.tree.map(lambda p: p.astype("float64"), PARAMS)
    stats = rx.rectification_stats(run(rx.radam(0.1), 7, params, params))
    rho, r = rx.rectification(0.999, 7)
    assert (stats["rho"], stats["r"]) == (rho, r)
    assert stats["r"].dtype == "float64"


def test_stats_of_a_hybrid_are_found():
    tx = optax.chain(
        rx.scale_by_rms(0.999, bias_correction=True), rx.scale_by_rectification(0.999, fallback=0.0)
    )
    assert_stats(rx.rectification_stats(run(tx, 7)), 7)


def test_flax_train_state_is_read():
    train_state = pytest.importorskip("flax.training.train_state")
    state = train_state.TrainState.create(apply_fn=None, params=PARAMS, tx=rx.radam(0.1))
    for _ in range(6):
        state = state.apply_gradients(grads=GRADIENTS)
    for part in (state, state.opt_state):
        assert_stats(rx.rectification_stats(part), 6)
        assert rx.step_count(part) == 6


@pytest.mark.parametrize("part", ["opt_state", "optimizer"])
def test_flax_nnx_optimizer_is_read(part):
    nnx = pytest.importorskip("flax.nnx")
    model = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, rx.radam(0.1), wrt=nnx.Param)
    gradients = nnx.grad(lambda model: jnp.sum(model(jnp.ones((4, 2))) ** 2))(model)
    for _ in range(6):
        optimizer.update(model, gradients)
    state = optimizer if part == "optimizer" else optimizer.opt_state
    assert rx.step_count(state) == 6
    stats = rx.rectification_stats(state)
    assert_stats(stats, 6)
    assert all(isinstance(x, jax.Array) for x in stats.values())


@pytest.mark.parametrize(("steps", "released"), [(3, 0), (5, 0), (6, 1), (9, 4)])
def test_count_of_adam_2k_is_that_of_its_rate(steps, released):
    """The momentum, frozen for five updates, has seen fewer."""
    state = run(rx.adam_2k(0.1, steps=5), steps)
    assert rx.step_count(state) == steps
    mu = jax.tree.map(lambda g: (1 - 0.9**released) * g, GRADIENTS)
    chex.assert_trees_all_close(state[0].mu, mu, rtol=1e-6)


def test_count_is_not_mistaken_for_a_parameter_of_that_name():
    params = {"count": jnp.full(3, 7.5), "scalar": {"count": jnp.asarray(100.0)}}
    assert rx.step_count(run(rx.radam(0.1), 3, params, params)) == 3
    assert rx.step_count(run(optax.chain(rx.momentum(0.1), rx.adam(0.1)), 3, params, params)) == 3
    with pytest.raises(ValueError, match="`state` holds no `count`"):
        rx.step_count(rx.momentum(0.1).init(params))


def mixed(scale):
    """A leaf of every dtype; powers of two, so that halves are exact."""
    return {
        "bfloat16": jnp.full(3, 4.0 * scale, "bfloat16"),
        "complex64": jnp.full((2, 2), (1.0 - 2.0j) * scale, "complex64"),
        "float16": (jnp.asarray(-0.5 * scale, "float16"), None),
        "float32": [jnp.zeros((0, 3)), jnp.linspace(-1.0, 1.0, 5) * scale],
    }


@pytest.mark.parametrize("learning_rate", [0.5, 2.0**-10])
@pytest.mark.parametrize(
    "gradients",
    [*jax.tree.leaves_with_path(mixed(1.0)), (("everything",), mixed(1.0))],
    ids=lambda pair: str(getattr(pair[0][0], "key", pair[0][0])),
)
def test_effective_rate_of_sgd_is_its_learning_rate(learning_rate, gradients):
    _, gradients = gradients
    tx = rx.sgd(learning_rate)
    updates, _ = tx.update(gradients, tx.init(gradients))
    for measure in (rx.effective_rate, jax.jit(rx.effective_rate)):
        rate = measure(updates, gradients)
        assert (rate.dtype, rate.shape) == ("float32", ())
        expected = learning_rate if sum(x.size for x in jax.tree.leaves(gradients)) else 0
        np.testing.assert_allclose(rate, expected, rtol=1e-6)


def test_effective_rate_is_a_ratio_of_root_mean_squares_over_all_leaves():
    updates = {"a": jnp.asarray([3.0, 0.0]), "b": jnp.asarray([4j])}
    gradients = {"a": jnp.asarray([0.0, 6.0]), "b": jnp.asarray([8.0 + 0j])}
    np.testing.assert_allclose(rx.effective_rate(updates, gradients), 0.5, rtol=1e-6)


def test_effective_rate_of_scheduled_sgd_follows_the_schedule():
    schedule = rx.inverse_sqrt_decay(0.5)
    tx = rx.sgd(schedule)
    state = tx.init(PARAMS)
    for count in range(3):
        updates, state = tx.update(GRADIENTS, state)
        rate = rx.effective_rate(updates, GRADIENTS)
        np.testing.assert_allclose(rate, schedule(count), rtol=1e-6)


def test_effective_rate_of_radam_jumps_where_it_becomes_adaptive():
    """With steady gradients c it is alpha, then alpha r_t / c."""
    tx, gradients = rx.radam(0.1), {"w": jnp.full(4, 50.0)}
    state = tx.init(gradients)
    for t in range(1, 9):
        updates, state = tx.update(gradients, state)
        stats = rx.rectification_stats(state)
        expected = 0.1 * (stats["r"] / 50.0 if stats["adaptive"] else 1.0)
        np.testing.assert_allclose(rx.effective_rate(updates, gradients), expected, rtol=2e-6)
        assert stats["adaptive"] == (t > 5)


@pytest.mark.parametrize("tree", [mixed(0.0), {}, {"w": None}], ids=["zeros", "empty", "none"])
def test_effective_rate_of_no_gradient_is_0(tree):
    assert rx.effective_rate(tree, tree) == 0
    assert rx.effective_rate(mixed(1.0), mixed(0.0)) == 0


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_effective_rate_does_not_over_or_underflow(scale):
    """Where the squares would, and the answer is an ordinary number."""
    gradients = {"w": jnp.asarray([1.0, -1.0, 0.5]) * scale, "v": jnp.asarray([2.0]) * scale}
    updates = jax.tree.map(lambda g: 0.25 * g, gradients)
    np.testing.assert_allclose(rx.effective_rate(updates, gradients), 0.25, rtol=1e-6)


def test_effective_rate_under_vmap_is_that_of_each_lane():
    updates = jax.tree.map(lambda g: jnp.stack([0.5 * g, 2 * g]), GRADIENTS)
    rates = jax.vmap(rx.effective_rate, in_axes=(0, None))(updates, GRADIENTS)
    np.testing.assert_allclose(rates, [0.5, 2.0], rtol=1e-6)


def test_effective_rate_in_x64_mode_is_float64(x64):
    gradients = {"w": jnp.asarray([1.0, 2.0], "float64"), "v": jnp.asarray([1.0], "float32")}
    updates = jax.tree.map(lambda g: 0.5 * g, gradients)
    rate = rx.effective_rate(updates, gradients)
    assert rate.dtype == "float64"
    np.testing.assert_allclose(rate, 0.5, rtol=1e-15)
