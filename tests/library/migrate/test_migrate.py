"""A run that moves in its middle between frameworks goes on as if nothing had happened."""

import functools
import itertools
import pickle
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from radam_optax import migrate, presets
from tests.support.forms import in_forms

HALF = 500
SHAPES = {
    "conv.weight": (5, 3, 2, 2),
    "conv.bias": (5,),
    "norm.weight": (5,),
    "norm.bias": (5,),
    "layers.0.weight": (4, 5),
    "layers.0.bias": (4,),
    "words.weight": (6, 3),
}
ORDER = list(SHAPES)

pytestmark = pytest.mark.filterwarnings("ignore:.*never rectifies:UserWarning")


@functools.cache
def noise(name):
    """Gradients of all steps, of order 1, in PyTorch's layout, with a spike, a fall and zeros."""
    rng = np.random.default_rng(ORDER.index(name))
    g = rng.normal(size=(2 * HALF, *SHAPES[name]))
    g[300] *= 100
    g[700:] *= 0.01
    return np.where(rng.random(g.shape) < 0.05, 0.0, g)


START = {
    name: 0.1 * np.random.default_rng(i).normal(size=shape) for i, (name, shape) in enumerate(SHAPES.items())
}


def to_flax(tensors):
    """By hand what flax_names does: the tree of a Flax module of the same layers."""
    return {
        "conv": {"kernel": tensors["conv.weight"].transpose(2, 3, 1, 0), "bias": tensors["conv.bias"]},
        "norm": {"scale": tensors["norm.weight"], "bias": tensors["norm.bias"]},
        "layers": [{"kernel": tensors["layers.0.weight"].T, "bias": tensors["layers.0.bias"]}],
        "words": {"embedding": tensors["words.weight"]},
    }


@functools.cache
def gradients():
    """Of all steps, stacked, in Flax's layout."""
    steps = [to_flax({name: noise(name)[step] for name in ORDER}) for step in range(2 * HALF)]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *steps)


def follower(tx):
    """Gives parameters and state after some steps; compiled once for all parts of the same length."""

    def step(carry, g):
        params, state = carry
        updates, state = tx.update(g, state, params)
        return (optax.apply_updates(params, updates), state), None

    scan = jax.jit(lambda params, state, part: jax.lax.scan(step, (params, state), part)[0])
    return lambda params, state, steps: scan(
        params, state, jax.tree.map(lambda g: g[steps.start : steps.stop], gradients())
    )


def follow(tx, params, state, steps):
    """Parameters and state after the steps."""
    return follower(tx)(params, state, steps)


class InTorch:
    """A run in PyTorch, in float64."""

    def __init__(self, make, start=START, state=None):
        import torch

        self.torch = torch
        self.params = {n: torch.tensor(np.array(v), requires_grad=True) for n, v in start.items()}
        self.optimizer = make(torch.optim)(self.params.values())
        if state is not None:
            self.optimizer.load_state_dict(state)

    def run(self, steps):
        before = self.torch.get_default_dtype()
        self.torch.set_default_dtype(self.torch.float64)  # Of NAdam's product of momenta.
        for step in steps:
            for name, p in self.params.items():
                p.grad = self.torch.tensor(noise(name)[step])
            self.optimizer.step()
        self.torch.set_default_dtype(before)
        return self

    def values(self):
        return {name: p.detach().numpy() for name, p in self.params.items()}


def torch_optimizer(name, arguments):
    return lambda optim: functools.partial(getattr(optim, name), lr=1e-3, **arguments)


MOVES = {
    "adam": ("Adam", {}, rx.adam),
    "adam_l2": ("Adam", {"weight_decay": 0.1}, presets.torch_adam),
    "adamw": ("AdamW", {"weight_decay": 0.1}, functools.partial(rx.adamw, weight_decay=0.1)),
    "adamw_preset": ("AdamW", {}, presets.torch_adamw),
    "amsgrad": ("Adam", {"amsgrad": True}, functools.partial(rx.amsgrad, bias_correction="after_max")),
    "amsgrad_preset": ("AdamW", {"amsgrad": True, "maximize": True}, presets.torch_adamw),
    "radam": ("RAdam", {}, presets.torch_radam),
    "radam_decoupled": (
        "RAdam",
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
        presets.torch_radam,
    ),
    "rmsprop": ("RMSprop", {}, functools.partial(rx.rmsprop, decay=0.99, eps_in_sqrt=False)),
    "rmsprop_centred": ("RMSprop", {"centered": True, "momentum": 0.9}, presets.torch_rmsprop),
    "adagrad": ("Adagrad", {"lr_decay": 1e-3}, presets.torch_adagrad),
    "adamax": ("Adamax", {"weight_decay": 0.1}, presets.torch_adamax),
    "nadam": ("NAdam", {}, presets.torch_nadam),
    "sgd": ("SGD", {"momentum": 0.9}, functools.partial(rx.sgd, momentum=0.9)),
    "sgd_dampened": ("SGD", {"momentum": 0.9, "dampening": 0.5}, presets.torch_sgd),
}
# Between them they have every kind of state.
COVERING = ("adamw", "amsgrad_preset", "radam", "rmsprop_centred", "adagrad", "nadam", "sgd_dampened")
every_move = pytest.mark.parametrize("name", in_forms(MOVES, COVERING))


