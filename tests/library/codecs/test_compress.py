"""State between steps in few bits: what a codec may change, and what the transformation must not."""

import functools

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import radam_optax as rx
from benchmarks.subjects.nearest import BFloat16Nearest
from radam_optax import codecs
from radam_optax.codecs import CompressedState
from tests.support.forms import in_forms
from tests.support.meshes import COLLECTIVES
from tests.support.recipes import MOVES_BY_ITSELF, build
from tests.support.runs import apply, counted, run
from tests.support.trees import gradients, tree

CODECS = {
    "stochastic": codecs.bfloat16_stochastic(),
    "nearest": BFloat16Nearest(),
    "compensated": codecs.bfloat16_compensated(),
    "int8": codecs.int8_blockwise(),
    "int8_shards": codecs.int8_blockwise(block_size=16, shards=4),
    "float8": codecs.float8_stochastic(),
}
UNBIASED = ("stochastic", "compensated", "int8", "int8_shards", "float8")
every_codec = pytest.mark.parametrize("name", CODECS)


@functools.partial(jax.jit, static_argnums=0)
def coded(codec, x, seed):
    arrays = codec.encode(x, seed)
    return arrays, codec.decode(arrays)


def there_and_back(codec, x, seed=0):
    return np.asarray(coded(codec, jnp.asarray(x, "float32"), jnp.uint32(seed))[1])


