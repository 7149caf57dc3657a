"""The presets against the frameworks themselves, side by side, over 1000 steps.

PyTorch, Keras and optax run here; of packages that cannot be installed together with them, a NumPy
statement of their rule runs, and numbers recorded from them are compared (vectors/README.md).
"""

import json
import os
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from radam_optax import presets
from tests.support import oracle, parity
from tests.support.forms import in_forms
from tests.support.parity import NOISE, START, build, distance, follow

DECAYS = (0.9, 0.99, 0.999, 0.9999, 0.6)


pytestmark = pytest.mark.filterwarnings("ignore:.*never rectifies:UserWarning")


def with_decays(name, key="betas", **arguments):
    return [(name, {key: (0.9, b2) if key == "betas" else b2, **arguments}) for b2 in DECAYS]


TORCH = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adagrad", {"lr": 1e-3, "lr_decay": 1e-2, "weight_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("Adagrad", {"lr": 1e-3, "maximize": True}),
    *with_decays("RMSprop", "alpha"),
    *with_decays("RMSprop", "alpha", weight_decay=0.1, momentum=0.9, maximize=True),
    *with_decays("RMSprop", "alpha", weight_decay=0.1, momentum=0.9, centered=True),
    *with_decays("Adam"),
    *with_decays("Adam", weight_decay=0.1, maximize=True),
    *with_decays("Adam", amsgrad=True),
    ("Adam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "amsgrad": True, "eps": 1e-3}),
    *with_decays("AdamW"),
    *with_decays("AdamW", weight_decay=0.1, amsgrad=True, maximize=True),
    *with_decays("Adamax", weight_decay=0.1, maximize=True),
    *with_decays("Adamax", eps=1e-3),
    *with_decays("NAdam", momentum_decay=4e-2),
    *with_decays("NAdam", weight_decay=0.1, maximize=True),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    *with_decays("RAdam", weight_decay=0.1, maximize=True),
    *with_decays("RAdam", weight_decay=0.1, decoupled_weight_decay=True, eps=1e-3),
]


def b2_of(arguments):
    """By any of its names; None where there is none."""
    names = (key for key in ("alpha", "beta_2", "b2", "decay") if key in arguments)
    return arguments.get(next(names, None), arguments.get("betas", (None,))[-1])


def every_case(cases):
    """Of pairs of a name and arguments; in the quick form each rule has one decay."""
    quick = [case for case in cases if b2_of(case[1]) in (None, 0.999)]
    ids = [f"{name}-{','.join(f'{k}={v}' for k, v in arguments.items())}" for name, arguments in cases]
    return pytest.mark.parametrize(("name", "arguments"), in_forms(cases, quick), ids=ids)


every_torch = every_case(TORCH)
every_decay = pytest.mark.parametrize("b2", in_forms(DECAYS, (0.999, 0.6)))


def follow_torch(name, arguments, dtype="float64"):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra 'parity')")
    return parity.follow_torch(lambda params: getattr(torch.optim, name)(params, **arguments), dtype)


def torch_case(name, arguments):
    arguments = {"lr": 1e-4, **arguments}
    return arguments, build(getattr(presets, f"torch_{name.lower()}"), arguments)


@pytest.mark.parity
@every_torch
def test_equals_pytorch(name, arguments):
    """Measured: 7e-15 at worst."""
    arguments, tx = torch_case(name, arguments)
    assert distance(follow(tx), follow_torch(name, arguments)) < 1e-12


@pytest.mark.parity
@every_torch
def test_equals_pytorch_in_float32(name, arguments):
    """Measured: 5e-7. The variance of centred RMSProp cancels, and is as exact as PyTorch's own, at least."""
    arguments, tx = torch_case(name, arguments)
    actual, expected = follow(tx, "float32"), follow_torch(name, arguments, "float32")
    if "centered" in arguments:
        exact = follow_torch(name, arguments)
        assert np.abs(actual - exact).max() < 1.2 * np.abs(expected - exact).max()
    else:
        assert np.abs(actual - expected).max() < 2e-6


