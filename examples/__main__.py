"""Lists the examples, or runs one of them: ``python -m examples [NAME [options]]``."""

import ast
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from examples._data import DataError

EXTRA = ("flax", "matplotlib", "orbax", "rich", "sklearn", "tensorboardX", "tokenizers")


def summaries() -> dict[str, str]:
    """The first docstring line of each example, read without importing it: listing needs no extras."""
    files = sorted(Path(__file__).parent.glob("[a-z]*.py"))
    docstrings = {file.stem: ast.get_docstring(ast.parse(file.read_text("utf-8"))) for file in files}
    return {name: (text or "").partition("\n")[0] for name, text in docstrings.items()}


def stop(*_: Any) -> NoReturn:
    """Ends the process with one line, at once: XLA can crash in an orderly exit from an interrupted call."""
    print("Interrupted.", file=sys.stderr, flush=True)
    os._exit(130)


def run(arguments: Sequence[str]) -> int:
    """Runs the example named first with the other arguments; returns the exit code."""
    examples = summaries()
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: python -m examples NAME [options]   (NAME --help shows the options)\n")
        width = max(map(len, examples))
        print("\n".join(f"  {name:<{width}}  {summary}" for name, summary in examples.items()))
        return 0
    name, *options = arguments
    if name not in examples:
        print(f"python -m examples: no example {name!r}; there are: {', '.join(examples)}", file=sys.stderr)
        return 2
    try:
        # A KeyboardInterrupt within the import of an extension would surface as an ImportError.
        signal.signal(signal.SIGINT, stop)
        example = importlib.import_module(f"examples.{name}")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        example.main(options)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA:
            raise
        print(f"{name} needs {package}: pip install 'radam-optax[examples]'", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        stop()
    except DataError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
