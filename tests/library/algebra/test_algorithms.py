"""The package against independent NumPy loops (oracle.py), against optax, and against itself.

Every row of CASES is compared at each of 300 steps of gradients that spike, fall, vanish and change sign.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax import chain

import radam_optax as rx
from tests.support import oracle
from tests.support.forms import in_forms

STEPS, SIZE = 300, 6


def make_noise():
    """Of order 1, but: a spike of 1e3 in half of the columns, a fall to 1e-2, zeros, one constant sign."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(STEPS, SIZE))
    noise[:, 0] = np.abs(noise[:, 0])
    noise[100, ::2] *= 1e3
    noise[150:] *= 1e-2
    noise[:3, 1] = 0
    noise[200:220, 2] = 0
    noise[rng.random(noise.shape) < 0.03] = 0
    return noise.astype("float32").astype("float64")


NOISE = make_noise()
START = np.random.default_rng(1).normal(size=SIZE).astype("float32").astype("float64")
# A quadratic, for algorithms that ask for the gradient somewhere else than at their parameters.
HESSIAN = np.diag(np.linspace(0.5, 2, SIZE)) + 0.1 * np.ones((SIZE, SIZE))
HESSIAN = HESSIAN.astype("float32").astype("float64")


class Case(NamedTuple):
    """A statement of the oracle with its constants, and the package's of the same algorithm."""

    algorithm: Callable[..., Any]
    constants: dict[str, Any]
    build: Callable[[], optax.GradientTransformation]
    curved: bool = False
    readout: Callable[..., Any] = lambda params, state: params

    def expected(self, **changes):
        def gradient(t, x):
            return NOISE[t - 1] + (HESSIAN @ x if self.curved else 0)

        return np.array(list(self.algorithm(gradient, START, STEPS, **(self.constants | changes))))

    def actual(self):
        """In float32, or in float64 in x64 mode."""
        tx = self.build()
        start, hessian, noise = (jnp.asarray(a, float) for a in (START, HESSIAN, NOISE))

        def step(carry, g):
            x, state = carry
            g = g + jnp.dot(hessian, x, precision="highest") if self.curved else g
            updates, state = tx.update(g, state, x)
            x = optax.apply_updates(x, updates)
            return (x, state), self.readout(x, state)

        return np.asarray(jax.jit(lambda: jax.lax.scan(step, (start, tx.init(start)), noise)[1])())


def descend(alpha, *links):
    return chain(*links, optax.scale(-alpha))


def hybrid(alpha, momentum, *rate):
    return descend(alpha, rx.scale_by_adaptive_rate(momentum=momentum, rate=chain(*rate)))


A = {"alpha": 0.05, "b1": 0.9, "b2": 0.96, "eps": 1e-3}
ADAM = (0.05, 0.9, 0.96, 1e-3)  # The same, by position.
FORGET = A | {"forget": 0.98}


def shrinking(b1, shrink):
    return lambda count: b1 * shrink ** jnp.asarray(count, float)


def growing(power):
    return lambda count: 1 - (jnp.asarray(count, float) + 1) ** -power


def tabulated(decay_of):
    """A schedule whose decays are computed in float64."""
    decays = np.array([decay_of(t) for t in range(1, STEPS + 1)])
    return lambda count: jnp.asarray(decays, float)[count]


def of_nosadam(gamma):
    return tabulated(lambda t: 1 - t**-gamma / np.sum(np.arange(1.0, t + 1) ** -gamma))


def of_adax(growth):
    return tabulated(lambda t: 1 - growth / ((1 + growth) ** t - 1))


