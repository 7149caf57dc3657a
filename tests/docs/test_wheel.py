"""What goes to an index: an sdist that builds and tests itself, a wheel that is the library alone."""

import email
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("radam_optax", "benchmarks", "docs", "examples", "tests")
FILES = [
    ".ci/run",
    ".github/workflows/ci.yml",
    ".pre-commit-config.yaml",
    ".readthedocs.yaml",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
]
FILES += ["LICENSE", "MANIFEST.in", "Makefile", "README.md", "pyproject.toml"]
NOT_OURS = ("__pycache__",)
# Without an environment of its own, for which packages would be fetched.
BUILD = "import sys; from setuptools.build_meta import build_{0}; build_{0}(sys.argv[1])"
UV = Path(sys.executable).with_name("uv")

# A step with what the extra brings, by a program that knows the installed package alone.
STEP = """
import jax.numpy as jnp, radam_optax as rx, sys
from radam_optax.checkpoint import Checkpoints
tx, params = rx.radam(0.1), {"w": jnp.ones(3)}
updates, state = tx.update(params, tx.init(params), params)
with Checkpoints(sys.argv[1], tx) as checkpoints:
    checkpoints.save(1, params, state)
    found = checkpoints.restore(params)
assert int(found.opt_state[0].count) == 1 and float(updates["w"][0]) < 0
print(rx.__file__)
"""


def build(kind, source, out):
    """The one file that setuptools makes of a folder."""
    out.mkdir()
    command = [sys.executable, "-c", BUILD.format(kind), str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=100)
    (file,) = out.iterdir()
    return file


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The archive, made of a copy in which nothing else lies around."""
    source = tmp_path_factory.mktemp("source")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns(*NOT_OURS))
    for file in FILES:
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, source / file)
    return build("sdist", source, source / "out")


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    """Of the unpacked sdist, as an index's users build it."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return build("wheel", source, folder / "out")


def test_an_sdist_holds_all_that_builds_and_tests_it(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    files = {path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")}
    files = {name for name in files if not {*NOT_OURS} & {*name.split("/")} and (ROOT / name).is_file()}
    assert {*FILES} | files <= names


def test_a_wheel_holds_every_module_of_the_library_and_nothing_else(wheel):
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "radam_optax").rglob("*.py")}
    assert names == there | {"radam_optax/py.typed"}


def test_a_wheel_says_what_an_index_shows(wheel):
    import radam_optax

    with ZipFile(wheel) as archive:
        (file,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(file))
    assert metadata["Name"] == "radam-optax"
    assert metadata["Version"] == radam_optax.__version__
    assert metadata["Author"] == "The radam_optax developers"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["Requires-Python"] == ">=3.11"
    urls = dict(line.split(", ") for line in metadata.get_all("Project-URL", []))
    assert urls.keys() == {"Homepage", "Repository", "Documentation", "Changelog", "Issues"}
    assert metadata.get_all("Provides-Extra") == ["checkpoint", "parity"]
    needs = [need for need in metadata.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert [need.partition(">=")[0] for need in needs] == ["jax", "optax", "chex", "numpy"]


@pytest.mark.full
@pytest.mark.skipif(not UV.exists(), reason="needs uv beside Python, to make an environment in seconds")
def test_the_extra_works_from_a_wheel_alone(wheel, tmp_path):
    python = tmp_path / "venv" / "bin" / "python"
    for command in (
        [UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"],
        [UV, "pip", "install", "--quiet", "--python", python, f"{wheel}[checkpoint]"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    done = subprocess.run(
        [python, "-I", "-c", STEP, tmp_path / "checkpoints"],
        cwd=tmp_path, check=True, capture_output=True, encoding="utf-8", timeout=300,
    )  # fmt: skip
    assert Path(done.stdout.strip()).is_relative_to(tmp_path / "venv")
