"""The optimizer that a trainer's settings name: catalogue, schedule, mask, clipping, accumulation."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import optax

import radam_optax as rx
from examples.data.split import DataError
from examples.lab.options import above, at_least
from examples.lab.settings import Count, Regex, from_text
from examples.trainer.calls import Call, CallError, make, one_of

# Every recipe of the catalogue begins with its learning rate; so does the link that applies it.
OPTIMIZERS: dict[str, Callable[..., Any]] = {
    name: value
    for name, value in vars(rx).items()
    if inspect.isfunction(value)
    and next(iter(inspect.signature(value).parameters), "") == "learning_rate"
    and value is not rx.scale_by_learning_rate
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
# Those that end with the run: of a longer run all of their learning rates are others.
SPANNING = {"cosine", "linear"}


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """What makes the optimizer, and how long it trains."""

    optimizer: Annotated[Call, one_of(OPTIMIZERS, given=1)] = Call("radamw")
    """of the catalogue, called with all but its learning rate"""
    learning_rate: Annotated[float, from_text(at_least(0), "X")] = 1e-3
    """peak"""
    schedule: Annotated[Call, one_of(SCHEDULES, given=2)] = Call("constant")
    """of the learning rate"""
    decay_mask: Regex | None = None
    """decay only the parameters whose path it finds"""
    clip_norm: Annotated[float, from_text(above(0), "X")] | None = None
    """clip gradients to this global norm"""
    accumulate: Count = 1
    """batches per update"""
    steps: Count = 1000
    """updates"""


def takes_mask(call: Call) -> bool:
    """Whether an optimizer has weight decay with a mask."""
    return "mask" in inspect.signature(OPTIMIZERS[call.name]).parameters


def evaluated(call: Call, opt_state: Any, params: Any) -> Any:
    """The parameters to evaluate: the average of a schedule-free optimizer, otherwise those in training."""
    averages = call.name.startswith("schedule_free")
    return rx.schedule_free_eval_params(opt_state, params) if averages else params


def make_schedule(settings: OptimizerSettings) -> optax.Schedule:
    """The learning rate as a function of the count of past updates."""
    try:
        return make(settings.schedule, SCHEDULES, settings.learning_rate, settings.steps)
    except CallError as error:
        raise DataError(f"--schedule: {error}") from error


def make_optimizer(settings: OptimizerSettings, params: Any) -> optax.GradientTransformation:
    """Gradients clipped, then the optimizer with its schedule; once for every ``accumulate`` gradients."""
    more = {}
    if settings.decay_mask:
        if not takes_mask(settings.optimizer):
            name = settings.optimizer.name
            raise DataError(f"--decay-mask: {name} has no weight decay with a mask; adamw and radamw have")
        more["mask"] = _mask(settings.decay_mask, params)
    try:
        optimizer = make(settings.optimizer, OPTIMIZERS, make_schedule(settings), **more)
    except CallError as error:
        raise DataError(f"--optimizer: {error}") from error
    if settings.clip_norm:
        optimizer = optax.chain(optax.clip_by_global_norm(settings.clip_norm), optimizer)
    if settings.accumulate > 1:
        optimizer = optax.MultiSteps(optimizer, settings.accumulate).gradient_transformation()
    return optimizer


def _mask(regex: re.Pattern[str], params: Any) -> Any:
    """A tree like ``params``: whether the path of a leaf, ``blocks/0/conv1/kernel``, has a match."""

    def name(path):
        return jax.tree_util.keystr(path, simple=True, separator="/").removesuffix("/value")

    mask = jax.tree_util.tree_map_with_path(lambda path, _: regex.search(name(path)) is not None, params)
    if not any(jax.tree.leaves(mask)):
        names = ", ".join(name(path) for path, _ in jax.tree.leaves_with_path(params))
        raise DataError(
            f"--decay-mask: {regex.pattern!r} is found in no path of a parameter; they are {names}"
        )
    return mask
