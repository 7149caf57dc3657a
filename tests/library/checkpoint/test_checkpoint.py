"""A resumed run is the uninterrupted one, bit by bit; what is another's, torn or corrupted never gets in."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import radam_optax as rx
from tests.support.forms import in_forms
from tests.support.meshes import grid_of
from tests.support.recipes import build, every_recipe
from tests.support.runs import apply
from tests.support.trees import gradients, tree

pytest.importorskip("orbax.checkpoint")
from radam_optax.checkpoint import Checkpoints, Restored

# Where Orbax gives up on a damaged file, reads that it has begun end after their event loop.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored:pytest.PytestUnraisableExceptionWarning")

PARAMS = {"w": jnp.arange(6.0).reshape(2, 3), "b": jnp.ones(3)}


def bits(x):
    """All that a program could tell of a leaf, but where it is."""
    if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return str(x.dtype), bits(jax.random.key_data(x))
    array = np.asarray(x)
    kind = ("jax", x.weak_type) if isinstance(x, jax.Array) else type(x)
    return kind, array.dtype, array.shape, array.tobytes()


def assert_same(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    assert list(map(bits, jax.tree.leaves(actual))) == list(map(bits, jax.tree.leaves(expected)))


def stepper(tx):
    @jax.jit
    def step(params, state, g):
        updates, state = tx.update(g, state, params)
        return apply(params, updates), state

    return step


def assert_resumes(folder, make, params, grads, *, at):
    """Runs through; saves on the way; a fresh object restores and runs on to the same bits."""
    tx = make()
    step, state = stepper(tx), tx.init(params)
    with Checkpoints(folder, tx) as checkpoints:
        current = params
        for count, g in enumerate(grads):
            if count == at:
                checkpoints.save(count, current, state)
                saved = Restored(count, current, state, None)
            current, state = step(current, state, g)
    with Checkpoints(folder, make()) as checkpoints:
        restored = checkpoints.restore(params)
    assert_same(restored, saved)
    resumed, resumed_state = restored.params, restored.opt_state
    for g in grads[at:]:
        resumed, resumed_state = step(resumed, resumed_state, g)
    assert_same((resumed, resumed_state), (current, state))


@every_recipe
def test_a_resumed_run_is_bitwise_the_uninterrupted_one(name, tmp_path):
    """In every dtype, with empty, scalar and missing leaves; RAdam begins to rectify after the pause."""
    stacked = gradients()
    grads = [jax.tree.map(lambda g, i=i: g[i], stacked) for i in range(7)]
    assert_resumes(tmp_path, lambda: build(name), tree(0), grads, at=4)


def mu_in_bfloat16():
    return optax.adam(0.1, mu_dtype=jnp.bfloat16)


WRAPPED = {
    "clip": lambda: optax.chain(optax.clip_by_global_norm(1.0), rx.radamw(0.1)),
    "masked": lambda: optax.masked(rx.radam(0.1), {"w": True, "b": False}),
    "MultiSteps": lambda: optax.MultiSteps(rx.radam(0.1), every_k_schedule=3),
    "inject_hyperparams": lambda: optax.inject_hyperparams(rx.adam)(optax.linear_schedule(0.1, 0.0, 10)),
    "partition": lambda: optax.partition({"x": rx.radam(0.1), "y": rx.amsgrad(0.1)}, {"w": "x", "b": "y"}),
    "apply_if_finite": lambda: optax.apply_if_finite(rx.yogi(0.1), 3),
    "schedule": lambda: rx.radam(optax.cosine_decay_schedule(0.1, 10)),
    "noise": lambda: optax.chain(optax.add_noise(0.1, 0.5, jax.random.key(0)), rx.adam(0.1)),
    "optax.adam": lambda: optax.adam(0.1),
    "optax.adam in bfloat16": mu_in_bfloat16,
    "optax.adafactor": lambda: optax.adafactor(0.1, min_dim_size_to_factor=2),
    "optax.lbfgs, an inner transformation": lambda: optax.scale_by_lbfgs(3),
}


@pytest.mark.parametrize(
    "name", in_forms(WRAPPED, ("MultiSteps", "inject_hyperparams", "partition", "noise"))
)
def test_it_resumes_in_the_wrappers_of_optax(name, tmp_path):
    rng = np.random.default_rng(0)
    grads = [
        jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), "float32"), PARAMS) for _ in range(5)
    ]
    with jax.numpy_dtype_promotion("standard"):
        assert_resumes(tmp_path, WRAPPED[name], PARAMS, grads, at=2)


def saved(folder, tx=None, *, params=PARAMS, steps=(1,), extra=None, **options):
    tx = tx or rx.radam(1e-3)
    with Checkpoints(folder, tx, **options) as checkpoints:
        for step in steps:
            moved = jax.tree.map(lambda p, step=step: p + step, params)
            checkpoints.save(step, moved, tx.init(moved), extra)


def restored(folder, tx=None, params=PARAMS, extra=None, **options):
    with Checkpoints(folder, tx or rx.radam(1e-3)) as checkpoints:
        return checkpoints.restore(params, extra, **options)


def assert_is(found, step):
    """It is what `saved` wrote at a step."""
    moved = jax.tree.map(lambda p: p + step, PARAMS)
    assert_same(found, Restored(step, moved, rx.radam(1e-3).init(moved), None))


EXTRA = {
    "floats": [
        jnp.asarray([1.5, -0.0, np.nan, np.inf], dtype) for dtype in ("bfloat16", "float16", "float32")
    ],
    "payload": jax.lax.bitcast_convert_type(jnp.uint32(0xFFC12345), jnp.float32),
    "tiny": jnp.asarray([1e-45, -1e-42]),
    "complex": jnp.asarray([[1 - 0j, 2j]], "complex64"),
    "bool": jnp.asarray([True, False]),
    "integers": [jnp.asarray([0, 1, 100], f"{sign}int{n}") for sign in ("", "u") for n in (8, 16, 32)],
    "float8": jnp.asarray([1.5, -2], "float8_e4m3fn"),
    "host": {
        "float64": np.asarray([0.1, -0.0]),
        "scalar": np.float64(0.1),
        "int64": np.asarray(2**60),
        "complex128": np.asarray([0.1 + 0.2j]),
        "bfloat16": np.asarray(jnp.ones(3, "bfloat16")),
        "transposed": np.arange(6.0).reshape(2, 3).T,
        "empty": np.zeros((0, 2), "int8"),
    },
    "python": (3, 2.5, True, 1 - 2j, 10**15),
    "keys": {
        "typed": jax.random.key(1),
        "several": jax.random.split(jax.random.key(2, impl="rbg"), 3),
        "raw": jax.random.PRNGKey(3),
    },
    "weak": [jnp.asarray(2.0), jnp.full((2, 2), 3), jnp.asarray(1j), jnp.full((0,), 1.0)],
    "empty": [jnp.zeros((3, 0)), jnp.zeros((0,), "bool"), (), {}, None],
    "a/b": {"..": {".": jnp.ones(1)}, "'\"é": jnp.ones(2), 3: jnp.ones(3)},
    "state": optax.EmptyState(),
}
EXTRA["a/b"] = {str(key): leaf for key, leaf in EXTRA["a/b"].items()}


def test_every_dtype_and_kind_of_leaf_comes_back(tmp_path):
    saved(tmp_path, extra=EXTRA)
    assert_same(restored(tmp_path, extra=EXTRA).extra, EXTRA)
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), EXTRA["keys"])
    saved(tmp_path / "keys", extra=EXTRA["keys"])
    assert_same(restored(tmp_path / "keys", extra=shapes).extra, EXTRA["keys"])


@pytest.mark.usefixtures("x64")
def test_64_bits(tmp_path):
    extra = [
        jnp.asarray([0.1, -1e300]),
        jnp.asarray([2**60, -1]),
        jnp.asarray([0.1 + 1e-300j]),
        jnp.asarray(0.5),
    ]
    params = {"w": jnp.asarray([0.1, 0.2])}
    saved(tmp_path, params=params, extra=extra)
    found = restored(tmp_path, params=params, extra=extra)
    assert_same((found.params, found.extra), ({"w": params["w"] + 1}, extra))
    with (
        jax.enable_x64(False),
        pytest.raises(
            ValueError, match=r"params\['w'\] = float64\[2\]; here it is float32.*Switch JAX's x64"
        ),
    ):
        restored(tmp_path, params={"w": jnp.zeros(2, "float32")})


def in_x64_mode_only():
    """A state of which `init` makes one number in the widest dtype that JAX has, and update keeps it."""

    def init(params):
        return {"scale": jnp.ones([], float), "n": jnp.zeros([], int), "trace": params}

    return optax.GradientTransformation(init, lambda updates, state, params=None: (updates, state))


@pytest.mark.parametrize("make", [in_x64_mode_only, lambda: rx.radam(0.1)], ids=["wide", "radam"])
@pytest.mark.parametrize("x64", [False, True], ids=["without x64", "with x64"])
def test_a_state_keeps_its_dtypes_in_the_other_mode_or_is_refused(make, x64, tmp_path):
    params = {"w": jnp.ones(3, "float32")}
    with jax.enable_x64(x64), Checkpoints(tmp_path, make()) as checkpoints:
        state = make().init(params)
        checkpoints.save(1, params, state)
    wide = any(leaf.dtype.itemsize == 8 for leaf in jax.tree.leaves(state))
    assert wide == x64 or make is not in_x64_mode_only
    with jax.enable_x64(not x64), Checkpoints(tmp_path, make()) as checkpoints:
        if wide:
            with pytest.raises(
                ValueError, match=r"= (float|int)64\[\]; here it is .*Switch JAX's x64 mode on, as"
            ):
                checkpoints.restore(params)
        else:
            found = checkpoints.restore(params)
            assert_same(found.opt_state, state)
            checkpoints.save(2, found.params, found.opt_state)
            assert_same(checkpoints.restore(params).opt_state, state)


def test_templates_need_no_arrays(tmp_path):
    saved(tmp_path)
    assert_is(restored(tmp_path, params=jax.eval_shape(lambda: PARAMS)), 1)


@pytest.mark.parametrize(
    "params", [jnp.ones(3), (jnp.ones(3),), [], optax.MaskedNode(), {"a": {"b": [jnp.ones(2)]}}]
)
def test_parameters_may_be_any_tree(params, tmp_path):
    saved(tmp_path, params=params)
    found = restored(tmp_path, params=params)
    assert_same(found.params, jax.tree.map(lambda p: p + 1, params))
    assert_same(found.opt_state, rx.radam(1e-3).init(params))


def test_a_state_whose_dtype_drifted_resumes_as_it_was(tmp_path):
    """Of bfloat16 parameters and float32 gradients optax's momentum becomes float32."""
    params, grads = {"w": jnp.ones(3, "bfloat16")}, [{"w": jnp.full(3, 0.1)}] * 4
    with jax.numpy_dtype_promotion("standard"):
        assert_resumes(tmp_path, lambda: optax.sgd(0.1, momentum=0.9), params, grads, at=2)


