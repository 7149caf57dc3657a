"""What others read from a state, and do to one: as from optax's, and to optax's."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from tests.support.recipes import build, every_recipe

PARAMS = {"a": jnp.asarray([0.5, -1.0, 2.0]), "b": jnp.ones((2, 2))}
GRADIENTS = {"a": jnp.asarray([1.0, -2.0, 0.5]), "b": jnp.full((2, 2), 0.1)}
OF_OPTAX = [
    *("sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "nadam", "amsgrad", "radam"),
    *("adabelief", "yogi", "adamax", "adamaxw", "nadamw", "lion", "adopt", "acprop"),
]
FIELDS = ("count", "mu", "nu", "nu_max", "sum_of_squares")


def run(tx, steps=3):
    state = tx.init(PARAMS)
    for _ in range(steps):
        _, state = tx.update(GRADIENTS, state, PARAMS)
    return state


def of_optax(name):
    return optax if hasattr(optax, name) else optax.contrib


def found(state, name):
    """What optax's function finds; -1: several."""
    try:
        return optax.tree.get(state, name)
    except KeyError:
        return -1


@pytest.mark.parametrize("rate", [0.1, lambda count: 0.1], ids=["constant", "schedule"])
@pytest.mark.parametrize("name", OF_OPTAX)
def test_what_is_read_from_a_state_is_what_optaxs_has_there(name, rate):
    with jax.numpy_dtype_promotion("standard"):  # As optax needs.
        theirs, ours = (run(getattr(module, name)(rate)) for module in (of_optax(name), rx))
    assert len(ours) == len(theirs)
    assert found(ours, "count") == found(theirs, "count")
    for field in FIELDS:
        if found(theirs, field) is not None:  # optax's corrections in float32 are off by some 1e-5.
            chex.assert_trees_all_close(found(ours, field), found(theirs, field), rtol=1e-4)
        if field in theirs[0]._fields:
            chex.assert_trees_all_close(getattr(ours[0], field), getattr(theirs[0], field), rtol=1e-4)
        elif isinstance(ours[0], rx.ScaleByAdaptiveRateState):
            with pytest.raises(AttributeError, match=f"`{field}`"):
                getattr(ours[0], field)


def test_what_is_set_in_a_state_counts():
    """A count moved on by hand is that of every bias correction."""
    for name in ("adam", "amsgrad", "nadam", "radam"):
        theirs, ours = (getattr(module, name)(0.1) for module in (optax, rx))
        with jax.numpy_dtype_promotion("standard"):
            states = [optax.tree.set(run(tx), count=jnp.int32(20)) for tx in (theirs, ours)]
            updates = [
                tx.update(GRADIENTS, state, PARAMS)[0]
                for tx, state in zip((theirs, ours), states, strict=True)
            ]
        # optax's r_t in float32 is off by up to 5e-3.
        chex.assert_trees_all_close(*updates, rtol=5e-3 if name == "radam" else 1e-4)


@pytest.mark.parametrize("link", [rx.first_moment(0.9), rx.second_moment(0.9), rx.debias(0.9)])
def test_a_link_by_itself_counts_by_itself(link):
    assert run(link).count == optax.tree.get(run(link), "count") == 3


def test_a_link_that_others_may_hold_back_keeps_its_clock():
    """Steps that `apply_if_finite` rejects are none for what it wraps."""
    moment = optax.apply_if_finite(rx.first_moment(0.9), 5)
    tx = rx.scale_by_adaptive_rate(rate=rx.second_moment(0.9), momentum=moment)
    state = run(tx)
    _, state = tx.update(jax.tree.map(lambda g: g * jnp.nan, GRADIENTS), state, PARAMS)
    assert (state.count, state.momentum.inner_state.count) == (4, 3)


