"""A state goes on with other arguments: a constant rate becomes a schedule at a restart."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from radam_optax import migrate, presets
from tests.support.forms import in_forms

HALF, STEPS = 6, 12
PARAMS = {"w": jnp.linspace(0.1, 1.0, 6).reshape(2, 3), "b": jnp.ones(2)}
KINDS = {
    "sgd": functools.partial(rx.sgd, momentum=0.9),
    "adagrad": rx.adagrad,
    "adadelta": rx.adadelta,
    "rmsprop": functools.partial(rx.rmsprop, momentum=0.9, centered=True),
    "adam": rx.adam,
    "adamw": rx.adamw,
    "nadam": rx.nadam,
    "amsgrad": functools.partial(rx.amsgrad, bias_correction="after_max"),
    "adamnc": rx.adamnc,
    "radam": functools.partial(rx.radam, b2=0.9),
    "radamw": functools.partial(rx.radamw, b2=0.9),
    "adabelief": rx.adabelief,
    "yogi": rx.yogi,
    "torch_nadam": presets.torch_nadam,
    "torch_adamw": presets.torch_adamw,
    "keras_adam": presets.keras_adam,
    "clipped": lambda rate: optax.chain(optax.clip_by_global_norm(1.0), rx.adam(rate)),
}


def follow(tx, params, state, steps):
    def step(carry, g):
        params, state = carry
        updates, state = tx.update(g, state, params)
        return (optax.apply_updates(params, updates), state), None

    rng = np.random.default_rng(0)
    gradients = jax.tree.map(lambda p: rng.normal(size=(STEPS, *p.shape)).astype("float32"), PARAMS)
    part = jax.tree.map(lambda g: g[steps.start : steps.stop], gradients)
    return jax.jit(lambda *carry: jax.lax.scan(step, carry, part)[0])(params, state)


def falling(count):
    return 0.1 / (1 + count.astype("float32"))


@pytest.mark.parametrize("name", in_forms(KINDS, ("sgd", "amsgrad", "radamw", "clipped")))
def test_a_constant_rate_becomes_a_schedule_that_knows_the_step(name):
    make = KINDS[name]
    constant, schedule = make(0.01), make(falling)
    both = make(lambda count: jnp.where(count < HALF, jnp.float32(0.01), falling(count)))
    params, state = follow(constant, PARAMS, constant.init(PARAMS), range(HALF))
    state = migrate.hand_over(state, params, schedule, count=HALF)
    jax.tree.map(lambda a, b: np.testing.assert_equal(a.dtype, b.dtype), state, schedule.init(params))
    actual, state = follow(schedule, params, state, range(HALF, STEPS))
    expected, _ = follow(both, PARAMS, both.init(PARAMS), range(STEPS))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5), actual, expected)
    back = migrate.hand_over(state, actual, constant, count=STEPS)
    assert jax.tree.structure(back) == jax.tree.structure(constant.init(params))


def test_a_state_that_does_not_count_has_to_be_told():
    with pytest.raises(ValueError, match="pass it as `count`"):
        migrate.hand_over(rx.sgd(0.1, 0.9).init(PARAMS), PARAMS, rx.sgd(falling, 0.9))


def test_maxima_of_different_senses_are_not_handed_over():
    after, before = rx.amsgrad(0.1, bias_correction="after_max"), rx.amsgrad(0.1)
    with pytest.raises(ValueError, match=re.escape("package's amsgrad(bias_correction='after_max')")):
        migrate.hand_over(after.init(PARAMS), PARAMS, before)
    with pytest.raises(ValueError, match=re.escape("package's amsgrad(bias_correction='before_max')")):
        migrate.hand_over(before.init(PARAMS), PARAMS, after)


@pytest.mark.parity
def test_a_scheduled_weight_decay_goes_to_pytorch_by_way_of_a_constant():
    """As the error says."""
    pytest.importorskip("torch")
    scheduled, constant = (presets.torch_adamw(weight_decay=decay) for decay in (falling, 0.1))
    _, state = follow(scheduled, PARAMS, scheduled.init(PARAMS), range(HALF))
    with pytest.raises(ValueError, match=r"for which PyTorch has a number\. .*migrate\.hand_over"):
        migrate.to_torch(state, PARAMS, scheduled, order=["b", "w"])
    state = migrate.hand_over(state, PARAMS, constant)
    saved = migrate.to_torch(state, PARAMS, constant, order=["b", "w"])
    assert saved["state"][0]["step"] == HALF


def test_a_checkpoint_goes_on_with_a_schedule(tmp_path):
    """As the error of restoring it into the other optimizer says."""
    pytest.importorskip("orbax.checkpoint")
    from radam_optax.checkpoint import Checkpoints

    constant, schedule = rx.adam(0.01), rx.adam(falling)
    params, state = follow(constant, PARAMS, constant.init(PARAMS), range(HALF))
    with Checkpoints(tmp_path, constant) as checkpoints:
        checkpoints.save(HALF, params, state)
        restored = checkpoints.restore(params)
    with Checkpoints(tmp_path, schedule) as checkpoints:
        with pytest.raises(ValueError, match=r"Restore with what wrote it.* migrate\.hand_over"):
            checkpoints.restore(params)
        state = migrate.hand_over(restored.opt_state, restored.params, schedule)
        checkpoints.save(HALF + 1, params, state)
        assert rx.step_count(checkpoints.restore(params).opt_state) == HALF
