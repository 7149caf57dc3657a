"""Notebooks are kept without output, so that what changes in them is what somebody has written."""

import json
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).parents[2] / "examples" / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks():
    assert [file.stem for file in FILES] == ["low_memory", "own_optimizer", "start"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_notebook_is_stripped(file):
    notebook = json.loads(file.read_text("utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert not [
        cell["id"] for cell in cells if cell["outputs"] or cell["execution_count"] or cell["metadata"]
    ]
    assert notebook["metadata"].keys() == {"kernelspec", "language_info"}
    assert notebook["metadata"]["language_info"] == {"name": "python"}  # The version is the reader's.
