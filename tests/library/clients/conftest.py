"""What the tests of other packages need."""

import jax
import pytest


@pytest.fixture
def standard_promotion():
    """For packages that mix dtypes and ranks themselves."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
