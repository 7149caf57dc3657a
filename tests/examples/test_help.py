"""What a command's options are is said at once: by stand-ins for what takes seconds to import, and truly."""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

for needed in ("cyclopts", "rich"):
    pytest.importorskip(needed)

from benchmarks.__main__ import COMMANDS as BENCHMARKS
from examples.__main__ import COMMANDS as EXAMPLES
from examples.lab.stand_ins import SLOW, StandIn, stand_ins
from tests.support import programs

ROOT = Path(__file__).parents[2]
ALL = [("examples", name) for name in EXAMPLES] + [("benchmarks", name) for name in BENCHMARKS]
# As a shell starts it; what is printed at the end are the slow packages that were imported after all.
PROGRAM = """
import importlib, sys
try:
    sys.exit(importlib.import_module(f"{sys.argv[1]}.__main__").run(sys.argv[2:]))
finally:
    print("SLOW:", *sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv.pop().split(","))))
"""


@pytest.mark.parametrize(("package", "name"), ALL)
def test_help_imports_nothing_slow_and_says_what_the_command_itself_says(package, name):
    command = [sys.executable, "-W", "error", "-c", PROGRAM.replace("sys.argv[2:]", "sys.argv[2:4]")]
    arguments = [package, name, "--help", ",".join(sorted(SLOW))]
    done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    text, _, slow = done.stdout.rpartition("SLOW:")
    assert slow == "\n"
    # In a process that has imported everything, there is nothing for which to stand in.
    assert (0, text, "") == programs.run(package, name, "--help")
    assert text.lower().startswith("usage: ")


def test_what_was_imported_with_stand_ins_is_forgotten():
    import jax

    with stand_ins(()):
        absent = importlib.import_module("mlxtend.absent")
    assert isinstance(absent.thing, StandIn)
    assert "mlxtend.absent" not in sys.modules
    assert sys.modules["jax"] is jax


def test_a_stand_in_takes_part_in_definitions():
    nothing: Any = StandIn()

    @nothing.jit
    def function(x):
        return x

    @nothing.dataclass(frozen=True)
    class Thing(nothing.Module):
        kind: nothing.Array | float = nothing.zeros(3) + 1  # pyright: ignore[reportInvalidTypeForm]

    assert function(3) == 3
    assert Thing.__mro__ == (Thing, object)
    assert not isinstance(3, nothing.Array)
