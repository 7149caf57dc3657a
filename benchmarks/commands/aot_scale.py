"""Whether the training state of Llama 2 fits a TPU slice, and what its optimizer's step costs there.

The donated step of ``radamw`` is compiled by the TPU's own compiler for whole slices; no TPU is needed. The
parameters of Llama 2 7B and 70B, float32, are divided over a grid of all chips, fully sharded by rows and
tensor parallel by columns; their layers are stacked. The optimizer's state is float32, or held in bfloat16
or 8 bits by ``compress_state``. Per chip, read from the compiled program:

- bytes of parameters, gradients and state; the most memory that the step takes at once, padding and
  temporaries included, beside what the chip has. What is left is for activations;
- bytes read from and written to that memory, and the time that takes at its full bandwidth: no step is
  faster;
- collective operations in the step and in ``init``: there are to be none.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import jax
from matplotlib.figure import Figure

import radam_optax as rx
from benchmarks.frame.benchmark import Benchmark, add_names
from benchmarks.frame.figure import Panels, panels
from benchmarks.frame.spread import exactly
from benchmarks.hardware import hlo
from benchmarks.hardware.compiled import chip_bytes, compiled, laid_out, peak_bytes
from benchmarks.hardware.targets import CHIPS, GROUPS, TPUS, devices, installed, prepare
from benchmarks.subjects.codecs import divided_codec
from benchmarks.subjects.llama import LLAMA_2
from benchmarks.subjects.peers import DECAY, RATE

FLOAT32 = "float32"
STATES = (FLOAT32, "bfloat16_stochastic", "float8_stochastic", "int8_blockwise")
SLICES = ("v5e:16x16", "v5p:8x8x8", "v6e:16x16")
HEADER = (
    *("model, state", "parameters GB", "gradients GB", "state GB", "temporaries GB"),
    *("at most GB", "fits", "moved GB", "least ms", "collectives"),
)
QUICK = {"targets": ["v5e:16x16"], "models": ["7B"], "states": [FLOAT32]}


def main(arguments: Sequence[str]) -> None:
    def add_options(parser: argparse.ArgumentParser) -> None:
        add_names(parser, "targets", TPUS, SLICES)
        add_names(parser, "models", list(LLAMA_2))
        add_names(parser, "states", STATES)

    prepare()
    bench = Benchmark("aot_scale", __doc__, arguments, add_options)
    chosen = {"targets": SLICES, "models": LLAMA_2, "states": STATES} | (QUICK if bench.options.quick else {})
    chosen |= {name: given for name in chosen if (given := getattr(bench.options, name))}
    if missing := [target for target in chosen["targets"] if not installed(target)]:
        group = GROUPS[missing[0]]
        raise SystemExit(f"no compiler for {', '.join(missing)}: pip install . ./examples --group {group}")
    for target in chosen["targets"]:
        rows = [
            measured(model, state, target, devices(target))
            for model in chosen["models"]
            for state in chosen["states"]
        ]
        bench.rows += rows
        bench.table(
            f"{target}, {rows[0]['chips']} chips of {rows[0]['memory'] / 1e9:g} GB",
            HEADER,
            [_line(row) for row in rows],
        )
        bench.save()
    bench.finish(lambda: _figure(bench.rows))


def measured(model: str, state: str, target: str, chips: Sequence[Any]) -> dict[str, Any]:
    """Compiles a step of a model for the chips of a target: what one of them holds and does.

    A program that the compiler refuses for want of memory has None in the place of what it would do.
    """
    chip = CHIPS[target.partition(":")[0]]
    tx = rx.radamw(RATE, weight_decay=DECAY)
    tx = tx if state == FLOAT32 else rx.compress_state(tx, divided_codec(state))
    params = laid_out(LLAMA_2[model].leaves(), chips)
    row = {
        "target": target,
        "model": model,
        "state": state,
        "chips": len(chips),
        "memory": chip.memory * 1e9,
        "params_bytes": chip_bytes(params),
        "gradients_bytes": chip_bytes(params),
    }
    unknown = ("state_bytes", "peak_bytes", "temp_bytes", "moved_bytes", "seconds", "collectives")
    try:
        init, step, shapes = compiled(tx, params)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return row | dict.fromkeys(unknown) | {"fits": False}
    memory, text = step.memory_analysis(), step.as_text()
    moved = hlo.moved_bytes(text)
    peak = peak_bytes(memory)
    return row | {
        "state_bytes": chip_bytes(shapes),
        "peak_bytes": peak,
        "temp_bytes": memory.temp_size_in_bytes,
        "moved_bytes": moved,
        "seconds": moved / (chip.bandwidth * 1e9),
        "collectives": hlo.collectives(text) + hlo.collectives(init.as_text()),
        "fits": peak <= row["memory"],
    }


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    def gigabytes(key: str) -> str:
        return "-" if row[key] is None else f"{row[key] / 1e9:.3f}"

    return (
        f"{row['model']}, {row['state']}",
        *(gigabytes(f"{what}_bytes") for what in ("params", "gradients", "state", "temp", "peak")),
        f"yes, {row['peak_bytes'] / row['memory']:.1%}" if row["fits"] else "no",
        gigabytes("moved_bytes"),
        "-" if row["seconds"] is None else f"{1000 * row['seconds']:.2f}",
        "-" if row["collectives"] is None else str(row["collectives"]),
    )


def _figure(rows: Sequence[dict[str, Any]]) -> Figure:
    data: Panels = {}
    for row in rows:
        values = {what: row[f"{what}_bytes"] for what in ("state", "peak")}
        point = {what: exactly(value / 1e9) for what, value in values.items() if value is not None}
        data.setdefault(row["target"], {})[f"{row['model']}, {row['state']}"] = point
    return panels(data, "Memory of training Llama 2 on slices of TPUs", "GB per chip")