@pytest.mark.parity
@pytest.mark.parametrize("name", ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW", "NAdam", "RAdam"])
def test_defaults_are_pytorchs(name):
    import inspect

    torch = pytest.importorskip("torch")
    preset = getattr(presets, f"torch_{name.lower()}")
    theirs = inspect.signature(getattr(torch.optim, name)).parameters
    implementation = {"params", "foreach", "fused", "capturable", "differentiable"}
    ours = {n: p.default for n, p in inspect.signature(preset).parameters.items()}
    assert ours == {n: p.default for n, p in theirs.items() if n not in implementation}


@pytest.mark.parity
def test_complex_parameters_are_two_real_ones_in_pytorch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    start, *noise = rng.normal(size=(31, 4)) + 1j * rng.normal(size=(31, 4))
    p = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.Adam([p], lr=0.1, weight_decay=0.1)
    for g in noise:
        p.grad = torch.tensor(g)
        optimizer.step()
    tx = optax.contrib.split_real_and_imaginary(presets.torch_adam(0.1, weight_decay=0.1))
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):  # Which optax's wrapper needs.
        ours = jnp.asarray(start)
        state = tx.init(ours)
        for g in noise:
            updates, state = tx.update(jnp.asarray(g), state, ours)
            ours = ours + updates
    np.testing.assert_allclose(ours, p.detach().numpy(), rtol=1e-12)


KERAS = [
    *({"beta_2": b2} for b2 in DECAYS),
    *({"beta_2": b2, "amsgrad": True, "weight_decay": 0.1} for b2 in DECAYS),
    {"epsilon": 1e-3, "beta_1": 0.8},
]


def follow_keras(name, arguments, dtype="float64"):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras", reason="Keras is not installed (extra 'parity')")
    with jax.enable_x64(dtype == "float64"), jax.numpy_dtype_promotion("standard"):
        keras.config.set_floatx(dtype)  # Of Keras's learning rate.
        variable = keras.Variable(START, dtype=dtype)
        optimizer = getattr(keras.optimizers, name)(**arguments)
        optimizer.build([variable])

        def step(carry, g):
            carry = optimizer.stateless_apply(carry[1], [g], carry[0])
            return carry, carry[0][0]

        start = [variable.value], [v.value for v in optimizer.variables]
        noise = jnp.asarray(NOISE, dtype)
        return np.asarray(jax.jit(lambda *c: jax.lax.scan(step, c, noise)[1])(*start), "float64")


@pytest.mark.parity
@every_case([("Adam", arguments) for arguments in KERAS])
def test_equals_keras(name, arguments):
    """Measured: 1.1e-14; 1.8e-6 in float32, 2.9e-6 at 0.9999: Keras rounds b2, which counts for 1 - b2."""
    arguments = {"learning_rate": 1e-4} | arguments
    expected = follow_keras(name, arguments)
    tx = build(getattr(presets, f"keras_{name.lower()}"), arguments)
    assert distance(follow(tx), expected) < 1e-12
    in_float32 = follow_keras(name, arguments, "float32")
    bound = 2e-6
    if arguments.get("beta_2") == 0.9999:
        bound += np.abs(in_float32 - expected).max()
    assert np.abs(follow(tx, "float32") - in_float32).max() < bound


OPTAX = [
    *[("adam", {"b2": b2}) for b2 in DECAYS],
    *[("adamw", {"b2": b2, "weight_decay": 0.1}) for b2 in DECAYS],
    *[("nadam", {"b2": b2}) for b2 in DECAYS],
    *[("amsgrad", {"b2": b2}) for b2 in DECAYS],
    *[("radam", {"b2": b2}) for b2 in DECAYS],
    *[("adabelief", {"b2": b2}) for b2 in DECAYS],
    *[("yogi", {"b2": b2}) for b2 in DECAYS],
    *[("rmsprop", {"decay": b2, "momentum": 0.9}) for b2 in DECAYS],
    ("adagrad", {}),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
]


@every_case(OPTAX)
def test_the_catalogue_equals_optax(name, arguments):
    arguments = {"learning_rate": 1e-4} | arguments
    with jax.numpy_dtype_promotion("standard"):
        expected = follow(build(getattr(optax, name), arguments))
    assert distance(follow(build(getattr(rx, name), arguments)), expected) < 1e-12


def recorded(framework):
    return json.loads((pathlib.Path(__file__).parent / "vectors" / f"{framework}.json").read_text("utf-8"))


def by_hand(statement, arguments, noise=NOISE, start=START):
    return np.array(list(statement(lambda t, x: noise[t - 1], start, len(noise), **arguments)))


def official_rule(lr, betas, eps, weight_decay, degenerated_to_sgd):
    """The oracle's names for the arguments of the authors' package."""
    return {
        **{"lr": lr, "b1": betas[0], "b2": betas[1], "eps": eps, "weight_decay": weight_decay},
        "degenerated_to_sgd": degenerated_to_sgd,
    }


