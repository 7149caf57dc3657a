"""Links that reshape streams and rates, beside a line of NumPy or what they are said to equal."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx

INPUTS = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
COMPLEX = (INPUTS + 1j * INPUTS[:, ::-1]).astype("complex64")


def stream(link, inputs=INPUTS, **extra_args):
    """What comes out of a link, input by input."""

    def step(state, x):
        out, state = link.update(x, state, None, **extra_args)
        return state, out

    return np.asarray(jax.jit(lambda xs: jax.lax.scan(step, link.init(xs[0]), xs)[1])(jnp.asarray(inputs)))


def test_a_delay_gives_back_what_came_in_some_steps_ago():
    for steps in (1, 2, 5):
        expected = np.concatenate([np.full((steps, 3), 7, "float32"), INPUTS[:-steps]])
        np.testing.assert_array_equal(stream(rx.delay(steps, initial=7.0)), expected)


@pytest.mark.parametrize(
    "b", [0.9, lambda count: 1 - 0.5 / (count.astype("float32") + 2)], ids=["constant", "schedule"]
)
def test_a_delayed_average_is_the_average_with_a_delay_behind_it(b):
    """Bit for bit, without the array that a delay needs."""
    for average in (
        rx.first_moment,
        rx.second_moment,
        lambda b, **settings: rx.belief_moment(b, centre=rx.first_moment(0.5), **settings),
    ):
        for debias in (True, False):
            delayed = average(b, debias=debias, delayed=2.0)
            behind = optax.chain(average(b, debias=debias), rx.delay(initial=2.0))
            np.testing.assert_array_equal(stream(delayed), stream(behind))
            size, other = (
                sum(x.size > 1 for x in jax.tree.leaves(link.init(INPUTS[0]))) for link in (delayed, behind)
            )
            assert size == other - 1


def test_a_delay_of_a_second_moment_is_real_where_the_parameter_is_complex():
    out = stream(optax.chain(rx.square(), rx.delay(real=True)), COMPLEX)
    assert out.dtype == "float32"
    np.testing.assert_allclose(out[1:], abs(COMPLEX[:-1]) ** 2, rtol=1e-6)


def test_a_mixture_is_the_weighted_sum_of_its_parts():
    parts = (
        (1.0, rx.first_moment(0.9)),
        (lambda count: 0.5 * count.astype("float32"), optax.identity()),
        (-2.0, rx.difference()),
    )
    counts = np.arange(len(INPUTS), dtype="float32")[:, None]
    expected = stream(parts[0][1]) + 0.5 * counts * INPUTS - 2 * stream(parts[2][1])
    np.testing.assert_allclose(stream(rx.mixture(*parts)), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(stream(rx.mixture((1.0, optax.identity()))), INPUTS)


def test_a_difference_is_zero_at_first_and_then_the_change():
    np.testing.assert_array_equal(stream(rx.difference()), np.diff(INPUTS, axis=0, prepend=INPUTS[:1]))


def test_clip_keeps_elements_within_numbers_or_schedules():
    np.testing.assert_array_equal(stream(rx.clip(0.5)), INPUTS.clip(-0.5, 0.5))
    np.testing.assert_array_equal(stream(rx.clip(0.5, 0.1)), INPUTS.clip(0.1, 0.5))
    bounds = 0.1 * np.arange(len(INPUTS), dtype="float32")[:, None]
    np.testing.assert_array_equal(
        stream(rx.clip(lambda count: jnp.float32(0.1) * count.astype("float32"))),
        INPUTS.clip(-bounds, bounds),
    )


def test_clip_keeps_the_direction_of_complex_elements():
    out = stream(rx.clip(0.5), COMPLEX)
    assert abs(out).max() <= 0.5 * (1 + 1e-6)
    np.testing.assert_allclose(np.angle(out), np.angle(COMPLEX), rtol=1e-5)
    with pytest.raises(TypeError, match="is complex, and has no order"):
        stream(rx.clip(0.5, 0.1), COMPLEX)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rx.clip(1.0, 2.0), r"`lower` must be in \(-inf, 1.0\], the other bound; got 2.0"),
        (lambda: rx.clip(-1.0), r"`upper` must be in \[0, inf\) without `lower`; got -1.0"),
        (lambda: rx.delay(0), r"`steps` must be in \[1, 1000\]; got 0"),
        (lambda: rx.mixture(), r"`parts` must be at least one pair \(weight, transformation\); got none"),
        (lambda: rx.mixture(rx.sign()), r"`parts\[0\]` must be a pair \(weight, transformation\)"),
        (lambda: rx.mixture((1.0, 2.0)), r"`parts\[0\]\[1\]` must be a GradientTransformation; got 2.0"),
        (lambda: rx.signal("no word"), "`name` must be a word that can name an argument; got 'no word'"),
        (lambda: stream(rx.signal("heard")), "`name` must be that of a signal; there is no 'heard'"),
        (lambda: stream(rx.atan2_rate()), "`atan2_rate` needs `momentum`"),
        (lambda: stream(rx.update_clipping()), "`update_clipping` needs `gradient`"),
        (lambda: rx.cautious(rx.adam(0.1)), "`inner` must be a direction before the learning rate"),
        (lambda: rx.schedule_free(rx.sgd(0.1), 0.1), "`direction` must be a direction before the learning"),
        (
            lambda: rx.adabound(lambda count: count),
            "`base_lr` must be given where `learning_rate` begin",
        ),
        (lambda: rx.padam(0.1, partial=0.6), r"`partial` must be in \[0, 0.5\]; got 0.6"),
    ],
)
def test_what_cannot_be_meant_is_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_a_signal_is_heard_wherever_it_is_asked_for():
    """Also by links of a chain in a product; it is made once."""
    ahead = rx.mixture((1.0, optax.identity()), (0.9, rx.signal("change")))
    shared = rx.with_signal("change", rx.difference(), rx.scale_by_adaptive_rate(momentum=ahead))
    alone = rx.mixture((1.0, optax.identity()), (0.9, rx.difference()))
    np.testing.assert_array_equal(stream(shared), stream(alone))


def test_sixteen_bits_are_rounded_once_however_many_links_there_are():
    """LaProp's momentum is that of scaled gradients in float32."""
    g = jnp.asarray(INPUTS, "bfloat16")
    wide, narrow = (stream(rx.scale_by_laprop(), x) for x in (g.astype("float32"), g))
    assert narrow.dtype == "bfloat16"
    np.testing.assert_array_equal(narrow, wide.astype("bfloat16"))


