"""How errors and warnings name things: a leaf by its path, the caller by the line of the user's code."""

import sys
import warnings
from typing import Any

import jax


def name_of(path: Any) -> str:
    """The path of a leaf as it stands in messages."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def warn(message: str) -> None:
    """A UserWarning that points at the caller of the package."""
    # Every frame of the package is passed over, since how deep a factory lies in others is no user's concern.
    frame, level = sys._getframe(1), 2
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith("radam_optax."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
