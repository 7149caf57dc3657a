"""Lists the examples, or runs one of them: ``python -m examples [NAME [options]]``."""

import sys
from functools import partial
from pathlib import Path

from examples.lab.commands import run_command

HERE = Path(__file__).parent
PROGRAMS = [*HERE.glob("start/[a-z]*.py"), HERE / "trainer/train.py", HERE / "sharded/train_sharded.py"]
PROGRAMS += [HERE / "resilient/resilient_training.py", HERE / "studies/pictures.py"]
STUDIES = {file.parent.name: file for file in HERE.glob("studies/*/study.py")}
COMMANDS = dict(sorted(({file.stem: file for file in PROGRAMS} | STUDIES).items()))
NEEDS = (
    "cyclopts",
    "equinox",
    "flax",
    "matplotlib",
    "mlxtend",
    "orbax",
    "rich",
    "sklearn",
    "tensorboardX",
    "tokenizers",
)
run = partial(run_command, "examples", COMMANDS, NEEDS, "pip install . ./examples")

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
