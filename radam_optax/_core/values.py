"""What a hyperparameter is: a number known while tracing, an array of a step, or a schedule of its count."""

from collections.abc import Callable
from typing import Any, Literal, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike

Scalar = float | np.floating[Any] | jax.Array  # Arrays have shape (), but for a factor of updates.
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
    x = jnp.asarray(value)
    x = x.real if jnp.iscomplexobj(x) else x
    return x.astype(jnp.result_type(float))


def scheduled(schedule: Schedule, count: jax.Array, *, factor: bool = False) -> jax.Array:
    """The value of a schedule at ``count``.

    Args:
      schedule: a function of the count.
      count: shape (), of past updates.
      factor: whether it multiplies updates, and so may be an array that broadcasts against them, in any
        precision; a decay may not.

    Raises:
      TypeError: it is not a number, or not a precise one.
      ValueError: it is an array of several numbers.
    """
    value: Any = schedule(jnp.asarray(count))
    numeric = hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jnp.number)
    if not (numeric or isinstance(value, int | float | complex)):
        raise TypeError(f"A schedule must return a number; got {value!r}.")
    if not factor:
        refuse_coarse("What a schedule returns", value)
    if np.size(value) == 1:
        return as_scalar(value).reshape(())
    if not factor:
        raise ValueError(f"A schedule must return a scalar; got an array of shape {np.shape(value)}.")
    return as_scalar(value)


def refuse_coarse(what: str, value: Any) -> None:
    """Raises TypeError for a number of 16 bits: 0.999 is 1 in bfloat16, and 1e-8 is 0 in float16."""
    dtype = getattr(value, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits < 32:
        raise TypeError(
            f"{what} must have the precision of float32; got {dtype}, in which 0.999 and 1e-8 do not exist. "
            "Convert it; of optax.inject_hyperparams, which takes the dtype of the parameters, ask for "
            "`hyperparam_dtype=jnp.float32`."
        )


def in_dtype_of(old: jax.Array, new: jax.Array) -> jax.Array:
    """``new`` in the dtype of ``old``, be it float64 where x64 mode has been switched off since."""
    dtype = getattr(old, "dtype", None) or jnp.result_type(old)
    with jax.enable_x64(dtype.itemsize == 8):
        return jax.lax.convert_element_type(new, dtype)


def value_at(value: ScalarOrSchedule, count: Any, *, factor: bool = False) -> Any:
    """A hyperparameter at ``count``, be it constant or a schedule, see :func:`scheduled`."""
    return scheduled(value, count, factor=factor) if callable(value) else value
