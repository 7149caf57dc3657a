"""Lists the benchmarks, or runs one of them: ``python -m benchmarks [NAME [options]]``."""

import sys
from functools import partial

from examples._commands import run_command

EXTRA = ("flax", "matplotlib", "mpmath", "rich")
run = partial(run_command, "benchmarks", EXTRA)

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
