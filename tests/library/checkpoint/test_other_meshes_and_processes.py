"""A checkpoint outlives its mesh and its processes: any number goes on, bit by bit; no kill tears it.

The processes of a test are real; they run the functions at the end of this file, see `start`.
"""

import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import threading
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import radam_optax as rx

pytest.importorskip("orbax.checkpoint")
import orbax.checkpoint as ocp

from radam_optax.checkpoint import Checkpoints, _orbax
from tests.support.forks import forks
from tests.support.meshes import grid_of

PATIENCE = 100  # Seconds for processes to start, to save, to end.


def numbers(shapes, seed):
    """A tree of NumPy arrays of any dtypes."""
    rng = np.random.default_rng(seed)

    def leaf(x):
        if np.dtype(x.dtype).kind in "biu":
            return np.asarray(rng.integers(0, 2 if x.dtype == bool else 100, x.shape), x.dtype)
        return np.asarray(rng.normal(size=x.shape), x.dtype)

    return jax.tree.map(leaf, shapes)


def shapes_of(tx, rows=64):
    params = {
        "w": jax.ShapeDtypeStruct((rows, 8), "float32"),
        "b": jax.ShapeDtypeStruct((8,), "bfloat16"),
        "one": jax.ShapeDtypeStruct((), "float32"),
    }
    return params, jax.eval_shape(tx.init, params)


def spread(tree, mesh):
    """On a mesh: divided along all axes that fit, the rest replicated. Each process makes its parts."""

    def put(x):
        x = np.asarray(x)
        even = [
            name if size % mesh.shape[name] == 0 else None
            for name, size in zip(mesh.shape, x.shape, strict=False)
        ]
        sharding = NamedSharding(mesh, PartitionSpec(*even))
        return jax.make_array_from_callback(x.shape, sharding, lambda index: x[index])

    return jax.tree.map(put, tree)