def preset_with(factory, arguments):
    return factory(1e-3, **(arguments if getattr(factory, "__name__", "") in presets.__all__ else {}))


def close(actual, expected):
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-15), actual, expected)


@functools.cache
def in_torch_all_the_way(name):
    name, arguments, _ = MOVES[name]
    return to_flax(InTorch(torch_optimizer(name, arguments)).run(range(2 * HALF)).values())


def counted(name):
    """SGD does not count its updates."""
    return {"count": HALF} if name.startswith("sgd") else {}


@pytest.mark.parity
@every_move
def test_from_pytorch(name, x64):
    pytest.importorskip("torch")
    theirs, arguments, factory = MOVES[name]
    run = InTorch(torch_optimizer(theirs, arguments)).run(range(HALF))
    params = migrate.params_from_torch(run.params, to_flax(START), names=migrate.flax_names)
    close(params, to_flax(run.values()))
    tx = preset_with(factory, arguments)
    state = migrate.from_torch(
        run.optimizer.state_dict(), params, tx, names=migrate.flax_names, order=ORDER, **counted(name)
    )
    jax.tree.map(lambda a, b: np.testing.assert_equal(a.dtype, b.dtype), state, tx.init(params))
    params, _ = follow(tx, params, state, range(HALF, 2 * HALF))
    close(params, in_torch_all_the_way(name))


@pytest.mark.parity
@every_move
def test_to_pytorch(name, x64):
    pytest.importorskip("torch")
    theirs, arguments, factory = MOVES[name]
    tx = preset_with(factory, arguments)
    params = jax.tree.map(jnp.asarray, to_flax(START))
    params, state = follow(tx, params, tx.init(params), range(HALF))
    moved = migrate.to_torch(state, params, tx, names=migrate.flax_names, order=ORDER, **counted(name))
    start = migrate.params_to_torch(params, names=migrate.flax_names)
    run = InTorch(torch_optimizer(theirs, {}), start={n: start[n].numpy() for n in ORDER}, state=moved)
    assert run.optimizer.param_groups[0]["lr"] == 1e-3
    close(to_flax(run.run(range(HALF, 2 * HALF)).values()), in_torch_all_the_way(name))


@pytest.mark.parity
@every_move
def test_there_and_back_is_the_same_state(name, x64):
    pytest.importorskip("torch")
    _, arguments, factory = MOVES[name]
    tx = preset_with(factory, arguments)
    params = jax.tree.map(jnp.asarray, to_flax(START))
    _, state = follow(tx, params, tx.init(params), range(20))
    settings = {"names": migrate.flax_names, "order": ORDER}
    if name.startswith("sgd"):
        settings["count"] = 20
    back = migrate.from_torch(migrate.to_torch(state, params, tx, **settings), params, tx, **settings)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-15), back, state)


OPTAX = {
    "adam": {},
    "adamw": {"weight_decay": 0.1},
    "nadam": {},
    "amsgrad": {},
    "radam": {"b2": 0.99},
    "rmsprop": {"momentum": 0.9},
    "adagrad": {},
    "adabelief": {},
    "yogi": {},
    "sgd": {"momentum": 0.9},
}


BETWEEN = list(itertools.product([*OPTAX, "rmsprop_centred"], ["from_optax", "to_optax"], [False, True]))
ONCE = [BETWEEN[4 * i + i % 4] for i in range(len(BETWEEN) // 4)]  # Each name, in turn with each of the rest.


@pytest.mark.parametrize(("name", "direction", "schedule"), in_forms(BETWEEN, ONCE))
def test_between_optax_and_here(name, direction, schedule, x64):
    arguments = OPTAX.get(name, {"centered": True, "eps": 1e-3})
    name = name.partition("_")[0]
    rate = optax.polynomial_schedule(1e-3, 1e-4, 1.0, 800) if schedule else 1e-3
    ours, theirs = (getattr(m, name)(rate, **arguments) for m in (rx, optax))
    first, second = (theirs, ours) if direction == "from_optax" else (ours, theirs)
    params = jax.tree.map(jnp.asarray, to_flax(START))
    with jax.numpy_dtype_promotion("standard"):
        run = follower(first)
        halfway, state = run(params, first.init(params), range(HALF))
        expected, _ = run(halfway, state, range(HALF, 2 * HALF))
        state = getattr(migrate, direction)(state, halfway, second, count=HALF)
        actual, _ = follow(second, halfway, state, range(HALF, 2 * HALF))
    close(actual, expected)


def test_the_log_of_a_moved_state_is_that_of_the_run(x64):
    tx = rx.radam(1e-3, b2=0.99)
    params = jax.tree.map(jnp.asarray, to_flax(START))
    _, state = follow(tx, params, tx.init(params), range(20))
    theirs = migrate.to_optax(state, params, optax.radam(1e-3, b2=0.99))
    moved = migrate.from_optax(theirs, params, tx)
    # A compiled step rounds r in its own way.
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-15),
        rx.rectification_stats(moved),
        rx.rectification_stats(state),
    )
    assert rx.rectification_stats(moved)["adaptive"]


