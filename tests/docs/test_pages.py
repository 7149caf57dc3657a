"""The code on the pages of the site runs as written, in its order, and what they name is there."""

import itertools
import re
import tempfile
from pathlib import Path

import jax
import pytest

from benchmarks.__main__ import COMMANDS as BENCHMARKS
from examples.__main__ import COMMANDS as EXAMPLES
from tests.support.snippets import is_runnable

ROOT = Path(__file__).parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(ROOT.glob("docs/*.md"))
}
PAGES["README.md"] = (ROOT / "README.md").read_text("utf-8")
# They import a framework or two each, which takes longer than the code.
FULL = {"docs/start.md", "docs/from_keras.md"}
REPOSITORY = "https://github.com/radam-optax/radam_optax/blob/main/"


def blocks_of(page: str) -> list[list[str]]:
    """The blocks of Python of a page, section by section."""
    sections, code = [[]], None
    for line in PAGES[page].splitlines(keepends=True):
        if line.startswith("```"):
            if code is not None:
                sections[-1].append("".join(code))
            code = [] if line == "```python\n" and code is None else None
        elif code is not None:
            code.append(line)
        elif line.startswith("#"):
            sections.append([])
    return sections


CODE = [page for page in PAGES if any(blocks_of(page))]


@jax.numpy_rank_promotion("allow")  # As readers have it, both.
@jax.numpy_dtype_promotion("standard")
@pytest.mark.parametrize("page", [pytest.param(p, marks=[pytest.mark.full] * (p in FULL)) for p in CODE])
def test_the_code_of_a_page_runs(page, monkeypatch, tmp_path):
    """A section ends with its first block that needs what is not installed."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    namespace = {"__name__": page}
    ran = 0
    for blocks in blocks_of(page):
        for block in itertools.takewhile(is_runnable, blocks):
            exec(compile(block, page, "exec"), namespace)
            ran += 1
    if not ran:
        pytest.skip("needs packages that are not installed")


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_are_there(page):
    """As far as that costs nothing: make's goals, the programs, and the files of tests."""
    text = PAGES[page]
    goals = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"(?:^|`) *make ([\w-]+)", text, flags=re.MULTILINE)) <= goals
    for package, commands in {"examples": EXAMPLES, "benchmarks": BENCHMARKS}.items():
        assert set(re.findall(rf"python -m {package} (\w+)", text)) <= commands.keys()
    for test in set(re.findall(r"\btests/[\w/]+(?:\.py)?\b", text)):
        assert (ROOT / test).exists()


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_into_the_repository_lead_to_files(page):
    linked = re.findall(re.escape(REPOSITORY) + r"([^)\s#]+)", PAGES[page])
    linked += [
        f"{Path(page).parent}/{name}"
        for name in re.findall(r"(?:\]\(|src=\")([\w./-]+\.(?:md|png|gif|py))[)\"]", PAGES[page])
    ]
    missing = [name for name in linked if not (ROOT / name).exists()]
    assert not missing


@pytest.mark.parametrize("page", CODE)
def test_code_is_as_wide_as_a_page_of_the_site(page):
    """What is wider is cut off at the edge, and has to be scrolled."""
    lines = [line for blocks in blocks_of(page) for block in blocks for line in block.splitlines()]
    assert not [line for line in lines if len(line) > 90]


def test_the_tests_that_keep_the_promises_are_there():
    named = set(re.findall(r"\b(test_\w+\.py)`", PAGES["docs/promises.md"]))
    assert len(named) > 10
    assert named <= {path.name for path in ROOT.glob("tests/**/*.py")}
