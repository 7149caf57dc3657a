"""Lists the benchmarks, or runs one of them: ``python -m benchmarks [NAME [options]]``."""

import ast
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

EXTRA = ("flax", "matplotlib", "mpmath", "rich")


def summaries() -> dict[str, str]:
    """The first docstring line of each benchmark, read without importing it: listing needs no extras."""
    files = sorted(Path(__file__).parent.glob("[a-z]*.py"))
    docstrings = {file.stem: ast.get_docstring(ast.parse(file.read_text("utf-8"))) for file in files}
    return {name: (text or "").partition("\n")[0] for name, text in docstrings.items()}


def run(arguments: Sequence[str]) -> int:
    """Runs the benchmark named first with the other arguments; returns the exit code."""
    benchmarks = summaries()
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: python -m benchmarks NAME [options]   (NAME --help shows the options)\n")
        width = max(map(len, benchmarks))
        print("\n".join(f"  {name:<{width}}  {summary}" for name, summary in benchmarks.items()))
        return 0
    name, *options = arguments
    if name not in benchmarks:
        there = ", ".join(benchmarks)
        print(f"python -m benchmarks: no benchmark {name!r}; there are: {there}", file=sys.stderr)
        return 2
    try:
        importlib.import_module(f"benchmarks.{name}").main(options)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRA:
            raise
        print(f"{name} needs {package}: pip install 'radam-optax[benchmarks]'", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
