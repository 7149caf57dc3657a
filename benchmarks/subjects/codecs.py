"""The formats of state and of parameters that are measured, by name."""

from collections.abc import Callable

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
PARAMETERS: dict[str, tuple[jnp.dtype, Callable[..., optax.GradientTransformation]]] = {
    "float32": (jnp.dtype("float32"), lambda optimizer: optimizer),
    "bfloat16": (jnp.dtype("bfloat16"), lambda optimizer: optimizer),
} | {
    name: (
        jnp.dtype("bfloat16"),
        lambda optimizer, name=name: rx.compress_params(optimizer, CODECS[name]()),
    )
    for name in ("bfloat16_compensated", "bfloat16_stochastic")
}


def divided_codec(name: str) -> rx.codecs.Codec:
    """A codec for axes that are divided over up to 32 chips."""
    return CODECS[name](**({"shards": 32} if name == "int8_blockwise" else {}))
