"""The resilient training loop (``examples/resilient/``) against SIGKILL, corruption and a full disk."""

import csv
import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from tests.support import programs

for package in ("cyclopts", "flax", "orbax.checkpoint", "rich", "sklearn"):
    pytest.importorskip(package)

pytestmark = pytest.mark.full

STEPS = 120  # More than the killed runs get to.
PATIENCE = 100  # Seconds for a run to start and save.


def start(out, steps, *options):
    options = "--optimizer", "amsgrad", "--save-every", 1, "--steps", steps, "--out", out, *options
    return programs.start("examples", "resilient_training", *options)


def run(*arguments):
    """Exit code, lines of standard output, standard error."""
    with start(*arguments) as process:
        out, err = process.communicate(timeout=300)
    return process.returncode, out.splitlines(), err


def saved(out):
    """The steps of the checkpoints."""
    return sorted(int(path.name) for path in (out / "checkpoints").glob("[0-9]*") if path.name.isdigit())


def logged(out):
    """The digest of the run at each step, from its log."""
    with (out / "log.csv").open(newline="", encoding="utf-8") as file:
        return {int(row["step"]): row["digest"] for row in csv.DictReader(file)}


def in_a_save(out):
    """Whether there is the temporary folder of a save that is under way, or was when the run was killed."""
    return any((out / "checkpoints").glob("*tmp*"))