# ---- The folder.


def test_the_newest_are_kept(tmp_path):
    with Checkpoints(tmp_path / "new" / "folder", rx.radam(1e-3), keep=2) as checkpoints:
        assert checkpoints.steps() == []
        assert checkpoints.restore(PARAMS) is None
        for step in (0, 9, 10, 100):
            checkpoints.save(step, PARAMS, rx.radam(1e-3).init(PARAMS))
        assert checkpoints.steps() == [10, 100]
        assert checkpoints.restore(PARAMS).step == 100
        assert checkpoints.restore(PARAMS, step=10).step == 10
    assert sorted(os.listdir(tmp_path / "new" / "folder")) == ["10", "100"]


def test_a_reader_sees_what_a_writer_adds(tmp_path):
    with Checkpoints(tmp_path, rx.radam(1e-3)) as reader:
        saved(tmp_path, steps=(1, 2))
        assert reader.steps() == [1, 2]
        assert_is(reader.restore(PARAMS), 2)


def test_a_relative_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved("here")
    monkeypatch.chdir("/")
    assert_is(restored(tmp_path / "here"), 1)


ELSEWHERE = ["s3://bucket/run", "gs://bucket/run", "hf://me/run", "https://host/run", "file://host/run"]


@pytest.mark.parametrize("place", [*ELSEWHERE, *map(pathlib.Path, ELSEWHERE[:2])], ids=repr)
def test_what_is_not_on_this_machine_is_refused_before_anything_is_made(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError, match=r"`folder` must be in a file system of this machine; got '.*Mount it"
    ):
        Checkpoints(place, rx.radam(1e-3))
    assert os.listdir(tmp_path) == []


