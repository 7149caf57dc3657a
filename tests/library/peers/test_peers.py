"""What peers get wrong, as docs/peers.md lists it: handled here, and shown where optax itself can show it."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from tests.support.forms import in_forms
from tests.support.recipes import COVERING, RECIPES, build

# optax's own optimizers raise under strict promotion, so its runs need the standard one.
standard_promotion = jax.numpy_dtype_promotion("standard")


def run(tx, gradients, params=None):
    """The last state and the updates of every step, in one scan."""
    gradients = jnp.asarray(gradients)
    params = jnp.zeros(gradients.shape[1:], gradients.dtype) if params is None else params

    def step(state, g):
        updates, state = tx.update(g, state, params)
        return state, updates

    return jax.jit(lambda: jax.lax.scan(step, tx.init(params), gradients))()


def run_optax(tx, gradients, params=None):
    with standard_promotion:
        return run(tx, gradients, params)


def dtypes(tree):
    return jax.tree.map(lambda x: x.dtype, tree)


def steady(steps, value=100.0, dtype="float32"):
    return jnp.full((steps,), value, dtype)


def exact_r(b2, t):
    """The textbook r_t in float64, whose error is below 1e-6 here; 0 up to rho_t = 5."""
    rho_inf = 2 / (1 - b2) - 1
    rho = rho_inf - 2 * t * b2**t / (1 - b2**t)
    r = np.sqrt(max((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho), 0))
    return r if rho > 5 else 0.0


@pytest.mark.parametrize("b2", [0.999, 0.9999, 0.99999])
def test_rho_is_exact_in_float32(b2):
    """optax's float32 rho_t opens the adaptive branch on wrong steps, or with a wrong r_t."""
    r = np.array([exact_r(b2, t) for t in range(1, 13)])
    assert not r[:5].any()
    assert r[5:].all()
    expected = np.where(r > 0, r, 100.0)  # Momentum SGD up to the 5th step, r_t sign(g) from then on.
    _, updates = run(rx.scale_by_radam(b2=b2, eps=0.0), steady(12))
    np.testing.assert_allclose(updates, expected, rtol=2e-6)
    _, updates = run_optax(optax.scale_by_radam(b2=b2, eps=0.0), steady(12))
    assert np.abs(updates / expected - 1).max() > 4e-3


@pytest.mark.parametrize(("steps", "eps_root"), in_forms([(2, 0.0), (3, 1e-8), (8, 0.0)], [(8, 0.0)]))
def test_meta_gradients_are_finite(steps, eps_root):
    """optax's are NaN from the third step on: a root of a negative number behind a `where`."""
    gradients = np.random.default_rng(0).normal(size=(steps, 3)).astype("float32")

    def meta_gradients(module):
        def distance(scale, b2):
            updates = run(module.radam(0.1, b2=b2, eps_root=eps_root), scale * gradients)[1]
            return jnp.sum(updates), updates

        return jax.grad(distance, argnums=(0, 1), has_aux=True)(jnp.float32(1.0), jnp.float32(0.999))

    (by_scale, by_b2), updates = meta_gradients(rx)
    # The first five steps are proportional to the scale, the rectified ones do not depend on it.
    assert np.isclose(by_scale, updates[:5].sum(), rtol=1e-5)
    assert np.isfinite(by_b2)
    assert (by_b2 != 0) == (steps > 5)
    with standard_promotion:
        assert np.isnan(meta_gradients(optax)[0]).all() == (steps >= 3)


@pytest.mark.parametrize("bias_correction", [False, True])
def test_centred_rmsprop_survives_steady_gradients(bias_correction):
    """optax's and torch's take the root of a rounding error: nu - mu^2 < 0."""
    gradients = jnp.tile(jnp.linspace(0.1, 10.0, 20), (200, 1))
    settings = {"centered": True, "bias_correction": bias_correction}
    _, updates = run(rx.rmsprop(0.1, **settings), gradients)
    assert np.isfinite(updates).all()
    assert (np.asarray(updates) < 0).all()
    _, updates = run_optax(optax.rmsprop(0.1, **settings), gradients)
    assert np.isnan(updates).any()


