"""The link that CONTRIBUTING.md adds works as written, under what holds every link."""

import re
from pathlib import Path

import jax
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
    assert len(PAGE.splitlines()) <= 60


def test_the_test_of_the_page_passes(page):
    page["test_infinity_moment"]()


def test_the_link_is_checked_and_prints_as_its_call(page):
    with pytest.raises(ValueError, match=r"`b2` must be in \[0, 1\); got 1\.0"):
        page["infinity_moment"](1.0)
    assert repr(page["infinity_moment"](0.9)) == "infinity_moment(b2=0.9)"


@jax.numpy_dtype_promotion("standard")  # Which optax's needs.
def test_with_it_adamax_is_a_line(page):
    rate = optax.chain(page["infinity_moment"](0.99), rx.inverse_root(0.0))
    ours = rx.scale_by_adaptive_rate(momentum=rx.first_moment(0.9), rate=rate)
    theirs = optax.scale_by_adamax(0.9, 0.99, 0.0)
    gradients = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    states = [tx.init(jnp.zeros(3)) for tx in (ours, theirs)]
    for g in map(jnp.asarray, gradients):
        found, states[0] = ours.update(g, states[0])
        expected, states[1] = theirs.update(g, states[1])
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "complex64"])
def test_it_keeps_to_the_dtypes_of_the_package(page, dtype):
    g = jnp.asarray([1, -2, 3], dtype)
    link = page["infinity_moment"](0.9)
    nu, state = link.update(g, link.init(g))
    assert (nu.dtype, state.nu.dtype) == (jnp.float32, jnp.float32)
    jax.tree.map(np.testing.assert_array_equal, (nu, state.nu), (jnp.array([1.0, 4.0, 9.0]),) * 2)