def spread(seed, shape, decades=6.0, *, positive=False):
    """Numbers over several decades."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape) * 10 ** rng.uniform(-decades, 0, shape)
    return np.asarray(abs(x) if positive else x, "float32")


def samples(codec, x, count):
    """What comes back for ``count`` seeds, float64."""
    many = jax.jit(jax.vmap(lambda seed: codec.decode(codec.encode(jnp.asarray(x), seed))))
    seeds = np.random.default_rng(1).integers(2**32, size=count, dtype="uint32")
    return np.asarray(many(jnp.asarray(seeds))).astype("float64")


# The oracle of each code: the numbers that it can say, in float64, and the two around each number.


def levels_of_block(block):
    """All numbers of a code of 3 bits of mantissa, below the least power of two that is large enough."""
    largest = abs(block).max()
    if largest == 0:
        return np.zeros(1)
    scale = 2.0 ** np.ceil(np.log2(np.float64(largest)))
    steps = np.arange(255 if (block >= 0).all() else 127)
    octave, eighth = np.divmod(-steps, 8)
    sizes = scale * 2.0**octave * (1 + eighth / 8)
    return np.sort(np.r_[0.0, sizes] if (block >= 0).all() else np.r_[-sizes, 0.0, sizes])


def around(levels, x):
    above = np.searchsorted(levels, x)
    return levels[np.maximum(above - (levels[above] != x), 0)], levels[above]


def neighbours(name, x):
    """The two numbers of the code around each of x, of shape (rows, 64)."""
    if name in ("stochastic", "compensated"):
        bits = 16 if name == "stochastic" else 8
        below = x.view("uint32") >> bits << bits
        cut = below.view("float32").astype("float64")
        exact = cut == x
        away = (below + np.uint32(1 << bits)).view("float32").astype("float64")
        return np.minimum(cut, np.where(exact, cut, away)), np.maximum(cut, np.where(exact, cut, away))
    if name == "float8":
        sizes = np.sort(np.outer([1.0, 1.5], 2.0 ** np.arange(-55, 9)).ravel())[1:-1]
        assert len(sizes) == 126
        return around(np.r_[-sizes[::-1], 0.0, sizes], x.astype("float64"))
    size = 64 if name == "int8" else 16
    blocks = x.astype("float64").reshape(-1, size)
    pairs = [around(levels_of_block(block), block) for block in blocks]
    return tuple(np.stack(side).reshape(x.shape) for side in zip(*pairs, strict=True))


@pytest.mark.parametrize("positive", [False, True], ids=["signed", "positive"])
@pytest.mark.parametrize("name", UNBIASED)
def test_rounding_is_to_a_neighbour_and_exact_on_average(name, positive):
    x = spread(0, (16, 64), 4.0, positive=positive)
    x[0, :3], x[1] = (0.0, 1.0, 0.25), 0.0
    low, high = neighbours(name, x)
    found = samples(CODECS[name], x, 2000)
    assert ((found == low) | (found == high)).all()
    gap = high - low
    chance = np.divide(x - low, gap, out=np.zeros_like(gap), where=gap > 0)
    deviation = np.sqrt(chance * (1 - chance) / len(found))
    random = deviation > 1e-3
    z = (((found.mean(axis=0) - x) / np.where(gap > 0, gap, 1)) / np.maximum(deviation, 1e-3))[random]
    assert random.mean() > 0.8
    assert abs(z).max() < 5
    assert 0.85 < (z**2).mean() < 1.15
    assert abs(z.mean()) < 5 / np.sqrt(z.size)


@pytest.mark.parametrize("name", UNBIASED)
def test_noise_of_neighbours_and_of_consecutive_seeds_is_not_correlated(name):
    x = np.full((64, 64), 1.0 + 2.0**-9, "float32")
    if name != "stochastic":
        x = np.full((64, 64), 0.8 + 0.03, "float32")
    many = jax.jit(jax.vmap(lambda seed: CODECS[name].decode(CODECS[name].encode(jnp.asarray(x), seed))))
    up = np.asarray(many(jnp.arange(256, dtype="uint32"))) > x
    noise = (up - up.mean()) / up.std()
    for axis, lag in ((0, 1), (1, 1), (2, 1), (2, 16), (0, 2)):
        a, b = (np.roll(noise, shift, axis) for shift in (0, lag))
        assert abs((a * b).mean()) < 5 / np.sqrt(noise.size), (axis, lag)


def test_float8_ends_at_its_range():
    for top in (-63, 8, 127):
        x = np.r_[np.ldexp([1, 1.5, 1], [top, top - 63, max(top - 64, -126)]), -3e38]
        found = there_and_back(codecs.float8_stochastic(top), x.astype("float32"))
        np.testing.assert_array_equal(found, np.ldexp([1, 1.5, 1.5, -1], [top, top - 63, top - 63, top]))


def test_nearest_is_that_of_numpy():
    x = np.r_[spread(0, 4096, 30.0), np.float32([0.0, -0.0, np.inf, -np.inf, 3.4e38])]
    with np.errstate(over="ignore"):
        expected = x.astype(ml_dtypes.bfloat16).astype("float32")
    np.testing.assert_array_equal(there_and_back(CODECS["nearest"], x), expected)


def test_compensation_leaves_sixteen_bits():
    x = spread(0, 4096, 30.0)
    error = abs(there_and_back(CODECS["compensated"], x).astype("float64") - x) / abs(x)
    assert error.max() < 2.0**-15
    values = CODECS["compensated"].encode(jnp.asarray(x), jnp.uint32(0))["values"].astype("float32")
    nearest = values == there_and_back(CODECS["nearest"], x)
    assert nearest.mean() > 0.99  # But where it is rounded at random to just between two numbers.


@every_codec
def test_positive_stays_positive_however_small(name):
    """A second moment that became zero would make a rate of 1 / eps."""
    x = np.float32(2.0) ** np.arange(-126, 128, dtype="float32").reshape(2, 127)
    for seed in range(8):
        found = there_and_back(CODECS[name], x, seed)
        assert (found > 0).all()
        assert np.isfinite(found).all()
        assert (found[x > x.max() * 2.0**-30] / x[x > x.max() * 2.0**-30] < 1.2).all()


@every_codec
def test_numbers_that_are_none_stay_so(name):
    x = np.ones((3, 64), "float32")
    x[0, 0], x[1, 0], x[1, 1], x[2] = np.nan, np.inf, -np.inf, 0.0
    x[2, 0] = -0.0
    found = there_and_back(CODECS[name], x)
    assert np.isnan(found[0, 0])
    np.testing.assert_array_equal(found[1, :2], [np.inf, -np.inf])
    assert np.isfinite(found[1, 2:]).all()
    assert (found[2] == 0).all()
    odd = jax.lax.bitcast_convert_type(jnp.full((1, 64), 0xFFFFFFFF, "uint32"), jnp.float32)
    assert np.isnan(there_and_back(CODECS[name], odd)).all()


def test_a_block_overflows_without_nan():
    """An infinite second moment stops its parameter, but no other that is large enough."""
    x = np.full(64, 2.0**120, "float32")
    x[0] = np.inf
    found = there_and_back(CODECS["int8"], x)
    assert np.isinf(found[0])
    np.testing.assert_array_equal(found[1:], x[1:])


@pytest.mark.parametrize("positive", [False, True], ids=["signed", "positive"])
@pytest.mark.parametrize(
    ("shape", "block_size", "shards", "scales"),
    [
        ((3, 128), 64, 1, (3, 2)),  # Along the last axis that is long enough,
        ((128, 10), 64, 1, (2, 10)),
        ((2, 64, 3), 16, 4, (2, 4, 3)),
        ((5, 7), 64, 1, (5, 1)),  # or the longest,
        ((9, 7), 64, 3, (3, 7)),
        ((1, 1), 2, 8, (1, 1)),
        ((129,), 64, 1, (3,)),  # in as few as may be,
        ((2, 131), 64, 2, (2, 3)),
        ((3, 262), 64, 2, (3, 6)),  # and whole ones for each device.
        ((20,), 3, 4, (8,)),
    ],
)
def test_blocks_of_any_shape(shape, block_size, shards, scales, positive):
    """The error is an eighth, or the least number of a block."""
    x = spread(0, shape, 3.0, positive=positive)
    arrays, found = coded(codecs.int8_blockwise(block_size, shards), jnp.asarray(x), jnp.uint32(0))
    assert (arrays["codes"].shape, arrays["codes"].dtype) == (shape, "int8")
    assert (arrays["scales"].shape, arrays["scales"].dtype) == (scales, "bfloat16")
    assert (found.shape, found.dtype) == (shape, "float32")
    assert (abs(found - x) <= abs(x) / 8 + 2.0**-14 * abs(x).max()).all()


# The transformation.

BIG = {"kernel": jnp.zeros((128, 128)), "bias": jnp.zeros(128)}


def bytes_of(state):
    return sum(x.nbytes for x in jax.tree.leaves(state))


@pytest.mark.parametrize(
    ("name", "most"),
    [("nearest", 4.0), ("stochastic", 4.0), ("compensated", 6.0), ("int8", 2.1), ("float8", 2.0)],
)
def test_bytes_per_parameter(name, most):
    params = {"kernel": jnp.zeros((512, 512))}
    plain, compressed = (
        tx.init(params) for tx in (rx.radam(0.1), rx.compress_state(rx.radam(0.1), CODECS[name]))
    )
    scalars = 64
    assert bytes_of(plain) >= 8 * 512 * 512
    assert bytes_of(compressed) <= most * 512 * 512 + scalars


def test_what_is_small_or_masked_out_or_no_float32_stays_as_it_is():
    params = BIG | {"complex": jnp.zeros((128, 128), "complex64"), "half": jnp.zeros((64, 64), "bfloat16")}
    seen = []

    def mask(path, leaf):
        seen.append((path, leaf.shape))
        return "nu" not in path

    tx = rx.compress_state(rx.adam(0.1, mu_dtype=None), CODECS["int8"], mask=mask)
    state = tx.init(params)
    mu, nu = (optax.tree.get(state, field) for field in ("mu", "nu"))
    assert [str(mu[k].dtype) for k in ("kernel", "half", "bias", "complex")] == [
        "int8",
        "int8",
        "float32",
        "complex64",
    ]
    assert not any(x.dtype == "int8" for x in nu.values())
    assert ("0/momentum/mu/kernel", (128, 128)) in seen
    assert all(np.prod(shape) >= 4096 for _, shape in seen)
    assert state.inner[0].count.dtype == "int32"
    whole = rx.compress_state(rx.adam(0.1), CODECS["int8"], min_size=0).init(BIG)
    assert optax.tree.get(whole, "mu")["bias"].dtype == "int8"


# One of each kind of state.
KINDS = [
    "sgd",
    "momentum",
    "adadelta",
    "rmsprop_centred",
    "adam",
    "adam_2k",
    "amsgrad_forgetting",
    "adamnc",
    "radam",
]
KINDS += ["adabelief_nesterov", "yogi", "torch_nadam", "official_radam"]


@pytest.mark.parametrize("name", in_forms(KINDS, ("adadelta", "amsgrad_forgetting", "radam", "torch_nadam")))
def test_recipes_run_as_without(name):
    """With sixteen bits of mantissa, the run is that in float32 but for errors as small, and in any dtype."""
    plain, compressed = build(name), rx.compress_state(build(name), CODECS["compensated"], min_size=0)
    expected, *_ = jax.jit(functools.partial(run, plain))(tree(0), gradients())
    run_compressed = jax.jit(functools.partial(run, compressed))
    params, updates, state = run_compressed(tree(0), gradients())
    # The updates of a small element may be large, and centred variances are differences.
    rtol = 0.05 if "centred" in name else 2e-3
    for p, q in zip(jax.tree.leaves(params), jax.tree.leaves(expected), strict=True):
        # What is bfloat16 without is better with.
        tolerance = 0.03 if p.dtype in ("bfloat16", "float16") else rtol
        p, q = (np.asarray(x).astype("complex128") for x in (p, q))
        np.testing.assert_allclose(p, q, rtol=tolerance, atol=max(1e-2, tolerance))
    assert name == "sgd" or "int8" in dtypes(state)
    zeros = jax.tree.map(jnp.zeros_like, gradients())
    _, updates, _ = run_compressed(tree(0), zeros)
    for u in jax.tree.leaves(updates):
        assert jnp.isfinite(u).all()
        assert name in MOVES_BY_ITSELF or not u.any()


def dtypes(state):
    return {str(x.dtype) for x in jax.tree.leaves(state)}


@pytest.mark.parametrize(
    "make", [optax.adam, optax.lion, optax.adagrad, optax.adan, optax.lamb, optax.adafactor]
)
def test_transformations_of_optax_are_compressed_as_well(make):
    params = {"w": jnp.asarray(np.random.default_rng(0).normal(size=(64, 64)), "float32")}
    tx, plain = rx.compress_state(make(0.01), CODECS["int8"]), make(0.01)
    with jax.numpy_dtype_promotion("standard"):
        ends = []
        for transformation in (tx, plain):

            @jax.jit
            def steps(params, tx=transformation):
                def step(carry, _):
                    p, s = carry
                    u, s = tx.update(jax.tree.map(lambda x: x - 1, p), s, p)
                    return (optax.apply_updates(p, u), s), None

                return jax.lax.scan(step, (params, tx.init(params)), length=100)[0][0]

            ends.append(steps(params)["w"])
    moved = jnp.abs(ends[1] - params["w"]).mean()
    assert jnp.abs(ends[0] - ends[1]).mean() < 0.1 * moved


@pytest.mark.parametrize("name", UNBIASED)
def test_a_second_moment_arrives_and_decays(name):
    """3000 steps with b2 = 0.999: unbiased rounding follows float32's average, to nearest stands still."""
    ends = {}
    for codec in (name, "nearest"):
        tx = rx.compress_state(rx.second_moment(0.999, debias=False), CODECS[codec], min_size=0)

        def step(state, g, tx=tx):
            return tx.update({"w": g}, state)[1], None

        def follow(tx=tx, step=step):
            state = tx.init({"w": jnp.zeros(1024)})
            rng = jax.random.key(0)
            state, _ = jax.lax.scan(step, state, jax.random.normal(rng, (3000, 1024)))
            risen = rx.decompress_state(state).nu["w"].mean()
            state, _ = jax.lax.scan(step, state, jnp.zeros((1000, 1024)))
            return risen, rx.decompress_state(state).nu["w"].mean()

        ends[codec] = jax.jit(follow)()
    risen, decayed = ends[name]
    assert abs(risen - 0.95) < 0.03
    assert abs(decayed - 0.95 * 0.999**1000) < 0.02
    risen, decayed = ends["nearest"]
    assert decayed == risen


