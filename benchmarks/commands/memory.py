"""Bytes of state per parameter, and of all live memory at a step's peak, by recipe and state dtype.

Nothing is run: sizes are those of the state, and of the step that is compiled for this device with
parameters and state donated, float32 parameters and gradients. At the peak are live: gradients,
parameters, state, and the compiler's temporary buffers.
"""

import argparse
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from matplotlib.figure import Figure

import radam_optax as rx
from benchmarks.frame.benchmark import Benchmark, add_names, grid
from benchmarks.frame.figure import Panels, panels
from benchmarks.frame.spread import exactly
from benchmarks.hardware.compiled import peak_bytes
from benchmarks.subjects.codecs import CODECS
from benchmarks.subjects.peers import CATALOGUE, OPTAX, OURS, Recipe
from benchmarks.subjects.step import compiled_step, nbytes

BFLOAT16 = jnp.bfloat16
DTYPES: Mapping[str, Mapping[str, Any]] = {
    "float32": {},
    "mu bf16": {"mu_dtype": BFLOAT16},
    "mu, nu bf16": {"mu_dtype": BFLOAT16, "nu_dtype": BFLOAT16},
}
FORMATS = (*DTYPES, *CODECS)


class Memory(NamedTuple):
    """Bytes."""

    state: int
    temporary: int
    peak: int


def transformation(recipe: Recipe, format_: str) -> optax.GradientTransformation | None:
    """A recipe with its state in a format; None if it has no such state."""
    if format_ in CODECS:
        return rx.compress_state(recipe(), CODECS[format_]())
    there = inspect.signature(recipe).parameters
    settings = {name: dtype for name, dtype in DTYPES[format_].items() if name in there}
    # Without a first moment, "mu, nu" is that of nu alone.
    return recipe(**settings) if list(settings)[-1:] == list(DTYPES[format_])[-1:] else None


def measure(tx: optax.GradientTransformation, params: Any) -> Memory:
    """Of one step."""
    state = jax.eval_shape(tx.init, params)
    memory = compiled_step(tx, params, state, params).memory_analysis()
    return Memory(nbytes(state), memory.temp_size_in_bytes, peak_bytes(memory))


def main(arguments: Sequence[str]) -> None:
    def add_options(parser: argparse.ArgumentParser) -> None:
        add_names(parser, "optimizers", list(CATALOGUE))

    bench = Benchmark("memory", __doc__, arguments, add_options)
    optimizers = bench.options.optimizers or (["radam"] if bench.options.quick else list(CATALOGUE))
    side, leaves = (128, 2) if bench.options.quick else (1024, 8)
    params = {f"layer{i}": jax.ShapeDtypeStruct((side, side), jnp.float32) for i in range(leaves)}
    count = leaves * side * side
    for optimizer in optimizers:
        peers = CATALOGUE[optimizer]
        for package, recipe in ((OURS, peers.ours), (OPTAX, peers.optax)):
            for format_ in FORMATS if package == OURS else DTYPES:
                tx = recipe and transformation(recipe, format_)
                if tx is None:
                    continue
                found = measure(tx, params)
                bench.rows.append(
                    {"optimizer": optimizer, "competitor": package, "format": format_, "parameters": count}
                    | found._asdict()
                    | {f"{name}_per_parameter": size / count for name, size in found._asdict().items()}
                )
        bench.save()
    _tables(bench, optimizers)
    bench.finish(lambda: _figure(bench.rows))


def _tables(bench: Benchmark, optimizers: Sequence[str]) -> None:
    found = {(row["competitor"], row["optimizer"], row["format"]): row for row in bench.rows}
    for title, field in (
        ("Bytes of state per parameter", "state"),
        ("Bytes of temporary buffers per parameter", "temporary"),
        ("Bytes per parameter at the step's peak", "peak"),
    ):
        for package in (OURS, OPTAX):

            def cell(optimizer: str, format_: str, package: str = package, field: str = field) -> str | None:
                row = found.get((package, optimizer, format_))
                return f"{row[f'{field}_per_parameter']:.2f}" if row else None

            columns = FORMATS if package == OURS else list(DTYPES)
            if lines := grid(optimizers, columns, cell):
                bench.table(f"{title}, {package}", ("optimizer", *columns), lines)


def _figure(rows: Sequence[dict[str, Any]]) -> Figure:
    shown: Panels = {}
    for title, field in (("state", "state"), ("at the peak of a step", "peak")):
        for row in rows:
            if row["competitor"] == OURS:
                value = row[f"{field}_per_parameter"]
                point = shown.setdefault(title, {}).setdefault(row["optimizer"], {})
                point[row["format"]] = exactly(value)
    return panels(shown, "Memory of the optimizers", "Bytes per parameter, by the format of the state")