def test_folders_have_several_names(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    saved("~/with a space")
    for name in (
        f"file://{tmp_path}/with%20a%20space",
        f"file://localhost{tmp_path}/with%20a%20space",
        "with a space/",
        pathlib.Path("~/with a space"),
    ):
        assert_is(restored(name), 1)
    saved("./s3:/one's own")
    assert sorted(os.listdir(tmp_path)) == ["s3:", "with a space"]
    for name in ("", "~nobody that is here/run"):
        with pytest.raises(ValueError, match="`folder` must be a folder that can be found; got"):
            Checkpoints(name, rx.radam(1e-3))
    with pytest.raises(TypeError, match="`folder` must be a path in text; got b'run'"):
        Checkpoints(b"run", rx.radam(1e-3))
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match=r"`folder` must be a folder; '.*/file' is a file"):
        Checkpoints("file", rx.radam(1e-3))


def test_a_reader_makes_nothing(tmp_path):
    with Checkpoints(tmp_path / "mistyped" / "run", rx.radam(1e-3)) as checkpoints:
        assert checkpoints.steps() == []
        assert checkpoints.restore(PARAMS) is None
        with pytest.raises(ValueError, match=r"step 3 in .* does not exist; there are those of steps \[\]"):
            checkpoints.restore(PARAMS, step=3)
        with pytest.raises(ValueError, match="`opt_state` was made by"):
            checkpoints.save(1, PARAMS, rx.amsgrad(1e-3).init(PARAMS))
    assert os.listdir(tmp_path) == []


