"""What hyperparameters may be: a domain is a rule, and stands in the annotation of the argument.

``b2: Decay`` says for a reader and for :func:`radam_optax._core.calls.validated` alike that b2 is a number in
[0, 1) or a schedule. A rule takes the argument's name and value, returns the value in the form in which the
package computes with it, and raises an error that gives the argument, the rule and the value.

Python and NumPy numbers are checked; JAX arrays pass unread, since they may be traced (``jit``, ``grad``,
``vmap``, :func:`optax.inject_hyperparams`).
"""

import math
import numbers
from collections.abc import Callable
from typing import Annotated, Any, Literal

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import DTypeLike

from radam_optax._core.messages import name_of, shown
from radam_optax._core.values import Length, Scalar, ScalarOrSchedule, Variance, as_scalar, refuse_coarse

Rule = Callable[[str, Any], Any]


def number_in(interval: str, condition: str = "", *, factor: bool = False) -> Rule:
    """A finite number in ``interval``, such as "[0, 1)"; becomes a float, or a real JAX array.

    A ``factor``, of updates, may also be an array that broadcasts against them, and of 16 bits.
    """
    low, high = (float(bound) for bound in interval[1:-1].split(","))

    def checked(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(f"`{name}` must be a number; got {shown(value)}.")
        try:
            x = float(value)
        except OverflowError:
            x = math.inf
        above = low <= x if interval[0] == "[" else low < x
        below = x <= high if interval[-1] == "]" else x < high
        if not (above and below and math.isfinite(x)):
            raise ValueError(f"`{name}` must be in {interval}{condition}; got {shown(value)}.")
        return x

    def rule(name: str, value: Any) -> Scalar:
        if not factor:
            refuse_coarse(f"`{name}`", value)
        if factor and isinstance(value, np.ndarray | jax.Array) and value.size != 1:
            for number in value.ravel().tolist() if isinstance(value, np.ndarray) else ():
                checked(name, number)
            return as_scalar(value)
        value = _unwrapped(name, value)
        return as_scalar(value) if isinstance(value, jax.Array) else checked(name, value)

    return rule


def schedulable(rule: Rule) -> Rule:
    """What ``rule`` allows, or a schedule."""
    return lambda name, value: value if callable(value) else rule(name, value)


def count_of_updates(name: str, value: Any) -> int | jax.Array:
    """An integer in the range of a count."""
    value = _unwrapped(name, value)
    if isinstance(value, jax.Array):
        return value.astype(jnp.int32)
    whole = _whole(name, value)
    if not 0 <= whole < 2**31:
        raise ValueError(f"`{name}` must be in [0, 2**31); got {whole}.")
    return whole


def size(low: int, high: int | None = None) -> Rule:
    """An integer of Python or NumPy in a range: shapes or programs depend on it, so it is never traced."""

    def rule(name: str, value: Any) -> int:
        whole = _whole(name, value)
        if whole < low or (high is not None and whole > high):
            allowed = f"at least {low}" if high is None else f"in [{low}, {high}]"
            raise ValueError(f"`{name}` must be {allowed}; got {value}.")
        return whole

    return rule


def flag(name: str, value: Any) -> bool:
    """True or False, or 1 or 0, of Python, NumPy or JAX; a program depends on it, so it is never traced."""
    if isinstance(value, np.ndarray | np.generic | jax.Array) and np.size(value) == 1:
        if isinstance(value, jax.core.Tracer):
            raise TypeError(
                f"`{name}` must be known while tracing; got {shown(value)}. Make it a static argument."
            )
        value = value.item()
    if not (isinstance(value, int) and value in (0, 1)):
        raise TypeError(f"`{name}` must be True or False; got {shown(value)}.")
    return bool(value)


def flags_in(name: str, mask: Any) -> Any:
    """A tree of flags, or a function that gives it."""
    if not gives_mask(mask):
        for path, leaf in jax.tree_util.tree_leaves_with_path(mask):
            flag(f"{name}[{name_of(path)!r}]" if path else name, leaf)
    return mask


def gives_mask(mask: Any) -> bool:
    """Whether a mask is a function, and no tree, as a module that can be called is one."""
    leaves = jax.tree.leaves(mask)
    return bool(leaves) and all(map(callable, leaves))


def one_of(*options: str) -> Rule:
    """One of several words."""

    def rule(name: str, value: Any) -> str:
        if not (isinstance(value, str) and value in options):
            listed = ", ".join(map(repr, options))
            raise ValueError(f"`{name}` must be one of {listed}; got {shown(value)}.")
        return value

    return rule


def pair(rule: Rule) -> Rule:
    """Two values, each under ``rule``; becomes a tuple."""

    def both(name: str, value: Any) -> tuple[Any, Any]:
        if not (isinstance(value, tuple | list) and len(value) == 2):
            raise TypeError(f"`{name}` must be a pair; got {shown(value)}.")
        return rule(f"{name}[0]", value[0]), rule(f"{name}[1]", value[1])

    return both


def dtype_of_kind(kind: Any, words: str) -> Rule:
    """A dtype of a kind; becomes the one that JAX takes it for."""

    def rule(name: str, value: DTypeLike) -> jnp.dtype:
        try:
            if isinstance(value, np.ndarray | jax.Array):
                raise TypeError
            dtype = jnp.dtype(value)
        except (TypeError, ValueError, SyntaxError):  # NumPy parses text such as ",".
            raise TypeError(f"`{name}` must be a {words} dtype; got {shown(value)}.") from None
        if not jnp.issubdtype(dtype, kind) or jnp.finfo(dtype).bits > 64:  # JAX has no long double.
            raise ValueError(f"`{name}` must be a {words} dtype; got {dtype}.")
        return jax.dtypes.canonicalize_dtype(dtype)

    return rule


def transformation(name: str, value: Any) -> Any:
    """A gradient transformation that has been built."""
    if not (hasattr(value, "init") and hasattr(value, "update")):
        raise TypeError(f"`{name}` must be a GradientTransformation; got {shown(value)}.")
    return value


def weighted(name: str, value: Any) -> Any:
    """Pairs of a weight, a number or a schedule, and a transformation."""
    if not value:
        raise ValueError(f"`{name}` must be at least one pair (weight, transformation); got none.")
    for index, part in enumerate(value):
        # A transformation is a pair of functions itself.
        if not (isinstance(part, tuple | list) and len(part) == 2) or hasattr(part, "init"):
            raise TypeError(f"`{name}[{index}]` must be a pair (weight, transformation); got {shown(part)}.")
    return tuple(
        (_weight(f"{name}[{index}][0]", weight), transformation(f"{name}[{index}][1]", link))
        for index, (weight, link) in enumerate(value)
    )


def identifier(name: str, value: Any) -> str:
    """A word by which an argument can be handed over."""
    if not (isinstance(value, str) and value.isidentifier()):
        raise TypeError(f"`{name}` must be a word that can name an argument; got {shown(value)}.")
    return value


def function(name: str, value: Any) -> Any:
    """What can be called."""
    if not callable(value):
        raise TypeError(f"`{name}` must be a function; got {shown(value)}.")
    return value


def anything(name: str, value: Any) -> Any:
    """What only the call itself can judge, such as a tree, whose leaves are looked at where it is used."""
    del name
    return value


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"`{name}` must be a whole number; got {shown(value)}.")
    return int(value)


