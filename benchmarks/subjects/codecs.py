"""The codecs of the state that are measured, by their public names."""

from collections.abc import Callable

import radam_optax as rx

CODECS: dict[str, Callable[..., rx.codecs.Codec]] = {
    make.__name__: make
    for make in (
        rx.codecs.bfloat16_compensated,
        rx.codecs.bfloat16_stochastic,
        rx.codecs.int8_blockwise,
        rx.codecs.float8_stochastic,
        rx.codecs.bfloat16_nearest,
    )
}


def divided_codec(name: str) -> rx.codecs.Codec:
    """A codec for axes that are divided over up to 32 chips."""
    return CODECS[name](**({"shards": 32} if name == "int8_blockwise" else {}))
