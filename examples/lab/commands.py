"""The commands of a package, one module each: ``python -m PACKAGE [NAME [options]]`` lists or runs them."""

import ast
import importlib
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from examples.data.split import DataError
from examples.lab.interrupts import if_interrupted, stop
from examples.lab.options import nothing_but_options, suggestion
from examples.lab.stand_ins import stand_ins

ROOT = Path(__file__).parents[2]  # Of the repository.


def summary(file: Path) -> str:
    """The first docstring line of a command, read without importing it: listing needs no extras."""
    return (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n")[0]


def run_command(
    package: str,
    commands: Mapping[str, Path],
    needs: Sequence[str],
    install: str,
    arguments: Sequence[str],
) -> int:
    """Runs the command named first with the other arguments.

    Args:
      package: of the commands, in the plural.
      commands: the file of each command, by name.
      needs: the packages that they need beside the library's own needs.
      install: the command that installs them; where one is missing, the message says it.
      arguments: of the command line.

    Returns:
      The exit code.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: python -m {package} NAME [options]   (NAME --help shows the options)\n")
        width = max(map(len, commands))
        print("\n".join(f"  {name:<{width}}  {summary(file)}" for name, file in commands.items()))
        return 0
    name, *options = arguments
    if name not in commands:
        kind, hint, there = package.removesuffix("s"), suggestion(name, commands), ", ".join(commands)
        print(f"python -m {package}: no {kind} {name!r}{hint}; there are: {there}", file=sys.stderr)
        return 2
    if_interrupted("It starts anew", package, *arguments)
    try:
        # A KeyboardInterrupt within the import of an extension would surface as an ImportError.
        signal.signal(signal.SIGINT, stop)
        _read_options(_module(commands[name]), options)
        command = importlib.import_module(_module(commands[name]))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        command.main(options)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in needs:
            raise
        print(f"{name} needs {missing}: {install}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        stop()
    except DataError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    return 0


def _read_options(module: str, options: Sequence[str]) -> None:
    """Ends the program with the help, or with what is wrong with the options, before slow imports."""
    try:
        with stand_ins(("benchmarks", "examples", "radam_optax")), nothing_but_options():
            importlib.import_module(module).main(options)
    except DataError:
        raise
    except Exception:
        # Nothing is wrong, or a stand-in does not do: then the command says it itself, seconds later.
        return


def _module(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)