def test_a_power_is_a_dial_from_plain_momentum_to_adam():
    sgd = stream(rx.scale_by_padam(b2=0.5, partial=0.0), 0 * INPUTS + INPUTS[0])
    corrections = (1 - 0.5 ** np.arange(1, 13))[:, None] ** 0.5
    np.testing.assert_allclose(sgd, INPUTS[:1] * corrections, rtol=1e-5)
    adam = rx.adam_eps(1.0)
    np.testing.assert_allclose(-stream(rx.scale_by_padam(eps=1e-4, partial=0.5)), stream(adam), rtol=1e-5)


def test_a_power_of_nothing_is_nothing_and_has_finite_derivatives():
    def summed(rate, exponent):
        return rx.power(exponent).update(rate, optax.EmptyState())[0].sum()

    rates = jnp.asarray([0.0, 4.0])
    for exponent, expected in ((0.5, 2.0), (-1.0, 0.25), (-0.5, 0.5), (1.0, 4.0)):
        for given in (exponent, jnp.asarray(exponent)):
            np.testing.assert_allclose(summed(rates, given), expected)
            assert np.isfinite(jax.grad(summed)(rates, given)).all()
    assert summed(rates, 0.0) == 2


def test_the_smallest_denominator_is_the_floor():
    rate, _ = rx.inverse_root(floor=0.5).update(jnp.asarray([0.0, 0.01, 4.0]), optax.EmptyState())
    np.testing.assert_allclose(rate, [2.0, 2.0, 0.5])
    assert rx.inverse_root(floor=0.0).update(jnp.zeros(1), optax.EmptyState())[0] == 0


def test_decay_is_cautious_where_the_update_grows_the_parameter():
    link, params = rx.add_decayed_weights(0.5, cautious=True), jnp.asarray([2.0, -2.0, 2.0])
    updates, _ = link.update(jnp.asarray([1.0, 1.0, 0.0]), link.init(params), params)
    np.testing.assert_array_equal(updates, [2.0, 1.0, 0.0])


def test_a_cautious_leaf_acts_with_the_gradient_and_makes_up_for_the_rest():
    """Where nothing agrees, nothing moves; the mean is over a leaf."""
    against = optax.GradientTransformation(
        optax.init_empty_state, lambda g, state, params=None: (g * jnp.asarray([1.0, 1, -1]), state)
    )
    link = rx.cautious(against)
    updates, _ = link.update(jnp.asarray([2.0, -4.0, 1.0]), link.init(None))
    np.testing.assert_allclose(updates, [3.0, -6.0, 0.0])
    none, _ = rx.cautious(optax.scale(-1.0)).update(jnp.ones(3), optax.EmptyState())
    np.testing.assert_array_equal(none, np.zeros(3))
