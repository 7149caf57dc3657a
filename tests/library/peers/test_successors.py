"""The successors against the packages that have them, side by side, over 1000 steps.

PyTorch's optimizers of six packages, and optax's, run here; numbers recorded from timm, which wants
torchvision, are compared (vectors/README.md). Measured: 1e-12 at worst.
"""

import functools
import json
import pathlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax import chain

import radam_optax as rx
from tests.support.forms import in_forms
from tests.support.parity import STEPS, build, distance, follow_each, follow_torch


class Peer(NamedTuple):
    """A function of theirs, ours, and sets of arguments in their words."""

    name: str
    ours: Callable[..., optax.GradientTransformation]
    settings: list[dict[str, Any]]  # The quick form takes the first.
    theirs_alone: Mapping[str, Any] = MappingProxyType({})  # What ours does not ask: it is so.

    def of_form(self, form):
        return {"quick": self.settings[:1], "full": self.settings[1:]}[form]


def in_our_words(lr, betas=None, beta3=None, momentum=None, **others):
    decays = {f"b{i}": b for i, b in enumerate(betas or [], start=1)}
    return {"learning_rate": lr, **decays, **named("b3", beta3), **named("b1", momentum), **others}


def named(name, value):
    return {} if value is None else {name: value}


def cautious_atan2(learning_rate, weight_decay=0.0, **others):
    return chain(
        rx.cautious(rx.scale_by_adam_atan2(**others), floor=1e-5),
        rx.add_decayed_weights(weight_decay, cautious=True),
        rx.scale_by_learning_rate(learning_rate),
    )


FAST = {"lr": 1e-2, "betas": (0.8, 0.96), "eps": 1e-3}
TORCH = {
    "torch.optim": [Peer("Adamax", rx.adamax, [{"lr": 1e-3}, FAST, {"lr": 1e-2, "betas": (0.0, 0.9)}])],
    "torch_optimizer": [
        Peer(
            "AdaBound",
            rx.adabound,
            [
                {"lr": 1e-3, "gamma": 1e-2, "amsbound": True},
                {"lr": 1e-3},
                {**FAST, "final_lr": 0.02, "gamma": 0.1},
            ],
        ),
        Peer("AdaMod", rx.adamod, [{"lr": 1e-3, "beta3": 0.99}, {"lr": 1e-3}, {**FAST, "beta3": 0.9}]),
        Peer(
            "QHAdam",
            rx.qhadam,
            [
                {"lr": 1e-3, "nus": (0.7, 0.9), "weight_decay": 0.1},
                {"lr": 1e-3},
                {**FAST, "nus": (0.7, 1.0)},
                {"lr": 1e-3, "nus": (1.2, 0.5)},
            ],
            {"decouple_weight_decay": True},
        ),
    ],
    "pytorch_optimizer": [
        Peer(
            "PAdam",
            rx.padam,
            [
                {"lr": 1e-3, "weight_decay": 0.1},
                {**FAST, "partial": 0.125},
                {"lr": 1e-3, "partial": 0.5},
            ],
            {"weight_decouple": True},
        ),
        Peer(
            "AdEMAMix",
            rx.ademamix,
            [
                {"lr": 1e-3, "weight_decay": 0.1},
                {"lr": 1e-3, "betas": (0.8, 0.96, 0.99), "alpha": 2.0, "eps": 1e-3},
            ],
            {"weight_decouple": True},
        ),
        Peer(
            "StableAdamW",
            rx.stable_adamw,
            [{"lr": 1e-3}, {**FAST, "weight_decay": 0.1}, {"lr": 1e-2, "betas": (0.9, 0.999)}],
            {"kahan_sum": False},
        ),
        Peer(
            "Lion",
            rx.lion,
            [
                {"lr": 1e-3, "weight_decay": w, "betas": betas}
                for w, betas in ((0.1, (0.9, 0.99)), (0.0, (0.95, 0.98)))
            ],
        ),
        # Its eps is added before the correction, and its decay comes after the step: without both.
        Peer(
            "LaProp",
            rx.laprop,
            [{"lr": 1e-3, "eps": 1e-30}, {"lr": 1e-3, "betas": (0.8, 0.96), "eps": 1e-30}],
            {"foreach": False},
        ),
        Peer(
            "Adan",
            functools.partial(rx.adan, eps_root=0.0),
            [
                {"lr": 1e-3, "weight_decay": 0.1},
                {"lr": 1e-3, "betas": (0.9, 0.7, 0.96), "eps": 1e-3},
            ],
            {"weight_decouple": True},
        ),
    ],
    "adam_atan2_pytorch": [
        Peer(
            "AdamAtan2",
            rx.adam_atan2,
            [
                {"lr": 1e-3, "weight_decay": 0.1},
                {"lr": 1e-2, "betas": (0.8, 0.999), "a": 1.0, "b": 2.0},
            ],
        ),
        Peer(
            "AdamAtan2",
            cautious_atan2,
            # Theirs decays by a factor in float32, which is to be exact.
            [{"lr": 2**-7, "weight_decay": 2**-3}, {"lr": 1e-2, "betas": (0.95, 0.999)}],
            {"cautious_factor": 0.0, "cautious_wd": True},
        ),
    ],
    "adopt": [Peer("ADOPT", rx.adopt, [{"lr": 1e-3}, FAST, {"lr": 1e-2, "betas": (0.0, 0.9)}])],
}


