"""The sharded trainer: the same losses on every mesh and in any number of real processes, kills included."""

import csv
import functools
import json
import os
import signal
import socket
import time

import numpy as np
import pytest

from tests.support import programs

for package in ("cyclopts", "flax", "matplotlib", "orbax.checkpoint", "rich"):
    pytest.importorskip(package)

STEPS = 200
EVERY = 20  # Steps between checkpoints.
SMALL = {
    **{"layers": 1, "width": 32, "heads": 2, "length": 16, "batch": 8, "vocabulary": 256, "megabytes": 1},
    **{"clip-norm": 1, "log-every": EVERY, "save-every": EVERY},
}
PATIENCE = 200  # Seconds for processes to start, and to end.
HEARTBEAT = 10  # Seconds without a sign of life after which a process counts as dead.
PREFIX = "train_sharded: "  # Of an error.


def arguments(out, **options):
    """Of the trainer."""
    options = SMALL | {"out": out} | {name.replace("_", "-"): value for name, value in options.items()}
    return [f"--{name}={value}" for name, value in options.items()]


def start(out, environment=(), **options):
    """The trainer, on one device unless it is told otherwise."""
    return programs.start("examples", "train_sharded", *arguments(out, **options), environment=environment)


def free_address():
    """Of a coordinator, on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def slurm(count):
    """The environment of each task of a SLURM job, whose number chooses the port."""
    step = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": str(count)}
    return [step | {"SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)} for i in range(count)]


def end(*processes):
    """Exit code, lines of standard output besides Gloo's, and standard error of each."""
    results = []
    for process in processes:
        out, err = process.communicate(timeout=PATIENCE)
        lines = [line for line in out.splitlines() if not line.startswith("[Gloo]")]
        results.append((process.returncode, lines, err))
    return results


