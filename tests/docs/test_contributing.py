"""The link that CONTRIBUTING.md adds works as written, under what holds every link."""

import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text("utf-8")


@pytest.fixture(scope="module")
def page():
    """What the page's blocks define."""
    namespace = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(block, namespace)
    return namespace


def test_the_page_is_short():
    assert len(PAGE.splitlines()) <= 75


def test_the_test_of_the_page_passes(page):
    page["test_mean_of_nonzero"]()


def test_the_link_is_checked_and_prints_as_its_call(page):
    with pytest.raises(ValueError, match=r"`initial` must be in \[0, inf\); got -1\.0"):
        page["mean_of_nonzero"](-1.0)
    assert repr(page["mean_of_nonzero"](0.5)) == "mean_of_nonzero(initial=0.5)"


def test_where_no_gradient_is_zero_it_is_the_mean_of_all(page):
    """Which the package makes by a schedule, AdamNC's."""
    mean = rx.second_moment(
        lambda count: count.astype("float32") / (count.astype("float32") + 1), debias=False
    )
    gradients = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    links = page["mean_of_nonzero"](), mean
    rates = [rx.scale_by_adaptive_rate(rate=optax.chain(link, rx.inverse_root())) for link in links]
    states = [tx.init(jnp.zeros(3)) for tx in rates]
    for g in map(jnp.asarray, gradients):
        found, states[0] = rates[0].update(g, states[0])
        expected, states[1] = rates[1].update(g, states[1])
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "complex64"])
def test_it_keeps_to_the_dtypes_of_the_package(page, dtype):
    g = jnp.asarray([1, -2, 3], dtype)
    link = page["mean_of_nonzero"]()
    nu, state = link.update(g, link.init(g))
    assert {x.dtype.name for x in (nu, *state)} == {"float32"}
    np.testing.assert_array_equal(nu, [1.0, 4.0, 9.0])