def test_what_a_reader_of_the_json_finds(tmp_path):
    saved(tmp_path, rx.radam(optax.constant_schedule(0.1), b2=0.99, mu_dtype="float32"))
    manifest = json.loads((tmp_path / "1" / "manifest" / "metadata").read_text())["content"]
    assert manifest["recipe"]["name"] == "radam"
    assert manifest["recipe"]["call"] == "radam(learning_rate=<function>, b2=0.99, mu_dtype=float32)"
    assert manifest["recipe"]["arguments"]["b1"] == "0.9"
    assert manifest["links"] == (
        "(ScaleByAdaptiveRateState(Clock, FirstMomentState, "
        "(SecondMomentState, EmptyState, RectificationState)), ScaleByScheduleState)"
    )
    assert manifest["leaves"]["params['w']"].items() >= {"shape": [2, 3], "dtype": "float32"}.items()


def test_extra_may_be_left_out(tmp_path):
    saved(tmp_path, extra={"scale": jnp.ones(2)})
    assert_is(restored(tmp_path), 1)


# ---- Refusals.

REFUSALS = {
    "another recipe": (
        rx.radam(1e-3),
        rx.amsgrad(1e-3),
        r"The checkpoint of step 1 in '.*' was written by radam\(learning_rate=0.001\); the optimizer is "
        r"amsgrad\(learning_rate=0.001\). Restore with what wrote it, or start in another folder.",
    ),
    "of the same links": (
        rx.momentum(0.1),
        rx.nesterov(0.1),
        r"by momentum\(learning_rate=0.1\); the optimizer is nesterov\(learning_rate=0.1\)",
    ),
    "other links": (
        rx.radam(0.1),
        rx.radam(0.1, amsgrad=True),
        r"by radam\(learning_rate=0.1\); the optimizer is radam\(learning_rate=0.1, amsgrad=True\)",
    ),
    "an argument": (
        rx.radam(0.1, b2=0.99),
        rx.radam(0.1),
        r"step 1 in '.*' was written with b2=0.99; the optimizer has b2=0.999. Restore",
    ),
    "a flag": (
        rx.radam(0.1),
        rx.radam(0.1, degenerated_to_sgd=False),
        "with degenerated_to_sgd=True; the optimizer has degenerated_to_sgd=False",
    ),
    "a mask": (rx.radamw(0.1), rx.radamw(0.1, mask={"w": True, "b": False}), r"radamw\(.*, mask=<tree>\)"),
    "a schedule, which counts": (
        rx.radam(0.1),
        rx.radam(lambda _: 0.1),
        r"radam\(learning_rate=<function>\)",
    ),
    "in a wrapper": (
        rx.radam(0.1),
        optax.chain(optax.clip(1.0), rx.radam(0.1)),
        r"by radam\(learning_rate=0.1\); the optimizer is a transformation with the state \(EmptyState, \(Sc",
    ),
    "both of optax": (
        optax.adam(0.1),
        optax.amsgrad(0.1),
        r"with the state \(ScaleByAdamState, EmptyState\); the optimizer is .*\(ScaleByAmsgradState, ",
    ),
    "other groups": (
        optax.partition({"x": rx.adam(0.1), "y": rx.sgd(0.1)}, {"w": "x", "b": "y"}),
        optax.partition({"x": rx.adam(0.1), "y": rx.sgd(0.1)}, {"w": "y", "b": "x"}),
        r"with opt_state.inner_states\['x'\].*.mu\['b'\] = nothing; here it is float32\[3\]",
    ),
    "another mask": (
        optax.masked(rx.adam(0.1), {"w": True, "b": False}),
        optax.masked(rx.adam(0.1), {"w": False, "b": True}),
        r"mu\['b'\] = nothing; here it is float32\[3\]",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_another_optimizer_is_refused(name, tmp_path):
    written, read, message = REFUSALS[name]
    saved(tmp_path, written, steps=(1,))
    with pytest.raises(ValueError, match=message):
        restored(tmp_path, read)
    assert restored(tmp_path, written).step == 1


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rx.radam(0.1), rx.radam(0.2)),
        (rx.radam(lambda _: 0.1), rx.radam(lambda _: 0.2)),
        (rx.adam(0.1, b1=lambda _: 0.9), rx.adam(0.1, b1=lambda _: 0.8)),
        (rx.radam(0.1, b2=0.99), rx.radam(0.1, b2=jnp.float32(0.99))),
        (rx.radam(0.1), rx.radam(jnp.float32(0.2), eps=np.float64(1e-8))),
        (rx.radamw(0.1, weight_decay=lambda _: 0.1), rx.radamw(0.1, weight_decay=lambda _: 0.2)),
    ],
)
def test_the_learning_rate_and_schedules_may_change(written, read, tmp_path):
    saved(tmp_path, written)
    assert restored(tmp_path, read).step == 1