def losses(out):
    """Those of the curve, from step 1 on."""
    with (out / "curve.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, len(rows) + 1))
    return np.array([float(row["loss"]) for row in rows])


def saved(out):
    """The steps of the checkpoints."""
    return sorted(int(path.name) for path in (out / "checkpoints").glob("[0-9]*") if path.name.isdigit())


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The folder of a run in one process on one device."""
    out = tmp_path_factory.mktemp("alone")
    [(code, lines, err)] = end(start(out, num_processes=1, steps=STEPS))
    assert (code, err) == (0, "")
    assert lines[0].endswith("mesh data=1 x fsdp=1; processes: 1")
    assert {path.name for path in out.iterdir()} == {
        "checkpoints",
        "curve.csv",
        "curve.png",
        "curve-dark.png",
        "summary.json",
    }
    return out


def test_eight_devices_have_the_losses_of_one(alone, tmp_path):
    [(code, lines, err)] = end(start(tmp_path, num_processes=1, devices=8, mesh="data=2,fsdp=4", steps=STEPS))
    assert (code, err) == (0, "")
    assert lines[0].endswith("mesh data=2 x fsdp=4; processes: 1")
    right = losses(alone)
    assert len(right) == STEPS
    assert right[0] > 5.4  # log(256) = 5.5.
    assert right[-EVERY:].mean() < 3.7
    np.testing.assert_allclose(losses(tmp_path), right, rtol=3e-6)
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    for name in ("parameters", "state"):
        total, of_one = summary[f"bytes_of_{name}"]
        assert total / 4 < of_one < 1.05 * total / 4


def test_four_processes_have_the_losses_of_one(alone, tmp_path):
    """As SLURM starts them; each gradient is accumulated over the same texts in two parts."""
    options = {"mesh": "data=2,fsdp=2", "batch": 4, "accumulate": 2, "steps": EVERY}
    (code, lines, err), *others = end(*(start(tmp_path, task, **options) for task in slurm(4)))
    assert (code, err) == (0, "")
    assert lines[0].endswith("mesh data=2 x fsdp=2; processes: 4")
    assert others == [(0, [], "")] * 3
    np.testing.assert_allclose(losses(tmp_path), losses(alone)[:EVERY], rtol=3e-6)


def test_a_killed_process_ends_the_other_and_the_run_goes_on_elsewhere(alone, tmp_path):
    """From two processes of two devices to one of eight, with the losses of an uninterrupted run."""
    options = {"coordinator": free_address(), "num_processes": 2, "heartbeat": HEARTBEAT, "steps": 100_000}
    options |= {"devices": 2, "mesh": "data=2,fsdp=2"}
    processes = [start(tmp_path, process_id=i, **options) for i in range(2)]
    deadline = time.monotonic() + PATIENCE
    while not saved(tmp_path):
        assert all(process.poll() is None for process in processes), end(*processes)
        assert time.monotonic() < deadline
        time.sleep(0.05)
    processes[1].kill()
    killed = time.monotonic()
    (code, _, err), _ = end(*processes)
    # In a step the other one notices; where it waits within a save, JAX aborts it.
    reasons = {1: "process 0 of 2 cannot go on, perhaps because another one has ended: "}
    reasons[-signal.SIGABRT] = "This most likely indicates that another task died"
    assert reasons[code] in err
    assert time.monotonic() - killed < 3 * HEARTBEAT
    newest = max(saved(tmp_path))
    assert newest < STEPS

    [(code, lines, err)] = end(start(tmp_path, num_processes=1, devices=8, steps=STEPS))
    assert (code, err) == (0, "")
    assert lines[0].endswith("mesh data=1 x fsdp=8; processes: 1")
    assert lines[2] == f"Goes on at step {newest}."
    np.testing.assert_allclose(losses(tmp_path), losses(alone), rtol=3e-6)


def test_a_process_that_never_joins_is_waited_for_as_long_as_said(tmp_path):
    [result] = end(start(tmp_path, coordinator=free_address(), num_processes=2, process_id=0, timeout=2))
    reason = "not all 2 processes have joined within --timeout 2 s: are all of them started, "
    assert result == (1, [], f"{PREFIX}{reason}with the same --coordinator and --num-processes?\n")


def test_processes_that_were_started_differently_do_not_train(tmp_path):
    """Here one means to be of two, and the other of three."""
    together = {"coordinator": free_address(), "timeout": 20}
    processes = [start(tmp_path, process_id=i, num_processes=2 + i, **together) for i in range(2)]
    for result, index, there in zip(end(*processes), (1, 0), (3, 2), strict=True):
        what = (
            f"process {index} was started with other settings: --num-processes is {there}, here {5 - there}"
        )
        assert result == (2, [], f"{PREFIX}{what}\n")
    assert not (tmp_path / "checkpoints").exists()


@pytest.fixture(scope="module")
def text():
    """Reads the text once."""
    from examples.data.text import standard_library

    return functools.cache(standard_library)


@pytest.fixture
def refused(text, monkeypatch, tmp_path, capsys):
    """A function of options: the one line in which the trainer refuses them, in this process."""
    from examples.__main__ import run
    from examples.sharded import train_sharded

    monkeypatch.setattr(train_sharded, "standard_library", text)

    def error(out=tmp_path, **options):
        try:
            code = run(["train_sharded", *arguments(out, **options)])
        except SystemExit as exit_:
            code = exit_.code
        assert code == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stesp": 3}, "Unknown option: --stesp. Did you mean --steps?"),
        (
            {"optimizer": "raddam"},
            "--optimizer: there is no 'raddam' (did you mean 'radam'?); there are acprop, adabelief, ",
        ),
        ({"mesh": "data=2,model=4"}, "--mesh: there is no axis 'model'; there are data, fsdp"),
        ({"mesh": "data=2,data=4"}, "--mesh: data is given twice"),
        ({"mesh": "fsdp=0"}, "--mesh: must be a whole number >= 1; got '0'"),
        ({"mesh": "data=2,fsdp=2"}, "--mesh: data=2 x fsdp=2 makes 4 devices, and there are 8"),
        ({"batch": 12}, "--batch: must be a multiple of the number of devices, 8; got 12"),
        (
            {"width": 36},
            "--width: must be a multiple of the number of devices on the mesh's axis fsdp, 8; got 36",
        ),
        ({"length": 10**6}, "for the text has no more; got 1000000"),
        ({"heads": 3}, "--width: must be a multiple of the number of heads, 3; got 32"),
        ({"process_id": 1}, "--process-id: must be in [0, --num-processes), which is 1; got 1"),
        ({"coordinator": "host"}, "--coordinator: must be HOST:PORT; got 'host'"),
    ],
)
def test_what_is_wrong_is_one_clear_line(options, message, refused):
    assert message in refused(num_processes=1, **options)


def test_a_port_that_is_taken_is_one_clear_line(refused):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        message = refused(coordinator=f"127.0.0.1:{port}", num_processes=2, process_id=0)
    assert message == f"{PREFIX}--coordinator: cannot listen on port {port}: Address already in use"


@pytest.mark.filterwarnings("ignore::UserWarning")  # Orbax's, of reading without a template.
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 64}, "params"),
        ({"optimizer": "adam"}, "was written by"),
        ({"seed": 2}, "the checkpoints are of another run: --seed is 1, here 2"),
        ({"schedule": "cosine", "steps": 7}, "--steps is 200, here 7"),
    ],
)
def test_the_checkpoints_of_another_run_are_refused(options, message, alone, refused):
    found = refused(alone, num_processes=1, **options)
    assert found.startswith(f"{PREFIX}cannot go on: ")
    assert message in found


def test_a_batch_is_the_same_on_every_mesh_and_read_in_parts():
    from examples.sharded.mesh import make_mesh, random_windows

    parts = []

    class Text:
        def __len__(self):
            return 1000

        def __getitem__(self, index):
            parts.append(index.shape)
            return index.astype(np.int32)

    shape = (2, 16, 5)
    batch = random_windows(Text(), 1, 7, shape, make_mesh({"data": 2, "fsdp": 4}))
    assert parts == [(2, 2, 6)] * 8
    again = random_windows(np.arange(1000, dtype=np.int32), 1, 7, shape, make_mesh(None))
    np.testing.assert_array_equal(batch, again)
    np.testing.assert_array_equal(np.diff(batch), 1)
    other = random_windows(np.arange(1000, dtype=np.int32), 1, 8, shape, make_mesh(None))
    assert np.any(np.asarray(other) != np.asarray(again))
