"""What hyperparameters may be: one domain per argument name, checked where a link or recipe is built.

Python and NumPy numbers are checked; JAX arrays pass unread, since they may be traced (``jit``, ``grad``,
``vmap``, :func:`optax.inject_hyperparams`). Each message gives the argument, the rule and the value.
"""

import functools
import inspect
import math
import numbers
import sys
import warnings
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.typing import ArrayLike, DTypeLike

from radam_optax._core.calls import Call, made_by

Scalar = float | jax.Array  # Arrays have shape ().
Schedule = Callable[[jax.Array], ArrayLike]  # Of the count of past updates: 0 at the first one.
ScalarOrSchedule = Scalar | Schedule
Variance = Literal["first_order", "exact"]
Length = Literal["centre_of_mass", "variance"]

Rule = Callable[[str, Any], Any]
P = ParamSpec("P")
R = TypeVar("R")


def number(interval: str, condition: str = "") -> Rule:
    """A finite number in ``interval``, such as "[0, 1)"; becomes a float, or a real JAX array."""
    low, high = (float(bound) for bound in interval[1:-1].split(","))

    def rule(name: str, value: Any) -> Scalar:
        value = _unwrapped(name, value)
        if isinstance(value, jax.Array):
            return as_scalar(value)
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(f"`{name}` must be a number; got {value!r}.")
        try:
            x = float(value)
        except OverflowError:
            x = math.inf
        above = low <= x if interval[0] == "[" else low < x
        below = x <= high if interval[-1] == "]" else x < high
        if not (above and below and math.isfinite(x)):
            raise ValueError(f"`{name}` must be in {interval}{condition}; got {value!r}.")
        return x

    return rule


def schedulable(interval: str) -> Rule:
    """A number in ``interval``, or a schedule."""
    check = number(interval)
    return lambda name, value: value if callable(value) else check(name, value)


def whole_number(name: str, value: Any) -> int | jax.Array:
    """An integer in the range of a count."""
    value = _unwrapped(name, value)
    if isinstance(value, jax.Array):
        return value.astype(jnp.int32)
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"`{name}` must be a whole number; got {value!r}.")
    number = int(value)
    if not 0 <= number < 2**31:
        raise ValueError(f"`{name}` must be in [0, 2**31); got {number}.")
    return number


def size(low: int, high: int | None = None) -> Rule:
    """An integer of Python or NumPy in a range: shapes or programs depend on it, so it is never traced."""

    def rule(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise TypeError(f"`{name}` must be a whole number; got {value!r}.")
        whole = int(value)
        if whole < low or (high is not None and whole > high):
            allowed = f"at least {low}" if high is None else f"in [{low}, {high}]"
            raise ValueError(f"`{name}` must be {allowed}; got {value}.")
        return whole

    return rule


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"`{name}` must be True or False; got {value!r}.")
    return bool(value)


def one_of(*options: str) -> Rule:
    """One of several words."""

    def rule(name: str, value: Any) -> str:
        if not (isinstance(value, str) and value in options):
            listed = ", ".join(map(repr, options))
            raise ValueError(f"`{name}` must be one of {listed}; got {value!r}.")
        return value

    return rule


def pair(rule: Rule) -> Rule:
    """Two values, each under ``rule``; becomes a tuple."""

    def both(name: str, value: Any) -> tuple[Any, Any]:
        if not (isinstance(value, tuple | list) and len(value) == 2):
            raise TypeError(f"`{name}` must be a pair; got {value!r}.")
        return rule(f"{name}[0]", value[0]), rule(f"{name}[1]", value[1])

    return both


def _dtype_rule(kind: Any, words: str) -> Rule:
    def rule(name: str, value: DTypeLike) -> jnp.dtype:
        try:
            if isinstance(value, np.ndarray | jax.Array):
                raise TypeError
            dtype = jnp.dtype(value)
        except (TypeError, ValueError, SyntaxError):  # NumPy parses text such as ",".
            raise TypeError(f"`{name}` must be a {words} dtype; got {value!r}.") from None
        if not jnp.issubdtype(dtype, kind) or jnp.finfo(dtype).bits > 64:  # JAX has no long double.
            raise ValueError(f"`{name}` must be a {words} dtype; got {dtype}.")
        return jax.dtypes.canonicalize_dtype(dtype)

    return rule


inexact_dtype = _dtype_rule(jnp.inexact, "floating or complex")
real_dtype = _dtype_rule(jnp.floating, "real floating")


def transformation(name: str, value: Any) -> Any:
    """A gradient transformation that has been built."""
    if not (hasattr(value, "init") and hasattr(value, "update")):
        raise TypeError(f"`{name}` must be a GradientTransformation; got {value!r}.")
    return value


def codec_like(name: str, value: Any) -> Any:
    """A codec that has been built, such as those of :mod:`radam_optax.codecs`."""
    if isinstance(value, type) or not (hasattr(value, "encode") and hasattr(value, "decode")):
        raise TypeError(f"`{name}` must be a codec, such as `codecs.int8_blockwise()`; got {value!r}.")
    try:
        hash(value)
    except TypeError:
        raise TypeError(f"`{name}` must be hashable; got {value!r}.") from None
    return value