TREES = {
    "shape": (
        PARAMS | {"b": jnp.ones(4)},
        None,
        r"with params\['b'\] = float32\[3\]; here it is float32\[4\]",
    ),
    "dtype": (
        PARAMS | {"b": jnp.ones(3, "bfloat16")},
        None,
        r"params\['b'\] = float32\[3\]; here it is bfloat16\[3\]",
    ),
    "missing": ({"w": PARAMS["w"]}, None, r"params\['b'\] = float32\[3\]; here it is nothing"),
    "extra": (PARAMS | {"c": jnp.ones(3)}, None, r"params\['c'\] = nothing; here it is float32\[3\]"),
    "of extra": (
        PARAMS,
        {"key": jax.random.key(0)},
        r"extra\['key'\] = uint32\[2\]; here it is key<fry>\[\]",
    ),
    "more in extra": (
        PARAMS,
        {"key": EXTRA["keys"]["raw"], "n": 1},
        r"extra\['n'\] = nothing; here it is int64\[\]",
    ),
}


@pytest.mark.parametrize("name", TREES)
def test_other_trees_are_refused(name, tmp_path):
    params, extra, message = TREES[name]
    saved(tmp_path, extra={"key": EXTRA["keys"]["raw"]})
    with pytest.raises(ValueError, match=message):
        restored(tmp_path, params=params, extra=extra)


def test_a_refusal_does_not_fall_back(tmp_path):
    saved(tmp_path, rx.amsgrad(1e-3), steps=(1,))
    saved(tmp_path, rx.radam(1e-3), steps=(2,))
    with pytest.raises(ValueError, match=r"step 2 .* was written by radam"):
        restored(tmp_path, rx.amsgrad(1e-3))
    assert restored(tmp_path, rx.amsgrad(1e-3), step=1).step == 1


def test_a_later_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("radam_optax.checkpoint._manifest._FORMAT", 2)
    saved(tmp_path)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="was written in format 2; this version reads 1"):
        restored(tmp_path)


