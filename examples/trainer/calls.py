"""A choice on a command line, written as the call it is: ``radamw(b2=0.99, weight_decay=1e-4)``."""

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cyclopts import Parameter

from examples.lab.options import suggestion
from examples.lab.settings import from_text

Choices = Mapping[str, Callable[..., Any]]


class CallError(ValueError):
    """What is wrong with a choice, in one line."""


@dataclass(frozen=True)
class Call:
    """A name and the arguments that were given."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        listed = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.name}({listed})" if listed else self.name


def parse(text: str) -> Call:
    """The name and the literal arguments of ``NAME`` or ``NAME(argument=value, ...)``.

    Raises:
      CallError: the text is something else.
    """
    wanted = CallError(f"{text!r} is neither NAME nor NAME(argument=value, ...)")
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise wanted from None
    call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
    if not isinstance(call.func, ast.Name) or call.args or any(word.arg is None for word in call.keywords):
        raise wanted
    arguments = {}
    for word in call.keywords:
        try:
            arguments[str(word.arg)] = ast.literal_eval(word.value)
        except (TypeError, ValueError):
            raise CallError(
                f"{word.arg} in {text!r} must be a number, a text, a list, True, False or None; "
                f"got {ast.unparse(word.value)}"
            ) from None
    return Call(call.func.id, arguments)


def check(call: Call, choices: Choices, given: int) -> None:
    """Makes sure that a choice can be called, when the program gives its first arguments.

    Raises:
      CallError: there is no such choice, it has no such argument, lacks one, or has no number for one.
    """
    if call.name not in choices:
        hint = suggestion(call.name, choices)
        raise CallError(f"there is no {call.name!r}{hint}; there are {', '.join(sorted(choices))}")
    signature = inspect.signature(choices[call.name])
    parameters = list(signature.parameters)[given:]
    for name, value in call.arguments.items():
        if name not in parameters:
            hint, known = suggestion(name, parameters), ", ".join(parameters) or "none"
            raise CallError(f"{call.name} has no argument {name!r} to choose here{hint}; it has: {known}")
        numeric = type(signature.parameters[name].default) in (int, float)
        if numeric and not isinstance(value, int | float):
            raise CallError(f"{name} in {call} must be a number")
    try:
        signature.bind(*[None] * given, **call.arguments)
    except TypeError as error:
        raise CallError(f"{call}: {error}") from error


def make(call: Call, choices: Choices, *given: Any, **more: Any) -> Any:
    """``choices[name](*given, **arguments, **more)``.

    Raises:
      CallError: it cannot be called, or refuses a value.
    """
    check(call, choices, len(given))
    try:
        return choices[call.name](*given, **call.arguments, **more)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise CallError(f"{call}: {error}") from error


CALL = from_text(parse, "CALL")  # Of what is checked later.


def one_of(choices: Choices, given: int) -> Parameter:
    """A setting that is a call of one of these, to which the program gives its first arguments."""

    def convert(text: str) -> Call:
        call = parse(text)
        check(call, choices, given)
        return call

    return from_text(convert, "CALL")
