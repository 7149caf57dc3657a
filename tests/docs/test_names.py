"""What completion and `help` show of the package: public names, their signatures and docstrings."""

import importlib
import inspect
import pydoc
import re

import pytest

import radam_optax as rx

MODULES = ["radam_optax", *(f"radam_optax.{name}" for name in ("presets", "codecs", "sharding", "migrate"))]
CALLABLES = [name for name in rx.__all__ if callable(getattr(rx, name))]


@pytest.mark.parametrize("name", [*MODULES, "radam_optax.checkpoint"])
def test_completion_shows_public_names_alone(name):
    module = importlib.import_module(name)
    shown = [one for one in dir(module) if not one.startswith("__")]
    assert shown == sorted(module.__all__)
    assert all(hasattr(module, one) for one in shown)


def test_the_version_is_shown():
    assert "__version__" in dir(rx)


@pytest.mark.parametrize("name", CALLABLES)
def test_a_checked_factory_shows_what_it_wraps(name):
    factory = getattr(rx, name)
    wrapped = inspect.unwrap(factory)
    assert factory.__name__ == wrapped.__name__ == name
    assert re.search(rf"(def|class) {name}\(", inspect.getsource(factory))


@pytest.mark.parametrize("name", [*MODULES, "radam_optax.checkpoint"])
def test_signatures_read_as_they_are_written(name):
    """No rule of a domain, and no function by its address."""
    module = importlib.import_module(name)
    for one in filter(callable, map(vars(module).get, module.__all__)):
        said = pydoc.plain(pydoc.render_doc(one))
        assert not re.findall(r".* at 0x.*|.*Annotated\[.*", said), one


def test_help_prints_types_by_their_names_and_the_whole_docstring():
    said = pydoc.plain(pydoc.render_doc(rx.radam))
    signature = " ".join(said.split()).replace("'", "")
    assert "learning_rate: LearningRate, b1: Decay = 0.9, b2: Decay = 0.999, eps: NonNegative" in signature
    assert ") -> Optimizer" in signature
    for line in inspect.getdoc(rx.radam).splitlines():
        assert line in said