def in_both_forms(homes):
    cases = [(home, form) for home in homes for form in ("quick", "full")]
    return pytest.mark.parametrize(("home", "form"), in_forms(cases, [c for c in cases if c[1] == "quick"]))


def cases_of(peers, form):
    """By a name that says everything, for a report: the peer and a set of its arguments."""
    return {
        f"{peer.name}{settings | {**peer.theirs_alone}}": (peer, settings)
        for peer in peers
        for settings in peer.of_form(form)
    }


def follow_ours(cases, **how):
    return follow_each(
        {case: build(peer.ours, in_our_words(**settings)) for case, (peer, settings) in cases.items()}, **how
    )


def assert_close(ours, theirs, bound=1e-10):
    assert ours.keys() == theirs.keys()
    distances = {case: distance(ours[case], theirs[case]) for case in theirs}
    assert {case: d for case, d in distances.items() if not d < bound} == {}


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:Use _accelerator_graph_capture_health_check:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:`torch._utils.is_compiling` is deprecated:UserWarning")
@in_both_forms(TORCH)
def test_equals_optimizers_of_pytorch(home, form):
    pytest.importorskip("torch", reason="PyTorch is not installed (extra 'parity')")
    package = pytest.importorskip(home, reason=f"{home} is not installed (group 'peers')")
    cases = cases_of(TORCH[home], form)

    def path(peer, settings):
        make = getattr(package, peer.name)
        return follow_torch(lambda params: make(params, **settings, **peer.theirs_alone))

    assert_close(follow_ours(cases), {case: path(*pair) for case, pair in cases.items()})


SCHEDULE_FREE = [
    Peer(
        "RAdamScheduleFree",
        rx.schedule_free_radam,
        [
            {"lr": 1e-2, "weight_decay": 0.1, "r": 2.0},
            {"lr": 1e-2},
            {"lr": 1e-2, "silent_sgd_phase": False, "weight_decay": 0.1},
            {"lr": 1e-2, "betas": (0.8, 0.96), "eps": 1e-3, "weight_lr_power": 1.0},
        ],
    ),
    Peer(
        "AdamWScheduleFree",
        rx.schedule_free_adamw,
        [
            {"lr": 1e-2, "warmup_steps": 100, "weight_decay": 0.1},
            {"lr": 1e-2},
            {"lr": 1e-2, "betas": (0.95, 0.99), "warmup_steps": 7, "r": 2.0, "weight_lr_power": 0.0},
        ],
    ),
    Peer(
        "SGDScheduleFree",
        rx.schedule_free_sgd,
        [
            {"lr": 1e-2, "warmup_steps": 100, "weight_decay": 0.1, "r": 2.0},
            {"lr": 1e-2, "momentum": 0.95},
        ],
    ),
]


def trained_and_averaged(y, state):
    """y, x, and y again from x."""
    x = rx.schedule_free_eval_params(state, y)
    return {"y": y, "x": x, "back": rx.schedule_free_train_params(state, x)}