def wait_until(condition, process, pause=0.01):
    """Looks again and again, as rarely as will do, since each look takes time from the process."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(pause)


def resumption(out):
    """The line that says where a run went on, or nothing."""
    return next((line for line in out.splitlines() if line.startswith("Resumed ")), None)


@pytest.fixture(scope="module")
def restore_all():
    """A function of a folder of checkpoints: the digest of each, restored in this process by its step."""
    from flax import nnx

    from examples.models.convolutional import Network
    from examples.resilient import guarded as _guarded
    from examples.resilient import resilient_training
    from radam_optax.checkpoint import Checkpoints

    optimizer = _guarded.guard(resilient_training.OPTIMIZERS["amsgrad"])
    blank = _guarded.start(optimizer, nnx.state(Network(nnx.Rngs(0))))

    def digests(folder):
        found = {}
        with Checkpoints(folder, optimizer) as checkpoints:
            for step in checkpoints.steps():
                extra = blank.loss_scale, jnp.asarray(0)
                _, params, opt_state, (loss_scale, _) = checkpoints.restore(blank.params, extra, step=step)
                found[step] = _guarded.digest(_guarded.Run(params, opt_state, loss_scale=loss_scale))
        return found

    return digests


def kill(process, out, moment, rng, startup, pace):
    """At a random moment: while it starts, within four steps of its first, or within a save."""
    newest = max(saved(out), default=0)
    if moment == "start":
        time.sleep(rng.uniform(0, startup))
    else:
        wait_until(lambda: max(saved(out), default=0) > newest, process)
        if moment == "save":
            wait_until(lambda: in_a_save(out), process, pause=0.001)
        time.sleep(rng.uniform(0, 4 * pace if moment == "run" else pace / 4))
    process.kill()
    return process.communicate()


def test_no_kill_tears_a_checkpoint_and_every_resume_is_bitwise_right(tmp_path, restore_all):
    """Whenever it comes; the run goes on from the newest checkpoint, to the same end."""
    whole, killed, copy = (tmp_path / name for name in ("whole", "killed", "copy"))
    options = ("--faults", "--float16")
    run(tmp_path / "compiled", 1, *options)  # What is timed next compiles no more, as the killed runs do not.
    began = time.monotonic()
    with start(whole, STEPS, *options) as process:
        wait_until(lambda: saved(whole), process)
        startup = time.monotonic() - began
        out, err = process.communicate(timeout=300)
        pace = (time.monotonic() - began - startup) / STEPS
    assert (process.returncode, err) == (0, "")
    right = logged(whole)
    assert right.keys() == {*range(1, STEPS + 1)}
    assert len({*right.values()}) == STEPS
    assert out.splitlines()[-1] == f"Digest {right[STEPS]}"

    rng = np.random.default_rng(0)
    moments = ["start"] * 3 + ["run"] * 11 + ["save"] * 11
    newest, within_a_save, resumptions = 0, 0, 0
    for moment in rng.permutation(moments):
        with start(killed, STEPS, *options) as process:
            out, err = kill(process, killed, moment, rng, startup, pace)
        assert (process.returncode, err) == (-signal.SIGKILL, "")
        if newest and (line := resumption(out)):
            assert line == f"Resumed at step {newest}, digest {right[newest]}"
            resumptions += 1
        # What the killed save has left stays where it is for the next run to find.
        within_a_save += moment != "start" and in_a_save(killed)
        if saved(killed):
            shutil.copytree(killed / "checkpoints", copy)
            digests = restore_all(copy)
            shutil.rmtree(copy)
            assert [*digests] == saved(killed)
            assert all(right[step] == digest for step, digest in digests.items())
            assert max(digests) >= newest
            newest = max(digests)
    assert newest < STEPS
    assert within_a_save >= len(moments) / 3
    assert resumptions >= len(moments) / 2

    code, out, err = run(killed, STEPS, *options)
    assert (code, err) == (0, "")
    assert resumption("\n".join(out)) == f"Resumed at step {newest}, digest {right[newest]}"
    assert out[-1] == f"Digest {right[STEPS]}"
    assert logged(killed) == right
    assert not in_a_save(killed)


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    """The digests of an uninterrupted run of 6 steps."""
    out = tmp_path_factory.mktemp("right")
    code, _, err = run(out, 6)
    assert (code, err) == (0, "")
    return logged(out)


@pytest.fixture
def out(tmp_path_factory, tmp_path, right):
    """The folder of a run that was stopped after 4 steps, with the checkpoints of 2 to 4."""
    template = tmp_path_factory.getbasetemp() / "stopped"
    if not template.exists():
        code, _, err = run(template, 4)
        assert (code, err) == (0, "")
    return shutil.copytree(template, tmp_path / "out")


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def largest_file(folder):
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


@pytest.mark.parametrize("damage", [flip_a_byte, truncate, Path.unlink])
def test_a_damaged_checkpoint_is_passed_over_in_words(out, right, damage):
    damage(largest_file(out / "checkpoints" / "4"))
    code, lines, _ = run(out, 6)
    assert code == 0
    assert lines[1].startswith(f"The checkpoint of step 4 in '{out / 'checkpoints'}' is unusable: ")
    assert lines[2] == f"Resumed at step 3, digest {right[3]}"
    assert lines[-1] == f"Digest {right[6]}"
    assert saved(out) == [4, 5, 6]
    assert logged(out) == right


def test_where_all_are_damaged_the_run_says_so_and_can_be_started_anew(out, right):
    for step in (2, 3, 4):
        truncate(largest_file(out / "checkpoints" / str(step)))
    code, lines, err = run(out, 6)
    assert (code, len(lines)) == (1, 1)
    for step in (2, 3, 4):
        assert f"The checkpoint of step {step} in '{out / 'checkpoints'}' is unusable: " in err
    assert "Cannot resume; --fresh would start anew." in err
    assert saved(out) == [2, 3, 4]

    code, lines, err = run(out, 6, "--fresh")
    assert (code, err) == (0, "")
    assert lines[-1] == f"Digest {right[6]}"
    assert logged(out) == right


@pytest.mark.parametrize(
    ("options", "cause"),
    [(("--optimizer", "radamw"), "was written by"), (("--seed", "2"), "The checkpoints are of --seed 1.")],
)
def test_the_checkpoints_of_another_run_are_refused(out, options, cause):
    code, _, err = run(out, 6, *options)
    assert code == 1
    assert err.startswith("Cannot resume; --fresh would start anew. ")
    assert cause in err
    assert len(err.splitlines()) == 1
    assert saved(out) == [2, 3, 4]


def test_an_interrupt_within_a_save_waits_for_it(out, right):
    with start(out, 60) as process:
        wait_until(lambda: in_a_save(out), process, pause=0.001)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err.startswith(
        "Interrupted. It goes on at its last checkpoint with: python -m examples resilient_training "
    )
    assert err.count("\n") == 1
    assert not in_a_save(out)
    assert saved(out)[-1] > 4


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
def test_where_files_cannot_be_written_training_goes_on_and_the_last_checkpoint_stays(
    out, right, restore_all
):
    with start(out, 6) as process:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        text, err = process.communicate(timeout=300)
    lines = text.splitlines()
    failures = [line for line in lines if line.startswith("Not saved, training goes on: ")]
    assert len(failures) == 2
    assert all("File too large" in line for line in failures)
    assert lines[-1] == f"Digest {right[6]}"
    assert process.returncode == 1
    assert "The last save failed; the checkpoints are of steps [2, 3, 4].\n" in err
    assert restore_all(out / "checkpoints") == {step: right[step] for step in (2, 3, 4)}

    code, lines, err = run(out, 6)
    assert (code, err) == (0, "")
    assert lines[1] == f"Resumed at step 4, digest {right[4]}"
    assert lines[-1] == f"Digest {right[6]}"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 400 KiB, which is room for two checkpoints."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_survived_and_the_last_checkpoint_stays(small_disk, right, restore_all):
    code, lines, err = run(small_disk / "out", 6)
    failures = [line for line in lines if line.startswith("Not saved, training goes on: ")]
    assert len(failures) >= 1
    assert all("No space left on device" in line for line in failures)
    assert lines[-1] == f"Digest {right[6]}"
    kept = saved(small_disk / "out")
    assert kept
    assert code == 1
    assert f"The last save failed; the checkpoints are of steps {kept}.\n" in err
    assert restore_all(small_disk / "out" / "checkpoints") == {step: right[step] for step in kept}