CASES = {
    "sgd": Case(oracle.sgd, {"alpha": 0.01}, lambda: rx.sgd(0.01)),
    "momentum": Case(oracle.momentum, {"alpha": 0.01, "mu": 0.9}, lambda: rx.momentum(0.01, 0.9)),
    "nesterov": Case(oracle.nesterov, {"alpha": 0.01, "mu": 0.9}, lambda: rx.nesterov(0.01, 0.9)),
    "nesterov_ahead": Case(
        oracle.nesterov_ahead, {"alpha": 0.01, "mu": 0.8}, lambda: rx.nesterov(0.01, 0.8), curved=True
    ),
    "adagrad": Case(
        oracle.adagrad,
        {"eta": 0.05, "delta": 1e-3},
        lambda: descend(
            0.05, rx.scale_by_adaptive_rate(rate=chain(rx.sum_of_squares(), rx.inverse_root(1e-3)))
        ),
    ),
    "adagrad_inside": Case(
        oracle.adagrad_inside,
        {"eta": 0.05, "delta": 1e-3, "start": 0.1},
        lambda: rx.adagrad(0.05, 0.1, 1e-3),
    ),
    "adadelta": Case(
        oracle.adadelta, {"rho": 0.95, "eps": 1e-6, "rate": 0.5}, lambda: rx.adadelta(0.5, 0.95, 1e-6)
    ),
    "rmsprop": Case(
        oracle.rmsprop, {"eta": 0.05, "rho": 0.9, "delta": 1e-3}, lambda: rx.rmsprop(0.05, 0.9, 1e-3)
    ),
    "rmsprop_outside": Case(
        oracle.rmsprop_outside,
        {"eta": 0.05, "rho": 0.9, "delta": 1e-3},
        lambda: rx.rmsprop(0.05, 0.9, 1e-3, eps_in_sqrt=False),
    ),
    "rmsprop_centred": Case(
        oracle.rmsprop_centred,
        {"eta": 0.05, "rho": 0.95, "mu": 0.9, "delta": 1e-3},
        lambda: rx.rmsprop(0.05, 0.95, 1e-3, centered=True, momentum=0.9),
    ),
    "rmsprop_nesterov": Case(
        oracle.rmsprop_nesterov,
        {"eta": 0.05, "rho": 0.9, "alpha": 0.8, "delta": 1e-3},
        lambda: rx.rmsprop_nesterov(0.05, 0.9, 0.8, 1e-3),
        curved=True,
        readout=lambda params, state: rx.without_lookahead(params, state, 0.8),
    ),
    "adam": Case(oracle.adam, A, lambda: rx.adam(*ADAM)),
    "adam_uncorrected": Case(oracle.adam_uncorrected, A, lambda: rx.adam(*ADAM, bias_correction=False)),
    "adamw": Case(oracle.adamw, A | {"decay": 0.1}, lambda: rx.adamw(*ADAM, weight_decay=0.1)),
    "nadam": Case(oracle.nadam, {"alpha": 0.05, "mu": 0.9, "nu": 0.96, "eps": 1e-3}, lambda: rx.nadam(*ADAM)),
    "nadam_scheduled": Case(
        oracle.nadam,
        {"alpha": 0.05, "mu": 0.9, "nu": 0.96, "eps": 1e-3, "shrink": 0.99},
        lambda: rx.nadam(0.05, shrinking(0.9, 0.99), 0.96, 1e-3),
    ),
    "adam_2k": Case(oracle.adam_2k, A | {"frozen": 40}, lambda: rx.adam_2k(*ADAM, steps=40)),
    "adam_eps": Case(oracle.adam_eps, A, lambda: rx.adam_eps(*ADAM)),
    "amsgrad": Case(oracle.amsgrad, A, lambda: rx.amsgrad(*ADAM, bias_correction="none")),
    "amsgrad_of_pytorch": Case(
        oracle.amsgrad_of_pytorch, A, lambda: rx.amsgrad(*ADAM, bias_correction="after_max")
    ),
    "amsgrad_of_optax": Case(
        oracle.amsgrad_of_optax, A, lambda: rx.amsgrad(*ADAM, bias_correction="before_max")
    ),
    "amsgrad_forgetting": Case(
        oracle.amsgrad, FORGET, lambda: rx.amsgrad(*ADAM, bias_correction="none", max_decay=0.98)
    ),
    "amsgrad_of_pytorch_forgetting": Case(
        oracle.amsgrad_of_pytorch,
        FORGET,
        lambda: rx.amsgrad(*ADAM, bias_correction="after_max", max_decay=0.98),
    ),
    "amsgrad_of_optax_forgetting": Case(
        oracle.amsgrad_of_optax,
        FORGET,
        lambda: rx.amsgrad(*ADAM, bias_correction="before_max", max_decay=0.98),
    ),
    "amsgrad_projected": Case(
        oracle.amsgrad_projected,
        {"alpha": 0.5, "b1": 0.9, "b2": 0.99, "shrink": 0.99, "bound": 1.0},
        lambda: chain(
            rx.amsgrad(rx.inverse_sqrt_decay(0.5), shrinking(0.9, 0.99), 0.99, 0.0, bias_correction="none"),
            rx.project(lambda x: jnp.clip(x, -1.0, 1.0)),
        ),
        curved=True,
    ),
    "adamnc": Case(
        oracle.adamnc,
        {"alpha": 0.1, "b1": 0.9, "eps": 1e-3},
        lambda: rx.adamnc(rx.inverse_sqrt_decay(0.1), 0.9, 1e-3),
    ),
    "adam_scheduled": Case(
        oracle.adam_scheduled,
        {"alpha": 0.05, "b1": 0.9, "shrink": 0.99, "power": 0.8, "eps": 1e-3},
        lambda: rx.adam(0.05, shrinking(0.9, 0.99), growing(0.8), 1e-3),
    ),
    "radam": Case(oracle.radam, A | {"threshold": 5.0}, lambda: rx.radam(*ADAM)),
    "radam_slow": Case(
        oracle.radam, A | {"b2": 0.999, "threshold": 5.0}, lambda: rx.radam(0.05, 0.9, 0.999, 1e-3)
    ),
    "radam_of_the_paper": Case(oracle.radam, A | {"threshold": 4.0}, lambda: rx.radam(*ADAM, threshold=4.0)),
    "radamw": Case(
        oracle.radam,
        A | {"threshold": 5.0, "decay": 0.1},
        lambda: rx.radamw(*ADAM, weight_decay=0.1),
    ),
    "radam_skipping": Case(oracle.radam_skipping, A, lambda: rx.radam(*ADAM, degenerated_to_sgd=False)),
    "radam_of_the_authors": Case(
        oracle.radam_of_the_authors,
        {"lr": 0.05, "b1": 0.9, "b2": 0.96, "eps": 1e-3, "degenerated_to_sgd": True},
        lambda: hybrid(
            0.05,
            rx.first_moment(0.9),
            rx.second_moment(0.96, debias=False),
            rx.inverse_root(1e-3),
            rx.debias(0.96, power=-0.5),
            rx.scale_by_rectification(0.96),
        ),
    ),
    "radam_with_amsgrad": Case(oracle.radam_with_amsgrad, A, lambda: rx.radam(*ADAM, amsgrad=True)),
    "rmsprop_rectified": Case(
        oracle.rmsprop_rectified,
        {"eta": 0.05, "rho": 0.96, "delta": 1e-3},
        lambda: descend(0.05, rx.scale_by_rms(0.96, 1e-3), rx.scale_by_rectification(0.96, fallback=0.0)),
    ),
    "adabelief": Case(oracle.adabelief, A | {"eps_in_sum": 1e-4}, lambda: rx.adabelief(*ADAM, eps_root=1e-4)),
    "adabelief_rectified": Case(
        oracle.adabelief,
        A | {"eps_in_sum": 1e-4, "rectified": True},
        lambda: hybrid(
            0.05,
            rx.first_moment(0.9, debias=False),
            rx.belief_moment(0.96, eps=1e-4),
            rx.inverse_root(1e-3),
            rx.scale_by_rectification(0.96),
            rx.debias(0.9),
        ),
    ),
    "yogi": Case(
        oracle.yogi,
        {"eta": 0.05, "b1": 0.9, "b2": 0.96, "eps": 1e-3, "start": 1e-6},
        lambda: hybrid(
            0.05,
            rx.first_moment(0.9, debias=False),
            rx.yogi_moment(0.96, debias=False),
            rx.inverse_root(1e-3),
        ),
    ),
    "yogi_rectified": Case(
        oracle.yogi_rectified,
        {"eta": 0.05, "b1": 0.9, "b2": 0.96, "eps": 1e-3, "start": 1e-6},
        lambda: hybrid(
            0.05,
            rx.first_moment(0.9),
            rx.yogi_moment(0.96),
            rx.inverse_root(1e-3),
            rx.scale_by_rectification(0.96),
        ),
    ),
}

