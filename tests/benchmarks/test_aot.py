"""What compilers for TPUs and GPUs make of a step: the counts are right, and the bars are met.

The counting is tested on every machine, on text and on CPU programs; the bars where the compilers are.
"""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
import pytest

import radam_optax as rx

for package in ("matplotlib", "rich"):
    pytest.importorskip(package)

from benchmarks.commands import aot
from benchmarks.hardware import hlo
from benchmarks.hardware.compiled import laid_out
from benchmarks.hardware.targets import GROUPS, installed
from benchmarks.subjects.peers import CATALOGUE

ROOT = Path(__file__).parents[2]

# Abridged from compiled programs.
PROGRAM = """
HloModule jit_step, is_scheduled=true

%add (x: f32[], y: f32[]) -> f32[] {
  %x = f32[]{:T(128)} parameter(0)
  %y = f32[]{:T(128)} parameter(1)
  ROOT %sum = f32[]{:T(128)} add(%x, %y)
}

%fused (a: f32[8,128], b: f32[8,128]) -> (f32[8,128], bf16[8,128]) {
  %a = f32[8,128]{1,0:T(8,128)} parameter(0)
  %b = f32[8,128]{1,0:T(8,128)} parameter(1)
  %c = f32[8,128]{1,0:T(8,128)} multiply(%a, %b)
  %d = bf16[8,128]{1,0:T(8,128)} convert(%c)
  ROOT %pair = (f32[8,128]{1,0:T(8,128)}, bf16[8,128]{1,0:T(8,128)(2,1)}) tuple(%c, %d)
}

%body (carry: (s32[], f32[64])) -> (s32[], f32[64]) {
  %carry = (s32[], f32[64]{0}) parameter(0)
  %i = s32[] get-tuple-element(%carry), index=0
  %z = f32[64]{0} get-tuple-element(%carry), index=1
  %negated = f32[64]{0} negate(%z)
  ROOT %next = (s32[], f32[64]{0}) tuple(%i, %negated)
}

%condition (carry.1: (s32[], f32[64])) -> pred[] {
  %carry.1 = (s32[], f32[64]{0}) parameter(0)
  %j = s32[] get-tuple-element(%carry.1), index=0
  ROOT %less = pred[] compare(%j, %j), direction=LT
}

ENTRY %main (p: f32[8,128], q: f32[8,128], z0: (s32[], f32[64])) -> f32[8,128] {
  %p = f32[8,128]{1,0:T(8,128)} parameter(0), metadata={op_name="p[\\'a\\'] (0)"}
  %q = f32[8,128]{1,0:T(8,128)} parameter(1)
  %z0 = (s32[], f32[64]{0}) parameter(2)
  %copy-start = (f32[8,128]{1,0:T(8,128)S(1)}, f32[8,128]{1,0:T(8,128)}, u32[]{:S(2)}) copy-start(%q)
  %slice-start = ((f32[8,128]{1,0:T(8,128)}), f32[2,128]{1,0:T(8,128)S(1)}, s32[]{:S(2)}) slice-start(%q), slice={[0:2], [0:128]}
  %copy-done = f32[8,128]{1,0:T(8,128)S(1)} copy-done(%copy-start)
  %slice-done = f32[2,128]{1,0:T(8,128)S(1)} slice-done(%slice-start)
  %joined = f32[2,128]{1,0:T(8,128)S(1)} custom-call(%slice-done), custom_call_target="ConcatBitcast"
  %fusion = (f32[8,128]{1,0:T(8,128)}, /*index=1*/bf16[8,128]{1,0:T(8,128)(2,1)}) fusion(%p, %copy-done), kind=kLoop, calls=%fused
  %c.1 = f32[8,128]{1,0:T(8,128)} get-tuple-element(%fusion), index=0
  %squared = f32[8,128]{1,0:T(8,128)} multiply(%c.1, %c.1)
  %while = (s32[], f32[64]{0}) while(%z0), condition=%condition, body=%body
  %all-reduce-start = f32[8,128]{1,0:T(8,128)} all-reduce-start(%squared), replica_groups={{0,1}}, to_apply=%add
  ROOT %all-reduce-done = f32[8,128]{1,0:T(8,128)} all-reduce-done(%all-reduce-start)
}
"""  # noqa: E501
CUT = "ENTRY %main (p: f32[8]) -> f32[8] {\n  %p = (f32[8]{0}, f32[8]{0}"
LEAF = 8 * 128


