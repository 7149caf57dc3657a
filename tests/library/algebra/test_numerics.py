"""The scalars of a step against a 60-digit oracle: the textbook formulas, where nothing can cancel."""

import functools
import math

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import pytest

import radam_optax as rx
from radam_optax import _numerics
from tests.support import variance_polynomial
from tests.support.forms import in_forms
from tests.support.recipes import build

mp = mpmath.MPContext()
mp.dps = 60

B2S = [0.8, 0.9, 0.99, 0.999, 0.9995, 0.9999, 0.99999, 0.999999]
LAST = 2**31 - 1
LENGTHS = ("centre_of_mass", "variance")
KINDS = [(length, variance) for length in LENGTHS for variance in ("first_order", "exact")]
POWERS = (1.0, 0.5, -0.5)
GATES = [
    *[("centre_of_mass", "first_order", threshold) for threshold in (4.0, 4.5, 5.0)],
    *[("centre_of_mass", "exact", threshold) for threshold in (2.0, 3.0)],
    ("variance", "first_order", 4.0),
    ("variance", "exact", 2.0),
]

# Every step up to 1000; then steps spread over the orders of magnitude, and those where b2^t gets small.
SPREAD = np.geomspace(1001, LAST, 150).astype(int)
BENDS = [round(c / (1 - b2)) + d for b2 in B2S for c in (0.5, 1, 2, 3, 4, 20) for d in (-1, 0, 1)]
COUNTS = np.array(sorted({*range(1, 1001), *SPREAD, *(t for t in BENDS if t > 0), LAST - 1, LAST}), "int32")

QUICK_B2S = (0.9, 0.9999)  # A short average and a long one, whose rho_t the textbook formula loses.
every_b2 = pytest.mark.parametrize("b2", in_forms(B2S, QUICK_B2S))
static_or_traced = pytest.mark.parametrize("traced", [False, True], ids=["static", "traced"])
both_precisions = pytest.mark.parametrize("x64", [False, True], ids=["float32", "x64"])


def tolerance(x64):
    return 1e-13 if x64 else 4e-7


def length_of_average(b2, t, length):
    """The paper's rho_t; or rho_inf (1 - b2^t)/(1 + b2^t), the inverse of the sum of squared weights."""
    power = b2**t
    if length == "variance":
        return (1 + b2) / (1 - b2) * (1 - power) / (1 + power)
    return 2 / (1 - b2) - 1 - 2 * t * power / (1 - power)


FLOORS = {"first_order": 4, "exact": 2}


def variance_of_rate(rho, variance):
    """Var[psi] at tau = 1, from the moments of the scaled inverse chi distribution; or to first order."""
    if rho <= FLOORS[variance]:
        return mp.inf
    if variance == "first_order":
        return rho / (2 * (rho - 2) * (rho - 4))
    return rho / (rho - 2) - rho / 2 * (mp.gamma((rho - 1) / 2) / mp.gamma(rho / 2)) ** 2


@functools.cache
def oracle_lengths(b2, length):
    return [length_of_average(mp.mpf(b2), int(t), length) for t in COUNTS]


@functools.cache
def oracle(b2):
    """What `everything` should be at COUNTS, rounded to float64 at the very end."""
    exact = mp.mpf(b2)
    rho_inf = (1 + exact) / (1 - exact)
    values = {f"correction {power}": [(1 - exact ** int(t)) ** power for t in COUNTS] for power in POWERS}
    for length, variance in KINDS:
        rhos = oracle_lengths(b2, length)
        values[f"rho {length}"] = rhos
        v_inf = variance_of_rate(rho_inf, variance)
        values[f"r {length} {variance}"] = [mp.sqrt(v_inf / variance_of_rate(rho, variance)) for rho in rhos]
    return {name: np.array(list(map(float, column))) for name, column in values.items()}


def everything(b2, counts):
    """All that the package says of these steps, by name."""
    values = {f"correction {power}": rx.total_weight(b2, counts, power) for power in POWERS}
    for length, variance in KINDS:
        rho, r = rx.rectification(b2, counts, length=length, variance=variance)
        values |= {f"rho {length}": rho, f"r {length} {variance}": r}
    return values


def one_by_one(b2, counts):
    """With counts of shape (), as in an optimizer."""
    return jax.lax.map(functools.partial(everything, b2), counts)


