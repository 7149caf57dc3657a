"""The ends of the scale: the last int32 step, no learning rate, no gradient, tiny and huge numbers.

Whether subnormals are flushed to zero is the machine's affair (XLA does so in float32 on the CPU): the
bounds here hold either way.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from tests.support.recipes import CATALOGUE, SUCCESSORS, build, build_all, every_group
from tests.support.runs import each, run
from tests.support.trees import assert_close

PRODUCTS = [name for name in CATALOGUE if name not in SUCCESSORS]
LAST = 2**31 - 1
HUGE = float(np.finfo("float32").max)
TINY = float(np.finfo("float32").tiny)  # The smallest normal number.
ROUNDING = 2.0**-24  # What a rounding in float32 changes at most, relative to its result.

both_precisions = pytest.mark.parametrize("mode", ["float32", "x64"])


def noise(*shape, low=0.25, seed=0):
    """Numbers of either sign and of size ``low`` to 1, exact in float32."""
    rng = np.random.default_rng(seed)
    return (rng.uniform(low, 1, shape) * rng.choice([-1, 1], shape)).astype("float32")


def trajectory(tx, gradients, params, state):
    """Updates and states of every step, at the same parameters."""

    def step(state, g):
        updates, state = tx.update(g, state, params)
        return state, (updates, state)

    return jax.lax.scan(step, state, gradients)[1]


def at(state, i):
    return jax.tree.map(lambda x: x[i], state)


def field_of(path):
    return getattr(path[-1], "name", None)


def with_fields(state, **values):
    """The state with all fields of these names set."""

    def leaf(path, x):
        return jnp.full_like(x, values[field_of(path)]) if field_of(path) in values else x

    return jax.tree.map_with_path(leaf, state)


def fields(state, name):
    """All fields of that name, the momentum's before the rate's."""
    return [np.asarray(x) for path, x in jax.tree.leaves_with_path(state) if field_of(path) == name]


# The direction that a recipe takes when all bias corrections and r are 1: a function of the gradient and
# of the first `mu`, `nu`, `nu_max` in the state after the update and of what was there before, in float64.


def over_root(eps=1e-8, statistic="nu", ahead=False):
    def direction(g, state):
        momentum = 0.9 * state["mu"] + 0.1 * g if ahead else state["mu"]
        return momentum / (np.sqrt(state[statistic]) + eps)

    return direction


def rms(eps=1e-8):
    return lambda g, state: g / np.sqrt(state["nu"] + eps)


WARM = {
    "adadelta": lambda g, state: np.sqrt(state["e_x before"] + 1e-6) * rms(1e-6)(g + 0.01 * 0.5, state),
    "rmsprop": rms(),
    "rmsprop_centred": lambda g, state: g / (np.sqrt(state["nu"] - state["mu"] ** 2) + 1e-2),
    "rmsprop_momentum": lambda g, state: rms()(g, state) + 0.9 * state["trace before"] / -0.1,
    "rmsprop_nesterov": lambda g, state: 1.9 * rms(1e-6)(g, state) + 0.81 * state["trace before"] / -0.1,
    "adam": over_root(),
    "adam_uncorrected": over_root(),
    "adamw": lambda g, state: over_root()(g, state) + 1e-4 * 0.5,
    "nadam": over_root(ahead=True),
    "adam_2k": over_root(),
    "adam_eps": over_root(1e-4),
    "amsgrad": over_root(statistic="nu_max"),
    "amsgrad_after_max": over_root(statistic="nu_max"),
    "amsgrad_paper": over_root(statistic="nu_max"),
    "amsgrad_forgetting": over_root(statistic="nu_max"),
    "adamnc": over_root(),
    "radam": over_root(),
    "radam_nesterov": over_root(ahead=True),
    "radam_amsgrad": over_root(statistic="nu_max"),
    "radam_skipping": over_root(),
    "radam_exact": over_root(),
    "radamw": lambda g, state: over_root()(g, state) + 1e-4 * 0.5,
    "adabelief": over_root(1e-16),
    "adabelief_nesterov": over_root(1e-16, ahead=True),
    "yogi": over_root(1e-3),
    "rectified_adabelief": over_root(),
    "rectified_yogi": over_root(1e-3),
    "rectified_rmsprop": rms(),
    "rectified_centred_amsgrad": over_root(1e-6, "nu_max", ahead=True),
    # b1_t = 0.9 * 0.99^t is 0 by now, and the learning rate 0.1/sqrt(t).
    "projected_amsgrad": lambda g, state: g / (np.sqrt(state["nu_max"]) + 1e-8) / np.sqrt(state["t"]),
    "scheduled_decays": lambda g, state: g / (np.sqrt(state["nu"]) + 1e-8),
}
COUNTLESS = {"sgd", "momentum", "nesterov", "adagrad"}


def test_every_recipe_that_counts_is_among_those():
    assert {*WARM} == set(PRODUCTS) - COUNTLESS
    for name in COUNTLESS:
        assert not fields(jax.eval_shape(build(name).init, jnp.zeros(3)), "count")


@both_precisions
def test_past_the_last_count_everything_is_warm(mode):
    """Counts saturate; the updates from 2^31-3 on, jitted or not, have no bias correction, and r = 1."""
    with jax.enable_x64(mode == "x64"):
        txs, params = {name: build(name) for name in WARM}, jnp.full(5, 0.5)
        gradients = jnp.asarray(noise(14, 5), params.dtype)
        end = float(jnp.finfo(params.dtype).max)

        @jax.jit
        def seven_steps(gradients, states):
            return {name: trajectory(tx, gradients, params, states[name]) for name, tx in txs.items()}

        warmed = seven_steps(gradients[:7], {name: tx.init(params) for name, tx in txs.items()})
        start = {n: with_fields(at(s, -1), count=LAST - 2, elapsed=end) for n, (_, s) in warmed.items()}
        found = seven_steps(gradients[7:], start)
    for name, (updates, states) in found.items():
        if mode == "float32":
            assert_eager_is_the_same(txs[name], start[name], gradients[7:], params, updates, states)
        assert_warm(name, mode, gradients[7:], start[name], updates, states)


def assert_eager_is_the_same(tx, state, gradients, params, updates, states):
    for g in gradients:
        eager, state = tx.update(g, state, params)
    assert_close(at(updates, -1), eager)
    assert_close(at(states, -1), state)


def assert_warm(name, mode, gradients, start, updates, states):
    counts = fields(states, "count")
    for count in counts:
        assert count.dtype == "int32"
        assert count.tolist() == [LAST - 1] + [LAST] * 6
    for elapsed in fields(states, "elapsed"):
        assert np.isfinite(elapsed).all()
    if "radam" in name or "rectified" in name:
        stats = rx.rectification_stats(at(states, -1))
        assert stats["count"] == rx.step_count(at(states, -1)) == LAST
        b2 = 0.99 if "centred" in name else 0.999
        tolerance = 4e-7 if mode == "float32" else 1e-13  # Those of test_numerics.
        np.testing.assert_allclose(*fields(states, "r"), 1, rtol=tolerance)
        np.testing.assert_allclose(*fields(states, "rho"), (1 + b2) / (1 - b2), rtol=tolerance)

    state = {"t": np.minimum(LAST - 1.0 + np.arange(7), LAST + 1.0)[:, None]}
    for field in ("mu", "nu", "nu_max", "trace", "e_x"):
        for after in fields(states, field)[:1]:
            state[field] = after.astype("float64")
            state[f"{field} before"] = np.concat([fields(start, field)[:1], state[field][:-1]])
    expected = -0.1 * WARM[name](np.asarray(gradients, "float64"), state)
    # Eight roundings in a row at most; the correction by 1 - b^t and r may be off by 4e-7 in float32.
    np.testing.assert_allclose(updates, expected, rtol=1e-6 if mode == "float32" else 1e-13)


@both_precisions
def test_past_the_last_count_the_mean_of_adamnc_stands_still_in_float32(mode):
    """There 1 - 1/t is 1 from t = 2^25 on; in float64 a newcomer has its weight 1/t."""
    with jax.enable_x64(mode == "x64"):
        tx, g = build("adamnc"), jnp.asarray([3.0])
        _, state = tx.update(jnp.ones(1), tx.init(g))
        start = with_fields(state, count=LAST - 1)
        _, state = jax.jit(tx.update)(g, start)
        (before,), (after,) = fields(start, "nu"), fields(state, "nu")
    assert before == 1
    np.testing.assert_allclose(after - before, 0 if mode == "float32" else (9 - 1) / LAST, rtol=1e-6)


SCHEDULES = {
    "untuned_linear_warmup": (rx.untuned_linear_warmup(0.3, 0.999), lambda t: 0.3),
    "untuned_exponential_warmup": (rx.untuned_exponential_warmup(0.3, 0.999), lambda t: 0.3),
    "inverse_sqrt_decay": (rx.inverse_sqrt_decay(0.3), lambda t: 0.3 / np.sqrt(t)),
}


@both_precisions
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("recipe", "unit", "weight_decay"),
    [
        (rx.sgd, rx.sgd(1.0), 0.0),
        (rx.radam, rx.radam(1.0), 0.0),
        (functools.partial(rx.adamw, weight_decay=rx.inverse_sqrt_decay(1e4)), rx.adam(1.0), 1e4),
    ],
    ids=["sgd", "radam", "adamw"],
)
def test_past_the_last_count_schedules_hold_their_last_value(recipe, unit, weight_decay, schedule, mode):
    """The update in progress is count + 1 = 2^31 at most, which is no int32."""
    schedule, formula = SCHEDULES[schedule]
    with jax.enable_x64(mode == "x64"):
        params, gradients = jnp.asarray([0.5, -2.0]), jnp.asarray(noise(5, 2), jnp.result_type(float))

        def from_the_last(tx):
            start = with_fields(tx.init(params), count=LAST - 2)
            return jax.jit(functools.partial(trajectory, tx))(gradients, params, start)

        updates, states = from_the_last(recipe(schedule))
        expected, _ = from_the_last(unit)
    for count in fields(states, "count"):
        assert count.tolist() == [LAST - 1] + [LAST] * 4
    t = np.array([LAST - 1, LAST] + [LAST + 1] * 3, "float64")[:, None]
    expected = formula(t) * (np.asarray(expected) - weight_decay / np.sqrt(t) * np.asarray(params))
    np.testing.assert_allclose(updates, expected, rtol=1e-6 if mode == "float32" else 1e-13)


@every_group
def test_learning_rate_0_moves_the_state_and_no_parameter(group):
    """To the last bit over 50 steps, weight decay and projection (of points inside) included."""
    txs = build_all(group, PRODUCTS, learning_rate=0.0)
    params, gradients = {"w": jnp.asarray(noise(6))}, {"w": jnp.asarray(noise(50, 6, seed=1))}
    for name, (new, updates, state) in each(txs, run)(params, gradients).items():
        before, after = (np.asarray(x["w"]).view("int32") for x in (params, new))
        np.testing.assert_array_equal(after, before, name)
        assert not np.asarray(updates["w"]).any(), name
        changed = jax.tree.map(lambda a, b: bool((a != b).any()), state, txs[name].init(params))
        stuck = [path[-2].name for path, moved in jax.tree.leaves_with_path(changed) if not moved]
        # The learning rate is inside the trace of RMSProp with momentum.
        assert stuck == (["trace"] if name in TRACED else []), name
        assert jax.tree.leaves(changed) or name == "sgd"


QUIET = 3000
LOUD = 20


def in_three_dtypes(x):
    return {dtype: jnp.asarray(x, dtype) for dtype in ("float32", "bfloat16", "float16")}


@every_group
def test_gradients_that_are_zero_from_some_step_on(group):
    """Momentum runs out, decay goes on, and no 0/0 turns up in thousands of steps."""
    params, jitted = in_three_dtypes(noise(4)), each(build_all(group, PRODUCTS), run)
    silence = np.zeros((LOUD + QUIET, 4))
    in_silence = jitted(params, in_three_dtypes(silence))
    gradients = np.concat([noise(LOUD, 4, seed=1), silence[LOUD:]])
    for name, (then, of_then, state) in jitted(params, in_three_dtypes(gradients)).items():
        never, of_never, _ = in_silence[name]
        for x in jax.tree.leaves((never, of_never, then, of_then, state)):
            assert jnp.isfinite(x).all(), name

        decays = name in ("adamw", "radamw", "adadelta")
        for dtype, u in of_then.items():
            assert np.asarray(u[:LOUD]).any()
            # Four times the smallest subnormal is its own 0.9-fold. A trace is in float16, with the learning
            # rate inside in RMSProp; all else is in float32, where that is 6e-45, times a rate of 1e8.
            stuck = 4 * 2.0**-24 if dtype == "float16" else 1e-36
            assert decays or (np.abs(np.asarray(u[-1], "float32")) <= stuck).all(), (name, dtype)
        for dtype, u in of_never.items():
            if not decays and name != "yogi":
                assert not np.asarray(u).any(), (name, dtype)
                np.testing.assert_array_equal(never[dtype], params[dtype], name)


@pytest.mark.parametrize("name", ["adamw", "radamw", "adadelta", "yogi"])
def test_without_gradients_a_parameter_moves_by_decay_or_by_a_momentum_that_starts_above_zero(name):
    params = jnp.asarray(noise(4))
    new, updates, _ = jax.jit(functools.partial(run, build(name)))(params, jnp.zeros((200, 4)))
    t = np.arange(1, 201)[:, None]
    if name in ("adamw", "radamw"):
        # Of each step's rounding of the parameter half a unit in the last place stays.
        np.testing.assert_allclose(new, params * (1 - 0.1 * 1e-4) ** 200, rtol=200 * ROUNDING)
    elif name == "adadelta":
        assert (np.sign(updates) == -np.sign(params)).all()
        assert (np.abs(new) < np.abs(params)).all()
    else:
        mu_hat, nu_hat = 1e-6 * 0.9**t / (1 - 0.9**t), 1e-6 / (1 - 0.999**t)
        expected = np.broadcast_to(-0.1 * mu_hat / (np.sqrt(nu_hat) + 1e-3), updates.shape)
        # mu has been rounded 200 times.
        np.testing.assert_allclose(updates, expected, rtol=200 * ROUNDING)


STEPS = 12
ORDINARY = {"1e-30": 1e-30, "1e-20": 1e-20, "1e-10": 1e-10, "1": 1.0, "1e10": 1e10, "1e18": 1e18}
VANISHING = {"1e-36": 1e-36, "1e-38": 1e-38, "1e-40": 1e-40, "1e-44": 1e-44}
OVERFLOWING = {"1e20": 1e20, "1e30": 1e30, "1e37": 1e37}
SCALES = ORDINARY | VANISHING | OVERFLOWING
ONE_SPIKE = np.where(np.arange(STEPS) == 8, 1e25, 1.0)

TRACED = ("rmsprop_momentum", "rmsprop_nesterov")
# Steps without a second moment in them, so that nothing overflows; all others start with the first one.
PLAIN = {"sgd": STEPS, "momentum": STEPS, "nesterov": STEPS, "radam_exact": 2} | dict.fromkeys(
    ("radam", "radam_nesterov", "radam_amsgrad", "radamw", "rectified_adabelief", "rectified_yogi"), 5
)


@functools.cache
def magnitudes(group):
    """By recipe, updates by scale in float32, and from the same gradients in float64."""
    columns = [noise(STEPS, 4, seed=i) * np.float32(scale) for i, scale in enumerate(SCALES.values())]
    columns.append(noise(STEPS, 4, seed=3) * ONE_SPIKE.astype("float32")[:, None])
    gradients = np.stack(columns, 1)
    txs = build_all(group, PRODUCTS)

    def updates(dtype):
        params = jnp.zeros(gradients.shape[1:], dtype)
        program = each(txs, lambda tx, g: trajectory(tx, g, params, tx.init(params))[0])
        found = program(jnp.asarray(gradients, dtype))
        return {
            name: {scale: np.asarray(x[:, i], "float64") for i, scale in enumerate([*SCALES, "spike"])}
            for name, x in found.items()
        }

    narrow = updates("float32")
    with jax.enable_x64(True):
        wide = updates("float64")
    return {name: (narrow[name], wide[name]) for name in txs}


def assert_right(name, narrow, wide, atol=0.0):
    """Up to rounding: of numbers of full size, where a momentum near 0 is the difference of two."""
    # So is a variance, and that of three gradients is all that the first adaptive step has here.
    rtol = 1e-4 if name == "rectified_centred_amsgrad" else 1e-5
    atol += 1e-6 * np.abs(wide).max(initial=0)
    np.testing.assert_allclose(narrow, wide, rtol=rtol, atol=atol, err_msg=str(name))


@every_group
def test_updates_are_right_for_gradients_from_1e_minus_30_to_1e18(group):
    for name, (narrow, wide) in magnitudes(group).items():
        for scale in ORDINARY:
            assert (wide[scale] != 0).any(), (name, scale)
            assert_right(name, narrow[scale], wide[scale])


@every_group
def test_updates_for_subnormal_gradients_are_off_by_what_is_flushed(group):
    """At most the smallest normal number, twice in a step, over 1/(1 - b1) steps, at a rate of 1e8."""
    for name, (narrow, wide) in magnitudes(group).items():
        for scale in VANISHING:
            assert_right(name, narrow[scale], wide[scale], atol=20 * TINY * 1e8 * 0.1)


@every_group
def test_where_squares_overflow_the_adaptive_rate_is_0(group):
    """And the update with it, not NaN; a plain momentum is as right as ever."""
    for name, (narrow, wide) in magnitudes(group).items():
        plain = PLAIN.get(name, 0)
        for scale in OVERFLOWING:
            assert_right(name, narrow[scale][:plain], wide[scale][:plain])
            assert (narrow[scale][:plain] != 0).all(), (name, scale)
            np.testing.assert_array_equal(narrow[scale][plain:], 0, err_msg=f"{name} {scale}")
        tx, params = build(name), jnp.zeros(2)
        state = tx.init(params)
        for _ in range(plain % STEPS + 3):  # Not jitted: fused, inf - x * x may be spared its overflow.
            updates, state = tx.update(jnp.asarray([1e30, -1e30]), state, params)
        assert (updates == 0).all() != (plain == STEPS), name


@every_group
def test_a_gradient_whose_square_overflows_stops_its_parameter_for_good(group):
    for name, (narrow, wide) in magnitudes(group).items():
        before, after = narrow["spike"][:8], narrow["spike"][8:]
        assert_right(name, before, wide["spike"][:8])
        if PLAIN.get(name) == STEPS:
            np.testing.assert_allclose(after, wide["spike"][8:], rtol=1e-5, err_msg=name)
        elif name in TRACED:  # Finished steps run on.
            np.testing.assert_allclose(after[1:], 0.9 * after[:-1], rtol=4 * ROUNDING, err_msg=name)
        else:
            np.testing.assert_array_equal(after, 0, name)


@every_group
def test_gradients_up_to_half_of_the_largest_number_give_no_nan(group):
    """Beyond it a bias-corrected momentum overflows, Nesterov's first. Plain momentum may: it is a sum."""
    steps = np.arange(STEPS)
    lanes = [np.ones(STEPS), (-1.0) ** steps, steps == 0, steps == 8, steps < 8]
    gradients, params = jnp.asarray(HUGE / 2 * np.stack(lanes, 1), "float32"), jnp.zeros(len(lanes))
    program = each(build_all(group, PRODUCTS), lambda tx, g: trajectory(tx, g, params, tx.init(params))[0])
    for name, updates in program(gradients).items():
        assert not jnp.isnan(updates).any(), name
        assert jnp.isfinite(updates).all() or name in PLAIN, name


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("direction", [1.0, 1.0 + 1.0j], ids=["real", "complex"])
@pytest.mark.parametrize(
    "statistic",
    [
        rx.second_moment(0.9),
        rx.sum_of_squares(),
        rx.belief_moment(0.9, centre=rx.first_moment(0.9, debias=False)),
        optax.chain(rx.second_moment(0.9), rx.amsgrad_max(0.9)),
        rx.yogi_moment(0.9),
        rx.centered_second_moment(0.9),
    ],
    ids=["second_moment", "sum_of_squares", "belief_moment", "amsgrad_max", "yogi", "centred"],
)
def test_statistics_that_overflow_are_infinite(statistic, direction, jit):
    update = jax.jit(statistic.update) if jit else statistic.update
    state = statistic.init(jnp.zeros(2, jnp.result_type(direction)))
    for g in ([1e25, 1.0], [-3e38, 1.0], [1e25, 2.0], [0.0, 3.0]):
        v, state = update(jnp.asarray(np.asarray(g) * direction, jnp.result_type(direction)), state)
        np.testing.assert_array_equal(v[0], np.inf)
        np.testing.assert_array_equal(rx.inverse_root().update(v, ())[0][0], 0)
        assert jnp.isfinite(v[1])


