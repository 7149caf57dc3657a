"""What all processes of a run do together, by JAX's own collectives; one process alone does without."""

from collections.abc import Callable
from typing import TypeVar, cast

import jax
import numpy as np
from jax.experimental import multihost_utils

from radam_optax.checkpoint._errors import UnusableError

T = TypeVar("T")
_ROOM = 1000  # Bytes of a message that reach the other processes.


_KINDS = UnusableError, TypeError, ValueError, OSError, RuntimeError


def together(do: Callable[[], T]) -> T:
    """What ``do`` returns in this process, if it succeeds in all of them.

    Where it fails in one, every process raises an error of the same kind, its own or that of the first that
    has one: none goes on alone, to wait for the others for ever. ``do`` itself must run no collective.
    """
    own, result, report = None, None, np.zeros(1 + _ROOM, np.uint8)
    try:
        result = do()
    except Exception as error:
        own, text = error, str(error).encode()[:_ROOM]
        report[0] = next((i for i, kind in enumerate(_KINDS, 1) if isinstance(error, kind)), len(_KINDS))
        report[1 : 1 + len(text)] = list(text)
    reports = gathered(report)
    first = int(np.argmax(reports[:, 0]))
    if not reports[first, 0]:
        return cast(T, result)
    if own is not None and report[0] == reports[first, 0]:
        raise own
    text = bytes(reports[first, 1:]).rstrip(b"\0").decode(errors="ignore")
    raise _KINDS[reports[first, 0] - 1](f"in process {first}: {text}") from own


def gathered(row: np.ndarray) -> np.ndarray:
    """The rows of all processes, of the same shape and dtype, one under the other."""
    return multihost_utils.process_allgather(row) if jax.process_count() > 1 else row[None]
