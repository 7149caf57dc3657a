"""Time of one optimizer step beside optax and PyTorch, and beside the machine's own limit.

Everything is float32. All competitors of an optimizer and a shape run in one process, each once in every
round, in an order drawn anew; parameters and state are updated in place. Bytes are the least that a step
has to move: gradients read, parameters and state read and written. The limit is the better of an in-place
scale and a copy that move as many bytes in one array, timed in the same rounds. Ratios are taken round by
round; given are their medians.
"""

import argparse
import gc
import importlib.util
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure

from benchmarks.frame.benchmark import Benchmark, add_names, grid
from benchmarks.frame.figure import Panels, panels
from benchmarks.frame.spread import Spread, spread
from benchmarks.subjects.peers import CATALOGUE, OPTAX, OURS, PACKAGES, TORCH_FORMS, Torch
from benchmarks.subjects.shapes import FULL, QUICK, SHAPES
from benchmarks.timing.child import MULTI_OUTPUT_FUSION, Child, ChildError
from benchmarks.timing.jax_step import JaxStep, gradients_of
from benchmarks.timing.limit import COPY, SCALE, limit_timers
from benchmarks.timing.rounds import Timer, interleaved
from examples.lab.options import positive_int

WITH_FLAG = {OURS: f"{OURS}, flag", OPTAX: f"{OPTAX}, flag"}
COMPILED_LEAVES = 200  # torch.compile takes minutes there, and many more beyond.
WARM_UP = 7  # RAdam is rectified from its 6th step on, and PyTorch's does other work until then.
QUICK_OPTIMIZERS = ["sgd", "adam", "radam"]


def main(arguments: Sequence[str]) -> None:
    def add_options(parser: argparse.ArgumentParser) -> None:
        add_names(parser, "optimizers", list(CATALOGUE))
        add_names(parser, "shapes", list(SHAPES))
        add_names(parser, "peers", [OPTAX, *TORCH_FORMS])
        parser.add_argument("--rounds", type=positive_int, metavar="N", help="default: 20, with --quick 3")
        parser.add_argument(
            "--multi-output-fusion",
            action="store_true",
            help=f"measure a second process with XLA_FLAGS={MULTI_OUTPUT_FUSION} as well",
        )

    bench = Benchmark("step", __doc__, arguments, add_options)
    options = bench.options
    optimizers = options.optimizers or (QUICK_OPTIMIZERS if options.quick else list(CATALOGUE))
    shapes = options.shapes or list(QUICK if options.quick else FULL)
    peers = options.peers or [OPTAX, *TORCH_FORMS]
    rounds = options.rounds or (3 if options.quick else 20)
    torch_peers = [peer for peer in peers if peer in TORCH_FORMS]
    if torch_peers and not _can_compare_with_torch(bench):
        torch_peers = []
    child = Child(MULTI_OUTPUT_FUSION) if options.multi_output_fusion else None
    try:
        for shape in shapes:
            gradients = gradients_of(SHAPES[shape]())
            tensors = _tensors_of(gradients) if torch_peers else []
            for optimizer in optimizers:
                group = Group(bench, optimizer, shape, gradients)
                group.add_jax(OPTAX in peers)
                for form in torch_peers:
                    group.add_torch(form, tensors)
                if child:
                    child = group.add_child(child)
                group.measure(rounds)
                bench.save()
                # The next one's arrays of gigabytes have room only once these are gone.
                del group
                gc.collect()
    finally:
        if child:
            child.close()
    _tables(bench, optimizers, shapes)
    bench.finish(lambda: _figure(bench.rows))


def _can_compare_with_torch(bench: Benchmark) -> bool:
    if importlib.util.find_spec("torch") is None:
        bench.note("PyTorch is not installed and left out.")
        return False
    from benchmarks.timing.torch_step import device

    here = jax.default_backend()
    if (here == "gpu") != (device().type == "cuda"):
        bench.note(f"PyTorch computes on {device()}, JAX on {here}; PyTorch is left out.")
        return False
    return True


def _tensors_of(gradients: dict[str, jax.Array]) -> list[Any]:
    from benchmarks.timing.torch_step import tensors_of

    return tensors_of([np.asarray(g) for g in gradients.values()])


