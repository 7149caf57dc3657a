"""AdaMax, Lion, AdEMAMix, ADOPT and schedule-free runs go on after a move as if nothing had happened."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from radam_optax import migrate, presets
from tests.support.forms import in_forms

HALF = 24
SHAPES = {"weight": (2, 3), "bias": (2,)}
ORDER = list(SHAPES)
START = {name: np.linspace(-0.5, 1.0, np.prod(shape)).reshape(shape) for name, shape in SHAPES.items()}


def noise():
    """Gradients of all steps, of order 1, with a spike, a fall and zeros."""
    rng = np.random.default_rng(0)
    gradients = {name: rng.normal(size=(2 * HALF, *shape)) for name, shape in SHAPES.items()}
    for g in gradients.values():
        g[HALF - 4] *= 100
        g[HALF + 9 :] *= 0.01
        g[rng.random(g.shape) < 0.05] = 0
    return gradients


NOISE = noise()


def in_jax():
    return {name: jnp.asarray(START[name]) for name in ORDER}


def follower(tx):
    """Gives parameters and state after one half of the steps, the first or the second."""

    def step(carry, g):
        params, state = carry
        updates, state = tx.update(g, state, params)
        return (optax.apply_updates(params, updates), state), None

    scan = jax.jit(lambda params, state, part: jax.lax.scan(step, (params, state), part)[0])
    return lambda params, state, half: scan(
        params, state, {name: NOISE[name][half * HALF : (half + 1) * HALF] for name in ORDER}
    )


def close(actual, expected):
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-15), actual, expected)


def refuses(*words):
    return pytest.raises(ValueError, match="(?s)" + ".*".join(map(re.escape, words)))


class InTorch:
    """A run in float64, of PyTorch's or schedulefree's optimizer, which trains if it can be told to."""

    def __init__(self, name, settings, start=START, saved=None):
        torch = self.torch = pytest.importorskip("torch")
        module = pytest.importorskip("schedulefree") if name.endswith("Free") else torch.optim
        self.params = {n: torch.tensor(np.array(start[n]), requires_grad=True) for n in ORDER}
        self.optimizer = getattr(module, name)(self.params.values(), **settings)
        if saved is not None:
            self.optimizer.load_state_dict(saved)

    def half(self, which):
        getattr(self.optimizer, "train", lambda: None)()
        for step in range(which * HALF, (which + 1) * HALF):
            for name, p in self.params.items():
                p.grad = self.torch.tensor(NOISE[name][step])
            self.optimizer.step()
        return self

    def values(self):
        return {name: p.detach().numpy().copy() for name, p in self.params.items()}


FOR_TORCH = {
    "adamax": (
        "Adamax",
        {"lr": 0.01, "betas": (0.8, 0.99), "weight_decay": 0.1, "maximize": True},
        lambda: presets.torch_adamax(0.01, (0.8, 0.99), weight_decay=0.1, maximize=True),
    ),
    "adamax_of_the_catalogue": ("Adamax", {"lr": 0.01}, lambda: rx.adamax(0.01)),
    "sgd": (
        "SGDScheduleFree",
        {"lr": 0.1, "momentum": 0.8, "warmup_steps": HALF + 5, "weight_decay": 0.1, "r": 0.5},
        lambda: rx.schedule_free_sgd(0.1, HALF + 5, 0.8, 0.1, r=0.5),
    ),
    "adamw": (
        "AdamWScheduleFree",
        {"lr": 0.01, "betas": (0.8, 0.99), "weight_decay": 0.1, "weight_lr_power": 1.0},
        lambda: rx.schedule_free_adamw(0.01, None, 0.8, 0.99, weight_decay=0.1, weight_lr_power=1.0),
    ),
    "radam": (
        "RAdamScheduleFree",
        {"lr": 0.01, "weight_decay": 0.1},
        lambda: rx.schedule_free_radam(0.01, weight_decay=0.1),
    ),
    "radam_loud": (
        "RAdamScheduleFree",
        {"lr": 0.01, "silent_sgd_phase": False},
        lambda: rx.schedule_free_radam(0.01, silent_sgd_phase=False),
    ),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", in_forms(FOR_TORCH, ("adamax", "sgd", "adamw", "radam")))
def test_from_and_to_pytorch(name, x64):
    theirs, settings, make = FOR_TORCH[name]
    averages = theirs.endswith("Free")
    tx, run = make(), InTorch(theirs, settings).half(0)
    follow = follower(tx)
    if averages:
        run.optimizer.eval()
    params = migrate.params_from_torch(run.params, in_jax())
    state = migrate.from_torch(run.optimizer.state_dict(), params, tx, order=ORDER)
    if averages:  # They were saved in eval mode.
        params = rx.schedule_free_train_params(state, params)
    own, of_own = follow(in_jax(), tx.init(in_jax()), 0)
    close((params, state), (own, of_own))
    jax.tree.map(lambda a, b: np.testing.assert_equal(a.dtype, b.dtype), state, of_own)

    saved = migrate.to_torch(of_own, own, tx, order=ORDER)
    start = migrate.params_to_torch(own)
    back = InTorch(theirs, {"lr": 1.0}, {n: start[n].numpy() for n in ORDER}, saved)
    params, state = follow(params, state, 1)
    close(back.half(1).values(), run.half(1).values())
    close(params, run.values())
    if averages:
        run.optimizer.eval()
        close(rx.schedule_free_eval_params(state, params), run.values())


def falling(count):
    return 1.0 / (2 + count)


def in_parts(lion, adam):
    return lambda rate: optax.partition({"a": lion(rate), "b": adam(rate)}, {"weight": "a", "bias": "b"})


OPTAX = {
    "adamax": (rx.adamax, optax.adamax, {}),
    "adamaxw": (rx.adamaxw, optax.adamaxw, {"weight_decay": 0.1}),
    "lion": (rx.lion, optax.lion, {"weight_decay": 0.1}),
    "ademamix": (rx.ademamix, optax.contrib.ademamix, {"b3": 0.99}),
    "ademamix_scheduled": (
        rx.ademamix,
        optax.contrib.ademamix,
        {"b3": lambda count: 1 - falling(count), "alpha": falling},
    ),
    "adopt": (rx.adopt, optax.contrib.adopt, {}),
    "adopt_ahead": (rx.adopt, optax.contrib.adopt, {"nesterov": True}),
    "partition": (in_parts(rx.lion, rx.adam), in_parts(optax.lion, optax.adam), {}),
    "acprop": (rx.acprop, optax.contrib.acprop, {}),
    "schedule_free": (
        lambda rate, **arguments: rx.schedule_free(rx.scale_by_rms(0.99), rate, **arguments),
        lambda rate, **arguments: optax.contrib.schedule_free(
            optax.chain(optax.scale_by_rms(0.99), optax.scale_by_learning_rate(rate)), rate, **arguments
        ),
        {"b1": 0.8, "weight_lr_power": 1.0},
    ),
    "schedule_free_sgd": (rx.schedule_free_sgd, optax.contrib.schedule_free_sgd, {"weight_decay": 0.1}),
    "schedule_free_adamw": (rx.schedule_free_adamw, optax.contrib.schedule_free_adamw, {"weight_decay": 0.1}),
}


@pytest.mark.parametrize(
    "name", in_forms(OPTAX, ("adamax", "lion", "ademamix_scheduled", "adopt", "schedule_free_adamw"))
)
def test_from_and_to_optax(name, x64):
    *makes, arguments = OPTAX[name]
    ours, theirs = (make(0.01, **arguments) for make in makes)
    with jax.numpy_dtype_promotion("standard"):
        follow, of_optax = follower(ours), follower(theirs)
        halfway, state = of_optax(in_jax(), theirs.init(in_jax()), 0)
        expected, _ = of_optax(halfway, state, 1)
        moved = migrate.from_optax(state, halfway, ours)
        jax.tree.map(lambda a, b: np.testing.assert_equal(a.dtype, b.dtype), moved, ours.init(halfway))
        close(follow(halfway, moved, 1)[0], expected)
        halfway, state = follow(in_jax(), ours.init(in_jax()), 0)
        moved = migrate.to_optax(state, halfway, theirs)
        jax.tree.map(lambda a, b: np.testing.assert_equal(a.dtype, b.dtype), moved, theirs.init(halfway))
        close(of_optax(halfway, moved, 1)[0], expected)


@pytest.mark.parametrize("make", [rx.schedule_free_sgd, functools.partial(rx.radam, b2=lambda count: 0.9)])
def test_sums_are_handed_over_to_the_last_bit(make):
    """In both their parts, from which a float32 would lose digits; of a scheduled b2, too."""
    constant, schedule = make(0.1), make(lambda count: 0.1)
    params, state = follower(constant)(in_jax(), constant.init(in_jax()), 0)
    moved = migrate.hand_over(migrate.hand_over(state, params, schedule), params, constant)
    jax.tree.map(np.testing.assert_array_equal, moved, state)


def test_another_b1_is_not_handed_over():
    constant, params = rx.schedule_free_sgd(0.1), in_jax()
    state = constant.init(params)
    with refuses("The given state has b1=0.9,", "schedule_free_sgd(b1=0.8)", "Pass it that `b1`."):
        migrate.hand_over(state, params, rx.schedule_free_sgd(b1=0.8))


# From here on: what is refused, and how.


def saved_by(name="AdamWScheduleFree", frozen=(), steps=1, **settings):
    run = InTorch(name, settings)
    getattr(run.optimizer, "train", lambda: None)()
    for _ in range(steps):
        for n, p in run.params.items():
            p.grad = None if n in frozen else p.new_ones(p.shape)
        run.optimizer.step()
    return run.optimizer.state_dict()


@pytest.mark.parity
def test_parameters_without_gradients_are_where_they_were(x64):
    tx, params = rx.schedule_free_adamw(), in_jax()
    for frozen in (["bias"], ORDER):  # Updates count there, be there gradients or not.
        state = migrate.from_torch(saved_by(frozen=frozen, steps=3), params, tx, order=ORDER)
        assert rx.step_count(state) == 3
        np.testing.assert_array_equal(state.z["bias"], params["bias"])
    state = migrate.from_torch(saved_by(steps=0), params, tx, order=ORDER)
    close(state, tx.init(params))


@pytest.mark.parity
def test_what_schedulefree_has_otherwise_is_refused(x64):
    params, tx = in_jax(), rx.schedule_free_adamw()
    saved = saved_by(betas=(0.8, 0.99), warmup_steps=7, lr=0.5)
    call = "rx.schedule_free_adamw(learning_rate=0.5, warmup_steps=7, b1=0.8, b2=0.99)"
    with refuses("param_groups[0] has betas=(0.8, 0.99)", "has (0.9, 0.999)", f"use {call}."):
        migrate.from_torch(saved, params, tx, order=ORDER)
    migrate.from_torch(saved, params, eval(call), order=ORDER)
    with refuses("that of schedulefree's AdamWScheduleFree, but the optimizer is schedule_free_radam()"):
        migrate.from_torch(saved, params, rx.schedule_free_radam(), order=ORDER)
    with refuses("schedulefree's SGDScheduleFree", "rx.schedule_free_sgd(b1=0.5, weight_decay=0.0)"):
        migrate.from_torch(saved_by("SGDScheduleFree", momentum=0.5), params, tx, order=ORDER)
    generic = rx.schedule_free(rx.scale_by_rms(0.99), 0.1)
    with refuses("No optimizer of PyTorch computes what schedule_free(", "or a `schedule_free_...`"):
        migrate.from_torch(saved, params, generic, order=ORDER)


@pytest.mark.parity
def test_averages_of_different_weight_move_one_by_one(x64):
    params, tx, saved = in_jax(), rx.schedule_free_adamw(), saved_by()
    (group,) = saved["param_groups"]
    saved["param_groups"] = [group | {"params": [0]}, group | {"params": [1], "k": 2}]
    with refuses("different averages, Progress(k=1,", "Progress(k=2,", "one by one, by `group`"):
        migrate.from_torch(saved, params, tx, order=ORDER)
    state = migrate.from_torch(saved, params | {"weight": optax.MaskedNode()}, tx, order=ORDER, group=1)
    assert rx.step_count(state) == 2
    for key, value in (("k", 1.5), ("k", None), ("weight_sum", float("nan")), ("lr_max", "0.1")):
        broken = saved | {"param_groups": [group | {key: value}]}
        with refuses(f"`{key}`"):
            migrate.from_torch(broken, params, tx, order=ORDER)


@pytest.mark.parity
def test_what_only_looks_like_adamax_is_refused(x64):
    saved = saved_by("Adam")
    for key in ("amsgrad", "decoupled_weight_decay"):
        del saved["param_groups"][0][key]
    tx = presets.torch_adamax(1e-3)
    with refuses("statistics that PyTorch's Adamax does not keep: ['exp_avg_sq']"):
        migrate.from_torch(saved, in_jax(), tx, order=ORDER)


def test_what_optax_has_otherwise_is_refused():
    params = {name: jnp.ones(shape) for name, shape in SHAPES.items()}
    free = optax.contrib.schedule_free_sgd(0.1, 5).init(params)
    with refuses("of update 0 of the 5 of a warmup", "schedule_free_sgd(", "when the warmup is over"):
        migrate.from_optax(free, params, rx.schedule_free_sgd(0.1, 5))
    with refuses("The given state has b1=0.9", "schedule_free_sgd(b1=0.8)"):
        migrate.from_optax(free, params, rx.schedule_free_sgd(b1=0.8))
    with refuses("`z` is missing in the optimizer"):
        migrate.from_optax(free, params, rx.sgd(0.1))
    with refuses("`mu` is there 1 times in the given state, 2 times in the optimizer"):
        migrate.from_optax(optax.adam(0.1).init(params), params, rx.ademamix(0.1))
    later = free._replace(
        step_count=jnp.asarray(9), base_optimizer_state=optax.ScaleByScheduleState(jnp.asarray(3))
    )
    with refuses("differ in their `count`: [3, 8]"):
        migrate.from_optax(later, params, rx.schedule_free_sgd(0.1))