# From here on: what is refused, and how.


def refuses(error, *words):
    return pytest.raises(error, match="(?s)" + ".*".join(map(re.escape, words)))


def state_dict(name="Adam", steps=3, **arguments):
    """That of an optimizer of PyTorch, in float32, after some steps."""
    torch = pytest.importorskip("torch")
    params = [torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 3), (2,))]
    optimizer = getattr(torch.optim, name)(zip(("weight", "bias"), params, strict=True), **arguments)
    for _ in range(steps):
        for p in params:
            p.grad = torch.ones_like(p)
        optimizer.step()
    return optimizer.state_dict()


LINEAR = {"weight": jnp.ones((2, 3)), "bias": jnp.ones(2)}


@pytest.mark.parity
def test_a_state_that_names_its_parameters_needs_no_order():
    state = migrate.from_torch(state_dict(), LINEAR, presets.torch_adam())
    assert rx.step_count(state) == 3


@pytest.mark.parity
def test_a_state_before_the_first_update_is_the_first_state():
    tx = presets.torch_adam()
    state = migrate.from_torch(state_dict(steps=0), LINEAR, tx)
    jax.tree.map(np.testing.assert_array_equal, state, tx.init(LINEAR))


@pytest.mark.parity
@pytest.mark.parametrize(
    ("theirs", "optimizer", "words"),
    [
        (
            {"name": "RAdam"},
            presets.official_radam(),
            ["that of PyTorch's RAdam", "optimizer is official_radam()", "use presets.torch_radam()"],
        ),
        (
            {"name": "Adam", "weight_decay": 0.1},
            presets.torch_adamw(weight_decay=0.1),
            ["decoupled_weight_decay=False", "has True", "presets.torch_adam(weight_decay=0.1)"],
        ),
        (
            {"name": "AdamW", "weight_decay": 0.1},
            presets.torch_adam(weight_decay=0.1),
            ["decoupled_weight_decay=True", "has False"],
        ),
        ({"name": "Adam"}, presets.torch_adam(amsgrad=True), ["amsgrad=False", "has True"]),
        (
            {"name": "Adam", "amsgrad": True},
            rx.adam(1e-3),
            ["amsgrad=True", "adam(learning_rate=0.001)", "has False"],
        ),
        ({"name": "Adam"}, presets.torch_adam(betas=(0.9, 0.99)), ["betas=(0.9, 0.999)", "has (0.9, 0.99)"]),
        (
            {"name": "Adam", "eps": 1e-6},
            presets.torch_adam(),
            ["eps=1e-06", "has 1e-08", "torch_adam(eps=1e-06)"],
        ),
        ({"name": "Adam", "maximize": True}, presets.torch_adam(), ["maximize=True", "has False"]),
        ({"name": "Adam"}, presets.torch_radam(), ["PyTorch's Adam or AdamW", "is torch_radam()"]),
        (
            {"name": "RAdam"},
            rx.radam(1e-3),
            ["No optimizer of PyTorch computes what radam(", "presets.torch_radam"],
        ),
        ({"name": "Adam"}, rx.adam(1e-3, eps_root=1e-3), ["No optimizer", "presets.torch_adam"]),
        ({"name": "Adam"}, optax.chain(rx.adam(1e-3)), ["made by one function of radam_optax"]),
        ({"name": "Adam"}, optax.adam(1e-3), ["made by one function of radam_optax"]),
        (
            {"name": "Adam", "weight_decay": 0.1},
            presets.torch_adam(weight_decay=lambda count: 0.1),
            ["weight_decay=0.1", "has <function"],
        ),
        ({"name": "SGD", "momentum": 0.9}, presets.torch_adam(), ["PyTorch's SGD"]),
        ({"name": "Adadelta"}, presets.torch_adam(), ["not of an optimizer that can be moved"]),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else None,
)
def test_another_algorithm_is_refused(theirs, optimizer, words):
    """Skip against SGD, L2 against decoupled decay, AMSGrad switched halfway, another b2 or eps ..."""
    with refuses(ValueError, *words):
        migrate.from_torch(state_dict(**theirs), LINEAR, optimizer)


def authors_state():
    """Three steps into a run of the authors' RAdam, with weight decay."""
    return {
        "state": {0: {"step": 3, "exp_avg": np.ones(2), "exp_avg_sq": np.ones(2)}},
        "param_groups": [
            {"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.1, "buffer": [], "params": [0]}
        ],
    }


def test_the_authors_radam_is_not_pytorchs(x64):
    """A move that PyTorch makes in silence is refused, and names the preset that fits."""
    params = {"w": jnp.ones(2)}
    same = presets.official_radam(0.1, (0.9, 0.99), weight_decay=0.1)
    state = migrate.from_torch(authors_state(), params, same, order=["w"])
    updates, _ = same.update(params, state, params)
    assert not updates["w"].any()  # The fourth update is skipped, and so is its decay.
    other = presets.torch_radam(0.1, (0.9, 0.99), weight_decay=0.1)
    words = [
        "the RAdam of its authors (first updates skipped, weight decay decoupled)",
        "torch_radam(",
        "presets.official_radam(lr=0.1, betas=(0.9, 0.99), weight_decay=0.1)",
    ]
    with refuses(ValueError, *words):
        migrate.from_torch(authors_state(), params, other, order=["w"])


@pytest.mark.parity
def test_pytorch_takes_the_authors_state_without_a_word():
    """And makes another algorithm of it: skip becomes SGD, decoupled decay L2."""
    torch = pytest.importorskip("torch")
    saved = authors_state()
    for key in ("exp_avg", "exp_avg_sq"):
        saved["state"][0][key] = torch.ones(2)
    saved["state"][0]["step"] = torch.tensor(3.0)
    p = torch.nn.Parameter(torch.ones(2))
    theirs = torch.optim.RAdam([p])
    theirs.load_state_dict(saved)
    p.grad = torch.ones(2)
    theirs.step()
    assert (p != 1).all()
    assert not theirs.param_groups[0]["decoupled_weight_decay"]


@pytest.mark.parity
def test_the_authors_radam_goes_on_after_a_move(x64):
    """To their state_dict and back: the same steps, the skipped ones and their missing decay included."""
    pytest.importorskip("torch")
    tx = presets.official_radam(1e-3, weight_decay=0.1)
    params = jax.tree.map(jnp.asarray, to_flax(START))
    settings = {"names": migrate.flax_names, "order": ORDER}
    for steps in (3, 20):
        halfway, state = follow(tx, params, tx.init(params), range(steps))
        saved = migrate.to_torch(state, halfway, tx, **settings)
        assert saved["param_groups"][0].keys() == {"lr", "betas", "eps", "weight_decay", "buffer", "params"}
        moved = migrate.from_torch(saved, halfway, tx, **settings)
        jax.tree.map(np.testing.assert_array_equal, moved, state)


@pytest.mark.parity
def test_parameters_that_are_missing_or_too_many_are_refused():
    tx = presets.torch_adam()
    with refuses(ValueError, "Missing there: none", "missing here: ['bias']"):
        migrate.from_torch(state_dict(), {"weight": LINEAR["weight"]}, tx)
    with refuses(ValueError, "Missing there: ['scale']", "missing here: none"):
        migrate.from_torch(state_dict(), LINEAR | {"scale": jnp.ones(2)}, tx)
    with refuses(ValueError, "`order` must name the 2 parameters", "it names 1"):
        migrate.from_torch(state_dict(), LINEAR, tx, order=["weight"])
    with refuses(ValueError, "Missing there: ['bias']"):
        migrate.params_from_torch({"weight": np.ones((2, 3), "float32"), "x": np.ones(3)}, LINEAR)
    with refuses(ValueError, "missing here: ['x']"):
        migrate.to_torch(tx.init(LINEAR), LINEAR, tx, order=["weight", "bias", "x"])


@pytest.mark.parity
def test_wrong_shapes_are_refused():
    tx = presets.torch_adam()
    with refuses(
        ValueError, "`exp_avg` of 'weight' has shape (2, 3), but the parameter 'weight' has (3, 2)."
    ):
        migrate.from_torch(state_dict(), LINEAR | {"weight": jnp.ones((3, 2))}, tx)
    with refuses(ValueError, "of 'weight' has shape (2, 3)", "the parameter 'weight' has (2, 4)"):
        migrate.params_from_torch(
            {"weight": np.ones((2, 3), "float32"), "bias": np.ones(2, "float32")},
            LINEAR | {"weight": jnp.ones((2, 4))},
        )
    kernel = {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(2)}
    with refuses(ValueError, "has shape (2, 3) (axes (1, 0)), but the parameter 'kernel' has (2, 3)."):
        migrate.from_torch(state_dict(), kernel, tx, names=migrate.flax_names)


@pytest.mark.parity
def test_digits_are_not_lost_silently():
    saved = state_dict()
    saved["state"][1]["exp_avg_sq"] = saved["state"][1]["exp_avg_sq"].double()
    with refuses(TypeError, "`nu` of 'bias' has dtype float64", "x64 mode"):
        migrate.from_torch(saved, LINEAR, presets.torch_adam())
    saved["state"][1]["exp_avg_sq"] = saved["state"][1]["exp_avg_sq"].bfloat16()
    state = migrate.from_torch(saved, LINEAR, presets.torch_adam())
    assert optax.tree.get(state, "nu")["bias"].dtype == "float32"


@pytest.mark.parity
def test_what_no_optimizer_keeps_is_refused():
    saved = state_dict()
    del saved["state"][1]["exp_avg_sq"]
    with refuses(ValueError, "different statistics of its parameters", "'bias': ['exp_avg', 'step']"):
        migrate.from_torch(saved, LINEAR, presets.torch_adam())
    for step in (2.5, float("nan"), -1, 2.0**31):
        saved = state_dict()
        for entry in saved["state"].values():
            entry["step"] = step
        with refuses(ValueError, "`step` must be a whole number in [0, 2**31)" if step == step else "`step`"):
            migrate.from_torch(saved, LINEAR, presets.torch_adam())


@pytest.mark.parity
def test_groups_with_their_own_hyperparameters_move_one_by_one():
    torch = pytest.importorskip("torch")
    weight, bias = torch.nn.Parameter(torch.ones(2, 3)), torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([{"params": [weight]}, {"params": [bias], "weight_decay": 0.0}])
    for p in (weight, bias):
        p.grad = torch.ones_like(p)
    optimizer.step()
    saved, order = optimizer.state_dict(), ["weight", "bias"]
    decayed, free = presets.torch_adamw(), presets.torch_adamw(weight_decay=0.0)
    with refuses(ValueError, "param_groups[1] has weight_decay=0.0", "has 0.01"):
        migrate.from_torch(saved, LINEAR, decayed, order=order)
    first = migrate.from_torch(saved, {"weight": LINEAR["weight"]}, decayed, order=order, group=0)
    second = migrate.from_torch(saved, {"bias": LINEAR["bias"]}, free, order=order, group=1)
    np.testing.assert_allclose(optax.tree.get(first, "mu")["weight"], 0.1, rtol=1e-6)
    np.testing.assert_allclose(optax.tree.get(second, "nu")["bias"], 0.001, rtol=1e-6)
    with refuses(ValueError, "`group` must be one of [0, 1]; got 2."):
        migrate.from_torch(saved, LINEAR, decayed, order=order, group=2)


@pytest.mark.parity
def test_an_older_pytorch_does_not_say_whether_decay_is_decoupled():
    saved = state_dict("AdamW", weight_decay=0.1)
    del saved["param_groups"][0]["decoupled_weight_decay"]
    tx = presets.torch_adamw(weight_decay=0.1)
    with refuses(ValueError, "does not say whether its weight decay is decoupled"):
        migrate.from_torch(saved, LINEAR, tx)
    saved["param_groups"][0]["decoupled_weight_decay"] = True
    migrate.from_torch(saved, LINEAR, tx)


@pytest.mark.parametrize("saved", [{}, [], None, {"state": {}}, {"weight": np.ones(3)}], ids=repr)
def test_what_is_no_state_dict_is_refused(saved):
    with refuses(ValueError, "`state_dict` must be that of an optimizer of PyTorch"):
        migrate.from_torch(saved, LINEAR, presets.torch_adam())


def test_names_must_be_one_to_one_and_axes_an_order():
    tx = presets.torch_adam()
    with refuses(ValueError, "`names` gives 'w' to both 'bias' and 'weight'"):
        migrate.to_torch(tx.init(LINEAR), LINEAR, tx, names=lambda path, shape: ("w", None), order=["w"])
    with refuses(
        ValueError,
        "`names` gives 'bias' of shape (2,) the axes (1, 0): they must be an order of [0], or None.",
    ):
        migrate.to_torch(tx.init(LINEAR), LINEAR, tx, names=lambda path, shape: (path, (1, 0)), order=["w"])


def test_sgd_and_adagrad_do_not_count():
    for tx in (presets.torch_adagrad(), presets.torch_radam(weight_decay=0.0)):
        state = tx.init(LINEAR)
        if tx.call.name == "torch_adagrad":
            with refuses(ValueError, "does not hold the number of updates so far: pass it as `count`."):
                migrate.to_torch(state, LINEAR, tx, order=["weight", "bias"])
    assert rx.rmsprop(0.1).init(LINEAR)[0].clock == ()


@pytest.mark.parity
def test_a_schedule_of_plain_sgd_goes_on_where_it_was():
    """PyTorch keeps nothing of it, so nothing but `count` can tell."""
    saved, tx = state_dict("SGD"), presets.torch_sgd(lambda count: 0.1 / (1 + count))
    with refuses(ValueError, "pass it as `count`."):
        migrate.from_torch(saved, LINEAR, tx)
    state = migrate.from_torch(saved, LINEAR, tx, count=3)
    assert rx.step_count(state) == 3
    assert not jax.tree.leaves(migrate.from_torch(saved, LINEAR, presets.torch_sgd()))
    settings = {"order": ["weight", "bias"]}
    back = migrate.to_torch(state, LINEAR, tx, **settings)
    assert back["param_groups"][0]["lr"] == np.float32(0.1 / 3)
    plain = presets.torch_sgd()
    assert migrate.to_torch(plain.init(LINEAR), LINEAR, plain, **settings)["state"] == {0: {}, 1: {}}


def test_a_state_of_another_optimizer_is_refused():
    tx = presets.torch_adam()
    with refuses(ValueError, "`state` is not one of torch_adam() for these parameters."):
        migrate.to_torch(rx.radam(0.1).init(LINEAR), LINEAR, tx, order=["weight", "bias"])


@pytest.mark.parametrize(
    ("theirs", "ours", "words"),
    [
        (optax.adam(0.1), rx.amsgrad(0.1), ["`nu_max` is missing in the given state", "switched on halfway"]),
        (optax.amsgrad(0.1), rx.adam(0.1), ["`nu_max` is missing in the optimizer", "switched off halfway"]),
        (optax.sgd(0.1, 0.9), rx.adam(0.1), ["`mu` is missing in the given state", "not that of adam("]),
        (optax.adam(0.1), rx.rmsprop(0.1), ["`mu` is missing in the optimizer"]),
        (
            optax.amsgrad(0.1),
            rx.amsgrad(0.1, bias_correction="after_max"),
            ["maximum of the corrected second moment", "bias_correction='before_max'"],
        ),
        (optax.MultiSteps(optax.adam(0.1), 2), rx.adam(0.1), ["holds more than moments and counts"]),
        (optax.adadelta(0.1), rx.adadelta(0.1), ["holds more than moments and counts"]),
        (optax.adam(0.1), rx.adam(0.1, b1=lambda count: 0.9), ["schedules a decay"]),
    ],
    ids=["amsgrad_on", "amsgrad_off", "sgd", "rmsprop", "order", "MultiSteps", "adadelta", "schedule"],
)
def test_states_that_mean_something_else_are_refused(theirs, ours, words):
    with jax.numpy_dtype_promotion("standard"), refuses(ValueError, *words):
        migrate.from_optax(theirs.init(LINEAR), LINEAR, ours)


def test_states_of_other_parameters_are_refused():
    state = optax.adam(0.1).init(LINEAR)
    with refuses(ValueError, "`mu` of 'weight' has shape (2, 3), but the parameter has (3, 2)."):
        migrate.from_optax(state, LINEAR | {"weight": jnp.ones((3, 2))}, rx.adam(0.1))
    with refuses(ValueError, "`mu` has the structure"):
        migrate.from_optax(state, {"weight": LINEAR["weight"]}, rx.adam(0.1))


def test_counts_that_differ_are_refused():
    adam, schedule = optax.adam(lambda count: 0.1).init(LINEAR)
    with refuses(ValueError, "differ in their `count`: [0, 5]"):
        migrate.from_optax((adam, schedule._replace(count=jnp.asarray(5))), LINEAR, rx.adam(0.1))


def test_masked_leaves_move_with_the_rest(x64):
    params = jax.tree.map(lambda p: p.astype(float), LINEAR)
    mask = {"weight": True, "bias": False}
    theirs, ours = (optax.masked(m.scale_by_adam(), mask) for m in (optax, rx))
    with jax.numpy_dtype_promotion("standard"):
        _, state = theirs.update(params, theirs.init(params), params)
        expected, _ = theirs.update(params, state, params)
    actual, _ = ours.update(params, migrate.from_optax(state, params, ours), params)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-12), actual, expected)


