"""The report on Llama 2: its shapes are Llama's, what it counts is there, and what does not fit is said."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import AbstractMesh, NamedSharding, PartitionSpec

for package in ("matplotlib", "rich"):
    pytest.importorskip(package)

from benchmarks.commands import aot_scale
from benchmarks.hardware.targets import installed
from benchmarks.subjects.llama import LLAMA_2, Llama

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("model", "parameters"), [("7B", 6_738_415_616), ("70B", 68_976_648_192)])
def test_the_shapes_are_those_of_llama(model, parameters):
    """The numbers are those of the published weights."""
    leaves = LLAMA_2[model].leaves().values()
    assert sum(int(np.prod(shape)) for shape, _ in leaves) == parameters
    for grid in ((16, 16), (32, 16), (2, 2)):
        mesh = AbstractMesh(grid, ("rows", "columns"))
        for shape, axes in leaves:
            assert NamedSharding(mesh, PartitionSpec(*axes)).shard_shape(shape)  # An error if it is uneven.


@pytest.fixture
def tiny(monkeypatch):
    model = Llama(layers=2, width=64, heads=4, kv_heads=2, hidden=128, vocabulary=256)
    monkeypatch.setitem(LLAMA_2, "7B", model)
    return sum(int(np.prod(shape)) for shape, _ in model.leaves().values())


@pytest.mark.parametrize(
    ("state", "nbytes"), [("float32", 8), ("bfloat16_stochastic", 4), ("float8_stochastic", 2)]
)
def test_what_a_chip_holds_and_does_is_counted(tiny, state, nbytes):
    """On eight devices of the processor; the norms are divided over the rows alone."""
    row = aot_scale.measured("7B", state, "v5e:2x4", jax.devices())
    assert (row["chips"], row["collectives"], row["fits"]) == (8, 0, True)
    assert row["params_bytes"] == row["gradients_bytes"] == pytest.approx(4 * tiny / 8, rel=0.02)
    assert row["state_bytes"] == pytest.approx(nbytes * tiny / 8, rel=0.05)
    held = row["params_bytes"] + row["gradients_bytes"] + row["state_bytes"]
    assert held + row["temp_bytes"] <= row["peak_bytes"] <= held + row["temp_bytes"] + 4096
    assert row["moved_bytes"] >= 3 * row["params_bytes"] + 2 * row["state_bytes"]
    assert row["seconds"] == row["moved_bytes"] / 819e9
    assert len(aot_scale._line(row)) == len(aot_scale.HEADER)


def test_a_program_that_the_compiler_refuses_does_not_fit(tiny, monkeypatch):
    def refuses(*_):
        raise jax.errors.JaxRuntimeError(message)

    monkeypatch.setattr(aot_scale, "compiled", refuses)
    message = "RESOURCE_EXHAUSTED: Ran out of memory in memory space hbm."
    row = aot_scale.measured("7B", "float32", "v5e:2x4", jax.devices())
    assert not row["fits"]
    assert aot_scale._line(row)[-6:] == ("-", "-", "no", "-", "-", "-")
    assert aot_scale._figure([row])
    message = "INTERNAL: something else."
    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
        aot_scale.measured("7B", "float32", "v5e:2x4", jax.devices())


def test_a_compiler_that_is_not_there_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(aot_scale, "prepare", lambda: None)
    monkeypatch.setattr(aot_scale, "installed", lambda target: False)
    with pytest.raises(
        SystemExit, match=r"^no compiler for v5e:16x16: pip install \. \./examples --group tpu-aot$"
    ):
        aot_scale.main(["--quick", "--out", str(tmp_path)])


@pytest.mark.aot
def test_llama_7b_fits_a_slice_and_its_update_stays_on_the_chips(tmp_path):
    if not installed("v5e:16x16"):
        pytest.skip("needs the group 'tpu-aot'")
    command = [sys.executable, "-m", "benchmarks", "aot_scale", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stderr
    written = {"aot_scale.json", "aot_scale.png", "aot_scale-dark.png"}
    assert {file.name for file in tmp_path.iterdir()} == written
    (row,) = json.loads((tmp_path / "aot_scale.json").read_text("utf-8"))["rows"]
    assert (row["chips"], row["collectives"], row["fits"]) == (256, 0, True)
    assert row["params_bytes"] == pytest.approx(4 * 6_738_415_616 / 256, rel=1e-3)
    assert row["moved_bytes"] == pytest.approx(7 * row["params_bytes"], rel=1e-3)
    assert row["temp_bytes"] < 0.01 * row["params_bytes"]