class Group:
    """The competitors of one optimizer at one shape."""

    def __init__(self, bench: Benchmark, optimizer: str, shape: str, gradients: dict[str, jax.Array]):
        self.bench, self.optimizer, self.shape, self.gradients = bench, optimizer, shape, gradients
        self.peers = CATALOGUE[optimizer]
        self.timers: dict[str, Timer] = {}
        self.bytes: dict[str, tuple[int, int | None, int | None]] = {}

    def add_jax(self, with_optax: bool) -> None:
        self._add(OURS, JaxStep(self.peers.ours(), self.gradients))
        if with_optax and self.peers.optax:
            self._add(OPTAX, JaxStep(self.peers.optax(), self.gradients))

    def add_torch(self, form: str, tensors: Sequence[Any]) -> None:
        from benchmarks.timing.torch_step import TorchStep, has_form

        peer: Torch | None = self.peers.torch
        if peer is None or not has_form(peer, form):
            return
        if form == "compiled" and len(tensors) > COMPILED_LEAVES:
            self.bench.note(f"torch.compile is left out at more than {COMPILED_LEAVES} leaves.")
            return
        try:
            self._add(form, TorchStep(peer, form, tensors))
        except Exception as error:  # Whatever PyTorch and its compiler raise: the others go on.
            reason = str(error).strip().partition("\n")[0]
            self.bench.note(f"PyTorch's {form} {peer.name} does not work: {type(error).__name__}: {reason}")

    def add_child(self, child: Child) -> Child | None:
        """Adds the steps of the process with the flag; a new process in place of one that crashed."""
        packages = [name for name in (OURS, OPTAX) if name in self.timers]
        try:
            bytes_ = child.open(self.optimizer, self.shape, [PACKAGES[name] for name in packages])
        except ChildError as error:
            self.bench.note(f"{self.optimizer} at {self.shape}, with the flag: {error}")
            return Child(MULTI_OUTPUT_FUSION)
        for name in packages:
            self.timers[WITH_FLAG[name]] = child.timer(PACKAGES[name])
            self.bytes[WITH_FLAG[name]] = bytes_[PACKAGES[name]]
        return child

    def _add(self, name: str, step: Any) -> None:
        self.timers[name] = step.timer()
        self.bytes[name] = (step.bytes, step.accessed_bytes, step.temp_bytes)

    def measure(self, rounds: int) -> None:
        """Times all competitors; adds their rows and prints them."""
        moved = self.bytes[OURS][0]
        passes = limit_timers(moved)
        seconds = interleaved({**self.timers, **passes}, rounds, WARM_UP)
        limit = min(passes, key=lambda name: np.median(seconds[name]))
        rows = []
        for name, values in seconds.items():
            bytes_, accessed, temporary = self.bytes.get(name, (moved, None, None))
            rows.append(
                {
                    "optimizer": self.optimizer,
                    "shape": self.shape,
                    "leaves": len(self.gradients),
                    "parameters": sum(g.size for g in self.gradients.values()),
                    "competitor": name,
                    "bytes": bytes_,
                    "accessed_bytes": accessed,
                    "temp_bytes": temporary,
                    "seconds": spread(values)._asdict(),
                    "gb_per_s": bytes_ / float(np.median(values)) / 1e9,
                    "of_limit": spread(bytes_ / moved * seconds[limit] / values)._asdict(),
                    "ours_over_this": spread(seconds[OURS] / values)._asdict(),
                    "rounds": values.tolist(),
                }
            )
        self.bench.rows += rows
        self.bench.show(
            f"{self.optimizer}, {self.shape}",
            (
                "competitor",
                "ms",
                "quartiles",
                "GB/s",
                "of limit",
                "ours/this",
                "B/param",
            ),
            [_line(row) for row in rows],
        )


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    ms = {key: 1e3 * value for key, value in row["seconds"].items()}
    return (
        row["competitor"],
        f"{ms['median']:.3g}",
        f"{ms['low']:.3g}-{ms['high']:.3g}",
        f"{row['gb_per_s']:.3g}",
        f"{row['of_limit']['median']:.2f}",
        f"{row['ours_over_this']['median']:.2f}",
        f"{row['bytes'] / row['parameters']:.1f}",
    )


def _tables(bench: Benchmark, optimizers: Sequence[str], shapes: Sequence[str]) -> None:
    """What the report keeps: optimizers by shapes."""
    rows = {(row["optimizer"], row["shape"], row["competitor"]): row for row in bench.rows}

    def table(title: str, value: Any) -> None:
        def cell(optimizer: str, shape: str) -> str | None:
            number = value(lambda name: rows.get((optimizer, shape, name)))
            return None if number is None else f"{number:.2f}"

        if lines := grid(optimizers, shapes, cell):
            bench.table(title, ("optimizer", *shapes), lines)

    def over(*names: str) -> Any:
        """Of the fastest of the named competitors."""

        def value(find: Any) -> float | None:
            there = [row for name in names if (row := find(name))]
            fastest = min(there, key=lambda row: row["seconds"]["median"], default=None)
            return fastest and fastest["ours_over_this"]["median"]

        return value

    def relative(name: str, to: str) -> Any:
        """Median over the rounds of one competitor's time over another's."""

        def value(find: Any) -> float | None:
            one, other = find(name), find(to)
            return float(np.median(np.divide(one["rounds"], other["rounds"]))) if one and other else None

        return value

    table("Time of radam_optax over optax's", over(OPTAX))
    table(
        "Time of radam_optax over the faster of PyTorch's for-loop and foreach", over("for-loop", "foreach")
    )
    table("Time of radam_optax over PyTorch's fused", over("fused"))
    table("Time of radam_optax over torch.compile's", over("compiled"))
    table("Fraction of the machine's limit", lambda find: find(OURS)["of_limit"]["median"])
    table("With multi-output fusion: time over that without", relative(WITH_FLAG[OURS], OURS))
    table("With multi-output fusion: time over optax's with it", relative(WITH_FLAG[OURS], WITH_FLAG[OPTAX]))
    table("With multi-output fusion: time over PyTorch's fused", relative(WITH_FLAG[OURS], "fused"))
    for shape in shapes:
        limits = [
            np.median([r["gb_per_s"] for r in bench.rows if (r["shape"], r["competitor"]) == (shape, name)])
            for name in (SCALE, COPY)
        ]
        bench.note(f"Limit at {shape}: in-place scale {limits[0]:.3g} GB/s, copy {limits[1]:.3g} GB/s.")


def _figure(rows: Sequence[dict[str, Any]]) -> Figure:
    shown: Panels = {}
    for row in rows:
        at = row["bytes"] / 1e9
        point = Spread(row["gb_per_s"], at / row["seconds"]["high"], at / row["seconds"]["low"])
        shown.setdefault(row["shape"], {}).setdefault(row["optimizer"], {})[row["competitor"]] = point
    return panels(shown, "Speed of an optimizer's step", "GB/s of the bytes that a step has to move")
