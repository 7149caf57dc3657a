"""What TPU and GPU compilers make of every optimizer's step, for chips that need not be here.

The donated step is compiled for TPU slices of 4 to 512 chips and for single GPUs, with parameters and state
divided over the chips. Counted in the compiled program of one chip, per step:

- kernels that touch an array of a leaf's size, per leaf; the scalars' are counted beside them;
- bytes that are held between steps and the gradients, per parameter;
- bytes read from and written to the chip's main memory, per parameter that it holds, beside the least
  possible: gradients read, parameters and state read and written;
- temporary buffers; collective operations, of ``init`` too.

The bars: one kernel per leaf, the least bytes (28.0 for RAdam, 36.0 with AMSGrad, 20.0 with bfloat16
moments, 12.0 with moments in float8 on bfloat16 parameters), temporaries smaller than any matrix, no
collectives.
"""

import argparse
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import radam_optax as rx
from benchmarks.frame.benchmark import Benchmark, add_names
from benchmarks.frame.figure import Panels, panels
from benchmarks.frame.spread import exactly
from benchmarks.hardware import hlo
from benchmarks.hardware.compiled import chip_bytes, compiled, laid_out
from benchmarks.hardware.targets import GROUPS, TARGETS, devices, installed, prepare
from benchmarks.subjects.codecs import CODECS, PARAMETERS, divided_codec
from benchmarks.subjects.peers import CATALOGUE, RATE

# Matrices and vectors of a large network, and the axes of the chips that theirs are divided over.
LEAVES = {
    "embedding": ((32768, 4096), ("rows", "columns")),
    "up": ((4096, 16384), ("rows", "columns")),
    "down": ((16384, 4096), ("columns", "rows")),
    "out": ((4096, 4096), (None, "columns")),
    "bias": ((16384,), ("columns",)),
    "norm": ((4096,), ()),
}
RECIPES = {name: peers.ours for name, peers in CATALOGUE.items()} | {
    f"radam in {name}": lambda name=name: rx.compress_state(rx.radam(RATE), divided_codec(name))
    for name in CODECS
}
# On parameters of 16 bits, with such gradients.
IN_16_BITS = {
    f"radam in {name} on {form}": lambda form=form, codec=codec: PARAMETERS[form][1](
        rx.compress_state(rx.radam(RATE), codec()) if codec else rx.radam(RATE)
    )
    for form in PARAMETERS
    if form in CODECS
    for name, codec in (("float32", None), ("float8_stochastic", rx.codecs.float8_stochastic))
}
RECIPES |= IN_16_BITS
SCALARS = 1e-4  # What a step's scalars may add to its bytes.
QUICK = {"targets": ["v5e:2x2", "h200"], "optimizers": ["sgd", "radam", "radam_amsgrad"]}


def main(arguments: Sequence[str]) -> None:
    def add_options(parser: argparse.ArgumentParser) -> None:
        add_names(parser, "optimizers", list(RECIPES))
        add_names(parser, "targets", list(TARGETS))

    prepare()
    bench = Benchmark("aot", __doc__, arguments, add_options)
    options = bench.options
    optimizers = options.optimizers or (QUICK["optimizers"] if options.quick else list(RECIPES))
    targets = options.targets or (QUICK["targets"] if options.quick else list(TARGETS))
    missing = [target for target in targets if not installed(target)]
    groups = " ".join(dict.fromkeys(f"--group {GROUPS[target]}" for target in missing))
    if missing and (options.targets or missing == targets):
        raise SystemExit(f"no compiler for {', '.join(missing)}: pip install . ./examples {groups}")
    if missing:
        bench.note(f"Left out, for want of {groups}: {', '.join(missing)}.")
    for target in targets:
        if target not in missing:
            _measure(bench, target, optimizers)
            bench.save()
    bars = [(row["target"], row["optimizer"], row["missed"]) for row in bench.rows if row["missed"]]
    bench.note(f"Bars met by {len(bench.rows) - len(bars)} of {len(bench.rows)} compiled steps.")
    for target, optimizer, missed in bars:
        bench.note(f"Missed by {optimizer} on {target}: {', '.join(missed)}.")
    bench.finish(lambda: _figure(bench.rows))