@pytest.mark.parametrize(
    "tx",
    [
        rx.adam(0.1, eps=0.0),
        rx.nadam(0.1, eps=0.0),
        rx.radam(0.1, eps=0.0),
        rx.amsgrad(0.1, eps=0.0, bias_correction="none"),
        rx.adamnc(0.1, eps=0.0),
        rx.rmsprop(0.1, eps=0.0),
        rx.adagrad(0.1, initial_accumulator_value=0.0, eps=0.0),
        rx.adabelief(0.1, eps=0.0, eps_root=0.0),
    ],
    ids=["adam", "nadam", "radam", "amsgrad", "adamnc", "rmsprop", "adagrad", "adabelief"],
)
def test_without_eps_updates_are_right_from_1e_minus_15_and_0_where_squares_vanish(tx):
    """Below 1e-23 |g|^2 is 0 in float32; in between a part of the moment is lost, and the step bounded."""
    gradients = noise(60, 3, 8) * np.asarray([1e-15, 1e-17, 1e-23], "float32")[:, None]

    def updates(dtype):
        params = jnp.zeros(gradients.shape[1:], dtype)
        function = jax.jit(lambda g: trajectory(tx, g, params, tx.init(params))[0])
        return np.asarray(function(jnp.asarray(gradients, dtype)))[5:]  # RAdam is adaptive from then on.

    narrow = updates("float32")
    with jax.enable_x64(True):
        wide = updates("float64")
    assert (wide != 0).all()
    assert_right(None, narrow[:, 0], wide[:, 0])
    assert np.abs(narrow[:, 1]).max() < 2 * np.abs(wide[:, 1]).max()
    np.testing.assert_array_equal(narrow[:, 2], 0)


