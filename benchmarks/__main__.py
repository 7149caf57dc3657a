"""Lists the benchmarks, or runs one of them: ``python -m benchmarks [NAME [options]]``."""

import sys
from functools import partial
from pathlib import Path

from examples.lab.commands import run_command

COMMANDS = {file.stem: file for file in sorted((Path(__file__).parent / "commands").glob("[a-z]*.py"))}
NEEDS = ("flax", "matplotlib", "mpmath", "rich")
INSTALL = "pip install . ./examples --group benchmarks"
run = partial(run_command, "benchmarks", COMMANDS, NEEDS, INSTALL)

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