def _measure(bench: Benchmark, target: str, optimizers: Sequence[str]) -> None:
    chips, rows = devices(target), []
    for optimizer in optimizers:
        params = laid_out(LEAVES, chips, jnp.bfloat16 if optimizer in IN_16_BITS else np.float32)
        rows.append({"target": target, "optimizer": optimizer} | measured(RECIPES[optimizer](), params))
    bench.rows += rows
    bench.table(
        f"{target}, {rows[0]['chips']} chip{'s' * (rows[0]['chips'] > 1)}",
        (
            "optimizer",
            "kernels/leaf",
            "others",
            "held",
            "B/param",
            "least",
            "temporary B",
            "collectives",
            "bars",
        ),
        [_line(row) for row in rows],
    )


def measured(tx: optax.GradientTransformation, params: dict[str, jax.ShapeDtypeStruct]) -> dict[str, Any]:
    """Compiles an optimizer's step: what one chip does in it, and which bars that misses."""
    init, step, state = compiled(tx, params)
    text = step.as_text()
    # All is counted for one chip, which holds a part of each leaf, or all of it where it is not divided.
    sizes = [math.prod(leaf.sharding.shard_shape(leaf.shape)) for leaf in params.values()]
    matrix = min(size for size, leaf in zip(sizes, params.values(), strict=True) if leaf.ndim > 1)
    kernels = [kernel for kernel in hlo.kernels(text) if kernel.opcode not in hlo.MOVES]
    on_leaves = sum(kernel.elements >= min(sizes) for kernel in kernels)
    row = {
        "chips": params["norm"].sharding.num_devices,
        "leaves": len(sizes),
        "parameters": sum(sizes),  # That a chip holds.
        "kernels": on_leaves,
        "other_kernels": len(kernels) - on_leaves,
        "bytes": hlo.moved_bytes(text),
        "held_bytes": 2 * chip_bytes(params) + chip_bytes(state),  # Gradients are as large as parameters.
        # Gradients are read; parameters and state are read and written.
        "least_bytes": 3 * chip_bytes(params) + 2 * chip_bytes(state),
        "temp_bytes": step.memory_analysis().temp_size_in_bytes,
        "collectives": hlo.collectives(text) + hlo.collectives(init.as_text()),
    }
    missed = {
        "kernels": row["kernels"] > row["leaves"],
        "bytes": row["bytes"] > (1 + SCALARS) * row["least_bytes"],
        "temporaries": row["temp_bytes"] >= 4 * matrix,  # In float32 even the smallest would show.
        "collectives": row["collectives"] > 0,
    }
    return row | {"missed": [bar for bar, is_missed in missed.items() if is_missed]}


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["optimizer"],
        f"{row['kernels'] / row['leaves']:.2f}",
        str(row["other_kernels"]),
        f"{row['held_bytes'] / row['parameters']:.1f}",
        f"{row['bytes'] / row['parameters']:.1f}",
        f"{row['least_bytes'] / row['parameters']:.1f}",
        f"{row['temp_bytes']:,}",
        str(row["collectives"]),
        f"missed: {', '.join(row['missed'])}" if row["missed"] else "met",
    )


def _figure(rows: Sequence[dict[str, Any]]) -> Figure:
    data: Panels = {}
    for row in rows:
        data.setdefault(row["target"], {})[row["optimizer"]] = {
            name: exactly(row[key] / row["parameters"])
            for name, key in (("compiled", "bytes"), ("least", "least_bytes"))
        }
    return panels(
        data, "What compiled steps read and write", "Bytes read and written in a step, per parameter"
    )
