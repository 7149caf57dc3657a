"""Every study keeps its frame's promises: files that can be used, a verdict, and runs that survive Ctrl-C."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.programs import run, start

for package in ("flax", "matplotlib", "mlxtend", "orbax", "rich", "sklearn", "tokenizers"):
    pytest.importorskip(package)

ROOT = Path(__file__).parents[2]
# By name, what makes it smaller still.
STUDIES = {
    "convex": ("--steps", "25"),
    "counterexample": ("--steps", "20000", "--seeds", "2"),
    "language_model": ("--steps", "100"),
    "learning_rates": (),
    "moving_average": ("--seeds", "2"),
    "schedules": (),
    "sparse_spike": ("--steps", "300"),
    "trajectories": ("--frames", "3"),
    "variance": ("--seeds", "1"),
    "warmup": (),
}
TOO_SHORT = {"learning_rates", "warmup"}  # Quick runs of these say that they are no ground for a verdict.


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


@pytest.mark.parametrize("name", STUDIES)
def test_a_quick_study_writes_what_it_promises(name, tmp_path):
    from matplotlib.image import imread

    options = ("--quick", *STUDIES[name], "--out", str(tmp_path))
    code, out, err = run("examples", name, *options)
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    files = {file.name for file in tmp_path.iterdir()}
    assert {file.suffix for file in tmp_path.iterdir()} >= {".csv", ".json"}
    wrote = out.splitlines()[-1]
    assert wrote.startswith("Wrote ")
    assert all(str(tmp_path / file) in wrote for file in files)

    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"), parse_constant=refuse)
    assert summary["study"] == name
    assert summary["options"]["quick"] is True
    assert bool(summary["findings"]) == ("The verdict" in out) == (name not in TOO_SHORT)
    for finding in summary["findings"]:
        assert all(finding[part] for part in ("claim", "published", "measured"))
        assert finding["agrees"] in (True, False)
    marks = [
        line.split()[-1] for line in out.splitlines() if line.split()[-1:] in (["agrees"], ["DISAGREES"])
    ]
    assert marks == ["agrees" if finding["agrees"] else "DISAGREES" for finding in summary["findings"]]

    for path in tmp_path.glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        assert len(set(header)) == len(header) > 1
        assert len(rows) > 5
        assert {len(row) for row in rows} == {len(header)}
    for path in tmp_path.glob("*.png"):
        picture = imread(path)
        assert picture.shape[1] == 1800
        assert picture[..., :3].std() > 0.03
        assert path.stat().st_size < 200_000
    names = {path.stem for path in tmp_path.iterdir() if path.suffix in (".png", ".gif")}
    assert len(names) >= 2
    assert names == {f"{name}{dark}" for name in names if "-dark" not in name for dark in ("", "-dark")}
    assert all(drawn == name or drawn.startswith((f"{name}_", f"{name}-")) for drawn in names)


def test_pictures_are_drawn_anew_without_running_their_study(tmp_path, capsys):
    from examples.__main__ import run as main

    code, _, err = run(
        "examples", "moving_average", "--quick", "--seeds", "2", "--out", str(tmp_path / "moving_average")
    )
    assert (code, err) == (0, "")
    pictures = [*(tmp_path / "moving_average").glob("moving_average*")]
    before = {path.name: path.read_bytes() for path in pictures}
    assert {"moving_average.gif", "moving_average_bias-dark.png"} <= set(before)
    for path in pictures:
        path.unlink()
    folders = ("--results", str(tmp_path), "--docs", str(tmp_path / "docs"))
    assert main(["pictures", "moving_average", *folders]) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "docs").iterdir()} == before
    capsys.readouterr()
    assert main(["pictures", "variance", *folders]) == 2
    folder = tmp_path / "variance"
    assert f"{folder} has no results: python -m examples variance --out {folder}" in capsys.readouterr().err


def test_an_interrupted_study_ends_bitwise_as_an_uninterrupted_one(tmp_path):
    options = ("--steps", "20000", "--seeds", "2", "--out")
    with start("examples", "counterexample", *options, str(tmp_path / "interrupted")) as process:
        while "AdaGrad" not in process.written()[0]:
            assert process.poll() is None, process.written()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    command = f"python -m examples counterexample {' '.join(options)} {tmp_path / 'interrupted'}"
    assert (process.returncode, err) == (130, f"Interrupted. It goes on where it was with: {command}\n")
    assert {file.name for file in (tmp_path / "interrupted").iterdir()} == {"counterexample-progress"}

    for folder in ("interrupted", "whole"):
        code, _, err = run("examples", "counterexample", *options, str(tmp_path / folder))
        assert (code, err) == (0, "")
    files = sorted(file.name for file in (tmp_path / "whole").iterdir())
    assert "summary.json" in files
    for file in files:
        assert (tmp_path / "interrupted" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes(), (
            file
        )


@jax.jit
def toy(carry, i):
    """A random walk, whose records are of two dtypes."""
    key, step = jax.random.split(carry["key"])
    x = carry["x"] + jax.random.normal(step, (3,))
    return {"key": key, "x": x}, {"x": x, "i": i}


def toy_start():
    return {"key": jax.random.key(0), "x": jnp.zeros(3)}


def scan(study, stop_at=None):
    def status(record):
        if record["i"] == stop_at:
            raise KeyboardInterrupt
        return ""

    return study.scan("a walk", toy, toy_start(), lambda i: (jnp.int32(i),), 7, status)


@pytest.fixture
def make_study(tmp_path, monkeypatch):
    from examples.lab import study as _study

    monkeypatch.setattr(_study, "SAVE_AFTER", 0.0)

    def make(*options):
        sizes = {"steps": _study.Size(7, 3, "calls")}
        return _study.Study("toy", "A toy.", ["--out", str(tmp_path), *options], sizes)

    return make


@pytest.mark.parametrize("stop_at", [0, 1, 6])
def test_a_scan_goes_on_where_it_was_interrupted(stop_at, make_study, capsys):
    _, whole = scan(make_study())
    with pytest.raises(KeyboardInterrupt):
        scan(study := make_study("--steps", "8"), stop_at)
    capsys.readouterr()
    carry, resumed = scan(study := make_study("--steps", "8"))
    assert (f"a walk: goes on at {stop_at}." in capsys.readouterr().out) == (stop_at > 0)
    jax.tree.map(np.testing.assert_array_equal, resumed, whole)
    np.testing.assert_array_equal(carry["x"], whole["x"][-1])
    study.conclude([], {}, {})
    assert not study.progress.exists()


def test_progress_of_other_options_is_not_used(make_study, capsys):
    with pytest.raises(KeyboardInterrupt):
        scan(make_study(), 3)
    capsys.readouterr()
    scan(make_study("--steps", "2"))
    out = capsys.readouterr().out
    assert "that of other options, code, versions or devices" in out
    assert "goes on" not in out


def test_progress_of_other_code_is_not_used(make_study, capsys, monkeypatch):
    from examples.lab import study as _study

    with pytest.raises(KeyboardInterrupt):
        scan(make_study(), 3)
    monkeypatch.setattr(_study, "code_digest", lambda: "other")
    capsys.readouterr()
    scan(make_study())
    assert "Starts anew" in capsys.readouterr().out


def test_the_digest_of_the_code_sees_every_module(tmp_path, monkeypatch):
    from examples.lab import study as _study

    # A copy, of which a module of any sub-package may be changed.
    for package in ("radam_optax", "examples"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
        monkeypatch.setattr(sys.modules[package], "__file__", str(tmp_path / package / "__init__.py"))
    digests = {_study.code_digest()}
    modules = [path for package in ("radam_optax", "examples") for path in (tmp_path / package).rglob("*.py")]
    folders = {path.parent: path for path in modules}
    assert len(folders) > 20
    for module in folders.values():
        module.write_text(module.read_text("utf-8") + "# Changed.\n", "utf-8")
        digests.add(_study.code_digest())
    assert len(digests) == len(folders) + 1


def test_studies_without_digits_need_no_scikit_learn():
    names = "counterexample", "moving_average", "trajectories", "variance"
    imports = "; ".join(f"import examples.studies.{name}.study" for name in names)
    hidden = f"import sys; sys.modules['sklearn'] = None; {imports}"
    assert subprocess.run([sys.executable, "-c", hidden], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(("arguments", "message"), [
    (["--step", "0"], "argument --steps: must be a whole number >= 1; got '0'"),
    (["--stpes", "3"], "unrecognized arguments: --stpes 3 (did you mean '--steps'?)"),
    (["--qiuck"], "unrecognized arguments: --qiuck (did you mean '--quick'?)"),
    (["--xyz=3", "--quick"], "unrecognized arguments: --xyz=3"),
])  # fmt: skip
def test_a_run_that_fails_at_its_arguments_leaves_no_folder(arguments, message, make_study, tmp_path, capsys):
    with pytest.raises(SystemExit):
        make_study(*arguments, "--out", str(tmp_path / "out"))
    assert capsys.readouterr().err.endswith(f"error: {message}\n")
    assert not (tmp_path / "out").exists()


def test_a_short_loop_is_one_line_in_a_pipe(make_study, capsys):
    scan(make_study())
    assert len([line for line in capsys.readouterr().out.splitlines() if "/7" in line]) == 1


def test_progress_says_which_part_of_how_many_it_is_of(make_study, capsys, monkeypatch):
    from examples.lab import console

    monkeypatch.setattr(console, "SECONDS_PER_LINE", 0)
    study = make_study()
    study.parts = 2
    scan(study)
    lines = [line for line in capsys.readouterr().out.splitlines() if "/7" in line]
    assert lines[0].startswith("1 of 2  a walk ")
    assert re.search(r"\d:\d\d elapsed$", lines[0])
    assert " left" in lines[1]
    assert " left" not in lines[-1]


def test_each_loop_of_a_study_has_its_own_name(make_study):
    scan(study := make_study())
    with pytest.raises(
        ValueError, match="`name` must be unique in the study; 'a walk' is that of an earlier"
    ):
        scan(study)


def test_a_study_that_cannot_begin_leaves_nothing_behind(tmp_path, capsys):
    from examples.__main__ import run as main

    assert main(["convex", "--data-dir", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 2
    assert str(tmp_path / "none") in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_verdict_says_what_disagrees_and_why(make_study, capsys, tmp_path):
    from examples.lab.study import Finding

    study = make_study("--quick")
    assert study.options.steps == 3
    yes = Finding("Up is up", "1", "1.0", True)
    no = Finding("Up is down", "-1", "1.0", False, "it is not.")
    study.conclude(
        [yes, no],
        {"up": 1.0, "none": float("nan"), "array": np.array([True, False]), "small": np.float32(0.5)},
        {},
    )
    out = capsys.readouterr().out
    assert [line.split()[-1] for line in out.splitlines() if line.startswith("Up")] == ["agrees", "DISAGREES"]
    assert "- Up is down: it is not." in out
    quick = "This run was quick, and is too small to judge the claims by."
    assert f"The verdict\n{quick}\n" in out
    summary = json.loads((tmp_path / "summary.json").read_text("utf-8"), parse_constant=refuse)
    assert [finding["agrees"] for finding in summary["findings"]] == [True, False]
    title, _, run, _, *table = (tmp_path / "verdict.md").read_text("utf-8").splitlines()
    assert title == "# The verdict of `toy`"
    assert re.fullmatch(rf"\d{{4}}-\d\d-\d\d, JAX .+ on .+; steps 3\. {quick}", run)
    assert table == [
        *("| claim | published | measured |  |", "| --- | --- | --- | --- |"),
        "| Up is up | 1 | 1.0 | agrees |",
        "| Up is down | -1 | 1.0 | **disagrees** |",
        *("", "- Up is down: it is not."),
    ]
    assert summary["results"] == {"up": 1.0, "none": None, "array": [True, False], "small": 0.5}


def test_a_folder_that_is_no_progress_is_left_alone(make_study, tmp_path, capsys):
    (tmp_path / "toy-progress").mkdir()
    (tmp_path / "toy-progress" / "mine.txt").write_text("mine", "utf-8")
    with pytest.raises(SystemExit):
        scan(make_study())
    assert "is no study's progress: remove it, or choose another --out" in capsys.readouterr().err
    assert (tmp_path / "toy-progress" / "mine.txt").exists()