def relative_error(actual, expected):
    """The largest one; where 0 is expected, nothing but 0 will do."""
    actual = np.asarray(actual, "float64")
    assert np.isfinite(actual).all()
    np.testing.assert_array_equal(actual == 0, expected == 0)
    some = expected != 0
    return np.abs(actual[some] / expected[some] - 1).max(initial=0)


def call(function, b2, *args, jit=True, traced):
    """The value of ``function(b2, *args)``, and the value of b2 that it was really given."""
    if traced:
        b2 = jnp.asarray(b2)
        return (jax.jit(function) if jit else function)(b2, *args), float(b2)
    function = functools.partial(function, b2)
    return (jax.jit(function) if jit else function)(*args), b2


@both_precisions
@static_or_traced
@pytest.mark.parametrize("how", ["eager", "jit", "one_by_one"])
@every_b2
def test_scalars_of_a_step_match_the_oracle(b2, how, traced, x64):
    with jax.enable_x64(x64):
        function = one_by_one if how == "one_by_one" else everything
        actual, b2 = call(function, b2, jnp.asarray(COUNTS), jit=how != "eager", traced=traced)
        assert all(x.dtype == ("float64" if x64 else "float32") for x in jax.tree.leaves(actual))
    for name, expected in oracle(b2).items():
        assert relative_error(actual[name], expected) < tolerance(x64), name


@static_or_traced
@every_b2
def test_float32_scalars_hold_at_steps_close_together(b2, traced):
    """Against extended precision, which is safe once 1 - b2^t does not cancel."""
    dense = np.unique(np.geomspace(1, LAST, 100_000).astype("int32"))
    actual, b2 = call(everything, b2, dense, traced=traced)
    b2, t = np.longdouble(b2), dense.astype(np.longdouble)
    seen = -np.expm1(t * np.log1p(b2 - 1))
    rho_inf, past = (1 + b2) / (1 - b2), 1 - seen
    rhos = {"centre_of_mass": rho_inf - 2 * t * past / seen, "variance": rho_inf * seen / (1 + past)}
    expected = {f"correction {power}": seen**power for power in POWERS}
    for length, rho in rhos.items():
        ratio = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
        expected[f"rho {length}"] = rho
        expected[f"r {length} first_order"] = np.sqrt(np.where(rho > 4, ratio, 0))
    for name, values in expected.items():
        assert relative_error(actual[name], values) < tolerance(False), name


def test_the_oracle_can_fail():
    """The textbook formulas in float32 are far outside the tolerance, and open the gate too early."""
    b2, t, one = np.float32(0.9999), COUNTS[:1000].astype("float32"), np.float32(1)
    power = b2**t
    rho_inf = 2 / (one - b2) - 1
    rho = rho_inf - 2 * t * power / (one - power)
    ratio = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)
    expected = {name: values[:1000] for name, values in oracle(float(b2)).items()}
    assert relative_error(one - power, expected["correction 1.0"]) > 100 * tolerance(False)
    assert relative_error(rho, expected["rho centre_of_mass"]) > 1000 * tolerance(False)
    r, from_6 = np.sqrt(np.maximum(ratio, 0)), slice(5, None)
    expected_r = expected["r centre_of_mass first_order"]
    assert relative_error(r[from_6], expected_r[from_6]) > 1000 * tolerance(False)
    assert ((rho > 4) != (expected_r > 0)).any()


def states(counts):
    """States of scale_by_rectification after so many updates; all else in them is overwritten."""
    junk = jnp.full(counts.shape, jnp.nan)
    return rx.RectificationState(rx.Clock(counts), counts, junk, junk)


def gated(b2, counts):
    """For every gate: what becomes of a rate of 1, with a fallback of -1, and the next states."""
    results = []
    for length, variance, threshold in GATES:
        link = rx.scale_by_rectification(
            b2, threshold=threshold, fallback=-1.0, variance=variance, length=length
        )
        results.append(jax.vmap(link.update)(jnp.ones(counts.shape), states(counts)))
    return results


