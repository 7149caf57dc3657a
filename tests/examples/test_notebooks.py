"""The notebooks run from top to bottom, import public packages only, and end in a picture and its numbers."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
PUBLIC = {"jax", "matplotlib", "numpy", "optax", "radam_optax", "sklearn"}

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
for package in ("ipykernel", "matplotlib", "sklearn"):
    pytest.importorskip(package)


def read(file):
    return nbformat.read(file, as_version=4)


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_notebook_imports_public_packages_only(file):
    notebook = read(file)
    nbformat.validate(notebook)
    source = "\n".join(code(notebook))
    names = [
        name
        for node in ast.walk(ast.parse(source))
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [str(node.module)] if isinstance(node, ast.ImportFrom)
            else []
        )
    ]  # fmt: skip
    assert {name.partition(".")[0] for name in names} <= PUBLIC


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.filterwarnings("ignore")  # Of the kernel's sockets; the notebook runs in a process of its own.
def test_a_notebook_shows_what_it_claims(file, tmp_path, monkeypatch):
    """It asserts that itself, at its end."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".jax_cache"))
    notebook = read(file)
    assert "assert " in code(notebook)[-1]
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output for output in outputs if "image/png" in output.get("data", {})]
    assert [output.text for output in outputs if output.get("name") == "stdout"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
