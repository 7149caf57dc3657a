"""The lines on the pages of the catalogue are the optimizers, to the last bit."""

import inspect
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx

CATALOGUE = Path(__file__).parents[2] / "docs" / "catalogue"
PAGES = sorted(page for page in CATALOGUE.glob("*.md") if page.stem != "index")
LEARNING_RATE = 1e-2


def line_of(page, function):
    """The composition that a page shows, with the defaults of the function."""
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    names = {name: getattr(rx, name) for name in rx.__all__}
    defaults = {name: each.default for name, each in inspect.signature(function).parameters.items()}
    return eval(
        code,
        names | defaults | {"chain": optax.chain, "identity": optax.identity, "learning_rate": LEARNING_RATE},
    )


def run(optimizer, gradients):
    """All parameters on the way; that of the last gradients too."""

    @jax.jit
    def all_steps(params, gradients):
        def step(carry, gradient):
            params, state = carry
            updates, state = optimizer.update(gradient, state, params)
            params = optax.apply_updates(params, updates)
            return (params, state), params

        return jax.lax.scan(step, (params, optimizer.init(params)), gradients)[1]

    return all_steps(jnp.linspace(-1.0, 1.0, gradients.shape[1]), gradients)


@pytest.mark.full
@jax.numpy_dtype_promotion("standard")  # As readers have it.
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_line_of_a_page_is_the_optimizer(page):
    function = getattr(rx, page.stem)
    gradients = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    gradients[7] *= 30
    found, expected = (
        run(optimizer, gradients)
        for optimizer in (line_of(page, function), function(learning_rate=LEARNING_RATE))
    )
    np.testing.assert_array_equal(found, expected)
    assert page.stem == "adam_2k" or not np.array_equal(found[-1], found[0])


def test_pages_say_what_the_table_shows():
    assert len(PAGES) > 30
    for page in PAGES:
        text = page.read_text("utf-8")
        assert re.match(r'---\nline: ".+"\nsource: ".+"\n', text), page.name
        assert re.findall(r"^## (.+)", text, flags=re.MULTILINE) == ["Where frameworks differ"], page.name