def assert_same(actual, expected):
    """Bitwise, as far as this process sees it."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for x, right in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert (x.shape, x.dtype) == (right.shape, right.dtype)
        parts = [(s.data, s.index) for s in x.addressable_shards] if isinstance(x, jax.Array) else [(x, ())]
        for part, index in parts:
            assert np.asarray(part).tobytes() == np.ascontiguousarray(right[index]).tobytes()


def same_places(tree, other):
    equal = jax.tree.map(lambda a, b: a.sharding.is_equivalent_to(b.sharding, a.ndim), tree, other)
    return all(jax.tree.leaves(equal))


# ---- Meshes.

TRANSFORMATIONS = {
    "radam": lambda: rx.radam(0.1, amsgrad=True),
    "chain": lambda: optax.chain(
        optax.clip_by_global_norm(1.0), rx.radamw(0.1, mask={"w": True, "b": False, "one": False})
    ),
    "masked": lambda: optax.masked(rx.adam(0.1), {"w": True, "b": False, "one": True}),
    "MultiSteps": lambda: optax.MultiSteps(rx.yogi(0.1), every_k_schedule=3),
    "inject_hyperparams": lambda: optax.inject_hyperparams(rx.adam)(lambda _: 0.1),
    "compress_state": lambda: rx.compress_state(
        rx.radam(0.1), rx.codecs.int8_blockwise(block_size=8, shards=8), min_size=0
    ),
    "optax.adafactor": lambda: optax.adafactor(0.1, min_dim_size_to_factor=2),
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@jax.numpy_dtype_promotion("standard")  # For optax.
def test_a_checkpoint_moves_between_meshes(name, tmp_path):
    """From 8 devices to 4, to 2x4, to none in particular; nothing in the manifest tells where it was."""
    tx = TRANSFORMATIONS[name]()
    params, state = numbers(shapes_of(tx), 0)
    meshes = [grid_of(8), grid_of(4, axis_type=AxisType.Explicit), grid_of(2, 4)]
    current = spread((params, state), meshes[0])
    with Checkpoints(tmp_path, tx) as checkpoints:
        for step, mesh in enumerate([*meshes[1:], None]):
            checkpoints.save(step, *current)
            template = spread(params, mesh) if mesh else shapes_of(tx)[0]
            found = checkpoints.restore(template)
            current = found.params, found.opt_state
            assert_same(current, (params, state))
            if mesh:
                assert same_places(found.params, template)
                assert all(leaf.sharding.mesh == mesh for leaf in jax.tree.leaves(found.opt_state))
                for path, leaf in jax.tree_util.tree_leaves_with_path(found.opt_state):
                    if leaf.shape == (64, 8):
                        assert leaf.sharding.is_equivalent_to(template["w"].sharding, 2), path
    manifests = [json.loads((tmp_path / f"{step}/manifest/metadata").read_text()) for step in range(3)]
    assert manifests[0] == manifests[1] == manifests[2]


def test_what_is_sharded_is_read_in_parts(tmp_path, monkeypatch):
    """Orbax is asked for whole arrays only where there is no sharding to read into."""
    tx = rx.radam(0.1)
    params, state = spread(numbers(shapes_of(tx), 0), grid_of(8))
    extra = {"host": np.arange(3), "number": 3, "free": jnp.ones(2), "there": params["w"]}
    whole, deserialize = [], ocp.type_handlers.NumpyHandler.deserialize

    async def spy(self, infos, args=None):
        whole.extend(info.name for info in infos)
        return await deserialize(self, infos, args)

    with Checkpoints(tmp_path, tx) as checkpoints:
        checkpoints.save(1, params, state, extra)
        monkeypatch.setattr(ocp.type_handlers.NumpyHandler, "deserialize", spy)
        checkpoints.restore(params, extra)
        assert sorted(whole) == ["extra['free']", "extra['host']", "extra['number']"]
        whole.clear()
        checkpoints.restore(params)
        assert whole == []


def test_state_that_is_divided_further_is_read_in_parts(tmp_path):
    mesh = grid_of(8)
    tx = rx.sharding.shard_state(rx.radam(0.1), mesh, "x")
    params = jax.device_put({"w": jnp.ones((16, 8))}, NamedSharding(mesh, PartitionSpec()))
    init = jax.jit(tx.init)
    state = init(params)
    assert state[0].momentum.mu["w"].sharding.spec == PartitionSpec("x")
    with Checkpoints(tmp_path, tx) as checkpoints:
        checkpoints.save(1, params, state)
        found = checkpoints.restore(params, opt_state=state).opt_state
        assert same_places(found, state)
        assert_same(found, jax.device_get(state))
        with pytest.raises(ValueError, match=r"mu\['w'\] = float32\[16, 8\]; here"):
            checkpoints.restore(params, opt_state=init({"w": jnp.ones((8, 8))}))


def test_random_keys_and_weak_types_return_to_their_meshes(tmp_path):
    params, tx = spread({"w": np.ones((8, 8), "float32")}, grid_of(8)), rx.sgd(0.1)
    sharding = NamedSharding(grid_of(4), PartitionSpec("x"))
    keys = jax.device_put(jax.random.split(jax.random.key(0), 8), sharding)
    extra = {"keys": keys, "weak": jax.device_put(jnp.full(8, 2.0), sharding)}
    with Checkpoints(tmp_path, tx) as checkpoints:
        checkpoints.save(1, params, tx.init(params), extra)
        found = checkpoints.restore(params, extra).extra
    assert same_places(found, extra)
    assert found["weak"].weak_type
    assert_same(jax.random.key_data(found["keys"]), np.asarray(jax.random.key_data(keys)))
    assert_same(found["weak"], np.asarray(extra["weak"]))


# ---- Saving behind the training.


@pytest.fixture
def gate(monkeypatch):
    """Commits wait until it is opened; then they raise its `error`, if it has one."""
    finalize = ocp.PyTreeCheckpointHandler.finalize
    opened = threading.Event()
    opened.error = None

    def wait(self, directory):
        assert opened.wait(PATIENCE)
        if opened.error:
            raise opened.error
        return finalize(self, directory)

    monkeypatch.setattr(ocp.PyTreeCheckpointHandler, "finalize", wait)
    yield opened
    opened.set()


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path, gate):
    """What is saved is what the arrays held, whatever becomes of them after `save` has returned."""
    tx = rx.radam(0.1)
    right = numbers(shapes_of(tx, rows=2**16), 0)
    params, state = spread(right, grid_of(8))
    host = np.arange(2**20)
    squared = jax.jit(lambda tree: jax.tree.map(lambda x: x * x, tree), donate_argnums=0)
    with Checkpoints(tmp_path, tx, asynchronous=True) as checkpoints:
        checkpoints.save(1, params, state, host)
        assert checkpoints.steps() == []
        host[:] = -1
        params, state = jax.block_until_ready(squared((params, state)))
        gate.set()
        checkpoints.wait()
        assert checkpoints.steps() == [1]
        found = checkpoints.restore(params, host)
        assert_same((found.params, found.opt_state, found.extra), (*right, np.arange(2**20)))
        checkpoints.save(2, params, state, host)
    with Checkpoints(tmp_path, tx) as checkpoints:
        assert checkpoints.steps() == [1, 2]
        assert_same(checkpoints.restore(params).params, jax.tree.map(lambda x: np.asarray(x * x), right[0]))


@pytest.mark.parametrize("method", ["wait", "save", "restore", "close"])
def test_what_goes_wrong_behind_the_training_is_told_once(method, tmp_path, gate, caplog):
    caplog.set_level("CRITICAL", logger="absl")
    tx, params = rx.sgd(0.1), {"w": jnp.ones(3)}
    state = tx.init(params)
    arguments = {"save": (2, params, state), "restore": (params,)}
    checkpoints = Checkpoints(tmp_path, tx, asynchronous=True)
    gate.error = OSError(28, "No space left on device")
    checkpoints.save(1, params, state)
    gate.set()
    with pytest.raises(OSError, match=r"step 1 in '.*' could not be written: OSError: .* No space left"):
        getattr(checkpoints, method)(*arguments.get(method, ()))
    assert os.listdir(tmp_path) == []
    gate.error = None
    with checkpoints:
        checkpoints.save(1, params, state)
    assert os.listdir(tmp_path) == ["1"]


def test_an_error_does_not_hide_in_the_end_of_a_block(tmp_path, gate, caplog):
    caplog.set_level("CRITICAL", logger="absl")
    tx, params = rx.sgd(0.1), {"w": jnp.ones(3)}
    gate.error = OSError(28, "No space left on device")
    gate.set()
    with pytest.raises(OSError, match="No space left"), Checkpoints(tmp_path, tx, asynchronous=True) as c:
        c.save(1, params, tx.init(params))


def test_asynchronous_is_a_flag(tmp_path):
    with pytest.raises(TypeError, match="`asynchronous` must be True or False; got 2"):
        Checkpoints(tmp_path, rx.sgd(0.1), asynchronous=2)


# ---- Many processes.


def start(function, folder, count):
    """A function of this module in `count` processes of two devices each, that know of each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    devices = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    call = "tests.support.call", __name__, "join", function, folder, address, count
    return [forks(__name__).start(*call, i, environment=devices) for i in range(count)]