SUCCESSORS = {
    "adamax": Case(oracle.adamax, A, lambda: rx.adamax(*ADAM)),
    "nosadam": Case(
        oracle.nosadam,
        {"alpha": 0.05, "b1": 0.9, "gamma": 0.1, "eps": 1e-3},
        lambda: hybrid(
            0.05,
            rx.first_moment(0.9),
            rx.second_moment(of_nosadam(0.1), debias=False),
            rx.inverse_root(1e-3),
        ),
    ),
    "adax": Case(
        oracle.adax,
        {"alpha": 0.05, "b1": 0.9, "growth": 1e-3, "eps": 1e-3},
        lambda: hybrid(
            0.05,
            rx.first_moment(0.9),
            rx.second_moment(of_adax(1e-3), debias=False),
            rx.inverse_root(1e-3),
        ),
    ),
    "laprop": Case(
        oracle.laprop, {"alpha": 0.05, "mu": 0.9, "nu": 0.96, "eps": 1e-3}, lambda: rx.laprop(*ADAM)
    ),
    "adopt": Case(oracle.adopt, A | {"eps": 0.1, "power": 0.25}, lambda: rx.adopt(*ADAM[:3], 0.1)),
    "acprop": Case(oracle.acprop, A | {"eps_in_sum": 1e-4}, lambda: rx.acprop(*ADAM, eps_root=1e-4)),
    "ademamix": Case(
        oracle.ademamix,
        {"eta": 0.05, "b1": 0.9, "b2": 0.96, "b3": 0.96, "alpha": 4.0, "eps": 1e-3, "warmup": 200}
        | {"decay": 0.1},
        lambda: rx.ademamix(
            0.05,
            0.9,
            0.96,
            rx.ademamix_b3(0.9, 0.96, 200),
            rx.ademamix_alpha(4.0, 200),
            1e-3,
            weight_decay=0.1,
        ),
    ),
    "adan": Case(
        oracle.adan,
        {"eta": 0.05, "beta1": 0.1, "beta2": 0.3, "beta3": 0.04, "eps": 1e-3},
        lambda: rx.adan(0.05, 0.9, 0.7, 0.96, 1e-3, 0.0),
    ),
    "lion": Case(
        oracle.lion,
        {"eta": 0.05, "b1": 0.9, "b2": 0.96, "decay": 0.1},
        lambda: rx.lion(0.05, 0.9, 0.96, weight_decay=0.1),
    ),
    "adam_atan2": Case(
        oracle.adam_atan2,
        {"alpha": 0.05, "b1": 0.9, "b2": 0.96, "a": 1.27, "b": 2.0},
        lambda: rx.adam_atan2(0.05, 0.9, 0.96, b=2.0),
    ),
    "padam": Case(oracle.padam, A | {"p": 0.125, "maximum": False}, lambda: rx.padam(*ADAM, partial=0.125)),
    "padam_of_the_paper": Case(
        oracle.padam,
        A | {"p": 0.125, "maximum": True},
        lambda: chain(rx.scale_by_padam(*ADAM[1:], 0.125, amsgrad=True), rx.scale_by_learning_rate(0.05)),
    ),
    "adabound": Case(
        oracle.adabound,
        A | {"final": 0.1, "gamma": 1e-2, "maximum": False},
        lambda: rx.adabound(*ADAM[:3], gamma=1e-2, eps=1e-3),
    ),
    "amsbound": Case(
        oracle.adabound,
        A | {"final": 0.1, "gamma": 1e-2, "maximum": True},
        lambda: rx.adabound(*ADAM[:3], gamma=1e-2, eps=1e-3, amsbound=True),
    ),
    "adamod": Case(oracle.adamod, A | {"b3": 0.98}, lambda: rx.adamod(*ADAM[:3], 0.98, 1e-3)),
    "qhadam": Case(
        oracle.qhadam, A | {"nu1": 0.7, "nu2": 0.9}, lambda: rx.qhadam(*ADAM[:3], (0.7, 0.9), 1e-3)
    ),
    "stable_adamw": Case(
        oracle.stable_adamw, A | {"decay": 0.1}, lambda: rx.stable_adamw(*ADAM, weight_decay=0.1)
    ),
    "cautious_adam": Case(
        oracle.cautious_adam,
        A | {"floor": 0.4},
        lambda: descend(0.05, rx.cautious(rx.scale_by_adam(*ADAM[1:]), floor=0.4)),
    ),
    "schedule_free_radam": Case(
        oracle.schedule_free_radam,
        {"lr": 0.05, "b1": 0.9, "b2": 0.96, "eps": 1e-3, "decay": 0.1, "r": 2, "power": 2, "silent": True},
        lambda: rx.schedule_free_radam(*ADAM, weight_decay=0.1, r=2.0),
        curved=True,
    ),
    "schedule_free_radam_loud": Case(
        oracle.schedule_free_radam,
        {"lr": 0.05, "b1": 0.9, "b2": 0.96, "eps": 1e-3, "decay": 0.1, "r": 0, "silent": False},
        lambda: rx.schedule_free_radam(*ADAM, weight_decay=0.1, silent_sgd_phase=False),
        curved=True,
    ),
}
EARLIER = list(CASES)
CASES |= SUCCESSORS