def function(name: str, value: Any) -> Any:
    """What can be called."""
    if not callable(value):
        raise TypeError(f"`{name}` must be a function; got {value!r}.")
    return value


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


def expect(kind: type[Any], state: Any) -> None:
    """Raises TypeError if a state is not of the kind, or its clocks are not scalars."""
    if not isinstance(state, kind):
        raise TypeError(
            f"The state must be a `{kind.__name__}`; got {type(state).__name__}. It is of another optimizer."
        )
    for name, kind_of_number in (("count", jnp.integer), ("elapsed", jnp.floating)):
        if name not in state._fields:
            continue
        clock = getattr(state, name)
        if name == "elapsed" and isinstance(clock, tuple):
            continue
        array: Any = np.asarray(clock) if isinstance(clock, int | float) else clock
        if not (getattr(array, "shape", None) == () and jnp.issubdtype(array.dtype, kind_of_number)):
            raise TypeError(
                f"`{name}` in the state `{kind.__name__}` must be of shape () and {kind_of_number.__name__}; "
                f"got {clock!r}."
            )


def warn(message: str) -> None:
    """A UserWarning that points at the caller of the package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith("radam_optax."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def _unwrapped(name: str, value: Any) -> Any:
    if isinstance(value, np.ndarray | jax.Array) and value.ndim:
        raise ValueError(f"`{name}` must be a scalar; got an array of shape {value.shape}.")
    return value.item() if isinstance(value, np.ndarray | np.generic) else value


_DECAY = schedulable("[0, 1)")
_FIXED_DECAY = number("[0, 1)")
_NOT_NEGATIVE = number("[0, inf)")
_RATE = schedulable("[0, inf)")

DOMAINS: dict[str, Rule] = {
    "learning_rate": _RATE,
    "lr": _RATE,
    "weight_decay": _RATE,
    "b1": _DECAY,
    "b2": _DECAY,
    "decay": _DECAY,
    "alpha": _FIXED_DECAY,
    "beta_1": _FIXED_DECAY,
    "beta_2": _FIXED_DECAY,
    "betas": pair(_FIXED_DECAY),
    "momentum": number("[0, 1]"),
    "max_decay": number("(0, 1]"),
    "eps": _NOT_NEGATIVE,
    "eps_root": _NOT_NEGATIVE,
    "epsilon": _NOT_NEGATIVE,
    "lr_decay": _NOT_NEGATIVE,
    "momentum_decay": _NOT_NEGATIVE,
    "min_lr": _NOT_NEGATIVE,
    "initial": _NOT_NEGATIVE,
    "initial_scale": _NOT_NEGATIVE,
    "initial_accumulator_value": _NOT_NEGATIVE,
    "peak_value": _NOT_NEGATIVE,
    "init_value": _NOT_NEGATIVE,
    "sma_threshold": number("[4, inf)"),
    "warmup_proportion": number("[0, 1]"),
    "dampening": number("(-inf, inf)"),
    "fallback": number("(-inf, inf)"),
    "power": number("(-inf, inf)"),
    "projection_fn": function,
    "min_size": size(0),
    "block_size": size(2),
    "shards": size(1),
    "max_exponent": size(-63, 127),
    "codec": codec_like,
    "steps": whole_number,
    "total_steps": whole_number,
    "variance": one_of("first_order", "exact"),
    "length": one_of("centre_of_mass", "variance"),
    "dtype": inexact_dtype,
    "mu_dtype": inexact_dtype,
    "nu_dtype": real_dtype,
    "accumulator_dtype": inexact_dtype,
    "amsgrad": flag,
    "bias_correction": flag,
    "bias_correction_mu": flag,
    "bias_correction_nu": flag,
    "centered": flag,
    "debias": flag,
    "decoupled_weight_decay": flag,
    "degenerated_to_sgd": flag,
    "eps_in_sqrt": flag,
    "maximize": flag,
    "nesterov": flag,
}


def validated(**exceptions: Rule) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Checks a factory's arguments by their names, :data:`DOMAINS` but for ``exceptions``.

    None passes where it is the default, and as a learning rate without one (no scaling, as in optax).
    A transformation that comes out remembers the call, and prints as it.
    """
    rules = DOMAINS | exceptions

    def decorate(factory: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(factory)
        defaults = {n: p.default for n, p in signature.parameters.items()}
        optional = {n for n, default in defaults.items() if default is None}
        if defaults.get("learning_rate") is inspect.Parameter.empty:
            optional.add("learning_rate")

        @functools.wraps(factory)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError:
                return factory(*args, **kwargs)  # Python's own message names the function.
            bound.apply_defaults()
            for name, value in bound.arguments.items():
                if name in rules and not (value is None and name in optional):
                    bound.arguments[name] = rules[name](name, value)
            result = factory(*bound.args, **bound.kwargs)
            if isinstance(result, optax.GradientTransformation):
                return made_by(Call(checked, bound.arguments), result)  # pyright: ignore[reportReturnType]
            return result

        return checked

    return decorate