@pytest.mark.parametrize(
    "name", ["momentum", "adam", "radam", "amsgrad", "rmsprop", "adagrad", "adabelief", "yogi", "adadelta"]
)
def test_state_dtypes_do_not_drift(name):
    """float32 gradients turn the bfloat16 state of optax into float32, which lax.scan refuses."""
    params, gradients = jnp.ones(3, "bfloat16"), jnp.ones((3, 3), "float32")
    tx = build(name)
    state, updates = run(tx, gradients, params)
    assert updates.dtype == "float32"
    assert dtypes(state) == dtypes(jax.eval_shape(tx.init, params))
    peer = optax.sgd(0.1, momentum=0.9) if name == "momentum" else getattr(optax, name)(0.1)
    with pytest.raises(TypeError, match=r"type bfloat16\[3\] but .* has type float32\[3\]"):
        run_optax(peer, gradients, params)


def test_second_moments_of_bfloat16_parameters_move():
    """At b2 = 0.999 those of optax and torch freeze: 1 - b2 is under half an ulp of bfloat16."""
    gradients = steady(5000, 1.0, "bfloat16")
    state, _ = run(rx.adam(0.1), gradients)
    assert np.isclose(state[0].rate[0].nu, 1 - 0.999**5000, rtol=1e-4)
    peer, _ = run_optax(optax.adam(0.1), gradients)
    assert optax.tree.get(peer, "nu") == 0.5
    half_of_it, _ = run_optax(optax.adam(0.1), gradients[:2500])
    assert optax.tree.get(half_of_it, "nu") == 0.5


@pytest.mark.parametrize(("name", "step"), [("amsgrad", 1), ("rmsprop", 1), ("adam", 1), ("radam", 6)])
def test_zero_float16_gradients_give_zero_updates(name, step):
    """In float16 eps = 1e-8 is 0, and optax divides 0 by it."""
    gradients = steady(8, 0.0, "float16")
    _, updates = run(build(name), gradients)
    assert updates.dtype == "float16"
    assert not np.asarray(updates).any()
    _, updates = run_optax(getattr(optax, name)(0.1), gradients)
    assert np.argmax(np.isnan(updates)) == step - 1