every_case = pytest.mark.parametrize("name", CASES)


def assert_same(actual, expected):
    """The distance from the start, at every step."""
    np.testing.assert_allclose(actual - START, expected - START, rtol=1e-11)


@every_case
def test_matches_the_oracle_at_every_step(name, x64):
    actual = CASES[name].actual()
    assert actual.dtype == "float64"
    assert_same(actual, CASES[name].expected())


@pytest.mark.parametrize("name", in_forms(CASES, EARLIER))
def test_matches_the_oracle_in_float32(name):
    """To 40 units in the last place of the largest parameter on the way, after 300 steps."""
    actual, expected = CASES[name].actual(), CASES[name].expected()
    assert actual.dtype == "float32"
    error = np.abs(actual - expected) / np.abs(expected).max(axis=0)
    assert error.max() < 5e-6


@every_case
def test_the_oracle_can_fail(name):
    """Every constant counts: an oracle that has one wrong is told from the right one."""
    case = CASES[name]
    expected = case.expected()
    for constant, value in case.constants.items():
        with pytest.raises(AssertionError):
            assert_same(case.expected(**{constant: mutated(constant, value)}), expected)


def mutated(constant, value):
    if constant == "threshold":
        return 9 - value  # 4 for 5, 5 for 4.
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else 0.999 * value