@both_precisions
@pytest.mark.parametrize(
    ("b2", "how"),
    in_forms(
        [
            *[(b2, how) for b2 in B2S for how in ("static", "traced jit")],
            (0.8, "static jit"),
            (0.9999, "static jit"),
        ],
        [(0.9, "static"), (0.9999, "traced jit"), (0.9999, "static jit")],
    ),
)
def test_the_gate_opens_at_the_right_step(b2, how, x64):
    """r is in force where rho_t > threshold in 60 digits, at every step, and nothing else decides."""
    with jax.enable_x64(x64):
        results, b2 = call(gated, b2, jnp.asarray(COUNTS - 1), jit="jit" in how, traced="traced" in how)
    for (length, variance, threshold), (rates, state) in zip(GATES, results, strict=True):
        np.testing.assert_array_equal(state.count, COUNTS)
        above = [rho > threshold for rho in oracle_lengths(b2, length)]
        np.testing.assert_array_equal(np.asarray(state.r) > 0, above)
        np.testing.assert_array_equal(rates, np.where(above, state.r, -1))
        expected = oracle(b2)
        assert relative_error(state.rho, expected[f"rho {length}"]) < tolerance(x64)
        expected_r = np.where(above, expected[f"r {length} {variance}"], 0)
        assert relative_error(state.r, expected_r) < tolerance(x64)


# Decays of step t = 1, 2, ...: PaLM's, a warmup, and that of a plain average.
SCHEDULES = {
    "palm": lambda t: 1 - t**-0.8,
    "warmup": lambda t: 0.9 + 0.099 * np.minimum(1, t / 10_000),
    "plain": lambda t: 1 - 1 / t,
}
FIXED = 220  # Bits behind the point: 66 digits, of which a million truncations leave 60.


def averages(decays, steps):
    """The decay, W, M and S after each of some steps, in fixed point; a float32 is exact in it."""
    one = 1 << FIXED
    wanted = set(steps)
    w = m = s = 0
    for t, decay in enumerate(decays, start=1):
        b = int(math.ldexp(decay, 150)) << (FIXED - 150)
        m = b * (m + w) >> FIXED
        w = (b * w >> FIXED) + one - b
        s = (b * b * s >> 2 * FIXED) + ((one - b) ** 2 >> FIXED)
        if t in wanted:
            yield mp.mpf(decay), *(mp.ldexp(mp.mpf(x), -FIXED) for x in (w, m, s))


def along(decays, steps):
    """What an optimizer's link keeps at those steps of each schedule, for each of KINDS."""

    def path(decays):
        links = {
            (length, variance): rx.scale_by_rectification(
                lambda count: decays[count], length=length, variance=variance, threshold=FLOORS[variance]
            )
            for length, variance in KINDS
        }

        def step(states, _):
            found = {kind: link.update(jnp.ones([]), states[kind])[1] for kind, link in links.items()}
            return found, {kind: (state.rho, state.r) for kind, state in found.items()}

        start = {kind: link.init(jnp.ones([])) for kind, link in links.items()}
        return jax.lax.scan(step, start, None, len(decays))[1]

    paths = jax.jit(jax.vmap(path))(jnp.asarray(decays))
    return jax.tree.map(lambda x: np.asarray(x[:, steps - 1], "float64"), paths)


def lengths_and_rectifiers(decays, steps):
    """What `along` is to find."""
    expected = {kind: [] for kind in KINDS}
    for b, w, m, s in averages(decays.tolist(), steps.tolist()):
        for length, variance in KINDS:
            rho = w * w / s if length == "variance" else 1 + 2 * m / w
            v_inf = variance_of_rate((1 + b) / (1 - b), variance)
            r = 0 if mp.isinf(v_inf) else mp.sqrt(v_inf / variance_of_rate(rho, variance))
            expected[length, variance].append((float(rho), float(r)))
    return {kind: np.array(pairs).T for kind, pairs in expected.items()}


@pytest.mark.parametrize("last", in_forms((10**4, 10**6), (10**4,)))
def test_lengths_and_rectifiers_of_scheduled_decays_match_the_oracle(last):
    """In float32, from the decays as the schedule returns them. Measured: 1.7e-7 at worst."""
    decays = {name: f(np.arange(1.0, last + 1)).astype("float32") for name, f in SCHEDULES.items()}
    steps = np.unique(np.concatenate([np.arange(1, 101), np.geomspace(101, last, 200).astype(int)]))
    found = along(np.stack([*decays.values()]), steps)
    for i, (name, of_one) in enumerate(decays.items()):
        for kind, (rho, r) in lengths_and_rectifiers(of_one, steps).items():
            found_rho, found_r = (x[i] for x in found[kind])
            assert relative_error(found_rho, rho) < tolerance(False), (name, kind)
            # The root of what rho has above its floor, which at a plain average's fourth step is 4 + 4e-8.
            on_floor = np.abs(rho - FLOORS[kind[1]]) < tolerance(False)
            assert relative_error(found_r[~on_floor], r[~on_floor]) < tolerance(False), (name, kind)
            assert (found_r[on_floor] < 1e-3).all(), (name, kind)