def end(processes):
    """Exit codes, what they printed as JSON, and standard error, of each."""
    try:
        texts = [process.communicate(timeout=PATIENCE) for process in processes]
    finally:
        for process in processes:
            process.kill()
    lines = [[json.loads(line) for line in out.splitlines() if line.startswith("{")] for out, _ in texts]
    return [process.returncode for process in processes], lines, [err[-3000:] for _, err in texts]


def run(function, folder, count):
    codes, lines, errors = end(start(function, folder, count))
    assert codes == [0] * count, errors
    return lines


TX = optax.chain(optax.clip_by_global_norm(1.0), rx.radam(0.1))


def extra_of(mesh):
    """Of every kind: of all processes, of each, of the host."""
    everywhere = NamedSharding(mesh, PartitionSpec())
    return {
        "key": jax.jit(lambda: jax.random.key(1), out_shardings=everywhere)(),
        "own key": jax.random.key(2),
        "weak": jax.jit(lambda: jnp.asarray(2.0), out_shardings=everywhere)(),
        "own weak": jnp.asarray(3.0),
        "own": jnp.arange(3),
        "own, here": jax.device_put(jnp.arange(3), jax.local_devices()[0]),
        "host": np.arange(5.0),
        "number": 7,
        "empty": jnp.zeros((0, 2)),
    }


def assert_extra(found, mesh):
    def data(x):
        key = jnp.issubdtype(getattr(x, "dtype", "int32"), jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(x) if key else x)

    for name, x in extra_of(mesh).items():
        assert type(found[name]) is type(x), name
        assert_same(data(found[name]), data(x))
        assert getattr(found[name], "weak_type", None) == getattr(x, "weak_type", None), name
        if isinstance(x, jax.Array):
            assert found[name].sharding.is_equivalent_to(x.sharding, x.ndim), name