def test_a_state_takes_the_sharding_of_its_parameter():
    mesh = jax.sharding.Mesh(jax.devices()[:2], ("x",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("x"))
    params = {"w": jax.device_put(jnp.ones(4), sharding)}
    state = migrate.from_optax(optax.adam(0.1).init({"w": jnp.ones(4)}), params, rx.adam(0.1))
    assert optax.tree.get(state, "nu")["w"].sharding == sharding


@pytest.mark.parametrize("linen", [False, True])
def test_names_of_flax_fit_its_modules(linen):
    """Every kind of leaf of real modules arrives where PyTorch keeps it."""
    flax = pytest.importorskip("flax")
    torch = pytest.importorskip("torch")
    theirs = torch.nn.ModuleDict(
        {
            "conv": torch.nn.Conv2d(2, 3, 5),
            "line": torch.nn.Conv1d(2, 3, 5),
            "dense": torch.nn.Linear(4, 3),
            "norm": torch.nn.LayerNorm(4),
            "words": torch.nn.Embedding(7, 4),
        }
    )
    if linen:

        class Linen(flax.linen.Module):
            @flax.linen.compact
            def __call__(self):
                flax.linen.Conv(3, (5, 5), name="conv")(jnp.ones((1, 9, 9, 2)))
                flax.linen.Conv(3, (5,), name="line")(jnp.ones((1, 9, 2)))
                flax.linen.Dense(3, name="dense")(jnp.ones((1, 4)))
                flax.linen.LayerNorm(name="norm")(jnp.ones((1, 4)))
                flax.linen.Embed(7, 4, name="words")(jnp.ones(1, int))

        params = Linen().init(jax.random.key(0))["params"]
    else:
        nnx = pytest.importorskip("flax.nnx")

        class NNX(nnx.Module):
            def __init__(self, rngs):
                self.conv = nnx.Conv(2, 3, (5, 5), rngs=rngs)
                self.line = nnx.Conv(2, 3, (5,), rngs=rngs)
                self.dense = nnx.Linear(4, 3, rngs=rngs)
                self.norm = nnx.LayerNorm(4, rngs=rngs)
                self.words = nnx.Embed(7, 4, rngs=rngs)

        params = nnx.state(NNX(nnx.Rngs(0)), nnx.Param)
    moved = migrate.params_from_torch(theirs.state_dict(), params, names=migrate.flax_names)
    assert jax.tree.structure(moved) == jax.tree.structure(params)
    back = migrate.params_to_torch(moved, names=migrate.flax_names)
    theirs.load_state_dict(back)
    kernel = {"/".join(str(k) for k in path): leaf for path, leaf in leaves_by_name(moved)}["dense/kernel"]
    np.testing.assert_array_equal(kernel, theirs["dense"].weight.detach().numpy().T)
    image = np.random.default_rng(0).normal(size=(1, 6, 7, 2)).astype("float32")
    conv = {"/".join(str(k) for k in path): leaf for path, leaf in leaves_by_name(moved)}["conv/kernel"]
    ours = jax.lax.conv_general_dilated(
        image, conv, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    with torch.no_grad():
        expected = theirs["conv"](torch.tensor(image.transpose(0, 3, 1, 2))).numpy().transpose(0, 2, 3, 1)
    bias = theirs["conv"].bias.detach().numpy()
    np.testing.assert_allclose(ours + bias.reshape(1, 1, 1, -1), expected, rtol=1e-4, atol=1e-5)


def leaves_by_name(tree):
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        yield [key.key for key in path if hasattr(key, "key")], leaf


@pytest.mark.parity
def test_files_of_pytorch_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    saved = state_dict("RAdam")
    torch.save(saved, tmp_path / "state.pt")
    state = migrate.from_torch(migrate.load_torch(tmp_path / "state.pt"), LINEAR, presets.torch_radam())
    assert rx.step_count(state) == 3


@pytest.mark.parity
def test_files_of_safetensors_are_read(tmp_path):
    save = pytest.importorskip("safetensors.numpy").save_file
    save({"weight": np.ones((2, 3), "float32"), "bias": np.zeros(2, "float32")}, tmp_path / "m.safetensors")
    params = migrate.params_from_torch(migrate.load_torch(tmp_path / "m.safetensors"), LINEAR)
    np.testing.assert_array_equal(params["bias"], 0)


class Malicious:
    def __reduce__(self):
        return open, ("pwned", "w")


@pytest.mark.parity
def test_files_never_run_code(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    torch.save({"state": Malicious()}, "bad.pt")
    with open("worse.pt", "wb") as file:
        pickle.dump(Malicious(), file, protocol=2)
    for name in ("bad.pt", "worse.pt"):
        with refuses(ValueError, f"'{name}' is damaged, or holds objects whose loading would run code"):
            migrate.load_torch(name)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parity
@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_damaged_files_are_refused(tmp_path, kind):
    torch = pytest.importorskip("torch")
    path = tmp_path / f"file.{kind}"
    if kind == "pt":
        torch.save(state_dict(), path)
    else:
        pytest.importorskip("safetensors.numpy").save_file({"w": np.ones(99, "float32")}, path)
    whole = path.read_bytes()
    for part in (b"", whole[:7], whole[: len(whole) // 2], whole[:-1], b"x" * 100):
        path.write_bytes(part)
        with refuses(ValueError, str(path), "damaged" if kind == "pt" else "no intact file"):
            migrate.load_torch(path)
    with pytest.raises(FileNotFoundError):
        migrate.load_torch(tmp_path / f"missing.{kind}")


@pytest.mark.parity
def test_nadam_moves_after_its_product_of_momenta_has_vanished():
    """PyTorch keeps it in float32, where it is 0 after 140 updates."""
    saved = state_dict("NAdam", steps=200)
    assert saved["state"][0]["mu_product"] == 0
    tx = presets.torch_nadam()
    state = migrate.from_torch(saved, LINEAR, tx)
    updates, state = tx.update(LINEAR, state, LINEAR)
    assert all(jnp.isfinite(u).all() for u in jax.tree.leaves((updates, state)))
    np.testing.assert_allclose(updates["bias"], -2e-3, rtol=1e-3)  # A constant gradient: the learning rate.


@pytest.mark.parity
def test_an_order_that_contradicts_the_state_dict_is_refused():
    with refuses(
        ValueError, "`order` must be that of the state_dict, ['weight', 'bias']; got ['bias', 'weight']."
    ):
        migrate.from_torch(state_dict(), LINEAR, presets.torch_adam(), order=["bias", "weight"])


@pytest.mark.parity
def test_settings_that_pytorch_does_not_have_are_refused():
    """Of an optimizer that only looks like PyTorch's, such as a RMSprop with eps inside the root."""
    saved = state_dict("RMSprop")
    saved["param_groups"][0] |= {"decoupled_decay": False, "initial_lr": 0.01}
    with refuses(ValueError, "has settings that PyTorch's RMSprop does not have: ['decoupled_decay']."):
        migrate.from_torch(saved, LINEAR, presets.torch_rmsprop())


def test_a_count_that_contradicts_the_state_is_refused():
    state = optax.adam(0.1).init(LINEAR)
    with refuses(ValueError, "The state holds the number of updates, 0; `count` is 3."):
        migrate.from_optax(state, LINEAR, rx.adam(0.1), count=3)
    for count in (2.5, -3, "3"):
        with pytest.raises((TypeError, ValueError), match="`count` must be"):
            migrate.from_optax(optax.rmsprop(0.1).init(LINEAR), LINEAR, rx.rmsprop(0.1), count=count)


@pytest.mark.parity
def test_a_count_before_the_first_update_is_refused():
    with refuses(ValueError, "PyTorch has not updated these parameters yet, but `count` is 5: leave it out."):
        migrate.from_torch(state_dict(steps=0), LINEAR, presets.torch_adam(), count=5)


@pytest.mark.parity
def test_before_the_first_update_pytorch_keeps_nothing():
    """A momentum buffer of zeros would be dampened at the first update, none is not."""
    pytest.importorskip("torch")
    tx = presets.torch_sgd(momentum=0.9, dampening=0.5)
    saved = migrate.to_torch(tx.init(LINEAR), LINEAR, tx, order=["weight", "bias"])
    assert saved["state"] == {0: {}, 1: {}}


def test_a_scheduled_decay_does_not_become_a_constant_one():
    tx = rx.adam(0.1, b2=lambda count: 0.9)
    with refuses(ValueError, "The given state is of a scheduled decay"):
        migrate.to_optax(tx.init(LINEAR), LINEAR, optax.adam(0.1))


def test_what_may_be_anywhere_stays_free_to_move():
    """A moved state works beside arrays on several devices, as a fresh one does."""
    mesh = jax.sharding.Mesh(jax.devices()[:2], ("x",))
    batch = jax.device_put(jnp.ones(4), jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("x")))
    params, tx = {"w": jnp.ones(4)}, rx.adam(0.1)
    state = migrate.from_optax(optax.adam(0.1).init(params), params, tx)
    params = migrate.params_from_torch({"w": np.ones(4, "float32")}, params)
    jax.jit(lambda s, p, b: tx.update({"w": p["w"] * b}, s, p))(state, params, batch)


def test_nesterov_has_an_equal_and_no_learning_rate_has_none():
    state = rx.nesterov(0.1).init(LINEAR)
    moved = migrate.to_torch(state, LINEAR, rx.nesterov(0.1), order=["weight", "bias"], count=0)
    assert moved["param_groups"][0]["nesterov"]
    with refuses(
        ValueError, "adam(learning_rate=None) has no learning rate, as every optimizer of PyTorch has"
    ):
        migrate.to_torch(rx.adam(None).init(LINEAR), LINEAR, rx.adam(None), order=["weight", "bias"])