@pytest.mark.parametrize("name", ["adagrad", "adadelta", "rmsprop", "adam", "radam", "amsgrad", "adabelief"])
def test_updates_are_right_for_all_finite_float16_gradients(name):
    """Their squares are ordinary numbers in float32, where statistics are."""
    scales = np.asarray([65504, 1, 2.0**-14, 2.0**-24], "float32")  # From the largest to the smallest one.
    gradients = np.sign(noise(STEPS, 4, 3)) * scales[:, None]
    tx = build(name)
    learn = jax.jit(lambda g: trajectory(tx, g, jnp.zeros_like(g[0]), tx.init(jnp.zeros_like(g[0])))[0])
    narrow = learn(jnp.asarray(gradients, "float16"))
    with jax.enable_x64(True):
        wide = learn(jnp.asarray(gradients, "float64"))
    assert narrow.dtype == "float16"
    # Links round to float16 twice, to the nearest subnormal at the end.
    np.testing.assert_allclose(narrow, wide, rtol=2.0**-10, atol=2.0**-24)


SMALL_AND_LARGE = {
    "small": [1e-30, -3e-30],
    "large": [1e30, -3e30],
    "mixed": [1e-30, 1.0, -1e30],
}


@every_group
def test_parameters_of_any_size_are_stepped_alike(group):
    """The step does not know them, but for weight decay, which is right, and for a projection."""
    txs = build_all(group, PRODUCTS)
    gradients = {k: jnp.asarray(noise(8, len(x), seed=len(k))) for k, x in SMALL_AND_LARGE.items()}
    params = {k: jnp.asarray(x, "float32") for k, x in SMALL_AND_LARGE.items()}
    jitted = each(txs, run)
    of_ordinary = jitted(jax.tree.map(lambda p: jnp.sign(p) / 2, params), gradients)
    decaying = {name: tx for name, tx in txs.items() if name in ("adamw", "radamw", "adadelta")}
    with jax.enable_x64(True):
        exact = functools.partial(jax.tree.map, lambda x: x.astype("float64"))
        exactly = each(decaying, run)(exact(params), exact(gradients))
    for name, (new, updates, _) in jitted(params, gradients).items():
        for x in jax.tree.leaves((new, updates)):
            assert jnp.isfinite(x).all(), name
        if name == "projected_amsgrad":
            assert all((jnp.abs(x) <= 1).all() for x in new.values())
        elif name in decaying:
            for k in params:
                for i, p in enumerate(SMALL_AND_LARGE[k]):
                    # Where adadelta's decay is a part of the gradient, whose square overflows, it is 0.
                    stopped = name == "adadelta" and abs(p) > 1e20
                    expected = 0 if stopped else exactly[name][1][k][:, i]
                    np.testing.assert_allclose(updates[k][:, i], expected, rtol=1e-5, err_msg=name)
        else:
            jax.tree.map(np.testing.assert_array_equal, updates, of_ordinary[name][1])
            np.testing.assert_array_equal(new["large"], params["large"], name)


