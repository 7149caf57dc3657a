"""What a command's options are is said at once: by stand-ins for what takes seconds to import, and truly."""

import importlib
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest

for needed in ("cyclopts", "rich"):
    pytest.importorskip(needed)

from benchmarks.__main__ import COMMANDS as BENCHMARKS
from examples.__main__ import COMMANDS as EXAMPLES
from examples.lab.options import OptionsRead, Parser, nothing_but_options
from examples.lab.stand_ins import SLOW, StandIn, stand_ins
from tests.support import programs

ROOT = Path(__file__).parents[2]
ALL = [("examples", name) for name in EXAMPLES] + [("benchmarks", name) for name in BENCHMARKS]
# As a shell starts it; what is printed at the end are the slow packages that were imported after all, and the
# modules that go on with a stand-in.
PROGRAM = """
import importlib, sys
slow = set(sys.argv.pop().split(","))
try:
    sys.exit(importlib.import_module(f"{sys.argv[1]}.__main__").run(sys.argv[2:]))
finally:
    from examples.lab.stand_ins import StandIn
    left = [n for n, m in sys.modules.items() if any(type(x) is StandIn for x in list(vars(m).values()))]
    print("SLOW:", *sorted({name.partition(".")[0] for name in sys.modules} & slow), *left)
"""


def started(*arguments):
    """Exit code, standard output and error, and what is slow or a stand-in at the end."""
    command = [sys.executable, "-W", "error", "-c", PROGRAM, *arguments, ",".join(sorted(SLOW))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60)
    text, _, left = done.stdout.rpartition("SLOW:")
    return (done.returncode, text, done.stderr), left.split()


@pytest.mark.parametrize(("package", "name"), ALL)
def test_help_imports_nothing_slow_and_says_what_the_command_itself_says(package, name):
    said, left = started(package, name, "--help")
    assert left == []
    # In a process that has imported everything, there is nothing for which to stand in.
    assert said == programs.run(package, name, "--help")
    assert said[1].lower().startswith("usage: ")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("examples train --stesp 3", "train: Unknown option: --stesp. Did you mean --steps?\n"),
        (
            "examples train --schedule cosine(warmup=a)",
            "--schedule: warmup in 'cosine(warmup=a)' must be a n",
        ),
        ("examples convex --sede 3", "error: unrecognized arguments: --sede 3 (did you mean '--seeds'?)\n"),
        ("examples quickstart --steps x", "error: argument --steps: "),
        ("benchmarks step --rounds 0", "error: argument --rounds: must be a whole number >= 1; got '0'\n"),
    ],
)
def test_what_is_wrong_with_options_is_said_before_anything_slow_is_imported(command, message):
    said, left = started(*command.split())
    assert left == []
    assert said == programs.run(*command.split())
    assert said[:2] == (2, "")
    assert message in said[2]


def test_a_command_whose_options_are_right_goes_on_without_stand_ins():
    command = ("benchmarks", "report", "--readme", "/nowhere")
    said, left = started(*command)
    assert said == programs.run(*command)
    assert "'/nowhere' does not have the lines" in said[2]
    assert set(left) <= SLOW  # No module with a stand-in.


def test_options_that_are_right_end_a_command_only_where_nothing_else_is_wanted():
    parser = Parser()
    parser.add_argument("--steps")
    with nothing_but_options():
        for read in (lambda: parser.parse_args(["--steps", "3"]), lambda: ArgumentParser().parse_args([])):
            with pytest.raises(OptionsRead):
                read()
    assert parser.parse_args(["--steps", "3"]).steps == "3"


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
