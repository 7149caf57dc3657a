"""The optimizer's share of a whole training step of an MLP, a CNN and a small Transformer.

The share is ``1 - gradient / step``: "gradient" computes loss and gradients, "step" updates parameters and
state as well, in place. Both, for every optimizer here and in optax, are timed once in every round; shares
are taken round by round; given are their medians. "Alone" is the optimizer's step compiled by itself.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from matplotlib.figure import Figure

from benchmarks.frame.benchmark import Benchmark, add_names
from benchmarks.frame.figure import Panels, panels
from benchmarks.frame.spread import Spread, spread
from benchmarks.subjects.peers import CATALOGUE, OURS, PACKAGES
from benchmarks.timing.jax_step import JaxStep
from benchmarks.timing.rounds import Timer, interleaved, timer
from examples.data.pairs import START
from examples.lab.options import positive_int
from examples.models.mlp import MLP
from examples.models.resnet import ResNet
from examples.models.transformer import Transformer

OPTIMIZERS = ["sgd", "adam", "radam"]
GRADIENT = "gradient"


class Task(NamedTuple):
    """A model and a batch."""

    make: Callable[[nnx.Rngs], Any]
    inputs: tuple[np.ndarray, ...]
    labels: np.ndarray  # int32, of the logits' leading shape.


def tasks(quick: bool) -> Mapping[str, Callable[[], Task]]:
    """Sizes as in small studies; random inputs."""
    draw = np.random.default_rng(0)

    def labels(*shape: int, classes: int) -> np.ndarray:
        return draw.integers(START, classes, shape, dtype=np.int32)

    def mlp() -> Task:
        batch, hidden = (4, 16) if quick else (128, 1024)
        images = draw.random((batch, 28, 28), np.float32)
        return Task(lambda rngs: MLP((784, hidden, hidden, 10), rngs), (images,), labels(batch, classes=10))

    def cnn() -> Task:
        depth, batch = (8, 2) if quick else (20, 64)
        images = draw.random((batch, 32, 32, 3), np.float32)
        return Task(
            lambda rngs: ResNet(depth, (16, 32, 64), 3, 10, rngs=rngs), (images,), labels(batch, classes=10)
        )

    def transformer() -> Task:
        batch, width, layers, length = (2, 16, 1, 4) if quick else (16, 256, 3, 32)
        symbols = labels(3, batch, length, classes=1000)
        return Task(
            lambda rngs: Transformer(1000, 1000, rngs, layers=layers, width=width, heads=4, hidden=2 * width),
            (symbols[0], symbols[1]),
            symbols[2],
        )

    return {"mlp": mlp, "cnn": cnn, "transformer": transformer}


class Training:
    """The programs of a task: its gradient, and its whole step with any optimizer."""

    def __init__(self, task: Task):
        self.graph, self.params, self.variables = nnx.split(task.make(nnx.Rngs(0)), nnx.Param, ...)
        self.batch = jax.tree.map(jnp.asarray, (task.inputs, task.labels))
        self.parameters = sum(p.size for p in jax.tree.leaves(self.params))

    def gradient_timer(self) -> Timer:
        compiled = jax.jit(self._gradient).lower(self.params, self.variables, self.batch).compile()
        held: list[Any] = []

        def call():
            held[:] = [compiled(self.params, self.variables, self.batch)]

        return timer(call, lambda: jax.block_until_ready(held))

    def step_timer(self, tx: optax.GradientTransformation) -> Timer:
        def step(carry, batch):
            params, variables, state = carry
            gradients, variables, loss = self._gradient(params, variables, batch)
            updates, state = tx.update(gradients, state, params)
            return (optax.apply_updates(params, updates), variables, state), loss

        copy = jax.tree.map(jnp.copy, (self.params, self.variables))
        # A call donates what it is given, so that only its results can go into the next one.
        held = [(*copy, tx.init(copy[0]))]
        compiled = jax.jit(step, donate_argnums=0).lower(held[0], self.batch).compile()

        def call():
            held[0], _ = compiled(held[0], self.batch)

        return timer(call, lambda: jax.block_until_ready(held))

    def alone_timer(self, tx: optax.GradientTransformation) -> Timer:
        leaves = jax.tree.leaves(self.params)
        return JaxStep(tx, {str(i): jnp.full(p.shape, 1e-3) for i, p in enumerate(leaves)}).timer()

    def _gradient(self, params, variables, batch):
        def loss(params):
            # A copy, because variables of an outer trace refuse to change.
            model = nnx.merge(self.graph, params, variables, copy=True)
            inputs, labels = batch
            values = optax.softmax_cross_entropy_with_integer_labels(model(*inputs), labels)
            return values.mean(), nnx.state(model, nnx.Not(nnx.Param))

        (value, variables), gradients = jax.value_and_grad(loss, has_aux=True)(params)
        return gradients, variables, value


def main(arguments: Sequence[str]) -> None:
    there = [name for name, peers in CATALOGUE.items() if peers.optax]
    models = list(tasks(quick=True))

    def add_options(parser: argparse.ArgumentParser) -> None:
        add_names(parser, "optimizers", there, OPTIMIZERS)
        add_names(parser, "models", models, models)
        parser.add_argument("--rounds", type=positive_int, metavar="N", help="default: 20, with --quick 3")

    bench = Benchmark("end_to_end", __doc__, arguments, add_options)
    options = bench.options
    optimizers = options.optimizers or (["radam"] if options.quick else OPTIMIZERS)
    rounds = options.rounds or (3 if options.quick else 20)
    for model in options.models or models:
        _measure(bench, model, Training(tasks(options.quick)[model]()), optimizers, rounds)
        bench.save()
    _table(bench)
    bench.finish(lambda: _figure(bench.rows))


def _measure(
    bench: Benchmark, model: str, training: Training, optimizers: Sequence[str], rounds: int
) -> None:
    timers = {(GRADIENT, "", ""): training.gradient_timer()}
    for optimizer in optimizers:
        for package, field in PACKAGES.items():
            tx = getattr(CATALOGUE[optimizer], field)()
            timers["step", optimizer, package] = training.step_timer(tx)
            timers["alone", optimizer, package] = training.alone_timer(tx)
    keys = {"/".join(key): key for key in timers}
    seconds = interleaved({name: timers[key] for name, key in keys.items()}, rounds)
    of = {key: seconds[name] for name, key in keys.items()}
    gradient = of[GRADIENT, "", ""]
    lines = []
    for optimizer in optimizers:
        for package in PACKAGES:
            step, alone = of["step", optimizer, package], of["alone", optimizer, package]
            row = {
                "model": model,
                "parameters": training.parameters,
                "optimizer": optimizer,
                "competitor": package,
                "gradient": spread(gradient)._asdict(),
                "step": spread(step)._asdict(),
                "alone": spread(alone)._asdict(),
                "share": spread(1 - gradient / step)._asdict(),
                "ours_over_this": spread(of["step", optimizer, OURS] / step)._asdict(),
                "rounds": {"gradient": gradient.tolist(), "step": step.tolist(), "alone": alone.tolist()},
            }
            bench.rows.append(row)
            lines.append(
                (
                    f"{package} {optimizer}",
                    *(f"{1e3 * row[part]['median']:.3g}" for part in ("gradient", "step", "alone")),
                    *(f"{100 * row['share'][part]:.1f}" for part in ("median", "low", "high")),
                )
            )
    bench.show(
        f"{model}, {training.parameters:,} parameters",
        ("optimizer", "gradient, ms", "step", "alone", "share, %", "from", "to"),
        lines,
    )


def _table(bench: Benchmark) -> None:
    bench.table(
        "Share of the optimizer in a training step, and the step's time over that with optax's",
        ("model", "parameters", "optimizer", "step, ms", "share", "optax's share", "step over optax's"),
        [
            (
                ours["model"],
                f"{ours['parameters']:,}",
                ours["optimizer"],
                f"{1e3 * ours['step']['median']:.3g}",
                *(f"{100 * row['share']['median']:.1f}%" for row in (ours, theirs)),
                f"{theirs['ours_over_this']['median']:.2f}",
            )
            for ours, theirs in zip(bench.rows[::2], bench.rows[1::2], strict=True)
        ],
    )


def _figure(rows: Sequence[dict[str, Any]]) -> Figure:
    shown: Panels = {}
    for row in rows:
        point = Spread(*(100 * value for value in row["share"].values()))
        shown.setdefault(row["model"], {}).setdefault(row["optimizer"], {})[row["competitor"]] = point
    return panels(
        shown, "What the optimizer takes of a training step", "Share of the optimizer in a training step, %"
    )
