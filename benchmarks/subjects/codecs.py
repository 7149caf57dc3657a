"""The formats of state and of parameters that are measured, by name."""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
import optax

import radam_optax as rx
from benchmarks.subjects.nearest import BFloat16Nearest

# Those of `radam_optax.codecs`, and one that is not there.
CODECS: dict[str, Callable[..., rx.codecs.Codec]] = {
    "bfloat16_compensated": rx.codecs.bfloat16_compensated,
    "bfloat16_stochastic": rx.codecs.bfloat16_stochastic,
    "int8_blockwise": rx.codecs.int8_blockwise,
    "float8_stochastic": rx.codecs.float8_stochastic,
    "bfloat16_nearest": BFloat16Nearest,
}

# The dtype that a model has its parameters in, and what trains them by an optimizer.
Form = tuple[jnp.dtype, Callable[..., optax.GradientTransformation]]
PARAMETERS: dict[str, Form] = {
    "float32": (jnp.dtype("float32"), lambda optimizer: optimizer),
    "bfloat16": (jnp.dtype("bfloat16"), lambda optimizer: optimizer),
}
for _name in ("bfloat16_compensated", "bfloat16_stochastic"):
    PARAMETERS[_name] = jnp.dtype("bfloat16"), partial(rx.compress_params, codec=CODECS[_name]())


def divided_codec(name: str) -> rx.codecs.Codec:
    """A codec for axes that are divided over up to 32 chips."""
    return CODECS[name](**({"shards": 32} if name == "int8_blockwise" else {}))