@every_group
def test_successors_are_finite_where_squares_do_not_overflow_and_stand_still_at_a_learning_rate_of_0(group):
    """From 1e-44 to 1e18, and with nothing but zeros from some step on."""
    scales = [scale for scale in SCALES.values() if scale <= 1e18]
    gradients = np.stack([noise(STEPS, 4, seed=i) * np.float32(s) for i, s in enumerate(scales)], 1)
    gradients = jnp.asarray(np.concatenate([gradients, np.zeros((200, *gradients.shape[1:]), "float32")]))
    params = jnp.asarray(noise(*gradients.shape[1:]))
    for name, found in each(build_all(group, SUCCESSORS), run)(params, gradients).items():
        for x in jax.tree.leaves(found):
            assert jnp.isfinite(x).all(), name
    for name, (new, updates, _) in each(build_all(group, SUCCESSORS, learning_rate=0.0), run)(
        params, gradients
    ).items():
        assert not updates.any(), name
        np.testing.assert_array_equal(new, params, name)


CHECKPOINTS, BETWEEN = 20, 50_000  # A million steps.
DECAYS = (0.9, 0.99, 0.999, 0.9999, 0.99999)
MEAN = rx.second_moment(lambda count: 1 - 1 / (count.astype(jnp.result_type(float)) + 1), debias=False)
LINKS = (
    {f"first_moment {b}": rx.first_moment(b) for b in DECAYS}
    | {f"second_moment {b}": rx.second_moment(b) for b in DECAYS}
    | {"sum_of_squares": rx.sum_of_squares(), "mean": MEAN}
    | {"max": optax.chain(rx.second_moment(0.999, debias=False), rx.amsgrad_max())}
)