def test_rounding_depends_on_the_step_and_on_the_array_and_on_nothing_else():
    tx = rx.compress_state(rx.momentum(0.1), CODECS["stochastic"], min_size=0)
    params = {"a": jnp.full(256, 1.0), "b": jnp.full(256, 1.0)}
    grads = jax.tree.map(lambda p: p + 2.0**-9, params)
    state = tx.init(params)
    _, once = tx.update(grads, state, params)
    _, again = jax.jit(tx.update)(grads, state, params)
    jax.tree.map(np.testing.assert_array_equal, once, again)
    _, later = tx.update(grads, state._replace(steps=jax.tree.map(lambda n: n + 1, state.steps)), params)
    first, second = (optax.tree.get(rx.decompress_state(s), "trace") for s in (once, later))
    assert (first["a"] != first["b"]).any()
    assert (first["a"] != second["a"]).any()


def test_the_count_of_steps_goes_round():
    tx = rx.compress_state(rx.momentum(0.1), CODECS["stochastic"], min_size=0)
    state = tx.init(BIG)
    state = state._replace(steps=jax.tree.map(lambda _: jnp.int32(2**31 - 1), state.steps))
    assert [*tx.update(BIG, state)[1].steps.values()] == [-(2**31)]


def test_decompression_gives_the_state_without():
    inner = rx.radam(0.1, amsgrad=True)
    tx = optax.chain(optax.clip(1.0), rx.compress_state(inner, CODECS["int8"]))
    _, state = tx.update(jax.tree.map(jnp.ones_like, BIG), tx.init(BIG))
    decoded = rx.decompress_state(state)
    assert jax.tree.structure(decoded) == jax.tree.structure(optax.chain(optax.clip(1.0), inner).init(BIG))
    nu = optax.tree.get(decoded, "nu")
    np.testing.assert_allclose(nu["kernel"], 1e-3, rtol=0.13)
    assert rx.rectification_stats(state)["count"] == 1
    assert rx.step_count(state) == 1
    uncompressed = inner.init(BIG)
    assert jax.tree.structure(rx.decompress_state(uncompressed)) == jax.tree.structure(uncompressed)


