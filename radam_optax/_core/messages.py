"""How errors and warnings name things: a leaf by its path, the caller by the line of the user's code."""

import sys
import warnings
from typing import Any

import jax

ORDER = "The order is `update(updates, state, params)`."


def name_of(path: Any) -> str:
    """The path of a leaf as it stands in messages."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def shown(value: Any) -> str:
    """A value as it stands in messages: as it is written, if that is short, else what it is."""
    text = repr(value)
    return text if len(text) <= 120 and "\n" not in text else kind_of(value)


def kind_of(value: Any) -> str:
    """What a value is, with the length of a container and the shape of an array."""
    kind = type(value).__name__
    if type(value) in (tuple, list, dict):
        return f"{kind} of {len(value)}"
    shape = getattr(value, "shape", None)
    return kind if shape is None else f"{kind} of shape {shape}"


def warn(message: str) -> None:
    """A UserWarning that points at the caller of the package."""
    # Every frame of the package is passed over, since how deep a factory lies in others is no user's concern.
    frame, level = sys._getframe(1), 2
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith("radam_optax."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