def gradients_of_step(t):
    """Six kinds of gradient, computed from the step by a hash, and equal in every precision."""
    x = t.astype("uint32") * jnp.uint32(0x9E3779B9) + jnp.arange(6, dtype="uint32") * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    x ^= x >> 16
    uniform = (x >> 8).astype("float32") * jnp.float32(2.0**-23) - 1  # In [-1, 1), 24 bits.
    heavy = 1 / (jnp.uint32(1) << (x & 7)).astype("float32")
    return jnp.stack(
        [
            uniform[0],
            (uniform[1] + 1) / 2,
            uniform[2] * heavy[2],
            jnp.where((x[3] & 255) == 0, uniform[3], 0),
            jnp.where(t & 1, jnp.float32(0.3), jnp.float32(-0.1)),
            jnp.float32(0.3),
        ]
    )


@functools.cache
def long_run(dtype):
    """What the links say at every checkpoint; a run in float64 is in x64 mode."""

    def step(t, carry):
        states = carry[0]
        g = gradients_of_step(t).astype(dtype)
        both = {name: link.update(g, states[name]) for name, link in LINKS.items()}
        return {n: s for n, (_, s) in both.items()}, {n: v for n, (v, _) in both.items()}

    def stretch(carry, i):
        carry = jax.lax.fori_loop(i * BETWEEN, (i + 1) * BETWEEN, step, carry)
        return carry, carry[1]

    def all_of_it():
        zeros = jnp.zeros(6, dtype)
        start = {n: link.init(zeros) for n, link in LINKS.items()}, dict.fromkeys(LINKS, zeros)
        return jax.lax.scan(stretch, start, jnp.arange(CHECKPOINTS, dtype="int32"))[1]

    with jax.enable_x64(dtype == "float64"):
        return {name: np.asarray(x, "float64") for name, x in jax.jit(all_of_it)().items()}