def test_bad_calls(tmp_path):
    tx = rx.radam(1e-3)
    state = tx.init(PARAMS)
    with pytest.raises(ValueError, match="`keep` must be at least 1; got 0"):
        Checkpoints(tmp_path, tx, keep=0)
    with pytest.raises(TypeError, match="`optimizer` must be a GradientTransformation; got 3"):
        Checkpoints(tmp_path, 3)
    with Checkpoints(tmp_path, tx) as checkpoints:
        with pytest.raises(TypeError, match=r"`step` must be a whole number; got 1\.5"):
            checkpoints.save(1.5, PARAMS, state)
        with pytest.raises(ValueError, match=r"`step` must be in \[0, 2\*\*31\); got -1"):
            checkpoints.save(-1, PARAMS, state)
        with pytest.raises(
            ValueError, match=r"`opt_state` was made by .*Amsgrad.*; the optimizer is radam\(.*=0.001\). Save"
        ):
            checkpoints.save(1, PARAMS, rx.amsgrad(1e-3).init(PARAMS))
        with pytest.raises(
            ValueError, match=r"mu\['w'\] = nothing; here it is float32\[2, 3\]. Save what its `init`"
        ):
            checkpoints.save(1, PARAMS, tx.init({"b": PARAMS["b"]}))
        with pytest.raises(ValueError, match=r"mu\['b'\] = float32\[4\]; here it is float32\[3\]"):
            checkpoints.save(1, PARAMS, tx.init(PARAMS | {"b": jnp.ones(4)}))
        for wrong, kind in ((PARAMS, "dict of 2"), (None, "NoneType")):  # Swapped, or without.
            with pytest.raises(ValueError) as caught:  # noqa: PT011
                checkpoints.save(1, state, wrong)
            assert str(caught.value) == (
                f"`opt_state` must be a state of the optimizer; got {kind}. The order is `save(step, "
                "params, opt_state)`. Save what its `init` makes of `params` or `update` returns; of "
                "nnx.Optimizer, its `opt_state`."
            )
        assert checkpoints.steps() == []
        checkpoints.save(np.int64(5), PARAMS, state)
        for step in (5, 4):
            with pytest.raises(
                ValueError, match=rf"step {step} .* cannot be saved beside those of steps \[5\]"
            ):
                checkpoints.save(step, PARAMS, state)
        with pytest.raises(ValueError, match=r"step 6 in .* does not exist; there are those of steps \[5\]"):
            checkpoints.restore(PARAMS, step=6)


def test_without_orbax_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
    monkeypatch.delitem(sys.modules, "radam_optax.checkpoint")
    with pytest.raises(
        ImportError, match=r"radam_optax.checkpoint needs Orbax: pip install 'radam-optax\[checkpoint\]'"
    ):
        import radam_optax.checkpoint  # noqa: F401


# ---- Corruption.


def flipped(at, bit):
    def damage(path):
        data = bytearray(path.read_bytes())
        data[at * (len(data) - 1) // 4] ^= bit
        path.write_bytes(data)

    return damage


DAMAGE = {
    **{f"a bit at {at}/4": flipped(at, 1 << at) for at in range(5)},
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "emptied": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"}"),
    "deleted": lambda path: path.unlink(),
}


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints") / "intact"
    saved(folder, steps=(1, 2))
    return folder


@pytest.mark.parametrize("name", DAMAGE)
def test_no_damaged_file_gives_wrong_numbers(name, intact, tmp_path):
    """The newest checkpoint comes back right, or the one before it does, with a warning."""
    files = [path.relative_to(intact) for path in sorted((intact / "2").rglob("*")) if path.is_file()]
    assert len(files) > 8
    warned = 0
    for number, file in enumerate(files):
        folder = tmp_path / str(number)
        shutil.copytree(intact, folder)
        DAMAGE[name](folder / file)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = restored(folder)
        assert_is(found, 1 if caught else 2)
        assert len(caught) <= 1
        for warning in caught:
            assert warning.category is UserWarning
            assert str(warning.message).startswith(f"The checkpoint of step 2 in '{folder}' is unusable: ")
            assert "\n" not in str(warning.message)
            assert warning.filename == __file__
        warned += len(caught)
    assert warned >= 3


@pytest.mark.parametrize("item", ["arrays", "manifest", "."])
def test_a_damaged_folder(item, intact, tmp_path):
    folder = tmp_path / "folder"
    shutil.copytree(intact, folder)
    shutil.rmtree(folder / "2" / item)
    if item == ".":
        (folder / "2").mkdir()
    with pytest.warns(UserWarning, match="step 2 in .* is unusable"):
        assert_is(restored(folder), 1)


def ruin(folder, step):
    (folder / str(step) / "manifest" / "metadata").write_text("{")


