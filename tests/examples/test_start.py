"""The files to start from are whole, learn what they claim, and run as a command and as a file."""

import ast
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from tests.support.compiler import LEAST
from tests.support.forks import alone

ROOT = Path(__file__).parents[2]
START = ROOT / "examples" / "start"
PUBLIC = {"equinox", "flax", "jax", "matplotlib", "numpy", "optax", "radam_optax", "sklearn"}
# The steps of a quick run, and the least test accuracy in percent after them.
LEARN = {"equinox_mlp": (150, 80), "flax_linen": (100, 80), "flax_nnx": (100, 80), "plain_jax": (100, 80)}
FILES = sorted(file.stem for file in START.glob("[a-z]*.py"))

for package in ("cyclopts", *PUBLIC, "orbax.checkpoint", "rich"):
    pytest.importorskip(package)


def test_there_is_a_test_for_each_file():
    assert {*FILES} == LEARN.keys() | {"quickstart", "resume"}


@pytest.mark.parametrize("name", FILES)
def test_a_file_imports_public_packages_only(name):
    tree = ast.parse((START / f"{name}.py").read_text("utf-8"))
    modules = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules.append(str(node.module))
    packages = {module.partition(".")[0] for module in modules}
    assert "radam_optax" in packages
    assert packages - set(sys.stdlib_module_names) <= PUBLIC
    assert not [module for module in modules if "._" in module]


def learned(lines, least):
    """Whether the loss falls, and the last accuracy is at least so many percent."""
    first, *_, last = lines
    losses = [float(line.partition("loss ")[2].split()[0]) for line in (first, last)]
    assert losses[1] < losses[0] / 2
    assert float(last.partition("accuracy ")[2].partition("%")[0]) >= least


def resumed(lines, steps):
    """Whether a run went on in the middle, and ended as the one without a stop."""
    assert lines[2] == f"Resumed at step {steps // 2}"
    assert lines[0] == lines[3] != lines[1]
    assert lines[4] == "Parameters and state are bitwise the same: True"


def check(name, out):
    if name == "resume":
        resumed(out.splitlines(), 20)
    else:
        learned(out.splitlines(), LEARN[name][1])


COMMANDS = {name: str(steps) for name, (steps, _) in LEARN.items()} | {"resume": "20"}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Orbax's, of reading without a template.
def test_a_file_does_what_it_claims_as_a_command(name, capsys):
    from examples.__main__ import run

    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):  # As readers have it.
        assert run([name, "--steps", COMMANDS[name]]) == 0
    check(name, capsys.readouterr().out)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_runs_alone(name, tmp_path):
    """As ``python examples/start/NAME.py``, from any folder."""
    environment = alone() | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": LEAST}
    done = subprocess.run(
        [sys.executable, "-W", "error", START / f"{name}.py", "--steps", COMMANDS[name]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    check(name, done.stdout)