@pytest.mark.parametrize("b2", [0.5, 0.6, 0.66])
@pytest.mark.parametrize("recipe", [rx.radam, rx.radamw, rx.scale_by_radam])
def test_a_b2_that_never_rectifies_warns(recipe, b2):
    """optax and torch silently run momentum SGD for ever, the authors' package stands still."""
    arguments = {} if recipe is rx.scale_by_radam else {"learning_rate": 0.1}
    with pytest.warns(UserWarning, match=rf"`b2`={b2} never rectifies"):
        recipe(b2=b2, **arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        peer = optax.scale_by_radam(b2=b2)
    _, updates = run_optax(peer, steady(100))
    np.testing.assert_allclose(updates, 100.0, rtol=1e-5)


@pytest.mark.parametrize("threshold", [2.0, 3.0, 3.999])
def test_thresholds_of_infinite_variance_are_refused(threshold):
    """optax accepts them and takes the root of a negative number."""
    with pytest.raises(ValueError, match=rf"`threshold` must be in \[4, inf\).*; got {threshold}\."):
        rx.radam(0.1, threshold=threshold)
    _, updates = run_optax(optax.radam(0.1, threshold=threshold), steady(8))
    assert np.isnan(updates).any() == (threshold < 3.9)


@pytest.mark.parametrize(
    "arguments", [{"learning_rate": -1.0}, {"b1": 1.5}, {"eps": -1.0}, {"b2": 1.0}], ids=repr
)
@pytest.mark.parametrize("name", ["adam", "radam"])
def test_hyperparameters_out_of_range_are_refused(name, arguments):
    """optax builds adam(-1., b1=1.5, eps=-1), and radam(b2=1.0) is a bare ZeroDivisionError."""
    ((argument, value),) = arguments.items()
    with pytest.raises(ValueError, match=rf"`{argument}` must be in .*; got {value}\."):
        build(name, **arguments)
    arguments = {"learning_rate": 0.1} | arguments
    if (name, argument) == ("radam", "b2"):
        with pytest.raises(ZeroDivisionError):
            optax.radam(**arguments)
    else:
        getattr(optax, name)(**arguments)


@pytest.mark.parametrize("name", ["adam", "radam", "amsgrad"])
def test_strict_dtype_promotion_is_fine(name):
    """optax raises b1, a float, to the power of the count, an integer."""
    assert jax.config.jax_numpy_dtype_promotion == "strict"
    _, updates = run(build(name), np.ones((7, 3), "float32"))
    assert (np.asarray(updates) < 0).all()
    with pytest.raises(ValueError, match="no available implicit dtype promotion path"):
        run(getattr(optax, name)(0.1), np.ones((7, 3), "float32"))


@pytest.mark.parametrize("name", ["adam", "radam", "amsgrad", "adabelief", "yogi", "rmsprop"])
def test_second_moments_of_complex_parameters_are_real(name):
    """optax stores them as complex numbers, in twice the memory."""

    def sizes(tx):
        state = jax.eval_shape(tx.init, jnp.zeros(5, "complex64"))
        found = [x for path, x in optax.tree.get_all_with_path(state, "nu")]
        assert found
        return [x.dtype.itemsize * x.size for x in found]

    assert sizes(build(name)) == [5 * 4]
    assert sizes(getattr(optax, name)(0.1)) == [5 * 8]


def amsgrad_by_hand(gradients, order, b1=0.9, b2=0.999):
    """The updates of the three AMSGrads, as their sources state them."""
    m = v = highest = 0.0
    updates = []
    for t, g in enumerate(np.asarray(gradients, "float64"), start=1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        highest = max(highest, v / (1 - b2**t) if order == "before_max" else v)
        denominator = np.sqrt(highest / (1 - b2**t) if order == "after_max" else highest)
        updates.append((m if order == "none" else m / (1 - b1**t)) / denominator)
    return np.array(updates)


ORDERS = ["before_max", "after_max", "none"]
ONE_LARGE = np.array([100.0] + [1.0] * 50, "float32")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "gradients", [ONE_LARGE, 1 / np.arange(1, 52, dtype="float32")], ids=["spike", "fall"]
)
def test_three_orders_of_amsgrad(order, gradients):
    """No combination of optax's flags gives PyTorch's rule, the maximum before the correction."""
    _, updates = run(rx.scale_by_amsgrad(bias_correction=order, eps=0.0), gradients)
    expected = amsgrad_by_hand(gradients, order)
    np.testing.assert_allclose(updates, expected, rtol=1e-5)
    matches = [
        np.allclose(run_optax(optax.scale_by_amsgrad(eps=0.0, **flags), gradients)[1], expected, rtol=1e-3)
        for flags in [
            {"bias_correction_mu": mu, "bias_correction_nu": nu}
            for mu in (False, True)
            for nu in (False, True)
        ]
    ]
    assert any(matches) == (order != "after_max")


def test_one_large_gradient_leaves_the_orders_seven_times_apart():
    """At step 51 PyTorch's update is 7 times optax's, the paper's 4.5 times PyTorch's."""
    last = {order: run(rx.scale_by_amsgrad(bias_correction=order), ONE_LARGE)[1][50] for order in ORDERS}
    spread = np.sqrt((1 - 0.999**51) / (1 - 0.999))
    assert np.isclose(last["after_max"] / last["before_max"], spread, rtol=1e-3)
    assert np.isclose(spread, 7.05, rtol=1e-3)
    by_hand = {order: amsgrad_by_hand(ONE_LARGE, order)[50] for order in ORDERS}
    assert np.isclose(last["none"] / last["after_max"], by_hand["none"] / by_hand["after_max"], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "bad"),
    [(name, np.nan) for name in ("adam", "radam", "amsgrad", "rmsprop", "adabelief", "yogi", "momentum")]
    + [("radam", np.inf), ("rmsprop", -np.inf)],
)
def test_apply_if_finite_keeps_the_state_from_bad_gradients(name, bad):
    """A NaN or infinite gradient poisons moments for good: theirs, and ours without the wrapper."""
    good = np.random.default_rng(0).normal(size=(10, 3)).astype("float32")
    poisoned = np.insert(good, 4, [1.0, bad, 1.0], axis=0)
    tx = optax.apply_if_finite(build(name), max_consecutive_errors=3)
    state, updates = run(tx, poisoned)
    expected_state, expected = run(tx, good)
    np.testing.assert_array_equal(updates[4], 0)
    np.testing.assert_array_equal(np.delete(updates, 4, axis=0), expected)
    jax.tree.map(np.testing.assert_array_equal, state.inner_state, expected_state.inner_state)
    _, updates = run(build(name), poisoned)
    healthy = np.isfinite(updates) & (np.asarray(updates) != 0)
    assert healthy[:, 0].all()
    assert not healthy[5:, 1].any()  # NaN, or 0 behind an infinite second moment.


