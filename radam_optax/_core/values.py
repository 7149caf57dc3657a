"""What a hyperparameter is: a number known while tracing, an array of a step, or a schedule of its count."""

from collections.abc import Callable
from typing import Any, Literal, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike

Scalar = float | jax.Array  # Arrays have shape ().
Schedule = Callable[[jax.Array], ArrayLike]  # Of the count of past updates: 0 at the first one.
ScalarOrSchedule = Scalar | Schedule
Variance = Literal["first_order", "exact"]
Length = Literal["centre_of_mass", "variance"]
Optimizer = optax.GradientTransformationExtraArgs


def is_static(*values: Any) -> TypeGuard[float]:
    """Whether the values are known while tracing, so that a program may depend on them.

    A checked hyperparameter is a Python float, or an array, which ``jit`` may have traced, or a schedule.
    """
    return all(isinstance(value, float) for value in values)


def as_scalar(value: ArrayLike) -> jax.Array:
    """A real array in the precision of a step's scalars: float32, or float64 in x64 mode."""
    return jnp.real(jnp.asarray(value)).astype(jnp.result_type(float))


def scheduled(schedule: Schedule, count: jax.Array) -> jax.Array:
    """The value of a schedule at ``count``.

    Raises:
      TypeError: it is not a number.
      ValueError: it is not of shape ().
    """
    value: Any = schedule(jnp.asarray(count))
    numeric = hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jnp.number)
    if not (numeric or isinstance(value, int | float | complex)):
        raise TypeError(f"A schedule must return a number; got {value!r}.")
    if np.shape(value):
        raise ValueError(f"A schedule must return a scalar; got an array of shape {np.shape(value)}.")
    return as_scalar(value)


def value_at(value: ScalarOrSchedule, count: jax.Array) -> Scalar:
    """A hyperparameter at ``count``, be it constant or a schedule."""
    return scheduled(value, count) if callable(value) else value
