"""The few recipes that the quick form is tested with stand for all."""

import pathlib
import sys

import jax
import jax.numpy as jnp
import pytest

import radam_optax as rx
from tests.support.recipes import CATALOGUE, COVERING, RECIPES, build

PACKAGE = str(pathlib.Path(rx.__file__).parent)
# Where a function is a recipe and nothing else.
OF_RECIPES = ("_optimizers.py", "_successors.py", "_transforms.py", "_schedules.py", "presets")
PARAMS = {"w": jnp.ones(2), "h": jnp.ones(3, "bfloat16"), "z": jnp.ones(1, "complex64")}


def functions(name):
    """Those of the package that are called as the recipe is built, starts and makes a step."""
    called = set()

    def see(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE):
            called.add((pathlib.Path(code.co_filename).relative_to(PACKAGE), code.co_qualname))

    jax.clear_caches()  # What was traced before would not be called.
    before = sys.getprofile()
    sys.setprofile(see)
    try:
        tx = build(name)
        jax.eval_shape(tx.update, PARAMS, jax.eval_shape(tx.init, PARAMS), PARAMS)
    finally:
        sys.setprofile(before)
    # What arguments may be is tested for every one, in tests/library/errors.
    rest = {(file, function) for file, function in called if file.name != "domains.py"}
    return {(file, function) for file, function in rest if file.parts[0] not in OF_RECIPES}


@pytest.mark.full
def test_a_few_recipes_call_every_function_that_any_recipe_calls():
    called = {name: functions(name) for name in RECIPES}
    for names in (RECIPES, CATALOGUE):
        by_all = set().union(*(called[name] for name in names))
        by_few = set().union(*(called[name] for name in names if name in COVERING))
        assert by_all == by_few
    assert len(by_all) > 100
