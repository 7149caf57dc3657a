"""What a link accepts when it is built: each message gives the argument, the rule and the value."""

import math
import numbers
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike

Scalar = float | jax.Array
Schedule = Callable[[jax.Array], ArrayLike]


def scalar(name: str, value: ArrayLike, interval: str = "(-inf, inf)") -> Scalar:
    """Returns ``value`` as a Python float, or as a real array of shape () if it is a JAX array.

    A Python or NumPy number must be finite and in ``interval``, such as "[0, 1)". A JAX array
    passes unread, since it may be traced (``jit``, ``grad``, ``vmap``,
    :func:`optax.inject_hyperparams`); it is taken in float32, or float64 in x64 mode.

    Raises:
      TypeError: if the value is not a number. ValueError: if it breaks the rule.
    """
    if isinstance(value, np.ndarray | jax.Array) and value.ndim:
        raise ValueError(f"`{name}` must be a scalar; got an array of shape {value.shape}.")
    if isinstance(value, jax.Array):
        return jnp.real(value).astype(jnp.result_type(float))
    value = value.item() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"`{name}` must be a number; got {value!r}.")
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    number = float(value)
    above = low <= number if interval[0] == "[" else low < number
    below = number <= high if interval[-1] == "]" else number < high
    if not (above and below and math.isfinite(number)):
        raise ValueError(f"`{name}` must be in {interval}; got {value!r}.")
    return number


def whole_number(name: str, value: ArrayLike) -> int | jax.Array:
    """Returns ``value`` as an int >= 0, or as an array of shape () if it is a JAX array.

    Raises:
      TypeError: if the value is not a whole number. ValueError: if it is negative.
    """
    if isinstance(value, jax.Array):
        return value
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"`{name}` must be a whole number; got {value!r}.")
    if value < 0:
        raise ValueError(f"`{name}` must be >= 0; got {value!r}.")
    return int(value)


def schedulable(name: str, value: ArrayLike | Schedule, interval: str = "[0, inf)") -> Scalar | Schedule:
    """Like :func:`scalar`, but a callable of the count of past updates passes as it is."""
    return value if callable(value) else scalar(name, value, interval)


def choice(name: str, value: Any, options: tuple[str, ...]) -> None:
    """Raises ValueError unless ``value`` is one of ``options``."""
    if value not in options:
        raise ValueError(f"`{name}` must be one of {', '.join(map(repr, options))}; got {value!r}.")


def inexact_dtype(name: str, dtype: DTypeLike | None) -> jnp.dtype | None:
    """Returns the dtype that JAX gives to ``dtype``, which must be floating or complex; None passes."""
    if dtype is None:
        return None
    if not jnp.issubdtype(dtype, jnp.inexact):
        raise ValueError(f"`{name}` must be a floating or complex dtype; got {jnp.dtype(dtype)}.")
    return jax.dtypes.canonicalize_dtype(dtype)
