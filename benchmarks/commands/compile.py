"""CPU time to trace, lower and compile one training step, and its equations, beside optax.

Every time is that of a first time in a process: JAX's caches are emptied before each. It is what all threads
of the process have computed, so that other processes count for little. "Alike" leaves have one shape,
"different" ones a shape each; networks have those of their parameters. Packages take turns within a round;
ratios are taken round by round; given are their medians.
"""

import argparse
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.extend import core
from matplotlib.figure import Figure

from benchmarks.frame.benchmark import Benchmark, add_names, grid
from benchmarks.frame.figure import Panels, panels
from benchmarks.frame.spread import Spread, spread
from benchmarks.subjects.peers import CATALOGUE, OPTAX, OURS, PACKAGES
from benchmarks.subjects.shapes import NETWORKS, Shapes
from benchmarks.subjects.step import jitted_step
from examples.lab.options import positive_int

OPTIMIZERS = ["adam", "amsgrad", "radam", "rmsprop"]
PHASES = ("trace", "lower", "compile")


def _alike(leaves: int) -> Shapes:
    return [(64, 8)] * leaves


def _different(leaves: int) -> Shapes:
    return [(size, 8) for size in range(64, 64 + leaves)]


# Small leaves, so that nothing but their number counts, and those of networks.
LEAVES: dict[str, Callable[[], Shapes]] = {
    f"{n}-{kind}": partial(leaves, n)
    for n in (1, 10, 100, 1000)
    for kind, leaves in (("alike", _alike), ("different", _different))
} | NETWORKS


class Cost(NamedTuple):
    """Of one step."""

    trace: float  # Seconds of all threads, as the next two.
    lower: float
    compile: float
    equations: int  # Of the jaxpr, those of inner jaxprs included once per call.


def measure(tx: optax.GradientTransformation, params: Any) -> Cost:
    """Traces, lowers and compiles as for the first time."""
    state = jax.eval_shape(tx.init, params)
    jitted = jitted_step(tx)
    # What an earlier measurement traced must not help this one, nor its garbage be collected within it.
    jax.clear_caches()
    gc.collect()
    marks = [time.process_time()]
    traced = jitted.trace(params, state, params)
    marks.append(time.process_time())
    lowered = traced.lower()
    marks.append(time.process_time())
    lowered.compile()
    marks.append(time.process_time())
    trace, lower, compile_ = np.diff(marks).tolist()
    return Cost(trace, lower, compile_, sum(1 for _ in equations(traced.jaxpr.jaxpr)))


def equations(jaxpr: core.Jaxpr) -> Iterator[core.JaxprEqn]:
    """All equations of a jaxpr; a call stands for those of what it calls."""
    for equation in jaxpr.eqns:
        inner = list(jaxprs_in(equation))
        if not inner:
            yield equation
        for one in inner:
            yield from equations(one)


def jaxprs_in(equation: core.JaxprEqn) -> Iterator[core.Jaxpr]:
    """The jaxprs among an equation's parameters."""
    # A call holds its program among its parameters, alone or, as the branches of a cond, in a tuple.
    for value in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns")):
        if isinstance(value, core.ClosedJaxpr):
            yield value.jaxpr
        elif isinstance(value, core.Jaxpr):
            yield value


def main(arguments: Sequence[str]) -> None:
    there = [name for name, peers in CATALOGUE.items() if peers.optax]

    def add_options(parser: argparse.ArgumentParser) -> None:
        add_names(parser, "optimizers", there, OPTIMIZERS)
        add_names(parser, "leaves", list(LEAVES), list(LEAVES))
        parser.add_argument("--rounds", type=positive_int, metavar="N", help="default: 5, with --quick 2")

    bench = Benchmark("compile", __doc__, arguments, add_options)
    options = bench.options
    if jax.config.values["jax_compilation_cache_dir"]:
        bench.parser.error("unset JAX_COMPILATION_CACHE_DIR: what is in the cache is not compiled")
    optimizers = options.optimizers or (["radam"] if options.quick else OPTIMIZERS)
    leaves = options.leaves or (["1-alike", "10-different"] if options.quick else list(LEAVES))
    rounds = options.rounds or (2 if options.quick else 5)
    for label in leaves:
        for optimizer in optimizers:
            bench.rows += _rows(optimizer, label, rounds)
            bench.save()
            _show(bench, bench.rows[-len(PACKAGES) :])
    _tables(bench, optimizers, leaves)
    bench.finish(lambda: _figure(bench.rows))


