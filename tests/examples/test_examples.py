"""The examples run as promised: in a pipe, from the command line, with files that can be used."""

import csv
import functools
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

for package in ("flax", "matplotlib", "rich", "sklearn"):
    pytest.importorskip(package)

from tests.support import programs

ROOT = Path(__file__).parents[2]
NAMES = [
    *("convex", "counterexample", "equinox_mlp", "flax_linen", "flax_nnx", "language_model"),
    *("learning_rates", "moving_average", "pictures", "plain_jax", "quickstart", "resilient_training"),
    *("resume", "schedules", "sparse_spike", "train", "train_sharded", "trajectories", "variance"),
    "warmup",
]
COLUMNS = ["optimizer", "learning_rate", "seed", "step", "train_loss", "test_accuracy"]


# In a pipe, which must not heed FORCE_COLOR.
start, run = (
    functools.partial(function, "examples", environment={"FORCE_COLOR": "1"})
    for function in (programs.start, programs.run)
)


def test_lists_the_examples_with_their_first_docstring_line():
    code, out, err = run()
    assert (code, err) == (0, "")
    listed = dict(line.strip().split(maxsplit=1) for line in out.splitlines()[2:])
    assert listed.keys() == {*NAMES}
    assert all(summary.endswith(".") for summary in listed.values())


@pytest.mark.parametrize("name", ["nothing", "_support", "--steps"])
def test_an_unknown_name_is_an_error(name):
    code, out, err = run(name)
    assert (code, out) == (2, "")
    assert err == f"python -m examples: no example {name!r}; there are: {', '.join(NAMES)}\n"


@pytest.mark.parametrize(("package", "typed", "meant"), [
    ("examples", "quikstart", "no example 'quikstart' (did you mean 'quickstart'?); there are: "),
    ("benchmarks", "numeric", "no benchmark 'numeric' (did you mean 'numerics'?); there are: "),
])  # fmt: skip
def test_a_mistyped_name_is_met_with_the_one_that_was_meant(package, typed, meant):
    code, out, err = programs.run(package, typed)
    assert (code, out) == (2, "")
    assert err.startswith(f"python -m {package}: {meant}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "argument --steps: must be a whole number >= 1; got '0'"),
        (["--seeds", "two"], "argument --seeds: must be a whole number >= 1; got 'two'"),
        (["--out", __file__], f"argument --out: cannot make the folder '{__file__}': File exists"),
        (["--out", "a" * 300], f"argument --out: cannot make the folder '{'a' * 300}': File name too long"),
    ],
)
def test_a_bad_option_is_one_clear_error(arguments, message, capsys):
    from examples.start.quickstart import main

    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"quickstart: error: {message}"


@pytest.mark.parametrize(("name", "package"), [("quickstart", "sklearn"), ("resilient_training", "orbax")])
def test_a_missing_extra_is_named(name, package):
    hide = f"import sys; sys.modules['{package}'] = None; from examples.__main__ import run; "
    command = [sys.executable, "-W", "error", "-c", hide + f"sys.exit(run(['{name}']))"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=300)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{name} needs {package}: pip install . ./examples\n"


def test_an_interrupt_leaves_one_line_and_no_files(tmp_path):
    with start("quickstart", "--out", str(tmp_path)) as process:
        while not process.written()[0].startswith("JAX "):
            assert process.poll() is None, process.written()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    command = f"python -m examples quickstart --out {tmp_path}"
    assert (process.returncode, err) == (130, f"Interrupted. It starts anew with: {command}\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kernel_shape", [(3, 3), (1, 2)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_the_fast_convolution_is_the_convolution(kernel_shape, strides, padding):
    from examples.models.convolutional import convolve

    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 8, 7, 3)).astype(np.float32)
    kernel = rng.normal(size=(*kernel_shape, 3, 5)).astype(np.float32)
    layout = ("NHWC", "HWIO", "NHWC")
    expected = jax.lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=layout)
    np.testing.assert_allclose(convolve(x, kernel, strides, padding), expected, rtol=1e-4, atol=1e-5)


def test_quickstart_writes_tidy_curves_and_a_picture(tmp_path):
    from matplotlib.image import imread

    code, out, err = run("quickstart", "--quick", "--out", str(tmp_path))
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert out.index("mean of the squares of rho gradients") < out.index("rho   98.3  r 0.215")
    assert "RAdam + AMSGrad     100/100  accuracy" in out
    assert {file.name for file in tmp_path.iterdir()} == {"curves.csv", "accuracy.png", "summary.json"}

    with (tmp_path / "curves.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    # 6 optimizers, 4 learning rates, 2 seeds, 2 points.
    assert len(rows) == len({tuple(row[name] for name in COLUMNS[:4]) for row in rows}) == 96
    assert {row["step"] for row in rows} == {"50", "100"}
    losses, accuracies = (np.array([float(row[name]) for row in rows]) for name in COLUMNS[4:])
    assert np.all((losses > 0) & (losses < 5))
    assert np.all((accuracies > 0) & (accuracies <= 1))
    assert np.all(accuracies.reshape(6, -1).max(axis=1) > 0.8)  # The best run of each optimizer.

    # Mean and range, as in the picture, at 0.003.
    last = accuracies.reshape(6, 4, 2, 2)[0, 0, :, -1] * 100
    said = f"SGD, momentum 0.9 {last.mean():5.1f}  {last.min():.1f}-{last.max():.1f}"
    assert said in out

    picture = imread(tmp_path / "accuracy.png")
    assert picture.shape[:2] == (960, 1800)
    assert picture.std() > 0.05


def test_resilient_training_survives_its_faults(tmp_path):
    code, out, err = run("resilient_training", "--quick", "--faults", "--float16", "--out", str(tmp_path))
    assert (code, err) == (0, "")
    table = {line[:20].strip(): line[20:].split() for line in out.splitlines() if "  " in line}
    for fault in ("NaN in one leaf", "inf in one leaf", "overflow in float16"):
        steps, left_out = map(int, table[fault])
        assert steps == left_out > 0
    steps, left_out = map(int, table["gradient x 10,000"])
    assert left_out == 0 < steps
    accuracy = next(line for line in out.splitlines() if line.startswith("Test accuracy"))
    assert float(accuracy.split()[2].rstrip("%")) > 80
