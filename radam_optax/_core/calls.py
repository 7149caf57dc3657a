"""A transformation that knows the call that made it, and prints as that call."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import optax


class Call(NamedTuple):
    """A factory of the package and the arguments that it was called with, defaults included."""

    factory: Callable[..., Any]
    arguments: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.factory.__name__

    def defaults(self) -> dict[str, Any]:
        """By argument; ``inspect.Parameter.empty`` where there is none."""
        return {n: p.default for n, p in inspect.signature(self.factory).parameters.items()}

    def __str__(self) -> str:
        """As it would be written: what differs from the defaults, by keyword."""
        defaults = self.defaults()
        given = {n: a for n, a in self.arguments.items() if repr(a) != repr(defaults[n])}
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in given.items())})"


class _Made:
    call: Call | None = None  # As it is after `_replace`.

    def __repr__(self) -> str:
        return str(self.call) if self.call else super().__repr__()


class _Transformation(_Made, optax.GradientTransformation):
    pass


class _TransformationExtraArgs(_Made, optax.GradientTransformationExtraArgs):
    pass


def made_by(call: Call, transformation: optax.GradientTransformation) -> optax.GradientTransformation:
    """The transformation, with ``call`` as its attribute and its ``repr``."""
    extra = isinstance(transformation, optax.GradientTransformationExtraArgs)
    made = (_TransformationExtraArgs if extra else _Transformation)(*transformation)
    made.call = call
    return made


def call_of(transformation: Any) -> Call | None:
    """The call that made it; None for what the package did not make, such as an :func:`optax.chain`."""
    return getattr(transformation, "call", None)