def test_any_number_of_processes_goes_on(tmp_path):
    """Two save; one with 8 devices goes on and saves; four go on and save; one with one device has it all."""
    run("save_one_and_two", tmp_path, 2)
    with Checkpoints(tmp_path / "b", TX) as checkpoints:
        assert_same(checkpoints.restore(shapes_of(TX)[0]).params, numbers(shapes_of(TX), 12)[0])
    with Checkpoints(tmp_path / "a", TX) as checkpoints:
        assert checkpoints.steps() == [1, 2]
        for step in (1, 2):
            right = numbers(shapes_of(TX), step)
            found = checkpoints.restore(spread(right[0], grid_of(2, 4)), extra_of(grid_of(8)), step=step)
            assert_same((found.params, found.opt_state), right)
            assert_extra(found.extra, grid_of(8))
        checkpoints.save(3, *spread(numbers(shapes_of(TX), 3), grid_of(2, 4)), found.extra)
    run("restore_three_and_save_four", tmp_path / "a", 4)
    with Checkpoints(tmp_path / "a", TX) as checkpoints:
        assert checkpoints.steps() == [2, 3, 4]
        found = checkpoints.restore(shapes_of(TX)[0])
        assert_same((found.params, found.opt_state), numbers(shapes_of(TX), 4))
    assert sorted(os.listdir(tmp_path / "a")) == ["2", "3", "4"]


def test_what_one_process_cannot_do_fails_in_all(tmp_path):
    """With one message in all of them, and at once; the next save is as good as any."""
    first, second = run("refusals", tmp_path, 2)
    folder, other = tmp_path / "shared", tmp_path / "1"
    at = f"The checkpoint of step 1 in '{folder}'"
    right = [
        "The processes cannot save together: they are at steps [1, 2].",
        f"{at} cannot be saved: the processes have different trees.",
        f"{at} cannot be saved: the processes have different extra['own'].",
        "in process 1: `opt_state` was made by a transformation with the state (EmptyState, "
        "(FirstMomentState, EmptyState)); the optimizer is radam(learning_rate=0.1)",
    ]
    for lines in (first, second):
        assert [line["error"] for line in lines[:3]] == right[:3]
        assert "`opt_state` was made by" in lines[3]["error"]
        assert lines[4:6] == [{"steps": [1]}, {"steps": [1, 2]}]
        unusable = f"The checkpoint of step 2 in '{folder}' is unusable: "
        assert lines[6]["warning"].startswith(unusable)
        assert lines[7] == {"step": 1}
        assert lines[8] == {"steps": [1, 2], "right": True}
        assert (
            f"'{other}' is not one folder: process 1 does not see what process 0 writes." in lines[9]["error"]
        )
        assert f"step 2 in '{other}' does not exist for process 1, but for process 0." in lines[10]["error"]
    assert "in process 1: " in first[3]["error"]
    assert "in process 1: " not in second[3]["error"]


def test_a_disk_that_is_full_for_one_process(tmp_path):
    """Both get an error, in time; what was there stays; with room again the same step can be saved."""
    for lines in run("full_disk", tmp_path, 2):
        assert lines[0]["error"].startswith(
            f"The checkpoint of step 2 in '{tmp_path}' could not be written: "
        )
        assert lines[1:] == [{"steps": [1]}, {"steps": [1, 2]}]
    assert "File too large" in lines[0]["error"]
    with Checkpoints(tmp_path, TX) as checkpoints:
        assert_same(checkpoints.restore(shapes_of(TX, 2**16)[0]).params, numbers(shapes_of(TX, 2**16), 2)[0])
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]