PARAMS = {"a": jnp.asarray(spread(0, (4, 64), 1.0)), "b": jnp.asarray(spread(1, 70, 1.0))}


def wrapped(wrapper, inner):
    return {
        "chain": lambda: optax.chain(optax.clip_by_global_norm(1.0), inner),
        "masked": lambda: optax.masked(inner, {"a": True, "b": False}),
        "multi_transform": lambda: optax.multi_transform(
            {"x": inner, "y": optax.sgd(0.1)}, {"a": "x", "b": "y"}
        ),
        "MultiSteps": lambda: optax.MultiSteps(inner, every_k_schedule=2),
        "apply_if_finite": lambda: optax.apply_if_finite(inner, 3),
        "inject_hyperparams": lambda: optax.inject_hyperparams(
            lambda b1: rx.compress_state(rx.adam(0.1, b1), CODECS["compensated"], min_size=0)
        )(b1=0.9),
    }[wrapper]()


@pytest.mark.parametrize("outside", [True, False], ids=["compressed outside", "compressed inside"])
@pytest.mark.parametrize(
    "wrapper", ["chain", "masked", "multi_transform", "MultiSteps", "apply_if_finite", "inject_hyperparams"]
)
def test_wrappers_of_optax(wrapper, outside):
    compress = functools.partial(rx.compress_state, codec=CODECS["compensated"], min_size=0)
    inner = rx.adam(0.1)
    plain = wrapped(wrapper, inner)
    if outside and wrapper == "inject_hyperparams":
        plain = optax.inject_hyperparams(rx.adam)(0.1)
    tx = compress(plain) if outside else wrapped(wrapper, compress(inner))
    if wrapper == "inject_hyperparams":
        plain = inner

    @functools.partial(jax.jit, static_argnums=0)
    def follow(tx):
        def step(carry, scale):
            p, s = carry
            u, s = tx.update(jax.tree.map(lambda x: scale * x, PARAMS), s, p)
            return (apply(p, u), s), None

        return jax.lax.scan(step, (PARAMS, tx.init(PARAMS)), jnp.asarray([1.0, -0.5, 2.0, 0.1]))[0]

    with jax.numpy_dtype_promotion("standard"):
        (params, state), (expected, _) = follow(tx), follow(plain)
    assert "int8" in dtypes(state)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-4), params, expected)


