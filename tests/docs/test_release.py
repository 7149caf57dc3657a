"""What says the version, the address and the Pythons of the package says the same everywhere."""

import re
import tomllib
from pathlib import Path

import pytest

import radam_optax

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))


def test_the_version_is_the_newest_of_the_changelog_and_that_of_the_citation():
    log = (ROOT / "CHANGELOG.md").read_text("utf-8")
    version, date = re.findall(r"^## (\d+\.\d+\.\d+) - (\S+)$", log, flags=re.MULTILINE)[0]
    assert radam_optax.__version__ == version == CITATION["version"]
    assert date == CITATION["date-released"].isoformat()


def test_the_citation_is_of_the_package_that_is_built():
    assert CITATION["cff-version"] == "1.2.0"
    assert [author["name"] for author in CITATION["authors"]] == [one["name"] for one in PROJECT["authors"]]
    assert CITATION["license"] == PROJECT["license"]
    assert CITATION["repository-code"] == PROJECT["urls"]["Repository"]
    assert CITATION["url"] == PROJECT["urls"]["Documentation"]


def test_the_pythons_are_those_from_the_oldest_on():
    listed = [name.rpartition(" :: ")[2] for name in PROJECT["classifiers"] if " :: 3." in name]
    assert PROJECT["requires-python"] == f">={listed[0]}"
    assert listed == [f"3.{minor}" for minor in range(11, 11 + len(listed))]


def test_continuous_integration_runs_what_a_person_runs_on_each_python():
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]
    ran, pythons = [], []
    for job in jobs.values():
        checkout, python, run = job["steps"]
        used = [step["uses"].partition("@")[0] for step in (checkout, python)]
        assert used == ["actions/checkout", "actions/setup-python"]
        ran.append(run["run"])
        matrix = job.get("strategy", {}).get("matrix", {})
        pythons += matrix.get("python", [python["with"]["python-version"]])
    assert ran == [".ci/run", "make test-newest"]
    assert pythons == [name.rpartition(" :: ")[2] for name in PROJECT["classifiers"] if " :: 3." in name]


def test_the_address_of_the_documentation_serves_what_make_docs_builds():
    commands = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text("utf-8"))["build"]["commands"]
    assert commands[0] == "make docs"
    built = commands[-1].split()[2]
    assert f"docs {built}\n" in (ROOT / "Makefile").read_text("utf-8")
