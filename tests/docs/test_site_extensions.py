"""What the site is computed by refuses what it would show wrong."""

import importlib
import shutil
import types
from pathlib import Path

import pytest

pytestmark = pytest.mark.full
pytest.importorskip("sphinx")
pytest.importorskip("latex2mathml")

from sphinx.errors import SphinxError

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def extension(monkeypatch):
    """Imports an extension by its name, as Sphinx does."""
    monkeypatch.syspath_prepend(DOCS / "_ext")
    return importlib.import_module


@pytest.mark.parametrize("latex", [r"\rectify{x}", r"a &= b"])
def test_a_formula_that_is_not_understood_is_refused(latex, extension):
    with pytest.raises(SphinxError, match="latex2mathml does not know"):
        extension("mathml").mathml(latex, "block")


def test_aligned_formulas_are_tables(extension):
    made = extension("mathml").mathml(r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "block")
    assert made.count("<mtr>") == 2


def pages(folder):
    """An environment of Sphinx with the API pages of a folder."""
    names = {f"api/{page.stem}": page for page in folder.glob("*.md")}
    return types.SimpleNamespace(found_docs=set(names), doc2path=names.__getitem__)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("radam radamw", "radam", "radamw"),
        ("radam radamw", "radam radamw adam", "adam"),
        ("radam radamw", "radam radamw radamx", "radamx"),
    ],
    ids=["missing", "twice", "unknown"],
)
def test_the_api_pages_hold_each_public_name_once(old, new, named, extension, tmp_path):
    complete = extension("api").complete
    complete(None, pages(DOCS / "api"))
    shutil.copytree(DOCS / "api", tmp_path / "api")
    page = tmp_path / "api" / "optimizers.md"
    page.write_text(page.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(SphinxError, match=f"once; see {named}\\."):
        complete(None, pages(tmp_path / "api"))


def test_every_optimizer_has_a_page(extension):
    pytest.importorskip("myst_parser")
    pytest.importorskip("matplotlib")
    catalogue = extension("catalogue")
    names = catalogue.optimizers()
    assert len(names) > 30
    pages = {f"catalogue/{name}" for name in names}
    catalogue.check(None, types.SimpleNamespace(found_docs=pages))
    with pytest.raises(SphinxError, match=r"no page for radam\."):
        catalogue.check(None, types.SimpleNamespace(found_docs=pages - {"catalogue/radam"}))