def test_no_two_algorithms_are_the_same():
    """Wherever eps stands, in whatever order the links are: every two rows are told from each other."""
    results = {name: case.expected() for name, case in CASES.items()}
    for one, other in itertools.combinations(results, 2):
        with pytest.raises(AssertionError):
            assert_same(results[one], results[other])


# From here on: relations between algorithms of the package.


def run(tx, gradients=NOISE, params=None):
    """The updates of all steps and the last state."""
    gradients = jax.tree.map(lambda g: jnp.asarray(g, float), gradients)
    params = jax.tree.map(lambda g: jnp.zeros(g.shape[1:], g.dtype), gradients) if params is None else params

    def step(state, g):
        updates, state = tx.update(g, state, params)
        return state, updates

    state, updates = jax.jit(lambda: jax.lax.scan(step, tx.init(params), gradients))()
    return jax.tree.map(np.asarray, updates), state


RISING = np.where(NOISE < 0, -1, 1) * np.geomspace(1, 1e3, STEPS)[:, None]


@pytest.mark.parametrize(
    ("adam", "rmsprop"),
    [
        ({"bias_correction": False, "eps": 1e-3}, {"eps": 1e-3, "eps_in_sqrt": False}),
        ({"bias_correction": False, "eps": 0.0, "eps_root": 1e-3}, {"eps": 1e-3}),
        ({"eps": 1e-3}, {"eps": 1e-3, "eps_in_sqrt": False, "bias_correction": True}),
        ({"eps": 0.0, "eps_root": 1e-3}, {"eps": 1e-3, "bias_correction": True}),
    ],
)
def test_rmsprop_is_adam_without_momentum(adam, rmsprop, x64):
    one, _ = run(rx.adam(0.1, b1=0.0, b2=0.96, **adam))
    other, _ = run(rx.rmsprop(0.1, decay=0.96, **rmsprop))
    np.testing.assert_allclose(one, other, rtol=1e-14)