def test_changed_numbers_are_found(intact, tmp_path):
    """Leaves of two whole checkpoints, put together."""
    folder = tmp_path / "folder"
    shutil.copytree(intact, folder)
    shutil.rmtree(folder / "2" / "arrays")
    shutil.copytree(folder / "1" / "arrays", folder / "2" / "arrays")
    with pytest.warns(
        UserWarning, match=r"step 2 .* is unusable: params\['b'\] does not have its checksum\."
    ):
        assert_is(restored(folder), 1)


def test_an_edited_manifest_is_no_refusal(intact, tmp_path):
    folder = tmp_path / "folder"
    shutil.copytree(intact, folder)
    manifest = folder / "2" / "manifest" / "metadata"
    manifest.write_text(manifest.read_text().replace("radam", "sadam"))
    with pytest.warns(UserWarning, match="step 2 in .* is unusable: its manifest is not what was written"):
        assert_is(restored(folder), 1)


def test_if_none_is_usable_all_causes_are_told(intact, tmp_path):
    folder = tmp_path / "folder"
    shutil.copytree(intact, folder)
    ruin(folder, 1)
    ruin(folder, 2)
    with pytest.raises(ValueError, match=r"step 2 .* is unusable: JSON(.*)\n(.*)step 1 .* is unusable: JSON"):
        restored(folder)


def test_a_step_that_is_asked_for_does_not_fall_back(intact, tmp_path):
    folder = tmp_path / "folder"
    shutil.copytree(intact, folder)
    ruin(folder, 2)
    with pytest.raises(ValueError, match=r"step 2 .* is unusable: JSON"):
        restored(folder, step=2)
    assert_is(restored(folder, step=1), 1)


def test_after_a_fallback_the_run_goes_on(intact, tmp_path):
    """The unusable checkpoint makes room, and does not count among those that are kept."""
    folder = tmp_path / "folder"
    shutil.copytree(intact, folder)
    ruin(folder, 2)
    tx = rx.radam(1e-3)
    with Checkpoints(folder, tx, keep=1) as checkpoints:
        with pytest.warns(UserWarning, match="step 2 in .* is unusable"):
            step, params, *_ = checkpoints.restore(PARAMS)
        assert (step, checkpoints.steps()) == (1, [1, 2])
        params = jax.tree.map(lambda p: p + 1, params)
        checkpoints.save(2, params, tx.init(params))
        assert checkpoints.steps() == [2]
    assert_is(restored(folder), 2)


# ---- Interruptions: other processes.

WRITER = """
import resource, sys
import jax.numpy as jnp
import radam_optax as rx
assert "orbax" not in sys.modules
from radam_optax.checkpoint import Checkpoints

tx = rx.radam(1e-3)
checkpoints = Checkpoints(sys.argv[1], tx)
size = int(sys.argv[2])

def save(step):
    params = {"w": step + jnp.arange(size, dtype=jnp.float32)}
    checkpoints.save(step, params, tx.init(params))
"""


def writer(script, folder, size):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WRITER + script, str(folder), str(size)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_whole(folder, step, size):
    params = {"w": jnp.zeros(size)}
    found = restored(folder, params=params, step=step)
    np.testing.assert_array_equal(found.params["w"], step + np.arange(size, dtype=np.float32))


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path):
    """No file may grow beyond the limit, at which every kind of write fails in turn; then there is room."""
    script = """
save(1)
for limit in (0, 200, 2_000, 20_000, 200_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        save(2)
    except OSError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert checkpoints.steps() == [1], checkpoints.steps()
save(2)
checkpoints.close()
"""
    process = writer(script, tmp_path, 300_000)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    messages = out.splitlines()
    assert len(messages) == 5
    for message in messages:
        assert message.startswith(f"The checkpoint of step 2 in '{tmp_path}' could not be written: ")
        assert "File too large" in message
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]
    for step in (1, 2):
        assert_whole(tmp_path, step, 300_000)


def test_a_kill_leaves_whole_checkpoints(tmp_path):
    """Several runs are killed in the middle of saving; each goes on where the last one was."""
    script = """
step = max(checkpoints.steps(), default=0)
while True:
    step += 1
    save(step)
"""
    size, torn, last = 1_000_000, 0, 0

    def names(kind):
        return [name for name in os.listdir(tmp_path) if kind(name)]

    for number in range(3):
        process = writer(script, tmp_path, size)
        while max(map(int, names(str.isdigit)), default=0) <= last and process.poll() is None:
            time.sleep(0.01)
        while not names(lambda name: "tmp" in name) and process.poll() is None:
            time.sleep(0.001)
        time.sleep(0.01 * number)
        process.send_signal(signal.SIGKILL)
        _, err = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, err
        torn += len(names(lambda name: "tmp" in name))
        with Checkpoints(tmp_path, rx.radam(1e-3)) as checkpoints:
            steps = checkpoints.steps()
        assert steps[-1] > last
        for step in steps:
            assert_whole(tmp_path, step, size)
        last = steps[-1]
    assert torn
    params = {"w": jnp.zeros(size)}
    saved(tmp_path, params=params, steps=(last + 1,))
    assert all(name.isdigit() for name in os.listdir(tmp_path))


