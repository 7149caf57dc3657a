"""Lists the examples, or runs one of them: ``python -m examples [NAME [options]]``."""

import sys
from functools import partial

from examples._commands import run_command

EXTRA = ("flax", "matplotlib", "orbax", "rich", "sklearn", "tensorboardX", "tokenizers")
run = partial(run_command, "examples", EXTRA)

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
