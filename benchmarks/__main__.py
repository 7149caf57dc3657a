"""``python -m benchmarks`` lists the measurements; ``python -m benchmarks NAME`` runs one."""

import importlib
import sys

NAMES = ("numerics", "compile", "step")


def main() -> int:
    """Runs the measurement named on the command line."""
    modules = {name: importlib.import_module(f"benchmarks.{name}") for name in NAMES}
    if sys.argv[1:2] and sys.argv[1] in modules:
        modules[sys.argv[1]].main()
        return 0
    if sys.argv[1:]:
        print(f"unknown measurement {sys.argv[1]!r}; there are:", file=sys.stderr)
    for name, module in modules.items():
        print(f"{name:10} {(module.__doc__ or '').splitlines()[0]}")
    return 2 if sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
