"""This package's optimizers and optax's beside each other in all of optax's wrappers.

Numbers are compared in float64, where both are exact: in float32 optax's own roundings, of ``1 - b2^t`` above
all, would hide an error of a wrapper's use. That a wrapper holds an optimizer's state under scan in float32
and bfloat16 is a matter of dtypes, for which tracing is enough.
"""

import functools
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax import contrib, transforms

import radam_optax as rx
from tests.support.forms import in_forms
from tests.support.recipes import LEARNING_RATE, RECIPES
from tests.support.runs import apply
from tests.support.twins import TWINS

MASK = {"w": True, "b": False}
DECREASING = optax.linear_schedule(0.1, 0.01, 8)
ADVERSARY = optax.chain(contrib.normalize(), optax.sgd(0.05))


def every_other(step, **_):
    return step % 2 == 0


def behind(*links):
    return lambda factory: optax.chain(*links, factory(LEARNING_RATE))


def before(*links):
    return lambda factory: optax.chain(factory(LEARNING_RATE), *links)


def around(wrapper, *args, **kwargs):
    return lambda factory: wrapper(factory(LEARNING_RATE), *args, **kwargs)


def injected(inject, factory):
    return inject(factory, hyperparam_dtype=jnp.result_type(float))


# Of a factory whose first argument is the learning rate.
WRAPPERS = {
    "MultiSteps": lambda factory: optax.MultiSteps(factory(LEARNING_RATE), 2).gradient_transformation(),
    "MultiSteps skipping": lambda factory: optax.MultiSteps(
        factory(LEARNING_RATE), 2, should_skip_update_fn=optax.skip_not_finite
    ).gradient_transformation(),
    "apply_if_finite": around(optax.apply_if_finite, 3),
    "masked": around(optax.masked, MASK),
    "partition": lambda factory: optax.partition(
        {"x": factory(LEARNING_RATE), "y": factory(0.01)}, {"w": "x", "b": "y"}
    ),
    "selective_transform": around(transforms.selective_transform, freeze_mask=MASK),
    "freeze": before(transforms.freeze(MASK)),
    "inject_hyperparams": lambda factory: injected(optax.inject_hyperparams, factory)(DECREASING),
    "inject_stateful_hyperparams": lambda factory: injected(optax.inject_stateful_hyperparams, factory)(
        optax.schedules.WrappedSchedule(DECREASING)
    ),
    "lookahead": around(optax.lookahead, 2, 0.5),
    "lookahead, resetting": around(optax.lookahead, 2, 0.5, reset_state=True),
    "sam": around(contrib.sam, ADVERSARY),
    "sam, keeping": around(contrib.sam, ADVERSARY, sync_period=3, reset_state=False),
    "schedule_free": around(contrib.schedule_free, learning_rate=0.1),
    "sam, opaque": around(contrib.sam, ADVERSARY, opaque_mode=True),
    "mechanize": lambda factory: contrib.mechanize(factory(1.0)),
    "reduce_on_plateau": before(contrib.reduce_on_plateau(0.5, patience=2)),
    "split_real_and_imaginary": around(contrib.split_real_and_imaginary),
    "muon beside it": lambda factory: optax.partition(
        {"muon": contrib.muon(0.1), "rest": factory(LEARNING_RATE)}, {"w": "muon", "b": "rest"}
    ),
    "galore": lambda factory: contrib.galore(0.1, rank=2, base_optimizer=factory(1.0)),
    "named_chain": lambda factory: optax.named_chain(
        ("clip", optax.clip(1.0)), ("optimizer", factory(LEARNING_RATE))
    ),
    "flatten": around(optax.flatten),
    "snapshot": before(optax.snapshot("norm", optax.tree.norm)),
    "conditionally_transform": around(optax.conditionally_transform, every_other),
    "conditionally_mask": around(optax.conditionally_mask, every_other),
    "keep_params_nonnegative": before(optax.keep_params_nonnegative()),
    "clip_by_global_norm": behind(optax.zero_nans(), optax.clip_by_global_norm(1.0)),
    "differentially_private_aggregate": behind(
        contrib.differentially_private_aggregate(1.0, 0.1, jax.random.key(0))
    ),
    "backtracking linesearch": before(optax.scale_by_backtracking_linesearch(3)),
    "zoom linesearch": before(optax.scale_by_zoom_linesearch(3)),
}
# They look through another optimizer's state with placeholders for its parameters, or keep none for each.
NO_MAP_PARAMS = ("flatten", "differentially_private_aggregate", "backtracking linesearch", "zoom linesearch")
# They mix dtypes themselves, and stop at bfloat16 with every optimizer.
FLOAT32_ONLY = ("mechanize", "differentially_private_aggregate")
# Each with another one of the twins. GaLore calls its optimizer without parameters.
TWIN_OF = dict(zip(WRAPPERS, itertools.cycle(TWINS), strict=False)) | {"galore": "radam"}
QUICK = [
    (wrapper, "radam")
    for wrapper in ("inject_hyperparams", "selective_transform", "schedule_free", "named_chain")
]
HELD = [
    (wrapper, name)
    for wrapper in WRAPPERS
    for name in ("radam", "rmsprop_momentum", "projected_amsgrad")
    if (wrapper, name) != ("galore", "projected_amsgrad")
]