@pytest.mark.parametrize("b2", in_forms((0.9, 0.99, 0.999, 0.9999), (0.999,)))
def test_a_constant_schedule_has_the_lengths_and_rectifiers_of_the_closed_form(b2):
    b2, steps = np.float32(b2), np.unique(np.geomspace(1, 10_000, 300).astype(int))
    found = along(np.full((1, steps[-1]), b2), steps)
    for length, variance in KINDS:
        closed = rx.rectification(float(b2), jnp.asarray(steps), length=length, variance=variance)
        for (actual,), expected in zip(found[length, variance], closed, strict=True):
            assert relative_error(actual, np.asarray(expected, "float64")) < tolerance(False)
    looped = rx.rectification(lambda count: jnp.float32(b2), jnp.asarray(steps))
    (rho,), (r,) = found["centre_of_mass", "first_order"]
    np.testing.assert_allclose(looped, [rho, r], rtol=tolerance(False))


@pytest.mark.parametrize(
    ("b2", "threshold", "first"),
    [
        *[(b2, 4.0, 5) for b2 in (0.7734, 0.8, 0.9, 0.999, 0.9999999)],
        *[(b2, 5.0, 6) for b2 in (0.8398, 0.9, 0.999, 0.9999999)],
        (0.7733, 4.0, 6),
        (0.8397, 5.0, 7),
        (0.75, 4.0, 6),
        (0.75, 5.0, 8),
    ],
)
def test_first_adaptive_step_is_the_published_one(b2, threshold, first):
    link = rx.scale_by_rectification(b2, threshold=threshold)
    _, state = jax.vmap(link.update)(jnp.ones(30), states(jnp.arange(30, dtype="int32")))
    assert np.argmax(state.r > 0) + 1 == first


@pytest.mark.parametrize(
    ("b2", "settings"),
    [
        (2 / 3, {"threshold": 5.0}),
        (0.6, {"threshold": 4.0}),
        (0.0, {"threshold": 4.0}),
        (1 / 3, {"threshold": 2.0, "variance": "exact"}),
    ],
)
def test_a_b2_that_never_rectifies_warns_and_never_does(b2, settings):
    """rho_inf = 2/(1-b2) - 1 is at the threshold at most: 5 at b2 = 2/3, 4 at 0.6, 2 at 1/3."""
    with pytest.warns(UserWarning, match="never rectifies"):
        link = rx.scale_by_rectification(b2, **settings)
    counts = jnp.asarray(COUNTS - 1)
    rates, state = jax.vmap(link.update)(jnp.full(counts.shape, 7.0), states(counts))
    assert not np.asarray(state.r).any()
    assert (rates == 1).all()
    if b2 > 0:
        rx.scale_by_rectification(b2 + 1e-3, **settings)  # Does not warn: warnings are errors.


# t: rho_t, exact r_t, first-order r_t at b2 = 0.999.
TABLE = {
    3: (2.99866600, 0.0151480057, 0),
    4: (3.99749875, 0.0241430638, 0),
    5: (4.99599800, 0.0315100557, 0.0173115032),
    6: (5.99416375, 0.0378456081, 0.0258211128),
    7: (6.99199600, 0.0434594526, 0.0327388144),
    8: (7.98949476, 0.0485368790, 0.0387382770),
    9: (8.98666001, 0.0531979800, 0.0441048596),
    10: (9.98349177, 0.0575252122, 0.0489980134),
    20: (19.9334672, 0.0905742315, 0.0848089660),
    50: (49.5833090, 0.151685406, 0.148152303),
    100: (98.3329443, 0.217767784, 0.215335437),
    1000: (835.967376, 0.645833666, 0.645325652),
    2000: (1373.65350, 0.828603097, 0.828390061),
    10000: (1998.09649, 0.999773560, 0.999773305),
}