def test_extra_arguments_reach_the_inner_transformation():
    def update(updates, state, params=None, *, factor):
        del params
        return jax.tree.map(lambda u: factor * u, updates), state

    inner = optax.GradientTransformationExtraArgs(lambda params: params, update)
    tx = rx.compress_state(inner, CODECS["int8"])
    updates, _ = tx.update({"w": jnp.ones(3)}, tx.init(PARAMS), factor=2.0)
    np.testing.assert_array_equal(updates["w"], 2.0)


@pytest.mark.parametrize("name", in_forms(CODECS, ("compensated", "int8")))
def test_jit_vmap_scan_donation_and_one_compilation(name):
    tx = rx.compress_state(rx.scale_by_adam(), CODECS[name], min_size=0)
    params = {"w": jnp.asarray(spread(3, (8, 64), 1.0))}
    stacked = jax.tree.map(lambda x: jnp.stack([x, 2 * x]), params)
    update, traces = counted(lambda g, s: tx.update(g, s))
    single = update(params, update(params, tx.init(params))[1])
    assert len(traces) == 1
    batch = jax.vmap(tx.update)
    batched = jax.jit(batch)(stacked, batch(stacked, jax.vmap(tx.init)(stacked))[1])
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x[0], y), batched, single)
    in_place = jax.jit(lambda s, g: tx.update(g, s)[1], donate_argnums=0)
    state = in_place(tx.init(params), params)
    assert jax.tree.structure(state) == jax.tree.structure(single[1])


