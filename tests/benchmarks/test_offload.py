"""The report on state on the host: what crosses the link is counted, and the schedule of it played back."""

import json
import math
import subprocess
import sys
from pathlib import Path

import jax
import optax
import pytest

import radam_optax as rx

for package in ("matplotlib", "rich"):
    pytest.importorskip(package)

from benchmarks.commands import offload
from benchmarks.hardware import hlo
from benchmarks.hardware.compiled import laid_out
from benchmarks.hardware.host import compiled_on_host
from benchmarks.hardware.link import crossing
from benchmarks.hardware.targets import GROUPS, installed
from benchmarks.subjects.llama import LLAMA_2, Llama

ROOT = Path(__file__).parents[2]

# Abridged from compiled programs: copies both ways, as for a TPU, and a kernel that reads from the host, as
# for a GPU.
PROGRAM = """
HloModule jit_step, is_scheduled=true

ENTRY %main (p: f32[250], m: f32[250], n: f32[500]) -> f32[250] {
  %p = f32[250]{0:T(1024)} parameter(0)
  %m = f32[250]{0:T(1024)S(5)} parameter(1)
  %n = f32[500]{0:S(5)} parameter(2)
  %copy-start = (f32[250]{0:T(1024)}, f32[250]{0:T(1024)S(5)}, u32[]{:S(2)}) copy-start(%m)
  %negated = f32[250]{0:T(1024)} negate(%p)
  %copy-done = f32[250]{0:T(1024)} copy-done(%copy-start)
  %sum = f32[250]{0:T(1024)} add(%negated, %copy-done)
  %copy-start.1 = (f32[250]{0:T(1024)S(5)}, f32[250]{0:T(1024)}, u32[]{:S(2)}) copy-start(%sum)
  %fusion = f32[500]{0} negate(%n)
  %copy-done.1 = f32[250]{0:T(1024)S(5)} copy-done(%copy-start.1)
  ROOT %tuple = (f32[250]{0:T(1024)S(5)}, f32[500]{0}) tuple(%copy-done.1, %fusion)
}
"""


def test_a_schedule_is_played_back():
    """At 1000 bytes per second over the link, 4000 in the device's memory."""
    arrives, negates, arrived, adds, leaves, reads, left = hlo.events(PROGRAM)
    assert (arrives.arriving, arrives.leaving, arrives.main) == (1000, 0, 1000)
    assert (negates.main, adds.main) == (2000, 3000)
    assert (arrived.waits_for, left.waits_for) == (arrives.name, leaves.name)
    assert (leaves.arriving, leaves.leaving) == (0, 1000)
    assert (reads.arriving, reads.main) == (2000, 2000)
    # Arrived at 1.0, while the first kernel took 0.5; the sum ends at 1.75; the last kernel reads for two
    # seconds, and the result leaves at the same time.
    assert crossing(PROGRAM, 1000, 4000) == (3000, 1000, 3.75)
    assert crossing(PROGRAM.replace("S(5)", ""), 1000, 4000).arriving == 0
    with pytest.raises(ValueError, match="ENTRY"):
        hlo.events("HloModule empty")


def test_layers_apart_have_the_parameters_of_layers_in_stacks():
    stacked, apart = (LLAMA_2["7B"].leaves(stacked=stacked).values() for stacked in (True, False))
    assert len(apart) == 3 + 9 * 32
    assert all(len(shape) == len(axes) < 3 for shape, axes in apart)
    assert sum(math.prod(shape) for shape, _ in apart) == sum(math.prod(shape) for shape, _ in stacked)


@pytest.fixture
def tiny(monkeypatch):
    """Matrices that go to the host, and norms that do not."""
    model = Llama(layers=2, width=256, heads=4, kv_heads=4, hidden=512, vocabulary=256)
    monkeypatch.setitem(LLAMA_2, "7B", model)


def test_the_state_of_the_step_is_where_its_init_puts_it(tiny):
    params = laid_out(LLAMA_2["7B"].leaves(stacked=False), jax.devices()[:1])
    _, state = compiled_on_host(rx.sharding.offload_state(rx.radamw(0.1)), params)
    for name in ("mu", "nu"):
        moment = optax.tree.get(state, name)
        assert moment["query_0"].sharding.memory_kind == "pinned_host"
        assert moment["attention_norm_0"].sharding.memory_kind == "device"


@pytest.mark.parametrize("place", offload.PLACES)
def test_what_a_device_holds_is_counted(tiny, place):
    """Of the processor, whose programs tell no memory from another."""
    row = offload.measured("stacked", "float32", place, "v5p:2x2x1", jax.devices()[:1], 32.0)
    assert row["device_bytes"] == pytest.approx(2 * row["params_bytes"], rel=1e-3)
    assert row["peak_bytes"] - row["temp_bytes"] == pytest.approx(4 * row["params_bytes"], rel=1e-3)
    assert (row["host_bytes"], row["arriving"], row["leaving"], row["least"], row["fits"]) == (
        0,
        0,
        0,
        0,
        True,
    )
    assert row["seconds"] > 7 * row["params_bytes"] / 2765e9
    assert len(offload._line(row)) == len(offload.HEADER)


def test_a_program_that_the_compiler_refuses_does_not_fit(tiny, monkeypatch):
    def refuses(*_):
        raise jax.errors.JaxRuntimeError(message)

    monkeypatch.setattr(offload, "compiled_on_host", refuses)
    message = "RESOURCE_EXHAUSTED: Ran out of memory in memory space hbm."
    row = offload.measured("apart", "float32", "device", "v5p:2x2x1", jax.devices(), 32.0)
    assert offload._line(row)[2:] == ("-", "-", "-", "-", "no", "-", "-", "-")
    assert offload._figure([row])
    message = "INTERNAL: something else."
    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
        offload.measured("apart", "float32", "device", "v5p:2x2x1", jax.devices(), 32.0)


def test_a_compiler_that_is_not_there_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(offload, "prepare", lambda: None)
    monkeypatch.setattr(offload, "installed", lambda target: False)
    with pytest.raises(
        SystemExit, match=r"^no compiler for h200: pip install \. \./examples --group cuda-aot$"
    ):
        offload.main(["--quick", "--out", str(tmp_path)])


@pytest.mark.aot
@pytest.mark.parametrize("target", ["v5p:2x2x1", "h200"])
def test_state_on_the_host_leaves_room_on_the_device(target, tmp_path):
    """All of it is there and crosses the link once each way; half of it at most is here at a time."""
    if not installed(target):
        pytest.skip(f"needs the group {GROUPS[target]!r}")
    command = [sys.executable, "-m", "benchmarks", "offload", "--targets", target, "--layers", "stacked"]
    command += ["--states", "float32", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stderr
    assert {file.name for file in tmp_path.iterdir()} == {"offload.json", "offload.png", "offload-dark.png"}
    _, row = json.loads((tmp_path / "offload.json").read_text("utf-8"))["rows"]
    state = 2 * row["params_bytes"]
    assert row["host_bytes"] == row["arriving"] == row["leaving"] == pytest.approx(state, rel=1e-3)
    assert row["device_bytes"] < 0.001 * state
    assert row["temp_bytes"] < 0.55 * state
    assert row["least"] < row["seconds"] < 2 * row["least"]
