"""Examples and benchmarks, ``python -m PACKAGE NAME``, forked from a process that has imported them.

No test of them depends on how the last bits are rounded, so that they are compiled as fast as can be.
"""

from tests.support.compiler import LEAST
from tests.support.forks import Forked, forks

# Between them these import what any of them does, so that one server is enough for all.
IMPORTED = (
    *("benchmarks.commands.end_to_end", "benchmarks.commands.quality", "examples.lab.study"),
    *("examples.resilient.resilient_training", "examples.sharded.train_sharded", "examples.start.quickstart"),
    *("matplotlib.figure", "sklearn.datasets", "tokenizers"),
)


def start(package, *arguments, environment=()) -> Forked:
    quick = {"XLA_FLAGS": LEAST}
    return forks(*IMPORTED).start(package, *arguments, environment=quick | dict(environment))


def run(package, *arguments, environment=()) -> tuple[int | None, str, str]:
    """Exit code, standard output and standard error."""
    with start(package, *arguments, environment=environment) as process:
        out, err = process.communicate(timeout=600)
    return process.returncode, out, err