def _rows(optimizer: str, leaves: str, rounds: int) -> list[dict[str, Any]]:
    shapes = LEAVES[leaves]()
    params = {f"leaf{i}": jax.ShapeDtypeStruct(shape, jnp.float32) for i, shape in enumerate(shapes)}
    transformations = {name: getattr(CATALOGUE[optimizer], field)() for name, field in PACKAGES.items()}
    costs: dict[str, list[Cost]] = {name: [] for name in PACKAGES}
    for i in range(rounds + 1):
        # Who comes second finds the interpreter warmer: so it is each in turn.
        order = list(PACKAGES)[:: 1 if i % 2 else -1]
        for name in order:
            costs[name].append(measure(transformations[name], params))
    rows = []
    for name in PACKAGES:
        kept, ours = costs[name][1:], costs[OURS][1:]  # The first round warms up.
        row: dict[str, Any] = {
            "optimizer": optimizer,
            "leaves": leaves,
            "competitor": name,
            "equations": kept[0].equations,
        }
        for phase in (*PHASES, "lower_and_compile"):
            values, of_ours = (np.array([_seconds(c, phase) for c in run]) for run in (kept, ours))
            row[phase] = spread(values)._asdict()
            row[f"{phase}_ours_over_this"] = spread(of_ours / values)._asdict()
        row["rounds"] = [cost._asdict() for cost in kept]
        rows.append(row)
    return rows


def _seconds(cost: Cost, phase: str) -> float:
    return cost.lower + cost.compile if phase == "lower_and_compile" else getattr(cost, phase)


def _show(bench: Benchmark, rows: Sequence[dict[str, Any]]) -> None:
    lines = [
        (
            row["competitor"],
            *(f"{1e3 * row[phase]['median']:.4g}" for phase in PHASES),
            str(row["equations"]),
            f"{row['trace_ours_over_this']['median']:.2f}",
            f"{row['lower_and_compile_ours_over_this']['median']:.2f}",
        )
        for row in rows
    ]
    first = rows[0]
    bench.show(
        f"{first['optimizer']}, leaves: {first['leaves']}",
        ("package", "trace, ms", "lower", "compile", "equations", "trace: ours/this", "rest"),
        lines,
    )


def _tables(bench: Benchmark, optimizers: Sequence[str], columns: Sequence[str]) -> None:
    find = {(row["optimizer"], row["leaves"], row["competitor"]): row for row in bench.rows}
    for title, phase in (
        ("CPU time to trace over optax's", "trace"),
        ("CPU time to lower and compile over optax's", "lower_and_compile"),
    ):
        cells = grid(
            optimizers,
            columns,
            lambda o, c, phase=phase: f"{find[o, c, OPTAX][f'{phase}_ours_over_this']['median']:.2f}",
        )
        bench.table(title, ("optimizer", *columns), cells)
    bench.table(
        "Equations of the jaxpr, and optax's",
        ("optimizer", *columns),
        grid(optimizers, columns, lambda o, c: "/".join(str(find[o, c, p]["equations"]) for p in PACKAGES)),
    )


def _figure(rows: Sequence[dict[str, Any]]) -> Figure:
    shown: Panels = {}
    for row in rows:
        for phase in PHASES:
            line = shown.setdefault(f"{phase}, {row['optimizer']}", {}).setdefault(row["leaves"], {})
            line[row["competitor"]] = Spread(*row[phase].values())
    ordered = {name: shown[name] for phase in PHASES for name in shown if name.startswith(phase)}
    return panels(ordered, "Time to compile a training step", "Seconds of CPU", log=True)
