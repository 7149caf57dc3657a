"""The codecs of the state that are measured, by name."""

from collections.abc import Callable

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


def divided_codec(name: str) -> rx.codecs.Codec:
    """A codec for axes that are divided over up to 32 chips."""
    return CODECS[name](**({"shards": 32} if name == "int8_blockwise" else {}))
