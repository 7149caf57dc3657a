"""What a device holds of Llama 2 with its optimizer's state on the host, and what the step's way there costs.

The donated step of ``radamw`` is compiled by the compilers for TPUs and GPUs, for one chip, which need not be
here; nothing is run. Parameters and gradients of Llama 2 7B are float32, its layers each in leaves of its own
or stacked in one leaf of a kind; the state is float32, or held in 16 or 8 bits by ``compress_state``, and is
on the device or, by ``offload_state``, on the host. Read from the compiled program:

- bytes of state on the device and on the host; the most memory of the device that the step takes at once,
  parameters, gradients and temporaries included, beside what the chip has. What is left is for activations;
- bytes that come from the host in a step, and as many go there; the least time that takes over a link of
  ``--link`` GB/s each way, and the time by the program's schedule: transfers of one direction take turns, a
  kernel waits for what it needs, and takes as long as the chip's memory does.

A TPU's compiler gets ``in_flight=1`` and a GPU's 2, as ``offload_state`` says.
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
from benchmarks.hardware.compiled import chip_bytes, laid_out, peak_bytes
from benchmarks.hardware.host import compiled_on_host
from benchmarks.hardware.link import crossing
from benchmarks.hardware.targets import CHIPS, GROUPS, TARGETS, TPUS, devices, installed, prepare
from benchmarks.subjects.codecs import divided_codec
from benchmarks.subjects.llama import LLAMA_2
from benchmarks.subjects.peers import DECAY, RATE

FLOAT32 = "float32"
STATES = (FLOAT32, "bfloat16_stochastic", "float8_stochastic")
LAYERS = ("apart", "stacked")
PLACES = ("device", "host")
HEADER = (
    *("layers, state", "state on", "on the device GB", "on the host GB", "temporaries GB", "at most GB"),
    *("fits", "each way GB", "least s", "scheduled s"),
)
QUICK = {"targets": ["h200"], "layers": ["stacked"], "states": [FLOAT32]}


def main(arguments: Sequence[str]) -> None:
    def add_options(parser: argparse.ArgumentParser) -> None:
        add_names(parser, "targets", TARGETS, ("v5p:2x2x1", "h200"))
        add_names(parser, "layers", LAYERS, LAYERS)
        add_names(parser, "states", STATES, STATES[:2])
        parser.add_argument("--link", type=float, default=32.0, help="GB/s each way (default: %(default)s)")

    prepare()
    bench = Benchmark("offload", __doc__, arguments, add_options)
    usual = {"targets": ["v5p:2x2x1", "h200"], "layers": LAYERS, "states": STATES[:2]}
    chosen = usual | (QUICK if bench.options.quick else {})
    chosen |= {name: given for name in chosen if (given := getattr(bench.options, name))}
    if missing := [target for target in chosen["targets"] if not installed(target)]:
        group = GROUPS[missing[0]]
        raise SystemExit(f"no compiler for {', '.join(missing)}: pip install . ./examples --group {group}")
    for target in chosen["targets"]:
        rows = [
            measured(layers, state, place, target, devices(target)[:1], bench.options.link)
            for layers in chosen["layers"]
            for state in chosen["states"]
            for place in PLACES
        ]
        bench.rows += rows
        bench.table(
            f"{target}, one chip of {rows[0]['memory'] / 1e9:.0f} GB; a link of {bench.options.link:g} GB/s",
            HEADER,
            [_line(row) for row in rows],
        )
        bench.save()
    bench.finish(lambda: _figure(bench.rows))


def measured(
    layers: str, state: str, place: str, target: str, chips: Sequence[Any], link: float
) -> dict[str, Any]:
    """Compiles a step for a chip: what it holds, and what crosses its link to the host.

    A program that the compiler refuses for want of memory has None in the place of what it would do.
    """
    chip = CHIPS[target.partition(":")[0]]
    tx = rx.radamw(RATE, weight_decay=DECAY)
    tx = tx if state == FLOAT32 else rx.compress_state(tx, divided_codec(state))
    if place == "host":
        tx = rx.sharding.offload_state(tx, in_flight=1 if target in TPUS else 2)
    params = laid_out(LLAMA_2["7B"].leaves(stacked=layers == "stacked"), chips)
    row = {
        "target": target,
        "layers": layers,
        "state": state,
        "place": place,
        "memory": chip.memory * 1e9,
        "params_bytes": chip_bytes(params),
    }
    unknown = ("device_bytes", "host_bytes", "temp_bytes", "peak_bytes", "arriving", "leaving", "seconds")
    try:
        step, shapes = compiled_on_host(tx, params)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return row | dict.fromkeys(unknown) | {"least": None, "fits": False}
    memory = step.memory_analysis()
    peak = peak_bytes(memory)
    crossed = crossing(step.as_text(), link * 1e9, chip.bandwidth * 1e9)
    return row | {
        "device_bytes": chip_bytes(shapes) - memory.host_argument_size_in_bytes,
        "host_bytes": memory.host_argument_size_in_bytes,
        "temp_bytes": memory.temp_size_in_bytes,
        "peak_bytes": peak,
        "arriving": crossed.arriving,
        "leaving": crossed.leaving,
        "seconds": crossed.seconds,
        "least": max(crossed.arriving, crossed.leaving) / (link * 1e9),
        "fits": peak <= row["memory"],
    }


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    def gigabytes(key: str) -> str:
        return "-" if row[key] is None else f"{row[key] / 1e9:.2f}"

    return (
        f"{row['layers']}, {row['state']}",
        row["place"],
        *map(gigabytes, ("device_bytes", "host_bytes", "temp_bytes", "peak_bytes")),
        f"yes, {row['peak_bytes'] / row['memory']:.0%}" if row["fits"] else "no",
        gigabytes("leaving"),
        *("-" if row[key] is None else f"{row[key]:.2f}" for key in ("least", "seconds")),
    )


def _figure(rows: Sequence[dict[str, Any]]) -> Figure:
    data: Panels = {}
    for row in rows:
        line = data.setdefault(row["target"], {}).setdefault(f"{row['layers']}, {row['state']}", {})
        if row["peak_bytes"] is not None:
            line[f"state on the {row['place']}"] = exactly(row["peak_bytes"] / 1e9)
    return panels(data, "Memory of training Llama 2, with its state on the host", "GB of the device, at most")
