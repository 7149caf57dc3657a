"""Parameters of 16 bits: where updates arrive, what is kept beside them, and who can train them."""

import functools
import pickle

import equinox as eqx
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import pytest
from flax import linen, nnx
from flax.training.train_state import TrainState
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import radam_optax as rx
from radam_optax import codecs

BFLOAT16 = jnp.bfloat16
COMPENSATED, WHOLE, STOCHASTIC = (
    codecs.bfloat16_compensated(),
    codecs.bfloat16_compensated(bits=16),
    codecs.bfloat16_stochastic(),
)
FLOAT16 = codecs.float16_compensated()
DTYPES = {COMPENSATED: BFLOAT16, WHOLE: BFLOAT16, STOCHASTIC: BFLOAT16, FLOAT16: jnp.float16}
every_codec = pytest.mark.parametrize("codec", DTYPES, ids=repr)
# The relative distance to what is held, and the absolute one where float16 ends.
ERRORS = {COMPENSATED: (2.0**-15, 0), WHOLE: (0, 0), STOCHASTIC: (2.0**-7, 0), FLOAT16: (2.0**-18, 2.0**-32)}
# How far apart are numbers between 1 and 2.
NOISE = {COMPENSATED: 2.0**-15, WHOLE: 2.0**-23, STOCHASTIC: 2.0**-7, FLOAT16: 2.0**-18}


@pytest.fixture(autouse=True)
def standard_promotion():
    """What adds float32 updates to bfloat16 parameters mixes dtypes, as optax.apply_updates does."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def trained(optimizer, params, gradients, *, state=None, apply=optax.apply_updates):
    """Parameters and state after these gradients, an array with a leading axis for each leaf."""

    def step(carry, gradients):
        params, state = carry
        updates, state = optimizer.update(gradients, state, params)
        return (apply(params, updates), state), None

    start = params, optimizer.init(params) if state is None else state
    return jax.jit(lambda start, gradients: jax.lax.scan(step, start, gradients)[0])(start, gradients)


def gradients_like(params, steps, seed=0):
    rng = np.random.default_rng(seed)

    def leaf(p):
        return jnp.asarray(0.3 + rng.standard_normal((steps, *p.shape)), p.dtype)

    return jax.tree.map(leaf, params)


def small(dtype=BFLOAT16):
    return {"w": jnp.linspace(-1, 1, 48, dtype=dtype).reshape(6, 8), "b": jnp.full(3, 0.5, dtype)}


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def assert_nearest(full, held):
    """16 bits are the nearest to float32, of two as near either."""
    assert full.dtype == jnp.float32
    away = np.abs(np.asarray(full) - np.asarray(held, "float32"))
    assert (away <= np.spacing(np.abs(np.asarray(held))).astype("float32") / 2).all()


# Where an update arrives.


@every_codec
def test_a_step_ends_at_the_nearest_number_and_what_is_beside_it_makes_up_the_rest(codec):
    rng, dtype = np.random.default_rng(0), DTYPES[codec]
    n = 1_000_000
    start = jnp.asarray(rng.standard_normal(n) * 10.0 ** rng.uniform(-4, 4, n), dtype)
    size = np.asarray(start, "float64") * 10.0 ** rng.uniform(-4, 4, n)
    u = jnp.asarray(size * rng.standard_normal(n), "float32")
    optimizer = rx.compress_params(optax.identity(), codec)

    @jax.jit
    def step(params, state, u):
        updates, state = optimizer.update(u, state, params)
        return updates, state, rx.decompress_params(state, optax.apply_updates(params, updates))

    with np.errstate(over="ignore"):
        new = np.asarray(start, "float32") + np.asarray(u, "float32")
        finite = np.isfinite(new.astype(ml_dtypes.bfloat16 if dtype == BFLOAT16 else "float16"))
    updates, state, full = step(start, optimizer.init(start), u)
    # Outside of the program that made them, too.
    params = optax.apply_updates(start, updates)
    assert updates.dtype == jnp.float32
    assert params.dtype == dtype
    relative, absolute = ERRORS[codec]
    # A sum in float32 that ends at so much less than it began with has lost as much.
    lost = np.abs(np.asarray(start, "float64")) * 2.0**-23
    allowed = np.maximum(relative * np.abs(new.astype("float64")) + absolute, lost)
    error = np.abs(np.asarray(full, "float64") - new)
    assert (error <= allowed)[finite].all()
    if codec is not STOCHASTIC:
        nearest = np.asarray(full).astype(dtype)
        assert (nearest == params)[finite].mean() > 0.997  # Ties apart.
    # Nothing is given to a parameter in another order than to the one before.
    assert_equal(rx.decompress_params(state, params), full)


@every_codec
def test_without_an_update_nothing_moves(codec):
    params = small(DTYPES[codec])
    optimizer = rx.compress_params(rx.sgd(1e-4), codec)
    params, state = trained(optimizer, params, gradients_like(params, 5))
    same, again = trained(
        optimizer, params, jax.tree.map(lambda p: jnp.zeros((9, *p.shape)), params), state=state
    )
    assert_equal((same, again.beside), (params, state.beside))
    assert int(again.steps[repr(codec)]) == 14


@every_codec
def test_only_what_adds_the_updates_mixes_dtypes(codec):
    optimizer, params = rx.compress_params(rx.radam(1e-2), codec), small(DTYPES[codec])
    with jax.numpy_dtype_promotion("strict"):
        state = optimizer.init(params)
        updates, state = optimizer.update(params, state, params)
        full = rx.decompress_params(state, params)
        params, state = rx.replace_params(state, params, full)
    assert {x.dtype for x in jax.tree.leaves((updates, full))} == {jnp.dtype("float32")}


def test_with_sixteen_bits_training_is_that_of_float32():
    params = small()
    gradients = gradients_like(params, 300)
    inner = rx.radamw(1e-2, b2=0.99, weight_decay=0.1)
    held, state = trained(rx.compress_params(inner, WHOLE), params, gradients)
    full, alone = trained(inner, optax.tree.cast(params, "float32"), optax.tree.cast(gradients, "float32"))
    # But for what compilers make of a product and a sum.
    close = functools.partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-7)
    jax.tree.map(close, rx.decompress_params(state, held), full)
    assert_equal(state.inner, alone)
    assert not np.array_equal(held["w"].astype("float32"), full["w"])


def test_steps_that_bfloat16_alone_does_not_make():
    """6000 steps of Adam: float32's to within the noise of as many roundings; bfloat16 stands still."""
    params = {"w": jnp.linspace(1.1, 2, 4096, dtype=BFLOAT16)}
    gradients = jax.tree.map(lambda p: jnp.broadcast_to(jnp.ones((), p.dtype), (6000, *p.shape)), params)
    full, _ = trained(rx.adam(1e-5), optax.tree.cast(params, "float32"), gradients)
    for codec in (COMPENSATED, STOCHASTIC):
        held, state = trained(rx.compress_params(rx.adam(1e-5), codec), params, gradients)
        error = np.asarray(rx.decompress_params(state, held)["w"] - full["w"])
        noise = NOISE[codec] * 6000**0.5 / 2
        assert error.std() < noise
        assert abs(error.mean()) < 4 * noise / len(error) ** 0.5
    plain, _ = trained(rx.adam(1e-5), params, gradients)
    assert_equal(plain, params)


