"""Learning rates that the papers use, against their formulas in NumPy float64 (1 - exp by expm1)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import radam_optax as rx

LAST = 2**31 - 1
COUNTS = np.unique([*range(200), *np.geomspace(200, LAST, 300).astype(int), LAST - 1, LAST]).astype("int32")
B2S = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.999999]

# Formulas in the number of the update, t = 1, 2, ...
FORMULAS = {
    "untuned_linear_warmup": lambda t, peak, b2: peak * np.minimum(1, (1 - b2) * t / 2),
    "untuned_exponential_warmup": lambda t, peak, b2: -peak * np.expm1(-(1 - b2) * t),
    "inverse_sqrt_decay": lambda t, initial: initial / np.sqrt(t),
}
CASES = [
    *[("untuned_linear_warmup", (0.03, b2)) for b2 in B2S],
    *[("untuned_exponential_warmup", (0.03, b2)) for b2 in B2S],
    ("inverse_sqrt_decay", (0.03,)),
]


@pytest.mark.parametrize("x64", [False, True], ids=["float32", "x64"])
@pytest.mark.parametrize("how", ["eager", "jit", "one_by_one", "traced"])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_schedules_match_their_formulas(name, arguments, how, x64):
    """From the first count, 0, to the last int32, for static and traced arguments."""
    schedule = getattr(rx, name)
    with jax.enable_x64(x64):
        counts = jnp.asarray(COUNTS)
        if how == "traced":
            arguments = jnp.asarray(arguments)
            actual = jax.jit(lambda args: schedule(*args)(counts))(arguments)
            arguments = np.asarray(arguments, "float64")
        elif how == "one_by_one":
            actual = jax.jit(lambda counts: jax.lax.map(schedule(*arguments), counts))(counts)
        else:
            function = schedule(*arguments)
            actual = (jax.jit(function) if how == "jit" else function)(counts)
        assert actual.dtype == ("float64" if x64 else "float32")
    expected = FORMULAS[name](COUNTS + 1.0, *arguments)
    np.testing.assert_allclose(actual, expected, rtol=1e-14 if x64 else 4e-7)


@pytest.mark.parametrize(
    ("name", "t", "factor"),
    [
        ("untuned_linear_warmup", 10, 0.005),
        ("untuned_linear_warmup", 100, 0.05),
        ("untuned_linear_warmup", 1000, 0.5),
        ("untuned_linear_warmup", 2000, 1.0),
        ("untuned_linear_warmup", 2001, 1.0),
        ("untuned_exponential_warmup", 10, 0.00995),
        ("untuned_exponential_warmup", 100, 0.0952),
        ("untuned_exponential_warmup", 1000, 0.632),
    ],
)
def test_warmups_have_the_published_values(name, t, factor):
    """At b2 = 0.999; t is the number of the update, so the count is t - 1."""
    np.testing.assert_allclose(getattr(rx, name)(1.0, 0.999)(t - 1), factor, rtol=5e-4)


@pytest.mark.parametrize("name", ["untuned_linear_warmup", "untuned_exponential_warmup"])
def test_effective_warmups_are_the_published_ones(name, x64):
    """sum_t (1 - w_t) at b2 = 0.999: (tau - 1)/2 at tau = 2000, and 1/(e^(1-b2) - 1), both 999.5."""
    factors = getattr(rx, name)(1.0, 0.999)(jnp.arange(100_000))
    np.testing.assert_allclose(jnp.sum(1 - factors), 999.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments"), [case for case in CASES if 0.999 in case[1] or len(case[1]) < 2]
)
def test_an_optimizer_takes_the_schedule_of_its_update(name, arguments):
    """The first update is t = 1, for SGD exactly the schedule's value times the gradient."""
    schedule = getattr(rx, name)(*arguments)
    tx = rx.sgd(schedule)
    state = tx.init(jnp.zeros([]))
    for t in range(1, 6):
        updates, state = jax.jit(tx.update)(jnp.ones([]), state)
        np.testing.assert_allclose(updates, -FORMULAS[name](t, *arguments), rtol=4e-7)
