"""Trees with a leaf of every dtype and of every odd kind, and what it means that two trees are close."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

STEPS = 8  # RAdam rectifies from the 6th on.


def tree(seed, scale=1.0, *, wide=False):
    """A leaf of every dtype and of every odd kind: None, empty, scalar."""
    rng = np.random.default_rng(seed)

    def leaf(shape, dtype):
        x = rng.normal(size=shape) + (1j * rng.normal(size=shape) if dtype == "complex64" else 0)
        return jnp.asarray(scale * x, dtype)

    return {
        "float32": [leaf((3, 2), "float32"), None],
        "bfloat16": leaf((4,), "bfloat16"),
        "float16": (leaf((), "float16"),),
        "complex64": leaf((2,), "complex64"),
        "nothing": {"at all": jnp.zeros((0, 3), "float32"), "here": {}},
        **({"float64": leaf((2,), "float64")} if wide else {}),
    }


def gradients(steps=STEPS, **kwargs):
    trees = [tree(seed + 1, 10.0 if seed == 3 else 1.0, **kwargs) for seed in range(steps)]
    return jax.tree.map(lambda *x: jnp.stack(x), *trees)


def assert_close(actual, desired, ulps=16, of=""):
    """Equal up to ``ulps`` units in the last place of the largest element of each leaf; ``of`` a name."""
    jax.tree.map_with_path(functools.partial(_assert_leaf_close, ulps=ulps, of=of), actual, desired)


def _assert_leaf_close(path, a, b, *, ulps, of):
    where = of + jax.tree_util.keystr(path)
    if where.endswith(".rest"):  # What a sum's roundings have left out: they differ where two are made one.
        return
    assert (a.dtype, a.shape) == (b.dtype, b.shape), where
    if not jnp.issubdtype(a.dtype, jnp.inexact):
        np.testing.assert_array_equal(a, b, where)
        return
    eps = float(jnp.finfo(a.dtype).eps)
    wide = np.complex128 if jnp.iscomplexobj(a) else np.float64
    a, b = np.asarray(a).astype(wide), np.asarray(b).astype(wide)
    assert np.isfinite(a).all(), where
    atol = ulps * eps * np.abs(b).max(initial=0)
    np.testing.assert_allclose(a, b, rtol=ulps * eps, atol=atol, err_msg=where)


def bits(tree):
    """What two trees have in common if and only if they are equal to the last bit."""
    leaves = [(str(x.dtype), x.shape, np.asarray(x).tobytes()) for x in jax.tree.leaves(tree)]
    return jax.tree.structure(tree), leaves


def as_wide(g, p):
    """A gradient in its own dtype, or in that of its parameter, if that is wider."""
    with jax.numpy_dtype_promotion("standard"):
        return jnp.asarray(g).astype(jnp.promote_types(jnp.result_type(g), jnp.result_type(p)))
