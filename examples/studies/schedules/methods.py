"""Optimizers with their schedules, and what each of them is told before training begins.

None has weight decay, and the gradients of all are clipped to a global norm of 5, as those of the study of
the language model.
"""

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

import radam_optax as rx

PEAKS = (0.003, 0.01, 0.03, 0.1)
B1, B2 = 0.9, 0.999


class Setting(NamedTuple):
    """What a run is told; numbers, or traced ones."""

    peak: Any  # Of the learning rate.
    warmup: Any  # Steps over which it rises linearly.
    length: Any  # Steps until it is 0.


class Method(NamedTuple):
    """An optimizer with its schedule, and the settings to choose from."""

    told: str  # Besides the peak.
    make: Callable[[Setting], optax.GradientTransformation]
    warmups: tuple[float, ...] = (0.0,)  # In lengths of the run, as is the next one.
    lengths: tuple[float, ...] = (1.0,)
    averages: bool = False  # Whether it is the average of its iterates that is evaluated.

    def settings(self, steps: int) -> list[Setting]:
        """What the runs of so many steps are told."""
        told = product(PEAKS, self.warmups, self.lengths)
        return [Setting(peak, round(warmup * steps), round(length * steps)) for peak, warmup, length in told]

    def recipe(self, setting: jax.Array) -> optax.GradientTransformation:
        """The optimizer for a setting, as an array of three numbers."""
        return optax.chain(optax.clip_by_global_norm(5.0), self.make(Setting(*setting)))

    def evaluated(self, state: Any, params: Any) -> Any:
        """The parameters that are evaluated, when those in training are ``params``."""
        return rx.schedule_free_eval_params(state, params) if self.averages else params


def warmup_cosine(setting: Setting) -> Callable[[Any], Any]:
    """Up to the peak in equal steps, and down to 0 along half a cosine."""
    peak, warmup, length = setting

    def schedule(count):
        count = jnp.asarray(count, float)
        rise = jnp.minimum(1, (count + 1) / jnp.maximum(1, warmup))
        fallen = jnp.clip((count - warmup) / (length - warmup), 0, 1)
        return peak * rise * (1 + jnp.cos(jnp.pi * fallen)) / 2

    return schedule


def gi_adam(setting: Setting) -> optax.GradientTransformation:
    """Adam whose second moment starts at the square of the first gradient, and is corrected as if at 0.

    Its first steps are shorter by sqrt(1 - b2^t). Source: Kalra & Barkeshli (2024).
    """
    rate = optax.chain(
        rx.second_moment(rx.from_first(B2), debias=False), rx.debias(B2), rx.inverse_root(1e-8)
    )
    return optax.chain(
        rx.scale_by_adaptive_rate(momentum=rx.first_moment(B1), rate=rate),
        rx.scale_by_learning_rate(warmup_cosine(setting)),
    )


RADAM_FREE, ADAMW_FREE = "RAdam schedule-free", "AdamW schedule-free"
RADAM, ADAM, ADAMOD, GI_ADAM = (
    "RAdam + cosine",
    "Adam + warmup, cosine",
    "AdaMod + cosine",
    "GI-Adam + cosine",
)
ADAM_UNWARMED, RADAM_TO_HALF = (
    "Adam + cosine",
    "RAdam + cosine to half",
)  # Some of the runs of ADAM and RADAM.

METHODS = {
    RADAM_FREE: Method("nothing", lambda s: rx.schedule_free_radam(s.peak, B1, B2), averages=True),
    ADAMW_FREE: Method(
        "warmup",
        lambda s: rx.schedule_free_adamw(s.peak, s.warmup, B1, B2),
        warmups=(0.05, 0.2),
        averages=True,
    ),
    RADAM: Method("length", lambda s: rx.radam(warmup_cosine(s), B1, B2), lengths=(0.5, 1.0)),
    ADAM: Method("warmup, length", lambda s: rx.adam(warmup_cosine(s), B1, B2), warmups=(0.0, 0.05, 0.2)),
    ADAMOD: Method("length", lambda s: rx.adamod(warmup_cosine(s), B1, B2)),
    GI_ADAM: Method("length", gi_adam),
}
