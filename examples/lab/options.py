"""The options of a command line, whose errors are one line that says what was meant."""

import argparse
import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf, nan
from pathlib import Path
from typing import Any


class Parser(argparse.ArgumentParser):
    """A parser that meets a mistyped option with the one that was meant."""

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        """The options, or an error, in which no option is left over."""
        found, rest = self.parse_known_args(args, namespace)
        if rest:
            flag = next((word for word in rest if word.startswith("-")), rest[0]).partition("=")[0]
            self.error(
                f"unrecognized arguments: {' '.join(rest)}{suggestion(flag, self._option_string_actions)}"
            )
        return found


class OptionsRead(Exception):  # noqa: N818
    """Ends a command of which nothing was wanted but to read its options; nothing is wrong with them."""


_nothing_else: ContextVar[bool] = ContextVar("_nothing_else", default=False)


def options_read() -> None:
    """Ends the command here, with :class:`OptionsRead`, in a block of :func:`nothing_but_options`."""
    if _nothing_else.get():
        raise OptionsRead


@contextmanager
def nothing_but_options() -> Iterator[None]:
    """A command that is called in the block goes as far as its options are read."""
    parse, token = argparse.ArgumentParser.parse_known_args, _nothing_else.set(True)

    def parse_and_end(parser: argparse.ArgumentParser, args: Any = None, namespace: Any = None) -> Any:
        found, rest = parse(parser, args, namespace)
        if not rest:  # Else the error is still to come.
            options_read()
        return found, rest

    argparse.ArgumentParser.parse_known_args = parse_and_end  # type: ignore[method-assign]
    try:
        yield
    finally:
        argparse.ArgumentParser.parse_known_args = parse  # type: ignore[method-assign]
        _nothing_else.reset(token)


def suggestion(name: str, names: Iterable[str]) -> str:
    """A question after the name that a mistyped one is most like, or nothing."""
    found = difflib.get_close_matches(name, names, 1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def positive_int(text: str) -> int:
    """An argparse type: a whole number >= 1."""
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1; got {text!r}")
    return int(text)


def at_least(smallest: float) -> Callable[[str], float]:
    """An argparse type: a finite number >= the smallest."""
    return _number(lambda value: value >= smallest, f">= {smallest:g}")


def above(bound: float) -> Callable[[str], float]:
    """An argparse type: a finite number > the bound."""
    return _number(lambda value: value > bound, f"> {bound:g}")


def _number(holds: Callable[[float], bool], rule: str) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = nan
        if not (value < inf and holds(value)):
            raise argparse.ArgumentTypeError(f"must be a number {rule}; got {text!r}")
        return value

    return convert


def output_folder(text: str) -> Path:
    """An argparse type: a folder to write to, made with its first file; a bad one fails before the work."""
    folder = Path(text)
    try:
        there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot make the folder {text!r}: {error.strerror}") from None
    if not there.is_dir():
        why = "File exists" if there == folder.absolute() else f"'{there}' is no folder"
        raise argparse.ArgumentTypeError(f"cannot make the folder {text!r}: {why}")
    if not os.access(there, os.W_OK):
        raise argparse.ArgumentTypeError(f"cannot write to the folder '{there}'")
    return folder