def drift(name):
    """The error of float32 at every checkpoint, by kind of gradient, in units of the largest value there was.

    That of a first moment, which has either sign, in units of the root of the second one.
    """
    narrow, wide = long_run("float32")[name], long_run("float64")[name]
    second = long_run("float64")[name.replace("first", "second")]
    return np.abs(narrow - wide) / (np.sqrt(second) if "first" in name else wide).max(axis=0)


STEPS_AT = BETWEEN * np.arange(1, CHECKPOINTS + 1)[:, None]
RANDOM = slice(3)  # The kinds of gradient that are neither sparse nor periodic.


@pytest.mark.parametrize("b", DECAYS)
@pytest.mark.parametrize("link", ["first_moment", "second_moment"])
def test_moments_drift_as_far_as_they_remember_and_no_further_in_a_million_steps(link, b):
    """A step rounds the decay, the product and the sum; the average remembers 1/(1 - b) steps."""
    assert drift(f"{link} {b}").max() < 2.5 * ROUNDING / (1 - b)


@pytest.mark.parametrize("b", DECAYS)
def test_second_moments_of_random_gradients_are_off_by_the_rounding_of_their_decay(b):
    """The weights b and 1 - b, each rounded to float32, do not add up to 1; other roundings mostly cancel."""
    rounded, newcomer = np.float64(np.float32(b)), np.float64(np.float32(1 - b))
    bias = abs(newcomer / (1 - rounded) - 1)
    assert drift(f"second_moment {b}")[:, RANDOM].max() < bias + 4 * ROUNDING / np.sqrt(1 - b)