@every_codec
def test_updates_in_the_parameters_dtype_arrive_too(codec):
    params = small(DTYPES[codec])
    gradients = gradients_like(params, 200)
    optimizer = rx.compress_params(rx.radam(1e-2), codec, update_dtype=None)
    held, state = trained(optimizer, params, gradients, apply=eqx.apply_updates)
    assert {p.dtype for p in jax.tree.leaves(held)} == {jnp.dtype(DTYPES[codec])}
    full, _ = trained(
        rx.radam(1e-2), optax.tree.cast(params, "float32"), optax.tree.cast(gradients, "float32")
    )
    away = np.asarray(optax.tree.sub(rx.decompress_params(state, held), full)["w"])
    assert away.std() < NOISE[codec] * 200**0.5 / 2 + 1e-4  # The latter where a parameter changed its sign.


def test_float32_and_integers_are_left_to_the_optimizer():
    params = {"w": jnp.ones(5), "half": jnp.ones(5, jnp.float16), "index": jnp.arange(3), "none": None}
    params |= {"empty": jnp.zeros((0, 3), BFLOAT16), "number": jnp.ones((), BFLOAT16)}
    gradients = params | {"index": None, "w": jnp.full(5, 2.0)}
    inner = rx.adam(0.1)
    optimizer = rx.compress_params(inner, COMPENSATED)
    updates, state = optimizer.update(gradients, optimizer.init(params), params)
    alone, _ = inner.update(gradients, inner.init(params), params)
    assert_equal(updates["w"], alone["w"])
    assert updates["index"] is None
    assert updates["number"].dtype == jnp.float32
    assert state.beside["errors"]["number"].dtype == jnp.int8
    full = rx.decompress_params(state, params)
    assert full["number"].dtype == jnp.float32
    assert {name: full[name].dtype for name in ("w", "half", "index")} == {
        name: params[name].dtype for name in ("w", "half", "index")
    }