@pytest.mark.parametrize(
    ("victim", "moment"),
    [
        (0, "save"),
        pytest.param(1, "save", marks=pytest.mark.full),
        pytest.param(1, "run", marks=pytest.mark.full),
    ],
)
def test_a_killed_process_tears_nothing(victim, moment, tmp_path):
    """The other one ends, too, by itself; one process goes on from the newest, and leaves nothing behind."""
    processes = start("save_for_ever", tmp_path, 2)

    def until(condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert all(process.poll() is None for process in processes), end(processes)
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def in_a_save():
        return any("tmp" in name for name in os.listdir(tmp_path))

    until(lambda: (tmp_path / "2").exists())
    while moment == "save":
        until(in_a_save)
        processes[victim].send_signal(signal.SIGSTOP)
        time.sleep(0.3)
        if in_a_save():  # And will be: it takes both.
            break
        processes[victim].send_signal(signal.SIGCONT)
    processes[victim].send_signal(signal.SIGKILL)
    codes, *_ = end(processes)
    assert codes[victim] == -signal.SIGKILL
    assert codes[1 - victim] not in (0, -signal.SIGKILL)
    params = shapes_of(TX, 2**14)[0]
    with Checkpoints(tmp_path, TX) as checkpoints:
        steps = checkpoints.steps()
        assert steps[-1] >= 2
        for step in steps:
            found = checkpoints.restore(params, step=step)
            assert_same((found.params, found.opt_state), numbers(shapes_of(TX, 2**14), step))
        checkpoints.save(steps[-1] + 1, found.params, found.opt_state)
    assert all(name.isdecimal() for name in os.listdir(tmp_path))


# ---- What the processes run.


def join(function, folder, address, count, index):
    """Called in a process of its own."""
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    jax.distributed.initialize(address, int(count), int(index), heartbeat_timeout_seconds=10)
    globals()[function](pathlib.Path(folder))


def tell(**fields):
    print(json.dumps(fields), flush=True)


def error_of(function, *arguments):
    try:
        function(*arguments)
    except (ValueError, OSError) as error:
        return str(error)


def state_of(step, rows=64):
    return spread(numbers(shapes_of(TX, rows), step), grid_of(2 * jax.process_count()))


def save_one_and_two(folder):
    """Into two folders at once, and at the same steps."""
    with (
        Checkpoints(folder / "a", TX, asynchronous=True) as checkpoints,
        Checkpoints(folder / "b", TX, asynchronous=True) as others,
    ):
        for step in (1, 2):
            checkpoints.save(step, *state_of(step), extra_of(grid_of(4)))
            others.save(step, *state_of(10 + step))


def restore_three_and_save_four(folder):
    mesh = grid_of(4, 2)
    right = numbers(shapes_of(TX), 3)
    template = spread(right[0], mesh)
    with Checkpoints(folder, TX) as checkpoints:
        step, params, state, extra = checkpoints.restore(template, extra_of(mesh))
        assert step == 3
        assert_same((params, state), right)
        assert same_places(params, template)
        assert not any(leaf.is_fully_addressable for leaf in jax.tree.leaves((params, state)))
        assert_extra(extra, mesh)
        checkpoints.save(4, *spread(numbers(shapes_of(TX), 4), mesh), extra)


def refusals(folder):
    second = jax.process_index()
    tx = rx.radam(0.1)
    shapes = shapes_of(tx, 2**10)  # What is smaller is not in files of the processes.
    params, state = spread(numbers(shapes, 1), grid_of(4))
    with Checkpoints(folder / "shared", tx) as checkpoints:
        tell(error=error_of(checkpoints.save, 1 + second, params, state))
        tell(error=error_of(checkpoints.save, 1, params, state, {"a": 1} if second else {"b": 1}))
        tell(error=error_of(checkpoints.save, 1, params, state, {"own": jnp.asarray(second)}))
        others = rx.sgd(0.1).init(params) if second else state
        tell(error=error_of(checkpoints.save, 1, params, others))
        checkpoints.save(1, params, state)
        tell(steps=checkpoints.steps())
        checkpoints.save(2, params, state)
        tell(steps=checkpoints.steps())
        if second:  # Only it reads this file.
            files = (folder / "shared/2/arrays/ocdbt.process_1/d").iterdir()
            largest = max(files, key=lambda path: path.stat().st_size)
            largest.write_bytes(largest.read_bytes()[::-1])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = checkpoints.restore(params)
        tell(warning=str(caught[0].message))
        tell(step=found.step)
        checkpoints.save(2, params, state)
        assert_same(checkpoints.restore(params, step=2).params, numbers(shapes, 1)[0])
        tell(steps=checkpoints.steps(), right=True)
    with Checkpoints(folder / str(second), tx) as checkpoints:
        if second:
            (folder / "1").mkdir()
        tell(error=error_of(checkpoints.save, 1, params, state))
        if not second:
            shutil.copytree(folder / "shared/2", folder / "0/2")
        tell(error=error_of(checkpoints.restore, params))


def full_disk(folder):
    _orbax._PATIENCE = 5
    unlimited = resource.RLIM_INFINITY
    with Checkpoints(folder, TX, asynchronous=True) as checkpoints:
        checkpoints.save(1, *state_of(1, 2**16))
        checkpoints.wait()
        if jax.process_index() == 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, unlimited))
        checkpoints.save(2, *state_of(2, 2**16))
        tell(error=error_of(checkpoints.wait))
        resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, unlimited))
        tell(steps=checkpoints.steps())
        checkpoints.save(2, *state_of(2, 2**16))
        checkpoints.wait()
        tell(steps=checkpoints.steps())


def save_for_ever(folder):
    step = 0
    with Checkpoints(folder, TX, asynchronous=True) as checkpoints:
        while True:
            step += 1
            checkpoints.save(step, *state_of(step, 2**14))