@pytest.mark.parametrize("order", ["before_max", "after_max", "none"])
def test_amsgrad_is_adam_until_the_second_moment_falls(order, x64):
    amsgrad = rx.amsgrad(0.1, b2=0.96, bias_correction=order)
    adam = rx.adam(0.1, b2=0.96, bias_correction=order != "none")
    np.testing.assert_allclose(run(amsgrad, RISING)[0], run(adam, RISING)[0], rtol=1e-14)
    one, other = run(amsgrad)[0], run(adam)[0]
    assert (np.abs(one) <= np.abs(other) * (1 + 1e-12)).all()
    assert (np.abs(one[200:]) < 0.9 * np.abs(other[200:])).any()


def test_the_orders_of_amsgrad_differ_when_the_second_moment_falls(x64):
    orders = ["before_max", "after_max", "none"]
    updates = [run(rx.amsgrad(0.1, b2=0.96, bias_correction=order))[0] for order in orders]
    for one, other in itertools.combinations(updates, 2):
        assert np.abs(one / np.where(other == 0, 1, other) - (other != 0)).max() > 0.1


def test_radam_is_adam_times_the_rectifier(x64):
    """Which tends to 1; before it starts, RAdam is SGD along Adam's momentum."""
    radam, state = run(rx.radam(0.1, b2=0.96))
    adam, _ = run(rx.adam(0.1, b2=0.96))
    momentum, _ = run(chain(rx.first_moment(0.9), optax.scale(-0.1)))
    r = np.asarray(rx.rectification(0.96, jnp.arange(1, STEPS + 1)).r)
    np.testing.assert_allclose(radam[:5], momentum[:5], rtol=1e-14)
    np.testing.assert_allclose(radam[5:], r[5:, None] * adam[5:], rtol=1e-13)
    np.testing.assert_allclose(radam[-1], adam[-1], rtol=1e-3)
    np.testing.assert_allclose(rx.rectification_stats(state)["r"], r[-1], rtol=1e-15)


def test_radam_on_a_constant_gradient_has_known_steps(x64):
    """-alpha c while it is SGD, then -alpha r_t sign(c)."""
    c = np.array([3.0, -0.02])
    updates, _ = run(rx.radam(0.1, eps=0.0), np.tile(c, (12, 1)))
    r = np.array([oracle.length_and_rectifier(0.999, t)[1] for t in range(1, 13)])[:, None]
    np.testing.assert_allclose(updates[:5], np.tile(-0.1 * c, (5, 1)), rtol=1e-13)
    np.testing.assert_allclose(updates[5:], -0.1 * r[5:] * np.sign(c), rtol=1e-12)