# What is around it and inside it.


def test_weight_decay_and_projections_see_the_full_parameters():
    params = {"w": jnp.full(64, 1.0, BFLOAT16)}
    inner = optax.chain(
        rx.add_decayed_weights(1e-3),
        optax.scale(-1.0),
        rx.project(lambda params: jax.tree.map(lambda w: jnp.clip(w, 0.9, 2.0), params)),
    )
    optimizer = rx.compress_params(inner, WHOLE)
    none = {"w": jnp.zeros((300, 64), BFLOAT16)}
    held, state = trained(optimizer, params, jax.tree.map(lambda x: x[:50], none))
    np.testing.assert_allclose(rx.decompress_params(state, held)["w"], 0.999**50, rtol=1e-5)
    held, state = trained(optimizer, params, none)
    assert_equal(rx.decompress_params(state, held)["w"], np.full(64, 0.9, "float32"))


WRAPPERS = {
    "compress_state": lambda o: rx.compress_params(
        rx.compress_state(rx.radam(1e-2), codecs.float8_stochastic(), min_size=0), COMPENSATED
    ),
    "chain": lambda o: optax.chain(optax.clip_by_global_norm(1.0), o),
    "masked": lambda o: optax.masked(o, {"w": True, "b": False}),
    "partition": lambda o: optax.partition({"x": o, "y": optax.set_to_zero()}, {"w": "x", "b": "y"}),
    "multi_steps": lambda o: optax.MultiSteps(o, 2).gradient_transformation(),
    # Which gives back gradients for updates, of their dtype.
    "apply_if_finite": lambda o: optax.apply_if_finite(
        rx.compress_params(rx.radam(1e-2), COMPENSATED, update_dtype=None), 3
    ),
    "inject_hyperparams": lambda o: optax.inject_hyperparams(
        lambda learning_rate: rx.compress_params(rx.radam(learning_rate), COMPENSATED),
        hyperparam_dtype=jnp.float32,
    )(1e-2),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrappers_leave_it_exact(name):
    """Under every wrapper the parameters are the nearest to what the state says that they are in full."""
    params = small()
    optimizer = WRAPPERS[name](rx.compress_params(rx.radam(1e-2), COMPENSATED))
    gradients = gradients_like(params, 40)
    held, state = trained(optimizer, params, gradients)
    full = rx.decompress_params(state, held)
    trained_leaves = ["w"] if name in ("masked", "partition") else ["w", "b"]
    for leaf in trained_leaves:
        assert_nearest(full[leaf], held[leaf])
        assert not np.array_equal(full[leaf], held[leaf].astype("float32"))
        assert not np.array_equal(held[leaf], params[leaf])


def test_schedule_free_is_evaluated_at_the_average_of_full_parameters():
    params = small()
    gradients = gradients_like(params, 100)
    inner = rx.schedule_free_adamw(1e-2)
    held, state = trained(rx.compress_params(inner, WHOLE), params, gradients)
    full, alone = trained(inner, optax.tree.cast(params, "float32"), optax.tree.cast(gradients, "float32"))
    average = rx.schedule_free_eval_params(state, rx.decompress_params(state, held))
    close = functools.partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-6)
    jax.tree.map(close, average, rx.schedule_free_eval_params(alone, full))


def test_a_run_in_float32_goes_on_in_sixteen_bits_and_back():
    masters = jax.tree.map(lambda p: p + 1e-4, small("float32"))
    inner = rx.radam(1e-2)
    masters, of_inner = trained(inner, masters, gradients_like(masters, 30))
    params = optax.tree.cast(masters, BFLOAT16)
    for codec in (WHOLE, COMPENSATED):
        optimizer = optax.chain(rx.compress_params(inner, codec))
        params, state = rx.replace_params(optimizer.init(params), params, masters)
        state = (state[0]._replace(inner=of_inner),)
        full = rx.decompress_params(state, params)
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=2.0**-15), full, masters)
        if codec is WHOLE:
            assert_equal(full, masters)
            more = gradients_like(params, 20, seed=1)
            held, state = trained(optimizer, params, more, state=state)
            on, _ = trained(inner, masters, optax.tree.cast(more, "float32"), state=of_inner)
            close = functools.partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-7)
            jax.tree.map(close, rx.decompress_params(state, held), on)