def test_params_of_the_state_are_mapped_through_the_codes():
    tx = rx.compress_state(rx.adam(0.1), CODECS["int8"])
    state = tx.init(BIG)
    marked = optax.tree.map_params(tx, lambda x: x.shape, state, transform_non_params=lambda x: None)
    assert optax.tree.get(marked, "mu")["kernel"] == (128, 128)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_in_x64_mode(dtype, x64):
    """float64 stays float64; the rest is encoded as ever."""
    params = {"w": jnp.asarray(spread(0, (64, 64)), dtype)}
    tx = rx.compress_state(rx.radam(0.1), CODECS["int8"])
    state = tx.init(params)
    updates, new = jax.jit(tx.update)(params, state, params)
    assert updates["w"].dtype == dtype
    assert jax.tree.map(lambda x: x.dtype, new) == jax.tree.map(lambda x: x.dtype, state)
    assert optax.tree.get(new, "mu")["w"].dtype == ("float64" if dtype == "float64" else "int8")


def placed(axis_type, shape, *spec):
    mesh = jax.make_mesh((4, 2), ("x", "y"), axis_types=(axis_type,) * 2)
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    return jax.device_put(x, NamedSharding(mesh, PartitionSpec(*spec)))


def sharded(axis_type):
    return {
        "both": placed(axis_type, (8, 256), "x", "y"),
        "rows": placed(axis_type, (4, 131), "x"),
        "columns": placed(axis_type, (3, 262), None, "y"),
        "first": placed(axis_type, (512, 6), ("x", "y")),
        "flat": placed(axis_type, (1024,), ("x", "y")),
        "replicated": placed(axis_type, (70,)),
    }


PLACES = [
    (codec, axis_type)
    for codec in (*map(CODECS.get, ("stochastic", "compensated", "float8")), codecs.int8_blockwise(shards=8))
    for axis_type in (AxisType.Auto, AxisType.Explicit)
]


@pytest.mark.parametrize(("codec", "axis_type"), in_forms(PLACES, (PLACES[-2], PLACES[1])), ids=str)
def test_codes_are_sharded_like_their_parameter_and_nothing_is_communicated(codec, axis_type):
    params = sharded(axis_type)
    tx = rx.compress_state(rx.scale_by_rms(), codec, min_size=0)
    update = jax.jit(tx.update)
    compiled = update.lower(params, tx.init(params), params).compile()
    assert not any(collective in compiled.as_text() for collective in COLLECTIVES)
    for init in (tx.init, jax.jit(tx.init)):
        state = init(params)
        _, new_state = update(params, state, params)
        for path, leaf in jax.tree_util.tree_leaves_with_path((state, new_state)):
            keys = [key.key for key in path if getattr(key, "key", None) in params]
            if keys and leaf.shape:
                assert leaf.sharding.is_equivalent_to(params[keys[0]].sharding, leaf.ndim), (
                    path,
                    leaf.sharding,
                )
    alone = jax.tree.map(lambda x: jnp.asarray(np.asarray(x)), params)
    _, on_one_device = jax.jit(tx.update)(alone, tx.init(alone), alone)
    jax.tree.map(np.testing.assert_array_equal, new_state, on_one_device)