def _unwrapped(name: str, value: Any) -> Any:
    """The number in an array of one, which may have axes: of NumPy a Python number, of JAX an array."""
    if isinstance(value, np.ndarray | jax.Array) and value.size != 1:
        raise ValueError(f"`{name}` must be a scalar; got an array of shape {value.shape}.")
    if isinstance(value, jax.Array):
        return value.reshape(()) if value.ndim else value
    return value.item() if isinstance(value, np.ndarray | np.generic) else value


_weight = schedulable(number_in("(-inf, inf)", factor=True))

# The domains that arguments share. What only one argument may be stands beside its function.
Decay = Annotated[ScalarOrSchedule, schedulable(number_in("[0, 1)"))]  # Weight of the past, dimensionless.
FixedDecay = Annotated[Scalar, number_in("[0, 1)")]
OpenDecay = Annotated[Scalar, number_in("(0, 1)")]
NonNegative = Annotated[Scalar, number_in("[0, inf)")]
Positive = Annotated[Scalar, number_in("(0, inf)")]
Real = Annotated[Scalar, number_in("(-inf, inf)")]
Weight = Annotated[ScalarOrSchedule, _weight]
Share = Annotated[Scalar, number_in("[0, 1]")]
Forgetting = Annotated[Scalar, number_in("(0, 1]")]  # Decay of a maximum; 1 never forgets.
Rate = Annotated[ScalarOrSchedule, schedulable(number_in("[0, inf)", factor=True))]
OneRate = Annotated[ScalarOrSchedule, schedulable(number_in("[0, inf)"))]  # One for all coordinates.
LearningRate = Rate | None  # None leaves updates as they are, as in optax.
Count = Annotated[int | jax.Array, count_of_updates]
Flag = Annotated[bool, flag]
AnyDType = Annotated[DTypeLike, dtype_of_kind(jnp.inexact, "floating or complex")] | None
RealDType = Annotated[DTypeLike, dtype_of_kind(jnp.floating, "real floating")] | None
Link = Annotated[optax.GradientTransformation, transformation]
Mask = Annotated[Any, flags_in]  # A tree of booleans, or a function of the parameters that gives it.
Tree = Annotated[Any, anything]
Threshold = Annotated[Scalar, anything]  # The variance says from where on it is finite.
VarianceChoice = Annotated[Variance, one_of("first_order", "exact")]
LengthChoice = Annotated[Length, one_of("centre_of_mass", "variance")]
MaxOrder = Annotated[Literal["before_max", "after_max", "none"], one_of("before_max", "after_max", "none")]