def test_kernels_and_their_bytes_are_read_from_a_program():
    assert [tuple(kernel) for kernel in hlo.kernels(PROGRAM)] == [
        ("copy-start", LEAF, 4 * LEAF),  # To a memory on the chip: read only.
        ("slice-start", LEAF, 4 * LEAF // 4),
        ("fusion", LEAF, (4 + 4 + 2) * LEAF),  # One operand is on the chip.
        ("multiply", LEAF, (4 + 4) * LEAF),  # Of an array with itself.
        ("compare", 1, 4 + 1),
        ("negate", 64, (4 + 4) * 64),
        ("all-reduce-start", LEAF, (4 + 4) * LEAF),
    ]
    assert hlo.moved_bytes(PROGRAM) == sum(kernel.bytes for kernel in hlo.kernels(PROGRAM))
    assert hlo.collectives(PROGRAM) == 1


@pytest.mark.parametrize(("text", "match"), [("HloModule empty", "ENTRY"), (CUT, "unbalanced")])
def test_what_is_no_program_is_an_error(text, match):
    with pytest.raises(ValueError, match=match):
        hlo.kernels(text)


@pytest.mark.parametrize("name", ["sgd", "adam", "amsgrad", "adadelta"])
def test_the_bytes_are_those_that_xla_counts(name):
    tx, params = CATALOGUE[name].ours(), {"a": jnp.ones((64, 64)), "b": jnp.ones(500)}
    step = jax.jit(tx.update, donate_argnums=1).lower(params, tx.init(params), params).compile()
    counted = step.cost_analysis()["bytes accessed"]
    assert hlo.moved_bytes(step.as_text()) == pytest.approx(counted, rel=0.01)


def test_each_bar_can_be_missed():
    params = laid_out(aot.LEAVES, jax.devices())
    assert params["norm"].sharding.num_devices == 8
    assert aot.measured(rx.sgd(0.1), params)["missed"] == []
    clipped = aot.measured(optax.chain(optax.clip_by_global_norm(1.0), rx.sgd(0.1)), params)
    assert {"collectives", "bytes"} <= set(clipped["missed"])

    def sort(updates, state, params=None):
        return jax.tree.map(lambda u: jnp.sort(u, -1), updates), state

    sorting = optax.GradientTransformation(optax.init_empty_state, sort)
    alone = laid_out(aot.LEAVES, jax.devices()[:1])
    assert set(aot.measured(sorting, alone)["missed"]) == {"kernels", "bytes", "temporaries"}


def test_a_compiler_that_is_not_there_is_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(aot, "prepare", lambda: None)
    monkeypatch.setattr(aot, "installed", lambda target: False)
    tpu, cuda = "--group tpu-aot", "--group cuda-aot"
    for targets, groups in (("v5p:8x8x8", tpu), ("h100,h200", cuda), ("", f"{tpu} {cuda}")):
        with pytest.raises(SystemExit) as raised:
            aot.main(["--out", str(tmp_path), *(["--targets", targets] if targets else [])])
        assert f"pip install . ./examples {groups}" in raised.value.code
        assert "\n" not in raised.value.code
    assert not list(tmp_path.iterdir())


def compiled(target, optimizers, folder):
    """The rows of a run, by optimizer; a process of its own, which may load the compilers."""
    if not installed(target):
        pytest.skip(f"needs the group {GROUPS[target]!r}")
    command = [sys.executable, "-m", "benchmarks", "aot", "--targets", target, "--out", str(folder)]
    command += ["--optimizers", ",".join(optimizers)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=1200)
    assert done.returncode == 0, done.stderr
    assert {file.name for file in folder.iterdir()} == {"aot.json", "aot.png", "aot-dark.png"}
    rows = json.loads((folder / "aot.json").read_text("utf-8"))["rows"]
    return {row["optimizer"]: row for row in rows}


@pytest.mark.aot
@pytest.mark.parametrize("target", ["v5e:2x2", "h200"])
def test_radam_moves_the_least_bytes_in_one_kernel_per_leaf(target, tmp_path):
    seven = "radam in float8_stochastic on bfloat16_compensated"
    least = {"radam": 28.0, "radam_amsgrad": 36.0, "radam in bfloat16_stochastic": 20.0, seven: 12.0}
    rows = compiled(target, least, tmp_path)
    assert rows[seven]["held_bytes"] / rows[seven]["parameters"] == pytest.approx(7, abs=1e-3)
    found = {name: round(row["bytes"] / row["parameters"], 1) for name, row in rows.items()}
    assert found == least
    for name in ("radam", "radam_amsgrad", seven):
        assert rows[name]["kernels"] == rows[name]["leaves"]
        assert rows[name]["missed"] == []


@pytest.mark.aot
@pytest.mark.parametrize("target", ["v5e:2x2", "v5p:8x8x8", "h200"])
def test_every_recipe_meets_the_bars(target, tmp_path):
    # A mean over each leaf, which no step in one pass can have; and Adan on a GPU, optax's as well.
    known = {"stable_adamw"} | ({"adan"} if target == "h200" else set())
    rows = compiled(target, CATALOGUE, tmp_path)
    assert {name for name, row in rows.items() if row["missed"]} == known
