"""Lists the benchmarks, or runs one of them: ``python -m benchmarks [NAME [options]]``."""

import sys
from functools import partial
from pathlib import Path

from examples.lab.commands import run_command

COMMANDS = {file.stem: file for file in sorted((Path(__file__).parent / "commands").glob("[a-z]*.py"))}
EXTRA = ("flax", "matplotlib", "mpmath", "rich")
run = partial(run_command, "benchmarks", COMMANDS, EXTRA)

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
