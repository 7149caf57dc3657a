"""The README is short, works on an index, and says what is so; that its code runs, test_pages.py shows."""

import re
import tomllib
from pathlib import Path

import radam_optax as rx

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
URLS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
CATALOGUE = {
    name
    for name, value in vars(rx).items()
    if getattr(value, "__module__", "") in ("radam_optax._optimizers", "radam_optax._successors")
    and not name.startswith("scale_by_")
    and name != "without_lookahead"
}


def test_it_is_short():
    assert len(README.splitlines()) <= 150


def test_its_links_are_absolute_and_lead_to_what_is_in_the_tree():
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert all(link.startswith("https://") for link in links)
    ours = [link for link in links if "radam" in link]
    assert len(ours) > 10
    for link in ours:
        base, _, path = link.partition("/blob/main/" if "/blob/" in link else "/en/latest/")
        assert base == URLS["Repository" if "/blob/" in link else "Documentation"]
        path, _, anchor = path.partition("#")
        file = path if "/blob/" in link else f"docs/{path.removesuffix('.html') or 'index'}.md"
        assert (ROOT / file).exists(), link
        headings = (
            re.findall(r"^#+ (.*)", (ROOT / file).read_text("utf-8"), flags=re.MULTILINE) if anchor else []
        )
        assert not anchor or anchor in [heading.lower().replace(" ", "-") for heading in headings], link


def test_it_says_how_many_optimizers_there_are():
    assert re.findall(r"a page for each of the (\d+) that are here", README) == [str(len(CATALOGUE))]


def test_every_optimizer_has_its_page_and_its_row():
    pages = {path.stem for path in (ROOT / "docs" / "catalogue").glob("*.md")}
    assert pages == CATALOGUE | {"index"}
    index = (ROOT / "docs" / "catalogue" / "index.md").read_text("utf-8")
    rows = " ".join(re.findall(r"```\{optimizers\}\n(.*?)```", index, flags=re.DOTALL)).split()
    assert sorted(rows) == sorted(CATALOGUE)


def test_continuous_integration_runs_the_commands_that_it_says():
    commands = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert "make test" in README
    assert "make test" in commands
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (command,) = re.findall(r"python -m pytest (-n .*)$", README, flags=re.MULTILINE)
    (how,) = re.findall(r"^PYTEST := \$\(BIN\)/python -m pytest (.*)$", makefile, flags=re.MULTILINE)
    (what,) = re.findall(r"^test: .*\n\t\$\(PYTEST\) (.*)$", makefile, flags=re.MULTILINE)
    assert command == f"{how} {what}"