def test_adam_2k_waits_for_2000_updates(x64):
    gradients = np.random.default_rng(2).normal(size=(2010, 2))
    expected = oracle.adam_2k(
        lambda t, x: gradients[t - 1], np.zeros(2), 2010, alpha=0.1, b1=0.9, b2=0.999, eps=1e-8, frozen=2000
    )
    actual = np.cumsum(run(rx.adam_2k(0.1), gradients)[0], axis=0)
    np.testing.assert_allclose(actual, list(expected), rtol=1e-11)
    assert not actual[1999].any()
    assert actual[2000].all()


def test_adamnc_without_momentum_is_adagrad(x64):
    gradients = NOISE[3:] + (NOISE[3:] == 0)
    adamnc, _ = run(rx.adamnc(rx.inverse_sqrt_decay(0.1), b1=0.0, eps=0.0), gradients)
    adagrad, _ = run(rx.adagrad(0.1, 0.0, 0.0), gradients)
    np.testing.assert_allclose(adamnc, adagrad, rtol=1e-12)


def test_a_constant_schedule_is_the_constant(x64):
    one, _ = run(rx.adam(0.1, lambda count: 0.9, lambda count: 0.96, nesterov=True))
    other, _ = run(rx.adam(0.1, 0.9, 0.96, nesterov=True))
    np.testing.assert_allclose(one, other, rtol=1e-12)


def test_amsgrad_solves_the_problem_that_adam_gets_wrong(x64):
    """Reddi et al. (2018), section 5: on [-1, 1], 1010 x at every 101st step, else -10 x; best is -1."""
    steps, constants = 100_000, {"b1": 0.9, "b2": 0.99}
    gradients = np.where(np.arange(1, steps + 1) % 101 == 1, 1010.0, -10.0)

    def path(factory, loop, alpha, **settings):
        tx = factory(rx.inverse_sqrt_decay(alpha), **constants, eps=0.0, **settings)
        tx = chain(tx, rx.project(lambda x: jnp.clip(x, -1.0, 1.0)))

        def step(carry, g):
            x, state = carry
            updates, state = tx.update(g, state, x)
            return (x + updates, state), x

        x = jnp.zeros([])
        xs = np.asarray(jax.jit(lambda: jax.lax.scan(step, (x, tx.init(x)), gradients)[1])())
        by_hand = loop(lambda t, x: gradients[t - 1], 0.0, steps - 1, alpha=alpha, bound=1.0, **constants)
        np.testing.assert_allclose(xs, [0.0, *by_hand], rtol=1e-9, atol=1e-12)
        return xs

    amsgrad_loop = functools.partial(oracle.amsgrad_projected, shrink=1.0)
    adam = path(rx.adam, oracle.adam_projected, 0.5, bias_correction=False)
    amsgrad = path(rx.amsgrad, amsgrad_loop, 0.5, bias_correction="none")
    slower = path(rx.amsgrad, amsgrad_loop, 0.1, bias_correction="none")

    assert adam[-101:].min() > 0.99
    assert amsgrad[-101:].max() < -0.97
    regrets = [np.mean(gradients * (x + 1)) for x in (amsgrad, adam)]
    assert regrets[0] < 20 / 101 < regrets[1]  # 20/101 is that of staying at +1.
    # From the 20 000th step on AMSGrad has drifted by -0.0788 alpha_t in 101 steps.
    drift = slower[-101:].mean() - slower[20_000 - 101 : 20_000].mean()
    expected = -0.0788 / 101 * 0.1 * np.sum(np.arange(20_000, steps) ** -0.5)
    np.testing.assert_allclose(drift, expected, rtol=0.01)


MASK = {"a": True, "b": False}


def mask(params):
    return {"a": False, "b": True}