# Other people's loops.


def test_flax_nnx():
    class Model(nnx.Module):
        def __init__(self, rngs):
            self.linear = nnx.Linear(4, 3, rngs=rngs, param_dtype=BFLOAT16)

    model = Model(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, rx.compress_params(rx.radam(1e-3), COMPENSATED), wrt=nnx.Param)
    before = np.asarray(model.linear.kernel[...])

    @nnx.jit
    def step(model, optimizer, x):
        gradients = nnx.grad(lambda model: jnp.mean(model.linear(x).astype("float32") ** 2))(model)
        optimizer.update(model, gradients)

    for seed in range(10):
        step(model, optimizer, jax.random.normal(jax.random.key(seed), (8, 4), BFLOAT16))
    params = nnx.state(model, nnx.Param)
    full = rx.decompress_params(optimizer.opt_state, params)
    kernel, held = (tree["linear"]["kernel"][...] for tree in (full, params))
    assert_nearest(kernel, held)
    assert not np.array_equal(held, before)
    new, state = rx.replace_params(optimizer.opt_state, params, jax.tree.map(lambda p: 2 * p, full))
    assert jax.tree.structure(state) == jax.tree.structure(optimizer.opt_state)
    assert_nearest(rx.decompress_params(state, new)["linear"]["kernel"][...], new["linear"]["kernel"][...])


def test_flax_linen():
    model = linen.Dense(3, param_dtype=BFLOAT16)
    x = jnp.ones((2, 4), BFLOAT16)
    tx = rx.compress_params(rx.radam(1e-3), COMPENSATED)
    state = TrainState.create(apply_fn=model.apply, params=model.init(jax.random.key(0), x), tx=tx)
    gradient = jax.grad(lambda p: jnp.mean(model.apply(p, x).astype("float32") ** 2))
    for _ in range(10):
        state = state.apply_gradients(grads=gradient(state.params))
    jax.tree.map(assert_nearest, rx.decompress_params(state.opt_state, state.params), state.params)


def test_equinox_adds_without_a_cast():
    model = jax.tree.map(
        lambda x: x.astype(BFLOAT16) if eqx.is_array(x) else x, eqx.nn.MLP(4, 1, 8, 1, key=jax.random.key(0))
    )
    params = eqx.filter(model, eqx.is_array)
    for update_dtype in (None, jnp.float32):
        optimizer = rx.compress_params(rx.radam(1e-3), COMPENSATED, update_dtype=update_dtype)
        state = optimizer.init(params)
        updates, state = optimizer.update(params, state, params)
        changed = eqx.filter(eqx.apply_updates(model, updates), eqx.is_array)
        if update_dtype is None:
            jax.tree.map(assert_nearest, rx.decompress_params(state, changed), changed)
        else:
            with pytest.raises(
                ValueError, match=r"Parameter '.*' is float32 of shape .* `update_dtype=None`"
            ):
                optimizer.update(params, state, changed)


# Transformations, and what is compiled.


def test_it_is_divided_like_the_parameters_and_the_same_on_every_mesh():
    mesh = Mesh(np.asarray(jax.devices()[:4]).reshape(2, 2), ("x", "y"))
    params = {"w": jnp.linspace(-1, 1, 64, dtype=BFLOAT16).reshape(8, 8)}
    sharding = NamedSharding(mesh, PartitionSpec("x", "y"))
    inner = rx.compress_state(rx.radam(1e-2), codecs.float8_stochastic(), min_size=0)
    optimizer = rx.compress_params(inner, COMPENSATED)
    gradients = gradients_like(params, 5)
    one = trained(optimizer, params, gradients)
    divided = jax.device_put(params, sharding)
    state = jax.jit(optimizer.init)(divided)
    assert state.beside["errors"]["w"].sharding.is_equivalent_to(sharding, 2)
    step = jax.jit(lambda g, s, p: optimizer.update(g, s, p))
    g = jax.device_put(jax.tree.map(lambda x: x[0], gradients), sharding)
    text = step.lower(g, state, divided).compile().as_text()
    assert not any(word in text for word in ("all-gather", "all-reduce", "all-to-all", "collective-permute"))
    assert_equal(trained(optimizer, divided, gradients, state=state), one)


