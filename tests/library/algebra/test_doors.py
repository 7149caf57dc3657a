"""What the package shows: each public module says its names, and shows no others."""

import pathlib
import tomllib

import pytest

import radam_optax as rx
from radam_optax import codecs, migrate, presets, sharding

MODULES = [rx, codecs, migrate, presets, sharding]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_names_of_a_public_module_are_there(module):
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, name) and not name.startswith("_") for name in module.__all__)


def test_the_package_shows_nothing_else():
    shown = {name for name in vars(rx) if not name.startswith("_")}
    assert shown - {"checkpoint"} == {*rx.__all__}  # Of those who have imported it.


def test_the_version_stands_in_one_place():
    text = pathlib.Path(__file__).parents[3].joinpath("pyproject.toml").read_text("utf-8")
    assert "version" in tomllib.loads(text)["project"]["dynamic"]
    assert rx.__version__.count(".") == 2
