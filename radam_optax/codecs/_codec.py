"""What a codec is."""

from typing import Any, Protocol

import jax

Arrays = dict[str, jax.Array]


class Codec(Protocol):
    """What :func:`radam_optax.compress_state` asks of a codec."""

    def encode(self, x: jax.Array, seed: jax.Array) -> Arrays: ...

    def decode(self, arrays: Arrays) -> jax.Array: ...


def codec_like(name: str, value: Any) -> Any:
    """A codec that has been built, such as those of :mod:`radam_optax.codecs`."""
    if isinstance(value, type) or not (hasattr(value, "encode") and hasattr(value, "decode")):
        raise TypeError(f"`{name}` must be a codec, such as `codecs.int8_blockwise()`; got {value!r}.")
    try:
        hash(value)
    except TypeError:
        raise TypeError(f"`{name}` must be hashable; got {value!r}.") from None
    return value