pytestmark = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.filterwarnings("ignore:inject_stateful_hyperparams:DeprecationWarning"),
]


def tree(seed, w, b):
    rng = np.random.default_rng(seed)
    return {"w": jnp.asarray(rng.normal(size=(2, 3)), w), "b": jnp.asarray(rng.normal(size=3), b)}


def loss(params):
    return sum(jnp.sum(jnp.square(p.astype(params["w"].dtype) - 0.3)) for p in params.values())


def follow(factory, wrapper, dtypes, steps=8):
    """The updates of some steps in a wrapper, and the last parameters."""
    tx = WRAPPERS[wrapper](factory)
    params = tree(0, *dtypes)
    grads = jax.tree.map(lambda *g: jnp.stack(g), *(tree(1 + seed, *dtypes) for seed in range(steps)))
    if wrapper.startswith("lookahead"):
        params = optax.LookaheadParams.init_synced(params)
    state = tx.init(params)
    if wrapper not in NO_MAP_PARAMS:
        state = optax.tree.map_params(tx, lambda x: x, state)

    def step(carry, g):
        params, state = carry
        extra = {}
        if wrapper == "sam, opaque":
            extra["grad_fn"] = lambda params, _: jax.grad(loss)(params)
        elif wrapper == "reduce_on_plateau":
            extra["value"] = jnp.ones_like(g["w"][0, 0])
        elif wrapper.endswith("linesearch"):
            value, g = jax.value_and_grad(loss)(params)
            extra = {"value": value, "grad": g, "value_fn": loss}
        elif wrapper == "differentially_private_aggregate":
            g = jax.tree.map(lambda x: x[None], g)
        updates, state = tx.update(g, state, params, **extra)
        return (apply(params, updates), state), updates

    (params, _), updates = jax.lax.scan(step, (params, state), grads)
    return params, updates


@pytest.mark.full
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("wrapper", "name"), TWIN_OF.items())
def test_equals_optax_in_the_wrapper(wrapper, name):
    factories = TWINS[name]
    found, expected = jax.jit(lambda: [follow(f, wrapper, ("float64", "float64")) for f in factories])()
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-11 * np.abs(y).max())


@pytest.mark.parametrize(("wrapper", "name"), in_forms(HELD, QUICK))
def test_state_keeps_its_dtypes_in_the_wrapper(wrapper, name):
    """Or scan would refuse it."""
    dtypes = ("float32", "float32" if wrapper in FLOAT32_ONLY else "bfloat16")
    jax.eval_shape(lambda: follow(RECIPES[name], wrapper, dtypes, steps=2))


def test_gradients_of_microbatches_are_those_of_the_batch():
    """Which `optax.microbatch` sums in a loop, with the optimizer's step behind it."""
    batch, params = jnp.arange(12.0).reshape(6, 2), {"w": jnp.asarray([0.5, -1.0])}

    def loss(params, batch):
        return jnp.sum(jnp.tanh(batch @ params["w"]) ** 2)

    def step(factory, gradient):
        tx = factory(0.1)
        return tx.update(gradient(params, batch), tx.init(params), params)[0]

    in_parts = optax.microbatch(jax.grad(loss), argnums=1, microbatch_size=2)
    with jax.numpy_dtype_promotion("standard"):  # As optax needs.
        found, whole = (jax.jit(functools.partial(step, rx.adamw, g))() for g in (in_parts, jax.grad(loss)))
        theirs = jax.jit(functools.partial(step, optax.adamw, in_parts))()
    chex.assert_trees_all_close(found, whole, theirs, rtol=1e-5)
