"""What a codec is."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

import jax

Arrays = dict[str, jax.Array]


class Codec(Protocol):
    """A hashable object that makes few bytes of a float32 array, and the array of the bytes.

    Any object with these two methods is one, a frozen dataclass for instance. It must be hashable, equal to
    another one of the same settings, and should print as the call that makes it: by this name a state knows
    what it is encoded by.

    Example:
      >>> import dataclasses
      >>> import jax.numpy as jnp
      >>> import radam_optax as rx
      >>> @dataclasses.dataclass(frozen=True)
      ... class Float16:
      ...     def encode(self, x, seed):
      ...         return {"values": x.astype(jnp.float16)}
      ...     def decode(self, arrays):
      ...         return arrays["values"].astype(jnp.float32)
      >>> optimizer = rx.compress_state(rx.momentum(0.1), Float16(), min_size=1)
      >>> optimizer.init(jnp.zeros(3)).inner[0].trace.dtype
      dtype('float16')
    """

    def encode(self, x: jax.Array, seed: jax.Array) -> Arrays:
        """Gives the arrays that are held in the place of one.

        Args:
          x: What is to be held, float32, of any shape with at least one element.
          seed: The seed of a stochastic rounding, uint32 of shape (), another one for each array and step.

        Returns:
          Arrays by name, whose names and dtypes are always the same. The first takes the place of ``x`` in
          the state, and in the shape of ``x`` is sharded as ``x`` was; the others stand beside it, none of
          them uint16.
        """
        ...

    def decode(self, arrays: Arrays) -> jax.Array:
        """Gives the array that was encoded, to within the codec's rounding.

        Args:
          arrays: What ``encode`` returned.

        Returns:
          A float32 array of the shape of the one that was encoded.
        """
        ...


def codec_like(name: str, value: Any) -> Any:
    """A codec that has been built, such as those of :mod:`radam_optax.codecs`."""
    if isinstance(value, type) or not (hasattr(value, "encode") and hasattr(value, "decode")):
        raise TypeError(f"`{name}` must be a codec, such as `codecs.int8_blockwise()`; got {value!r}.")
    try:
        hash(value)
    except TypeError:
        raise TypeError(f"`{name}` must be hashable; got {value!r}.") from None
    return value


AnyCodec = Annotated[Codec, codec_like]