OFFICIAL = recorded("official_radam")
TFA = recorded("tfa_radam")
TFA_DEFAULTS = {
    **{"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "weight_decay": 0.0},
    **{"amsgrad": False, "sma_threshold": 5.0, "total_steps": 0, "warmup_proportion": 0.1, "min_lr": 0.0},
}


def as_keras_keeps_them(arguments):
    """It rounds Python numbers, but for epsilon, to float32."""
    kept = ("epsilon", "amsgrad", "total_steps")
    return {n: a if n in kept else float(np.float32(a)) for n, a in arguments.items()}


@pytest.mark.parametrize("index", in_forms(range(len(OFFICIAL["cases"])), range(0, 64, 9)))
def test_equals_what_was_recorded_from_the_authors(index):
    case = OFFICIAL["cases"][index]
    noise, start, expected = (np.array(a) for a in (OFFICIAL["gradients"], OFFICIAL["start"], case["params"]))
    arguments = case["arguments"] | {"betas": tuple(case["arguments"]["betas"])}
    rule = by_hand(oracle.radam_of_the_authors, official_rule(**arguments), noise, start)
    computed_in_float32 = case["variant"] == "as published"
    rtol = 2e-6 if computed_in_float32 else 1e-12
    np.testing.assert_allclose(rule[4::5], expected, rtol=rtol)
    actual = follow(build(presets.official_radam, arguments), noise=noise, start=start)
    np.testing.assert_allclose(actual[4::5], expected, rtol=rtol)


@pytest.mark.parametrize("index", in_forms(range(len(TFA["cases"])), [*range(0, 96, 11), 97, 98]))
def test_equals_what_was_recorded_from_tensorflow_addons(index):
    case = TFA["cases"][index]
    noise, start, expected = (np.array(a) for a in (TFA["gradients"], TFA["start"], case["params"]))
    arguments = TFA_DEFAULTS | case["arguments"]
    if case["hyperparameters"].startswith("Python numbers"):
        arguments = as_keras_keeps_them(arguments)
    rule = by_hand(oracle.radam_of_tensorflow_addons, arguments, noise, start)
    np.testing.assert_allclose(rule[4::5], expected, rtol=1e-12)
    actual = follow(build(presets.tfa_radam, arguments), noise=noise, start=start)
    np.testing.assert_allclose(actual[4::5], expected, rtol=1e-12)


@every_decay
@pytest.mark.parametrize("degenerated_to_sgd", [False, True])
def test_equals_the_rule_of_the_authors(b2, degenerated_to_sgd):
    arguments = {"lr": 1e-4, "betas": (0.9, b2), "eps": 1e-8, "weight_decay": 0.1}
    arguments |= {"degenerated_to_sgd": degenerated_to_sgd}
    expected = by_hand(oracle.radam_of_the_authors, official_rule(**arguments))
    tx = build(presets.official_radam, arguments)
    assert distance(follow(tx), expected) < 1e-12
    assert np.abs(follow(tx, "float32") - expected).max() < 2e-6


@every_decay
@pytest.mark.parametrize("amsgrad", [False, True])
def test_equals_the_rule_of_tensorflow_addons(b2, amsgrad):
    arguments = TFA_DEFAULTS | {"learning_rate": 1e-4, "beta_2": b2, "amsgrad": amsgrad}
    arguments |= {"weight_decay": 0.1, "total_steps": 800, "warmup_proportion": 0.15, "min_lr": 1e-5}
    expected = by_hand(oracle.radam_of_tensorflow_addons, arguments)
    tx = build(presets.tfa_radam, arguments)
    assert distance(follow(tx), expected) < 1e-12
    assert np.abs(follow(tx, "float32") - expected).max() < 2e-6


def test_injected_hyperparameters_give_the_same(x64):
    """Defaults are injected as well: no planned steps are an array of 0 then."""
    injected = optax.inject_hyperparams(presets.tfa_radam)(learning_rate=1e-4, beta_2=0.99)
    plain = presets.tfa_radam(learning_rate=1e-4, beta_2=0.99)
    assert distance(follow(injected, noise=NOISE[:50]), follow(plain, noise=NOISE[:50])) < 1e-12
    optax.inject_hyperparams(presets.torch_sgd)(lr=0.1, momentum=0.9, nesterov=True).init(jnp.ones(2))