def test_seven_bytes_are_held():
    params = {"w": jax.ShapeDtypeStruct((256, 256), BFLOAT16)}
    inner = rx.compress_state(rx.radam(1e-3), codecs.float8_stochastic())
    optimizer = rx.compress_params(inner, COMPENSATED)
    state = jax.eval_shape(optimizer.init, params)

    def step(params, state, gradients):
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    memory = jax.jit(step, donate_argnums=(0, 1)).lower(params, state, params).compile().memory_analysis()
    assert memory.argument_size_in_bytes / 256**2 == pytest.approx(7, abs=1e-3)
    held = memory.argument_size_in_bytes - 2 * 256**2
    assert memory.alias_size_in_bytes == pytest.approx(held, abs=64)


def test_meta_gradients_go_straight_through():
    params = {"w": jnp.linspace(1, 2, 8, dtype=BFLOAT16)}
    gradients = gradients_like(params, 20)

    def end(rate, codec):
        inner = rx.adam(rate)
        if codec is None:
            held, _ = trained(
                inner, optax.tree.cast(params, "float32"), optax.tree.cast(gradients, "float32")
            )
            return held["w"].sum()
        held, _ = trained(rx.compress_params(inner, codec), params, gradients)
        return held["w"].astype("float32").sum()

    expected = jax.grad(end)(1e-3, None)
    for codec in (COMPENSATED, STOCHASTIC):
        assert jax.grad(end)(1e-3, codec) == pytest.approx(float(expected), rel=0.02)
        tangent = jax.jvp(lambda rate, codec=codec: end(rate, codec), (1e-3,), (1.0,))[1]
        assert tangent == pytest.approx(float(expected), rel=0.02)


def test_vmap():
    optimizer = rx.compress_params(rx.radam(1e-2), COMPENSATED)
    params = jax.tree.map(lambda p: jnp.stack([p, 2 * p]), small())
    gradients = gradients_like(small(), 5)
    both = jax.vmap(lambda p: trained(optimizer, p, gradients))(params)
    for i in range(2):
        alone = trained(optimizer, jax.tree.map(lambda p, i=i: p[i], params), gradients)
        assert_equal(jax.tree.map(lambda x, i=i: x[i], both), alone)


def test_it_is_made_again_by_its_call():
    optimizer = rx.compress_params(rx.radam(1e-3), COMPENSATED, update_dtype=None)
    assert repr(pickle.loads(pickle.dumps(optimizer))) == repr(optimizer)


# What is wrong is said.


def test_what_cannot_be_right():
    params = small()
    optimizer = rx.compress_params(rx.radam(1e-3), COMPENSATED)
    state = optimizer.init(params)
    with pytest.raises(ValueError, match=r"`compress_params` needs `params`"):
        optimizer.update(params, state)
    with pytest.raises(
        ValueError, match=r"Parameter 'w' is float32 of shape \(6, 8\), but `init` has seen bfloat16"
    ):
        optimizer.update(params, state, params | {"w": params["w"].astype("float32")})
    with pytest.raises(ValueError, match=r"Parameter 'b' is bfloat16 of shape \(4,\), but `init` has seen"):
        rx.decompress_params(state, params | {"b": jnp.ones(4, BFLOAT16)})
    with pytest.raises(
        ValueError, match=r"Parameter 'b' is bfloat16 .* but `init` has seen nothing in bfloat16"
    ):
        optimizer.update(params, optimizer.init(params | {"b": jnp.ones(3)}), params)
    with pytest.raises(
        ValueError, match=r"Parameter 'b' has shape \(3,\), but what is given for it has \(4,\)"
    ):
        rx.replace_params(state, params, params | {"b": jnp.ones(4)})
    with pytest.raises(ValueError, match=r"encoded by codecs\.bfloat16_compensated\(\), but `codec` is"):
        rx.compress_params(rx.radam(1e-3), STOCHASTIC).update(params, state, params)
    with pytest.raises(TypeError, match=r"The state must be a `CompressedParamsState`; got tuple"):
        optimizer.update(params, rx.radam(1e-3).init(params), params)
    with pytest.raises(ValueError, match=r"must hold one `CompressedParamsState`; it holds 0"):
        rx.decompress_params(rx.radam(1e-3).init(params), params)
    for codec in (codecs.int8_blockwise(), codecs.float8_stochastic()):
        with pytest.raises(ValueError, match=r"`codec` must make bfloat16 or float16 of each number"):
            rx.compress_params(rx.radam(1e-3), codec)
    with pytest.raises(ValueError, match=r"`bits` must be 8 or 16; got 12"):
        codecs.bfloat16_compensated(bits=12)