@pytest.mark.parametrize("name", in_forms([name for name in CODECS if name != "int8_shards"], ("int8",)))
def test_a_checkpoint_holds_the_codes_bitwise_and_where_they_were(name, tmp_path):
    checkpoint = pytest.importorskip("radam_optax.checkpoint")
    params = sharded(AxisType.Auto)
    codec = codecs.int8_blockwise(shards=8) if name == "int8" else CODECS[name]
    tx = rx.compress_state(rx.radam(0.1), codec, min_size=0)
    update = jax.jit(tx.update)
    _, state = update(params, tx.init(params), params)
    with checkpoint.Checkpoints(tmp_path, tx) as checkpoints:
        checkpoints.save(1, params, state)
        restored = checkpoints.restore(params).opt_state
    for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(restored), strict=True):
        np.testing.assert_array_equal(old, new)
        assert not old.ndim or new.sharding.is_equivalent_to(old.sharding, old.ndim)
    jax.tree.map(np.testing.assert_array_equal, *(update(params, s, params) for s in (state, restored)))
    with (
        checkpoint.Checkpoints(tmp_path, rx.radam(0.1)) as checkpoints,
        pytest.raises(ValueError, match=r"was written by compress_state\(.*; the optimizer is radam"),
    ):
        checkpoints.restore(params)


def test_blocks_that_would_straddle_devices_are_refused():
    params = {"w": placed(AxisType.Auto, (8, 192), None, "y")}
    with pytest.raises(
        ValueError, match=r"^Leaf 'mu/w' of the state has shape \(8, 192\), .* \(8, 96\), .*`shards`"
    ):
        rx.compress_state(rx.first_moment(0.9), CODECS["int8"], min_size=0).init(params)
    rx.compress_state(rx.first_moment(0.9), codecs.int8_blockwise(shards=2), min_size=0).init(params)
    explicit = {"w": placed(AxisType.Explicit, (8, 192), None, "y")}
    with pytest.raises(ValueError, match=r"^Leaf 'mu/w' of the state .*`shards`"):
        jax.jit(rx.compress_state(rx.first_moment(0.9), CODECS["int8"], min_size=0).init)(explicit)
    mesh = placed(AxisType.Auto, (8,)).sharding.mesh
    divided = rx.sharding.shard_state(
        rx.compress_state(rx.first_moment(0.9), CODECS["int8"], min_size=0), mesh, "x"
    )
    with pytest.raises(ValueError, match=r"cannot be divided as its parameter is.*`shards`"):
        jax.jit(divided.init)({"w": jnp.ones(128)})


@pytest.mark.parametrize("value", [None, 1, "yes", {"a": True}])
def test_a_mask_that_returns_no_bool_is_refused(value):
    tx = rx.compress_state(rx.first_moment(0.9), CODECS["int8"], mask=lambda path, leaf: value)
    with pytest.raises(TypeError, match=r"^`mask` must return True or False; for 'mu/kernel' it returned"):
        tx.init(BIG)


def test_state_is_not_compressed_twice():
    tx = rx.compress_state(optax.chain(rx.compress_state(rx.adam(0.1), CODECS["int8"])), CODECS["int8"])
    with pytest.raises(ValueError, match=r"is compressed already, at '0'\.$"):
        tx.init(BIG)


def test_the_state_of_another_codec_is_refused():
    inner = rx.adam(0.1)
    state = rx.compress_state(inner, CODECS["compensated"]).init(BIG)
    message = (
        r"encoded by codecs\.bfloat16_compensated\(\), but `codec` is codecs\.bfloat16_stochastic\(\)\.$"
    )
    with pytest.raises(ValueError, match=message):
        rx.compress_state(inner, CODECS["stochastic"]).update(BIG, state)
    with pytest.raises(TypeError, match="The state must be a `CompressedState`; got tuple"):
        rx.compress_state(inner, CODECS["stochastic"]).update(BIG, inner.init(BIG))
    assert isinstance(state, CompressedState)


@pytest.mark.parametrize("codec", [*CODECS.values(), codecs.int8_blockwise(block_size=32)], ids=repr)
def test_a_codec_prints_as_the_call_that_makes_it(codec):
    assert eval(repr(codec), {"codecs": codecs, "BFloat16Nearest": BFloat16Nearest}) == codec


def test_a_codec_of_ones_own():
    class Half:
        def encode(self, x, seed):
            return {"half": x.astype(jnp.float16)}

        def decode(self, arrays):
            return arrays["half"].astype(jnp.float32)

    tx = rx.compress_state(rx.momentum(0.1), Half())
    _, state = tx.update(BIG, tx.init(BIG))
    assert optax.tree.get(state, "trace")["kernel"].dtype == "float16"
