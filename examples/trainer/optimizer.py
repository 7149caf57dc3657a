"""The optimizer that the trainer's settings name: catalogue, schedule, mask, clipping, accumulation."""

import argparse
import inspect
import re
from collections.abc import Callable
from typing import Any

import jax
import optax

import radam_optax as rx
from examples.data.split import DataError
from examples.trainer import calls as _spec

# Every function of the catalogue begins with its learning rate.
OPTIMIZERS: dict[str, Callable[..., Any]] = {
    name: value
    for name, value in vars(rx).items()
    if inspect.isfunction(value) and next(iter(inspect.signature(value).parameters), "") == "learning_rate"
}

# Functions of the peak and the number of updates.
SCHEDULES: dict[str, Callable[..., Any]] = {
    "constant": lambda peak, steps: optax.constant_schedule(peak),
    "cosine": lambda peak, steps, warmup=0, end=0.0: optax.warmup_cosine_decay_schedule(
        0.0 if warmup else peak, peak, warmup, max(steps, warmup + 1), end
    ),
    "linear": lambda peak, steps, warmup=0, end=0.0: optax.join_schedules(
        [
            optax.linear_schedule(0.0, peak, warmup),
            optax.linear_schedule(peak, end, max(steps - warmup, 1)),
        ],
        [warmup],
    ),
    "steps": lambda peak, steps, at, factor=0.1: optax.piecewise_constant_schedule(
        peak, dict.fromkeys(at, factor)
    ),
    "inverse_sqrt": lambda peak, steps: rx.inverse_sqrt_decay(peak),
    "untuned_linear": lambda peak, steps, b2=0.999: rx.untuned_linear_warmup(peak, b2),
    "untuned_exponential": lambda peak, steps, b2=0.999: rx.untuned_exponential_warmup(peak, b2),
}


def make_schedule(options: argparse.Namespace) -> optax.Schedule:
    """The learning rate as a function of the count of past updates."""
    try:
        return _spec.call(_spec.parse(options.schedule), SCHEDULES, options.learning_rate, options.steps)
    except _spec.SpecError as error:
        raise DataError(f"--schedule: {error}") from error


def make_optimizer(options: argparse.Namespace, params: Any) -> optax.GradientTransformation:
    """Gradients clipped, then the optimizer with its schedule; once for every ``--accumulate`` gradients."""
    spec = _spec.parse(options.optimizer)
    if options.decay_mask:
        mask = _mask(options.decay_mask, params)
        if "mask" not in inspect.signature(OPTIMIZERS.get(spec.name, rx.adamw)).parameters:
            raise DataError(
                f"--decay-mask: {spec.name} has no weight decay with a mask; adamw and radamw have"
            )
        spec.arguments["mask"] = mask
    try:
        optimizer = _spec.call(spec, OPTIMIZERS, make_schedule(options))
    except _spec.SpecError as error:
        raise DataError(f"--optimizer: {error}") from error
    if options.clip_norm:
        optimizer = optax.chain(optax.clip_by_global_norm(options.clip_norm), optimizer)
    if options.accumulate > 1:
        optimizer = optax.MultiSteps(optimizer, options.accumulate).gradient_transformation()
    return optimizer


def _mask(regex: str, params: Any) -> Any:
    """A tree like ``params``: whether the path of a leaf, ``blocks/0/conv1/kernel``, has a match."""

    def name(path):
        return jax.tree_util.keystr(path, simple=True, separator="/").removesuffix("/value")

    mask = jax.tree_util.tree_map_with_path(lambda path, _: re.search(regex, name(path)) is not None, params)
    if not any(jax.tree.leaves(mask)):
        names = ", ".join(name(path) for path, _ in jax.tree.leaves_with_path(params))
        raise DataError(f"--decay-mask: {regex!r} is found in no path of a parameter; they are {names}")
    return mask