@pytest.mark.parametrize("max_decay", [0.99, 0.999])
def test_a_forgetting_maximum_recovers_from_a_spike(max_decay):
    """One gradient of 1e4 leaves AMSGrad crawling for ever; optax and torch know no other maximum."""
    spike = np.ones(10_000, "float32")
    spike[100] = 1e4
    last = {d: run(rx.amsgrad(0.1, b2=0.99, max_decay=d), spike)[1][-1] for d in (max_decay, 1.0)}
    _, peer = run_optax(optax.amsgrad(0.1, b2=0.99), spike)
    assert np.isclose(last[1.0], peer[-1], rtol=1e-5)
    assert np.abs(last[1.0]) < 1e-3 * 0.1
    assert np.abs(last[max_decay]) > 100 * np.abs(last[1.0])
    if max_decay == 0.99:
        assert np.isclose(last[max_decay], -0.1, rtol=1e-5)  # Adam's.


RECTIFIED = [name for name in RECIPES if "radam" in name or "rectified" in name]


@pytest.mark.parametrize("name", in_forms(RECTIFIED, COVERING))
@pytest.mark.parametrize("b2", [0.9, 0.999, 0.9999])
def test_no_gradient_ascent_in_the_first_steps(name, b2):
    """pytorch_optimizer's rectified Ranger and Lamb climb for five steps: a guard is missing."""
    gradients = np.abs(np.random.default_rng(0).normal(size=(40, 4))).astype("float32") + 0.1
    decay = "decay" if name == "rectified_rmsprop" else "b2"
    _, updates = run(build(name, **{decay: b2}), gradients)
    assert (np.asarray(updates) <= 0).all()
    assert (np.asarray(updates)[20:] < 0).all()


def test_every_rectified_recipe_is_among_those():
    assert len(RECTIFIED) == 15


@pytest.mark.parametrize(
    ("variance", "threshold"), [("first_order", 4.0), ("first_order", 10.0), ("exact", 2.0), ("exact", 5.0)]
)
@pytest.mark.parametrize("length", ["centre_of_mass", "variance"])
@pytest.mark.parametrize("degenerated_to_sgd", [True, False])
def test_no_gradient_ascent_whatever_the_cut_off(variance, threshold, length, degenerated_to_sgd):
    tx = rx.scale_by_radam(
        variance=variance, length=length, threshold=threshold, degenerated_to_sgd=degenerated_to_sgd
    )
    updates = np.asarray(run(tx, steady(15, 3.0))[1])
    assert (updates >= 0).all()
    assert (updates[:2] > 0).all() == degenerated_to_sgd
    assert (updates[11:] > 0).all()


def test_the_maximum_of_amsgrad_engages():
    """TF-Addons tests AMSGrad on a constant gradient, where it is Adam; a gradient must fall."""
    constant, falling = np.ones(40, "float32"), 0.5 ** np.arange(40, dtype="float32")
    adam, amsgrad = ({"tx": f(b2=0.9, eps=0.0)} for f in (rx.scale_by_adam, rx.scale_by_amsgrad))
    same = [run(**recipe, gradients=constant)[1] for recipe in (amsgrad, adam)]
    np.testing.assert_allclose(*same, rtol=1e-6)
    state, updates = run(**amsgrad, gradients=falling)
    assert np.isclose(state.rate[1].nu_max, 1.0, rtol=1e-6)  # The first gradient's.
    mu_hat = run(rx.first_moment(0.9), falling)[1]
    np.testing.assert_allclose(updates, mu_hat, rtol=1e-6)
    assert (np.asarray(run(**adam, gradients=falling)[1])[1:] > 1.2 * np.asarray(updates)[1:]).all()


