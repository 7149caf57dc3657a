"""What a codec is called in the states that it encodes, and which codec a state means."""

from typing import Any

from radam_optax.codecs._codec import Codec

# Those of the optimizers of this process: a state holds arrays and a name, from which no codec can be
# made. It is as with JAX's registry of the nodes of trees.
_KNOWN: dict[str, set[Codec]] = {}


def named(codec: Codec) -> str:
    """The name of a codec, which :func:`codec_of` knows from now on."""
    name = name_of_codec(codec)
    _KNOWN.setdefault(name, set()).add(codec)
    return name


def name_of_codec(codec: Codec) -> str:
    """How a codec prints; one that would print as its address in memory goes by its class."""
    kind = type(codec)
    return kind.__qualname__ if kind.__repr__ is object.__repr__ else repr(codec)


def name_in(state: Any) -> str:
    """The name of the codec of a state that one encodes."""
    return ", ".join(state.steps)


def codec_of(name: str, codec: Codec | None) -> Codec:
    """The codec of that name; ``codec``, if it is given.

    Raises:
      ValueError: ``codec`` has another name; or without it none is known, or several are.
    """
    if codec is None:
        known = _KNOWN.get(name, set())
        if len(known) != 1:
            number = "several codecs are" if known else "no codec is"
            raise ValueError(f"The state is encoded by {name}, and {number} known as that: give `codec`.")
        return next(iter(known))
    if name_of_codec(codec) != name:
        raise ValueError(f"The state is encoded by {name}, but `codec` is {name_of_codec(codec)}.")
    return codec