@pytest.mark.parity
@pytest.mark.parametrize("form", in_forms(("quick", "full"), ("quick",)))
def test_equals_schedulefree(form):
    """In the parameters that train and in those to evaluate; the way from one to the other leads back."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra 'parity')")
    package = pytest.importorskip("schedulefree", reason="schedulefree is not installed (group 'peers')")
    cases = cases_of(SCHEDULE_FREE, form)

    def make(peer, settings, params):
        optimizer = getattr(package, peer.name)(params, **settings)
        optimizer.train()
        return optimizer

    def both(y, optimizer):
        trained = y.detach().clone()
        optimizer.eval()
        averaged = y.detach().clone()
        optimizer.train()
        return torch.cat([trained, averaged])

    ours = follow_ours(cases, readout=trained_and_averaged)
    theirs = {
        case: follow_torch(lambda params, pair=pair: make(*pair, params), readout=both)
        for case, pair in cases.items()
    }
    assert_close({c: np.hstack([path["y"], path["x"]]) for c, path in ours.items()}, theirs)
    assert_close({c: path["back"] for c, path in ours.items()}, {c: path["y"] for c, path in ours.items()})


SMALL = {"learning_rate": 1e-3}
QUICK = {"learning_rate": 1e-2, "b1": 0.8, "b2": 0.96, "eps": 1e-3}


def share(count):
    return (jnp.asarray(count, float) + 1) / STEPS


OPTAX = {
    "optax": [
        Peer("adamax", rx.adamax, [SMALL, QUICK]),
        Peer("adamaxw", rx.adamaxw, [{**SMALL, "weight_decay": 0.1}, QUICK]),
        Peer("nadamw", rx.nadamw, [{**SMALL, "weight_decay": 0.1}, {**QUICK, "eps_root": 1e-6}]),
        Peer("lion", rx.lion, [{**SMALL, "weight_decay": 0.1}, {**SMALL, "b1": 0.95, "b2": 0.98}]),
    ],
    "optax.contrib": [
        Peer(
            "ademamix",
            rx.ademamix,
            [
                {
                    **SMALL,
                    "weight_decay": 0.1,
                    "alpha": lambda c: 5 * share(c),
                    "b3": lambda c: 0.99 * share(c),
                },
                {**QUICK, "b3": 0.99, "alpha": 2.0, "eps_root": 1e-6},
            ],
        ),
        Peer(
            "adopt",
            rx.adopt,
            [SMALL, {**QUICK, "nesterov": True}, {**SMALL, "use_clipping": False}, {**SMALL, "b2": 0.9}],
        ),
        Peer("acprop", rx.acprop, [{**SMALL, "weight_decay": 0.1}, {**QUICK, "eps_root": 1e-6}]),
        Peer(
            "schedule_free_sgd",
            rx.schedule_free_sgd,
            [{"learning_rate": 1e-2}, {"learning_rate": 1e-3, "b1": 0.95}],
        ),
        Peer(
            "schedule_free_adamw",
            rx.schedule_free_adamw,
            [{"learning_rate": 1e-2, "weight_decay": 0.1}, {**QUICK, "weight_lr_power": 1.0}],
        ),
    ],
}


@in_both_forms(OPTAX)
def test_equals_optax(home, form):
    cases = cases_of(OPTAX[home], form)
    module = optax.contrib if home == "optax.contrib" else optax
    with jax.numpy_dtype_promotion("standard"):
        theirs = {
            case: build(getattr(module, peer.name), settings) for case, (peer, settings) in cases.items()
        }
        paths = follow_each(theirs)
    assert_close(follow_each({c: build(peer.ours, settings) for c, (peer, settings) in cases.items()}), paths)


def cautious_adamw(learning_rate, b1, b2, eps, weight_decay):
    return chain(
        rx.cautious(rx.scale_by_adam(b1, b2, eps)),
        rx.add_decayed_weights(weight_decay),
        rx.scale_by_learning_rate(learning_rate),
    )


def adopt_of_timm(clip_exp, **others):
    return rx.adoptw(use_clipping=clip_exp is not None, **others)


TIMM = {
    "LaProp": rx.laprop,
    "Adan": functools.partial(rx.adan, eps_root=0.0),
    "AdamWLegacy": cautious_adamw,
    "Adopt": adopt_of_timm,
}
OF_TIMM_ALONE = ("no_prox", "caution", "decoupled")


def test_equals_what_was_recorded_from_timm():
    recorded = json.loads((pathlib.Path(__file__).parent / "vectors" / "timm.json").read_text("utf-8"))[
        "cases"
    ]
    theirs, ours = {}, {}
    for case in recorded:
        name = f"{case['optimizer']}{case['arguments']}"
        arguments = {n: a for n, a in case["arguments"].items() if n not in OF_TIMM_ALONE}
        theirs[name] = np.array(case["params"])
        ours[name] = build(TIMM[case["optimizer"]], in_our_words(**arguments))
    assert_close({name: path[99::100] for name, path in follow_each(ours).items()}, theirs)
