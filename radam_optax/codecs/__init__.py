"""Codecs: a float32 array in fewer bytes, and back.

:func:`radam_optax.compress_state` holds states by them, :func:`radam_optax.compress_params` parameters.

::

    codec                            bytes per number   relative error       on average
    float8_stochastic()              1                  < 2^-1               exact
    int8_blockwise()                 1 + 2/64           < 2^-3               exact
    bfloat16_stochastic()            2                  < 2^-7               exact
    bfloat16_compensated()           3                  < 2^-15              exact
    bfloat16_compensated(bits=16)    4                  0                    exact
    float16_compensated()            3                  < 2^-18, or 2.3e-10  exact; for parameters

A codec is a hashable object of two methods, :class:`Codec`, so that others can be written.

The noise of stochastic rounding is a hash of the seed and of the element's index: it needs no key, it is the
same however the array is sharded, and compilers fuse it into the loop that rounds.
"""

from radam_optax.codecs._bfloat16 import bfloat16_stochastic
from radam_optax.codecs._codec import Arrays, Codec
from radam_optax.codecs._compensated import bfloat16_compensated, float16_compensated
from radam_optax.codecs._float8 import float8_stochastic
from radam_optax.codecs._int8 import int8_blockwise
from radam_optax.codecs._params import CompressedParamsState
from radam_optax.codecs._state import CompressedState

__all__ = [
    "Arrays",
    "Codec",
    "CompressedParamsState",
    "CompressedState",
    "bfloat16_compensated",
    "bfloat16_stochastic",
    "float8_stochastic",
    "float16_compensated",
    "int8_blockwise",
]


def __dir__() -> list[str]:
    """What completion shows."""
    return __all__