def test_rectifiers_are_the_tabulated_ones(x64):
    counts = jnp.asarray(list(TABLE))
    rho, exact, first_order = np.array(list(TABLE.values())).T
    np.testing.assert_allclose(rx.rectification(0.999, counts).rho, rho, rtol=3e-9)
    np.testing.assert_allclose(rx.rectification(0.999, counts, variance="exact").r, exact, rtol=4e-9)
    np.testing.assert_allclose(rx.rectification(0.999, counts).r, first_order, rtol=4e-9)
    for variance in ("first_order", "exact"):
        np.testing.assert_array_equal(rx.rectification(0.999, jnp.arange(1, 3), variance=variance).r, 0)


# rho: exact and first-order variance at tau = 1.
VARIANCES = {
    2.5: (2.71526709478, np.inf),
    3: (1.09014068290, np.inf),
    4: (2 - np.pi / 2, np.inf),
    5: (0.251956061405, 0.8333333333),
    6: (0.174640599267, 0.375),
    8: (0.106148703025, 0.1666666667),
    10: (0.0755459592751, 0.1041666667),
    16: (0.0400627749538, 0.0476190476),
    20: (0.0304240847301, 0.0347222222),
    50: (0.0107935997506, 0.0113224638),
    100: (5.19281574929e-3, 5.31462585e-3),
    500: (1.00754170152e-3, 1.012112968e-3),
    1999: (2.50594931830e-4, 2.508775695e-4),
}


def test_variances_are_the_tabulated_ones(x64):
    rho = jnp.asarray(list(VARIANCES), float)
    exact, first_order = np.array(list(VARIANCES.values())).T
    np.testing.assert_allclose(rx.adaptive_rate_variance(rho), exact, rtol=1e-11)
    np.testing.assert_allclose(rx.adaptive_rate_variance(rho, "first_order"), first_order, rtol=3e-9)


@both_precisions
@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("method", ["exact", "first_order"])
def test_variance_matches_the_oracle(method, jit, x64):
    low = {"exact": 2.1, "first_order": 4.1}[method]
    with jax.enable_x64(x64):
        rho = jnp.asarray(np.concatenate([np.geomspace(low, 1e7, 1000), np.linspace(low, 20, 500)]))
        function = functools.partial(rx.adaptive_rate_variance, method=method)
        actual = (jax.jit(function) if jit else function)(rho)
    expected = np.array([float(variance_of_rate(mp.mpf(float(x)), method)) for x in rho])
    assert relative_error(actual, expected) < (1e-13 if x64 else 1e-6)


@pytest.mark.parametrize(("method", "floor"), [("exact", 2.0), ("first_order", 4.0)])
def test_variance_is_infinite_at_and_below_its_floor(method, floor):
    rho = jnp.asarray([floor, floor - 1e-3, 1.0, 0.0, -3.0])
    assert (rx.adaptive_rate_variance(rho, method) == jnp.inf).all()
    above = rx.adaptive_rate_variance(np.nextafter(np.float32(floor), np.float32(9)), method)
    assert 1e5 < above < jnp.inf


everything_traced = jax.jit(everything)
derivatives = jax.jit(jax.jacfwd(everything))
decays = st.floats(0.5, 1 - 2**-13, width=32)
steps = st.integers(2, 10_000) | st.integers(2, LAST - 1)


@both_precisions
@hypothesis.given(b2=decays, t=steps)
def test_length_is_below_the_step_and_below_its_limit(b2, t, x64):
    with jax.enable_x64(x64):
        values = {
            k: float(v[0]) for k, v in everything_traced(jnp.asarray(b2), jnp.asarray([t, t + 1])).items()
        }
    assert 1 < values["rho centre_of_mass"] < t
    assert values["rho centre_of_mass"] <= values["rho variance"] * (1 + tolerance(x64))
    assert values["rho variance"] <= min(t, (1 + b2) / (1 - b2)) * (1 + tolerance(x64))


@both_precisions
@hypothesis.given(b2=decays | st.sampled_from(B2S), t=st.just(1) | steps)
def test_lengths_and_rectifiers_grow(b2, t, x64):
    """Strictly so while the average does; later they do not fall by more than rounding."""
    with jax.enable_x64(x64):
        values = everything_traced(jnp.asarray(b2), jnp.asarray([t, t + 1]))
    for name, pair in values.items():
        now, then = map(float, pair)
        if name.startswith(("rho", "r ")):
            assert then >= now * (1 - tolerance(x64)), name
            assert now < then or now == then == 0 or t * (1 - b2) > 1 or t > 1000, name