def test_adabelief_has_the_right_first_step():
    """pytorch_optimizer's foreach path is 10 times off there: belief is measured from the raw mu."""
    _, updates = run(rx.scale_by_belief(b1=0.9), steady(1, 5.0))
    np.testing.assert_allclose(updates, 5.0 / (0.9 * 5.0), rtol=1e-6)  # mu_hat / |g - 0.1 g|
    _, peer = run_optax(optax.scale_by_belief(b1=0.9), steady(1, 5.0))
    np.testing.assert_allclose(updates, peer, rtol=1e-5)  # optax's 1 - b2^t is off by 7e-6.


@pytest.mark.parametrize("wrap", [lambda tx: tx, lambda tx: optax.chain(optax.scale_by_adam(), tx)])
def test_questions_to_the_state_are_answered(wrap):
    """optax.tree.get(state, "count") raises where a chain holds several counts."""
    tx = wrap(rx.radam(lambda count: 0.1))
    with standard_promotion:
        state, _ = run(tx, steady(7))
    with pytest.raises(KeyError, match="Found multiple values for 'count'"):
        optax.tree.get(state, "count")
    assert rx.step_count(state) == 7
    stats = rx.rectification_stats(state)
    assert stats["count"] == 7
    assert stats["adaptive"]
    assert stats["r"] == rx.rectification(0.999, 7).r


def test_adan_weighs_the_change_by_its_own_decay():
    """optax weighs it by the rest, 1 - b2: a b2 of 0.92 has the effect of 0.08."""
    b1, b2, b3 = 0.98, 0.92, 0.99

    def second_update(weight):
        g, change = 3.0, 2.0  # After a first gradient of 1, whose change is 0.
        m = (b1 * (1 - b1) + (1 - b1) * g) / (1 - b1**2)
        v = (1 - b2) * change / (1 - b2**2)
        n = (b3 * (1 - b3) + (1 - b3) * (g + weight * change) ** 2) / (1 - b3**2)
        return -(m + weight * v) / np.sqrt(n)

    gradients = np.array([1.0, 3.0], "float32")
    _, updates = run(rx.adan(1.0, b1, b2, b3, eps=0.0, eps_root=0.0), gradients)
    np.testing.assert_allclose(updates[1], second_update(b2), rtol=1e-6)
    _, peer = run_optax(optax.adan(1.0, b1, b2, b3, eps=0.0, eps_root=0.0), gradients)
    np.testing.assert_allclose(peer[1], second_update(1 - b2), rtol=1e-5)


def test_schedule_free_weighs_by_the_learning_rate_of_the_step():
    """optax's average has the next step's weight: of z = -1, -3 it makes (4 z_1 + 9 z_2) / 13."""

    def rising(count):
        return jnp.asarray(count, float) + 1

    def averaged(tx, average):
        y = jnp.zeros([])
        state = tx.init(y)
        for _ in range(2):
            updates, state = tx.update(jnp.ones([]), state, y)
            y = y + updates
        return average(state, y)

    ours = averaged(rx.schedule_free(optax.identity(), rising), rx.schedule_free_eval_params)
    np.testing.assert_allclose(ours, -(1 * 1 + 4 * 3) / 5, rtol=1e-6)
    with standard_promotion:
        tx = optax.contrib.schedule_free(optax.sgd(rising), rising)
        peer = averaged(tx, optax.contrib.schedule_free_eval_params)
    np.testing.assert_allclose(peer, -(4 * 1 + 9 * 3) / 13, rtol=1e-6)


def test_adopt_clips_at_the_fourth_root_of_the_past_steps():
    """pytorch_optimizer's counts the step at hand among them, so that its second step is 19 % longer."""
    gradients = np.array([1.0, 100.0], "float32")
    _, updates = run(rx.adopt(1.0), gradients)
    np.testing.assert_allclose(updates[1], -0.1, rtol=1e-6)
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra 'parity')")
    package = pytest.importorskip(
        "pytorch_optimizer", reason="pytorch_optimizer is not installed (group 'peers')"
    )
    p = torch.zeros(1, requires_grad=True)
    peer = package.ADOPT([p], lr=1.0)
    for g in gradients:
        p.grad = torch.full([1], float(g))
        peer.step()
    np.testing.assert_allclose(p.detach(), -0.1 * 2**0.25, rtol=1e-6)
