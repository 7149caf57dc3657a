"""A folder of commands, one module each: ``python -m FOLDER [NAME [options]]`` lists them, or runs one."""

import ast
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from examples._data import DataError

ROOT = Path(__file__).parent.parent


def summaries(folder: str) -> dict[str, str]:
    """The first docstring line of each command, read without importing it: listing needs no extras."""
    files = sorted((ROOT / folder).glob("[a-z]*.py"))
    docstrings = {file.stem: ast.get_docstring(ast.parse(file.read_text("utf-8"))) for file in files}
    return {name: (text or "").partition("\n")[0] for name, text in docstrings.items()}


def stop(*_: Any) -> NoReturn:
    """Ends the process with one line, at once: XLA can crash in an orderly exit from an interrupted call."""
    print("Interrupted.", file=sys.stderr, flush=True)
    os._exit(130)


def run_command(folder: str, packages: Sequence[str], arguments: Sequence[str]) -> int:
    """Runs the command named first with the other arguments.

    Args:
      folder: where the commands are, in the plural; the extra that they need has its name.
      packages: of that extra; where one is missing, the message is the extra.
      arguments: of the command line.

    Returns:
      The exit code.
    """
    commands = summaries(folder)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: python -m {folder} NAME [options]   (NAME --help shows the options)\n")
        width = max(map(len, commands))
        print("\n".join(f"  {name:<{width}}  {summary}" for name, summary in commands.items()))
        return 0
    name, *options = arguments
    if name not in commands:
        kind, there = folder.removesuffix("s"), ", ".join(commands)
        print(f"python -m {folder}: no {kind} {name!r}; there are: {there}", file=sys.stderr)
        return 2
    try:
        # A KeyboardInterrupt within the import of an extension would surface as an ImportError.
        signal.signal(signal.SIGINT, stop)
        command = importlib.import_module(f"{folder}.{name}")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        command.main(options)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in packages:
            raise
        print(f"{name} needs {package}: pip install 'radam-optax[{folder}]'", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        stop()
    except DataError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    return 0