@both_precisions
def test_rectifiers_are_between_0_and_1(x64):
    """Not a unit in the last place above, for decays from 0.5 up."""
    with jax.enable_x64(x64):
        b2 = jnp.asarray(1 - np.geomspace(1e-7, 0.5, 300))
        values = jax.jit(jax.vmap(everything, in_axes=(0, None)))(b2, jnp.asarray(COUNTS[::5]))
        for length, variance in KINDS:
            r = values[f"r {length} {variance}"]
            assert (r >= 0).all(), (length, variance)
            assert (r <= 1).all(), (length, variance, r.max() - 1)


@pytest.mark.parametrize(
    "name", ["radam", "radam_exact", "adam", "nadam", "adam_2k", "amsgrad_after_max", "adamnc", "yogi"]
)
def test_the_count_saturates(name):
    """At the last int32 an update counts no further, and keeps its sign."""
    tx, params = build(name), jnp.asarray([1.0, -2.0])
    gradients = jnp.asarray([0.5, -0.25])
    state = optax.tree.set(tx.init(params), lambda path, _: path[-1].name == "count", count=jnp.int32(LAST))
    update = jax.jit(tx.update)
    for _ in range(3):
        updates, state = update(gradients, state, params)
        assert rx.step_count(state) == LAST
        assert jnp.isfinite(updates).all()
        assert (jnp.sign(updates) == -jnp.sign(gradients)).all()
    if "radam" in name:
        stats = rx.rectification_stats(state)
        assert stats["adaptive"]
        np.testing.assert_allclose(stats["rho"], 1999, rtol=1e-6)
        np.testing.assert_allclose(stats["r"], 1, rtol=1e-6)


@both_precisions
@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.9999])
def test_derivatives_of_the_total_weight_are_exact(decay, x64):
    """d(1 - b^t)/db = -t b^(t-1), and once more, also at b = 0."""
    with jax.enable_x64(x64):
        counts = jnp.asarray([1, 2, 3, 10, 100])
        forward = jax.jacfwd(rx.total_weight)(jnp.asarray(decay), counts)
        backward = jax.jacrev(rx.total_weight)(jnp.asarray(decay), counts)
        second = jax.jacfwd(jax.jacrev(rx.total_weight))(jnp.asarray(decay), counts)
        decay = np.float64(jnp.asarray(decay))
    t = np.asarray(counts, "float64")
    rtol = 1e-13 if x64 else 1e-5
    for derivative in (forward, backward):
        np.testing.assert_allclose(derivative, -t * decay ** (t - 1), rtol=rtol)
    np.testing.assert_allclose(second, -t * (t - 1) * decay ** np.maximum(t - 2, 0), rtol=rtol)


@pytest.mark.parametrize("b2", [0.8, 0.99, 0.9999, 0.999999])
def test_derivatives_of_lengths_and_rectifiers_match_the_oracle(b2, x64):
    """No branch leaks into another one, from the first step to the last."""
    counts = [1, 2, 3, 4, 5, 6, 50, 1000, 10**6, LAST]
    actual = derivatives(jnp.asarray(b2), jnp.asarray(counts))
    b2 = mp.mpf(b2)
    for length, variance in KINDS:

        def rho(b, t, length=length):
            return length_of_average(b, t, length)

        def r(b, t, rho=rho, variance=variance):
            return mp.sqrt(
                variance_of_rate((1 + b) / (1 - b), variance) / variance_of_rate(rho(b, t), variance)
            )

        for i, t in enumerate(counts):
            for name, function in ((f"rho {length}", rho), (f"r {length} {variance}", r)):
                h = mp.mpf(10) ** -20
                slope = (function(b2 + h, t) - function(b2 - h, t)) / (2 * h)
                np.testing.assert_allclose(actual[name][i], float(slope), rtol=1e-9, atol=1e-9, err_msg=name)


def test_the_polynomial_of_the_variance_is_what_its_script_makes():
    assert variance_polynomial.coefficients() == _numerics._VARIANCE_POLYNOMIAL
