"""A choice on a command line, written as the call it is: ``radamw(b2=0.99, weight_decay=1e-4)``."""

import ast
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class SpecError(ValueError):
    """What is wrong with a choice, in one line."""


class Spec(NamedTuple):
    """A name and the arguments that were given."""

    name: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        listed = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.name}({listed})" if listed else self.name


def parse(text: str) -> Spec:
    """The name and the literal arguments of ``NAME`` or ``NAME(argument=value, ...)``.

    Raises:
      SpecError: the text is something else.
    """
    wanted = SpecError(f"{text!r} is neither NAME nor NAME(argument=value, ...)")
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise wanted from None
    call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
    if not isinstance(call.func, ast.Name) or call.args or any(word.arg is None for word in call.keywords):
        raise wanted
    try:
        return Spec(call.func.id, {str(word.arg): ast.literal_eval(word.value) for word in call.keywords})
    except ValueError:
        raise SpecError(
            f"the arguments of {text!r} must be numbers, texts, lists, True, False or None"
        ) from None


def call(spec: Spec, choices: Mapping[str, Callable[..., Any]], *given: Any) -> Any:
    """``choices[name](*given, **arguments)``.

    Raises:
      SpecError: there is no such choice, it has no such argument, it lacks one, or refuses a value.
    """
    if spec.name not in choices:
        raise SpecError(f"there is no {spec.name!r}; there are {', '.join(sorted(choices))}")
    function = choices[spec.name]
    parameters = list(inspect.signature(function).parameters)[len(given) :]
    for name in spec.arguments:
        if name not in parameters:
            known = ", ".join(parameters) or "none"
            raise SpecError(f"{spec.name} has no argument {name!r} to choose here; it has: {known}")
    try:
        inspect.signature(function).bind(*given, **spec.arguments)
        return function(*given, **spec.arguments)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise SpecError(f"{spec}: {error}") from error
