"""The settings of a program: one frozen dataclass, read once, from flags and a TOML file, by Cyclopts."""

import argparse
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from cyclopts import App, CycloptsError, Group, Parameter
from cyclopts.config import Dict

from examples.data.split import DataError
from examples.lab.console import make_console
from examples.lab.options import options_read, output_folder, positive_int, suggestion

T = TypeVar("T")


def from_text(convert: Callable[[str], Any], metavar: str) -> Parameter:
    """A value that a function makes of its text, such as an argparse type; its errors are one line."""

    def converter(_: Any, tokens: Sequence[Any]) -> Any:
        (token,) = tokens
        try:
            return convert(token.value)
        except (ValueError, argparse.ArgumentTypeError) as error:
            where = "" if token.source == "cli" else f" in {token.source}"
            raise ValueError(f"{error}{where}") from error

    return Parameter(converter=converter, n_tokens=1, accepts_keys=False, metavar=metavar)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"must be a regular expression; got {text!r}: {error}") from error


Count = Annotated[int, from_text(positive_int, "N")]
Regex = Annotated[re.Pattern[str], from_text(_pattern, "REGEX")]
Switch = Annotated[bool, Parameter(negative=(), show_default=False)]  # False unless it is given.
Folder = Annotated[Path, Parameter(metavar="DIR")]


class Reading(NamedTuple, Generic[T]):
    """Settings, and the names of those that are no defaults."""

    settings: T
    given: frozenset[str]


def read(
    kind: type[T],
    command: str,
    doc: str | None,
    arguments: Sequence[str],
    *,
    file: Path | None = None,
    epilogue: str | None = None,
) -> Reading[T]:
    """The settings that flags give, then a file of the same names, then the defaults.

    Args:
      kind: a frozen dataclass, whose fields have defaults, and docstrings for ``--help``.
      command: of the program.
      doc: what it does, for ``--help``, which prints and exits.
      arguments: of the command line.
      file: in TOML; without one, that of the flag ``--config``, if the class has it and it is given.
      epilogue: of ``--help``.

    Raises:
      DataError: a flag, a file or a value is not what it must be; one line says which, and why.
    """
    flags = {flag_of(field.name): field.name for field in fields(kind)}  # type: ignore[arg-type]
    given: set[str] = set()

    def add_file(app: App, commands: tuple[str, ...], found: Any) -> None:
        config = found["--config"].tokens if "--config" in flags else []
        if path := file or (Path(config[-1].value) if config else None):
            # What flags have given stays.
            Dict(_table(path, flags.values()), source=str(path))(app, commands, found)
        given.update(flags[argument.name] for argument in found if argument.tokens)

    app = App(
        name=f"python -m examples {command}",
        help=doc,
        help_epilogue=epilogue,
        help_format="plaintext",
        version_flags=(),
        config=add_file,
        group_commands=Group("", show=False),  # --help, in the eyes of Cyclopts.
        group_parameters=Group("Settings", sort_key=0),
        # A flag that is given twice counts as the last says.
        default_parameter=Parameter(allow_repeating=True),
        console=make_console(),
        result_action="return_value",
    )
    app.default(_identity(kind))
    try:
        settings = app(arguments, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        raise DataError(" ".join(str(error).split())) from error
    if settings is None:  # --help has printed.
        raise SystemExit
    options_read()
    return Reading(settings, frozenset(given))


def flag_of(name: str) -> str:
    """The flag of a setting."""
    return f"--{name.replace('_', '-')}"


def check_folder(folder: Path) -> None:
    """Makes sure that the folder of ``--out`` can be made, before the work, which a bad one would waste."""
    try:
        output_folder(str(folder))
    except argparse.ArgumentTypeError as error:
        raise DataError(f"--out: {error}") from error


def plain(value: Any) -> Any:
    """A setting in the types of JSON."""
    if isinstance(value, re.Pattern):
        return value.pattern
    return value if value is None or isinstance(value, int | float | str | dict) else str(value)


def _identity(kind: type[T]) -> Callable[[T], T]:
    def identity(settings):
        return settings

    identity.__annotations__ = {"settings": Annotated[kind, Parameter(name="*")]}
    identity.__defaults__ = (kind(),)
    return identity


def _table(file: Path, names: Iterable[str]) -> dict[str, Any]:
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: not a TOML file: {error}") from error
    known = sorted(set(names) - {"config"})
    for name, value in table.items():
        if name not in known:
            hint = suggestion(name, known)
            raise DataError(f"{file}: there is no setting {name!r}{hint}; there are {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise DataError(f"{file}: {name} must be a number or a text; got {value!r}")
    return table