# The same functions in optax: arguments of both.
PARITY = [
    ("sgd", {}),
    ("sgd", {"momentum": 0.9}),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
    ("adagrad", {}),
    ("adagrad", {"initial_accumulator_value": 0.0, "eps": 1e-3}),
    ("adadelta", {}),
    ("adadelta", {"rho": 0.95, "eps": 1e-4, "weight_decay": 0.1}),
    ("adadelta", {"weight_decay": 0.1, "weight_decay_mask": MASK}),
    ("rmsprop", {}),
    ("rmsprop", {"eps_in_sqrt": False}),
    ("rmsprop", {"initial_scale": 1.0, "decay": 0.99}),
    ("rmsprop", {"bias_correction": True}),
    ("rmsprop", {"centered": True, "eps": 1e-3}),
    ("rmsprop", {"centered": True, "eps": 1e-3, "bias_correction": True}),
    ("rmsprop", {"centered": True, "eps": 1e-3, "eps_in_sqrt": False}),
    ("rmsprop", {"momentum": 0.9}),
    ("rmsprop", {"momentum": 0.9, "nesterov": True, "centered": True, "eps": 1e-3}),
    ("adam", {}),
    ("adam", {"b1": 0.8, "b2": 0.96, "eps": 1e-3, "eps_root": 1e-3}),
    ("adam", {"b1": 0.0, "b2": 0.0}),
    ("adam", {"nesterov": True}),
    ("adamw", {}),
    ("adamw", {"weight_decay": 0.1, "mask": MASK}),
    ("adamw", {"weight_decay": 0.1, "nesterov": True, "mask": mask}),
    ("nadam", {}),
    *[
        ("amsgrad", {"b2": 0.96, "bias_correction_mu": mu, "bias_correction_nu": nu})
        for mu in (True, False)
        for nu in (True, False)
    ],
    ("amsgrad", {}),
    ("radam", {}),
    ("radam", {"b2": 0.96, "eps": 1e-3, "eps_root": 1e-3}),
    ("radam", {"b2": 0.99, "threshold": 6.0}),
    ("radam", {"nesterov": True, "threshold": 4.0}),
    ("adabelief", {}),
    ("adabelief", {"b2": 0.96, "eps": 1e-3, "eps_root": 1e-4}),
    ("adabelief", {"nesterov": True}),
    ("yogi", {}),
    ("yogi", {"b1": 0.8, "b2": 0.96, "eps": 1e-2}),
    ("scale_by_adam", {"nesterov": True}),
    ("scale_by_amsgrad", {"bias_correction_mu": False}),
    ("scale_by_radam", {}),
    ("scale_by_rms", {"bias_correction": True}),
    ("scale_by_belief", {}),
    ("scale_by_yogi", {"eps_root": 1e-3, "initial_accumulator_value": 0.1}),
]


@pytest.mark.parametrize(
    ("name", "arguments"),
    in_forms(PARITY, list({name: (name, arguments) for name, arguments in PARITY}.values())),  # One of each.
    ids=[f"{name}-{','.join(a)}" for name, a in PARITY],
)
def test_equals_optax(name, arguments, x64):
    """Changing the import is a drop-in: same names, same defaults, same updates."""
    if not name.startswith("scale_by"):
        arguments = {"learning_rate": 0.1} | arguments
    params = {"a": jnp.asarray(START), "b": jnp.ones([])}
    gradients = {"a": NOISE, "b": NOISE[:, 0] - NOISE[:, 1]}
    actual, _ = run(getattr(rx, name)(**arguments), gradients, params)
    with jax.numpy_dtype_promotion("standard"):
        expected, _ = run(getattr(optax, name)(**arguments), gradients, params)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-11), actual, expected)


@pytest.mark.parametrize("name", ["sgd", "adam", "radam", "adamw"])
def test_schedules_of_the_learning_rate_equal_optax(name, x64):
    schedule = optax.cosine_decay_schedule(0.1, 200)
    with jax.numpy_dtype_promotion("standard"):  # optax's schedules need it.
        actual, expected = (run(getattr(module, name)(schedule))[0] for module in (rx, optax))
    np.testing.assert_allclose(actual, expected, rtol=1e-11, atol=1e-17)