@every_recipe
def test_every_leaf_of_a_state_is_floating_or_a_count(name):
    """Averages, SAM and lookahead do arithmetic with them."""
    for leaf in jax.tree.leaves(jax.eval_shape(build(name).init, PARAMS)):
        assert jnp.issubdtype(leaf.dtype, jnp.floating) or (leaf.dtype, leaf.shape) == ("int32", ())


@every_recipe
@pytest.mark.parametrize("then", [False, True])
def test_a_state_keeps_its_dtypes_when_x64_mode_is_switched(name, then):
    with jax.enable_x64(not then):
        tx = build(name)
        params, gradients = jax.tree.map(lambda x: np.asarray(x, "float32"), (PARAMS, GRADIENTS))
        state = tx.init(params)
    with jax.enable_x64(then):
        updates, after = jax.eval_shape(tx.update, gradients, state, params)
    chex.assert_trees_all_equal_shapes_and_dtypes(after, state)
    chex.assert_trees_all_equal_shapes_and_dtypes(updates, params)


def test_numpys_float64_is_float32_again_after_x64_mode():
    """What is remembered of dtypes is not remembered of the mode."""
    tx, g = rx.sgd(0.1), {"a": np.ones(3)}
    for x64 in (True, False):
        with jax.enable_x64(x64):
            updates, _ = tx.update(g, tx.init(g), g)
        assert updates["a"].dtype == ("float64" if x64 else "float32")


@every_recipe
@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_an_integer_parameter_has_no_state_and_no_update(name, dtype):
    """Its gradient is None in Equinox, and of dtype float0 in JAX."""
    if name == "projected_amsgrad":
        pytest.skip("Its projection is of floating parameters.")
    tx, params = build(name), PARAMS | {"index": jnp.ones(5, dtype)}
    expected, _ = jax.eval_shape(tx.update, GRADIENTS, jax.eval_shape(tx.init, PARAMS), PARAMS)
    state = jax.eval_shape(tx.init, params)
    assert (5,) not in {x.shape for x in jax.tree.leaves(state)}
    for none in (None, np.zeros(5, jax.dtypes.float0)):
        updates, after = jax.eval_shape(
            lambda g, *rest, none=none: tx.update(g | {"index": none}, *rest), GRADIENTS, state, params
        )
        assert updates == expected | {"index": None}
        chex.assert_trees_all_equal_shapes_and_dtypes(after, state)


@every_recipe
def test_an_update_is_as_wide_as_its_parameter(name):
    """At a rate of 1e-8, half precision would hold none of it."""
    tx = build(name)
    gradients = jax.tree.map(lambda g: g.astype("float16"), GRADIENTS)
    updates, _ = jax.eval_shape(tx.update, gradients, jax.eval_shape(tx.init, PARAMS), PARAMS)
    chex.assert_trees_all_equal_shapes_and_dtypes(updates, PARAMS)


@pytest.mark.parametrize("name", ["sgd", "adam", "radamw"])
def test_small_updates_from_half_precision_gradients_are_not_rounded_away(name):
    tx = getattr(rx, name)(1e-8)
    gradients = jax.tree.map(lambda g: g.astype("float16"), GRADIENTS)
    updates, _ = tx.update(gradients, tx.init(PARAMS), PARAMS)
    expected, _ = tx.update(jax.tree.map(lambda g: g.astype("float32"), gradients), tx.init(PARAMS), PARAMS)
    chex.assert_trees_all_equal(updates, expected)
    assert all((jnp.abs(u) > 1e-10).all() for u in jax.tree.leaves(updates))


def test_public_classes_of_states_are_those_of_all_links():
    """So that `jax.export` can be told of each."""
    for name in ("adabelief", "adadelta", "adagrad", "adam_2k", "radam_amsgrad", "rmsprop_centred"):
        nodes = []
        jax.tree.leaves(build(name).init(PARAMS), is_leaf=nodes.append)
        kinds = {type(node) for node in nodes if type(node).__module__.startswith("radam_optax")}
        assert len(kinds) > 1
        assert kinds == {getattr(rx, kind.__name__) for kind in kinds}