def test_nothing_is_printed(tmp_path):
    script = """
for step in range(5):
    save(step)
template = {"w": jnp.zeros(size)}
assert Checkpoints(sys.argv[1], tx).restore(template).step == 4
assert checkpoints.restore(template, step=3).step == 3
checkpoints.close()
"""
    process = writer(script, tmp_path, 10)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0


# ---- Sharding.


def put(params, mesh, **specs):
    return {
        name: jax.device_put(p, NamedSharding(mesh, PartitionSpec(*specs[name])))
        for name, p in params.items()
    }


@pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
def test_sharded_parameters_come_back_in_the_shardings_of_the_template(axis_type, tmp_path):
    tx = rx.radam(1e-3)
    params = {
        "w": jnp.arange(32.0).reshape(8, 4),
        "b": jnp.arange(8.0),
        "c": jnp.full(8, 1 + 2j, "complex64"),
    }
    written = put(params, grid_of(4, 2, axis_type=axis_type), w=("x", "y"), b=("x",), c=())
    template = put(params, grid_of(2, 4, axis_type=axis_type), w=("y",), b=(("x", "y"),), c=("x",))
    with Checkpoints(tmp_path / "sharded", tx) as checkpoints:
        checkpoints.save(1, written, jax.jit(tx.init)(written))
    with Checkpoints(tmp_path / "not", tx) as checkpoints:
        checkpoints.save(1, params, tx.init(params))
    sharded, other = (
        json.loads((tmp_path / name / "1/manifest/metadata").read_text()) for name in ("sharded", "not")
    )
    assert sharded == other

    shapes = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype, sharding=p.sharding), template)
    for like in (template, shapes):
        found = restored(tmp_path / "sharded", tx, like)
        for path, leaf in jax.tree_util.tree_leaves_with_path((found.params, found.opt_state)):
            if leaf.shape:
                assert leaf.sharding.is_equivalent_to(like[path[-1].key].sharding, leaf.ndim), path
        np.testing.assert_array_equal(found.params["w"], params["w"])
        updates, _ = jax.jit(tx.update)(found.params, found.opt_state, found.params)
        assert updates["w"].sharding.is_equivalent_to(like["w"].sharding, 2)

    alone = restored(tmp_path / "sharded", tx, params)
    assert_same(alone.params, params)
    assert not any(leaf.committed for leaf in jax.tree.leaves(alone) if isinstance(leaf, jax.Array))


def test_other_betas_are_refused_by_name(tmp_path):
    params = {"w": jnp.ones(3)}
    tx = rx.presets.torch_radam(betas=(0.9, 0.999))
    with Checkpoints(tmp_path, tx) as checkpoints:
        checkpoints.save(1, params, tx.init(params))
    with (
        Checkpoints(tmp_path, rx.presets.torch_radam(betas=(0.5, 0.9))) as checkpoints,
        pytest.raises(ValueError, match=r"with betas=\(0.9, 0.999\); the optimizer has betas=\(0.5, 0.9\)"),
    ):
        checkpoints.restore(params)


@pytest.mark.parametrize(
    "error",
    [
        OSError(24, "Too many open files"),
        ValueError("UNAVAILABLE: Error opening a file [source locations='...'; os_error_code='24']"),
    ],
)
def test_an_error_that_passes_costs_no_checkpoint(tmp_path, monkeypatch, error):
    params, tx = {"w": jnp.ones(3)}, rx.adam(0.1)
    with Checkpoints(tmp_path, tx) as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, params, tx.init(params))

        def fail(*_, **__):
            raise error

        with monkeypatch.context() as patch:
            patch.setattr("orbax.checkpoint.Checkpointer.restore", fail)
            with pytest.raises(OSError, match="Too many open files"):
                checkpoints.restore(params)
        assert checkpoints.restore(params).step == 2