def test_the_largest_second_moment_is_off_by_what_the_moment_is():
    assert drift("max").max() < 2.5 * ROUNDING / (1 - 0.999)


def test_a_sum_of_squares_drifts_by_half_a_rounding_per_step():
    """A sum that grows like t is half as large on average; steady gradients are rounded one way for long."""
    narrow, wide = long_run("float32")["sum_of_squares"], long_run("float64")["sum_of_squares"]
    d = np.abs(narrow / wide - 1)
    assert (d < STEPS_AT * ROUNDING / 2).all()
    assert d[-1].max() > 10 * d[0].max()


def test_the_mean_of_all_squares_is_one_with_slightly_uneven_weights():
    """1/t comes from 1 - b2_t, a multiple of 2^-24: at most 2^-25 off, t 2^-25 of itself.

    So is each weight in the mean; what that changes is the deviation of a mean of t squares, of which
    the sparse ones deviate most: by 21.4 times their mean. Three of those deviations.
    """
    deviation = np.sqrt(256 * 9 / 5 - 1) / np.sqrt(STEPS_AT)
    assert (drift("mean") < 3 * STEPS_AT * 2.0**-25 * deviation).all()


@both_precisions
def test_a_sum_of_squares_stalls_after_2_to_the_24_steady_steps_in_float32(mode):
    with jax.enable_x64(mode == "x64"):
        link = rx.sum_of_squares(2.0**24)
        state = link.init(jnp.zeros(1))
        for _ in range(3):
            v, state = jax.jit(link.update)(jnp.ones(1), state)
        assert v - 2**24 == (0 if mode == "float32" else 3)
