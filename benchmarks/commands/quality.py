"""What compressed state and parameters cost in quality: final losses, float32 against each format.

Two models learn the Python standard library's sources: a two-layer LSTM the next word, a Transformer the next
line of words from the line before. They compute in float32, from parameters in each form, and are tested with
the parameters that they compute with; gradients have the parameters' dtype.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx
from matplotlib.figure import Figure
from rich.console import Console

import radam_optax as rx
from benchmarks.frame.benchmark import Benchmark, add_names
from benchmarks.frame.figure import MARKS
from benchmarks.subjects.codecs import CODECS, PARAMETERS
from examples.data.pairs import END, padded
from examples.data.text import Corpus, standard_library
from examples.lab.console import task
from examples.lab.options import positive_int
from examples.lab.style import CONTEXT, over_seeds, sheet
from examples.lab.task import Task
from examples.lab.training import train
from examples.models.transformer import Transformer
from examples.tasks.language import language_task
from examples.tasks.sequences import translation

B2 = 0.999
RATE = 0.003  # At the first step; it falls to zero, so that runs end with little noise of their own.
LINE = 20  # Words that a step reads at a time.
OPTIMIZERS = {"radam": rx.radam, "adam": rx.adam}
REFERENCE = "float32"
BARS = {  # Percent, of the state's codecs with parameters of float32.
    "bfloat16_compensated": 0.5,
    "bfloat16_stochastic": 0.5,
    "int8_blockwise": 1.0,
    "float8_stochastic": 1.0,
}
BAR_OF_PARAMETERS = 0.5  # Percent, where compress_params holds them, whatever holds the state.
POINTS = 10


class Loop:
    """A loop without progress on disk, which a study would have; keeps the last carry."""

    def __init__(self, console: Console):
        self.console = console
        self.last: Any = None

    def scan(
        self,
        name: str,
        program: Callable[..., tuple[Any, Any]],
        carry: Any,
        inputs: Callable[[int], tuple[Any, ...]],
        length: int,
        status: Callable[[Any], str],
        steps: int,
    ) -> tuple[Any, Any]:
        records = []
        with task(self.console, name, length * steps) as report:
            for i in range(length):
                carry, record = program(carry, *inputs(i))
                records.append(jax.device_get(record))
                report((i + 1) * steps, status(records[-1]))
        self.last = carry
        return carry, jax.tree.map(lambda *x: np.stack(x), *records)


def lstm(corpus: Corpus, hidden: int, batch: int, held_out: int) -> Task:
    """The next word."""
    return language_task(
        corpus,
        hidden=hidden, embedding=hidden, batch=batch, held_out=held_out * LINE, unroll=LINE, dropout=0.0,
    )  # fmt: skip


def transformer(corpus: Corpus, hidden: int, batch: int, held_out: int) -> Task:
    """The next line."""

    def pairs(words):
        lines = words[: len(words) // LINE * LINE].reshape(-1, LINE) + (END + 1)
        return padded(lines[:-1].tolist(), lines[1:].tolist())

    def make(rngs):
        size = len(corpus.words) + END + 1
        return Transformer(size, size, rngs, layers=2, width=hidden // 2, heads=4, hidden=hidden)

    lines = pairs(corpus.held_out[: (held_out + 1) * LINE])
    return translation(make, pairs(corpus.train), lines, batch)


MODELS = {"lstm": lstm, "transformer": transformer}


def held_as(form: str, problem: Task) -> Task:
    """The task for a model that has its parameters in a form, and computes with them in float32."""
    dtype, _ = PARAMETERS[form]
    if dtype == np.float32:
        return problem

    def cast(model, dtype):
        graph, params, rest = nnx.split(model, nnx.Param, ...)
        return nnx.merge(graph, optax.tree.cast(params, dtype), rest, copy=True)

    def loss(model, batch):
        computing = cast(model, np.float32)
        value = problem.loss(computing, batch)
        nnx.update(model, nnx.state(computing, nnx.Not(nnx.Param)))
        return value

    return problem._replace(
        make=lambda rngs: cast(problem.make(rngs), dtype),
        loss=loss,
        evaluate=lambda model, held_out: problem.evaluate(cast(model, np.float32), held_out),
    )


def recipe(name: str, form: str, codec: str, steps: int) -> Callable[[Any], optax.GradientTransformation]:
    """Gradients of a global norm of 5 at most, and a learning rate that falls to zero."""

    def of(rate):
        optimizer = OPTIMIZERS[name](optax.linear_schedule(rate, 0.0, steps), b2=B2)
        compressed = optimizer if codec == REFERENCE else rx.compress_state(optimizer, CODECS[codec]())
        return PARAMETERS[form][1](optax.chain(optax.clip_by_global_norm(5.0), compressed))

    return of


def bytes_per_parameter(tx: optax.GradientTransformation, params: Any) -> float:
    """Of parameters and state."""
    held = jax.tree.leaves((params, jax.eval_shape(tx.init, params)))
    return sum(x.size * x.dtype.itemsize for x in held) / sum(x.size for x in jax.tree.leaves(params))


def log_second_moment(runs: Any) -> np.ndarray:
    """The mean of log(nu) over all parameters that have one, for each seed."""
    state = jax.vmap(jax.vmap(rx.decompress_state))(runs.opt_state)
    # Of shape (rates, seeds, ...), with one rate.
    leaves = [np.asarray(x[0]).reshape(x.shape[1], -1) for x in jax.tree.leaves(optax.tree.get(state, "nu"))]
    nu = np.concatenate(leaves, axis=1)
    return np.asarray([np.log(row[row > 0]).mean() for row in nu])


def draw(excess: dict[str, dict[tuple[str, str], tuple[float, np.ndarray]]], steps: int) -> Figure:
    """A panel per model and optimizer: % above float32's loss over bytes, a mark per codec and form."""
    columns = min(2, len(excess))
    rows = -(-len(excess) // columns)
    seeds = len(next(iter(next(iter(excess.values())).values()))[1])
    figure, axes = sheet(
        "How much of the loss fewer bytes cost",
        f"Test loss above float32's in %, over bytes per parameter with its state, after {steps} steps; "
        f"{over_seeds(seeds)}. Marks: the form of the parameters",
        3.3 * rows + 0.4, rows, columns, sharey=True, squeeze=False,
    )  # fmt: skip
    for ax, (title, points) in zip(axes.flat, excess.items(), strict=False):
        ax.axhspan(-BAR_OF_PARAMETERS, BAR_OF_PARAMETERS, color=CONTEXT, alpha=0.15, lw=0)
        for form, (colour, marker) in zip(PARAMETERS, MARKS, strict=False):
            found = [(size, above) for (of, _), (size, above) in points.items() if of == form]
            for size, above in found:
                ax.plot([size, size], [above.min(), above.max()], color=colour, lw=1.5)
            sizes, means = [size for size, _ in found], [above.mean() for _, above in found]
            ax.plot(sizes, means, marker, ls="", color=colour, label=form)
        ax.set_yscale("symlog", linthresh=1)
        ax.set_yticks(ticks := (-0.5, 0, 0.5, 1, 2, 5), [f"{tick:g}" for tick in ticks], minor=False)
        ax.set(title=title, xlabel="bytes")
        ax.margins(x=0.08)
    for ax in axes.flat[len(excess) :]:
        ax.remove()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def main(arguments: Sequence[str]) -> None:
    """Trains all; prints the losses, writes ``quality.json`` and ``quality.png``."""

    def add_options(parser):
        for option, default, text in (
            ("steps", 2000, f"of each run, rounded up to a multiple of {POINTS}"),
            ("seeds", 3, "runs of each, of other first weights and batches"),
            ("hidden", 64, "units of each layer; the Transformer is half as wide"),
            ("batch", 16, f"lines of {LINE} words that a step reads"),
        ):
            parser.add_argument(
                f"--{option}",
                type=positive_int,
                default=default,
                metavar="N",
                help=f"{text} (default: %(default)s)",
            )
        add_names(parser, "models", list(MODELS), list(MODELS))
        add_names(parser, "optimizers", list(OPTIMIZERS), list(OPTIMIZERS))
        add_names(parser, "parameters", list(PARAMETERS), list(PARAMETERS))
        add_names(parser, "codecs", list(CODECS), list(CODECS))

    bench = Benchmark("quality", __doc__, arguments, add_options)
    options = bench.options
    chunk = 2 if options.quick else -(-options.steps // POINTS)
    steps = chunk * POINTS
    seeds, hidden, lines = (1, 32, 64) if options.quick else (options.seeds, options.hidden, 1024)
    corpus = standard_library(2 if options.quick else 8, rare=3, vocabulary=500 if options.quick else 1000)
    # float32 is the first of both, which all others are compared with.
    forms = [form for form in PARAMETERS if form == REFERENCE or form in (options.parameters or PARAMETERS)]
    names = [REFERENCE, *(name for name in CODECS if name in (options.codecs or CODECS))]
    excess, table = {}, []
    for model, optimizer in itertools.product(options.models or MODELS, options.optimizers or OPTIMIZERS):
        title = f"{model}, {optimizer}"
        excess[title] = {}
        of_float32 = MODELS[model](corpus, hidden, options.batch, lines)
        reference = None
        for form, name in itertools.product(forms, names):
            problem = held_as(form, of_float32)
            params = jax.eval_shape(lambda problem=problem: nnx.state(problem.make(nnx.Rngs(0)), nnx.Param))
            loop, of = Loop(bench.console), recipe(optimizer, form, name, steps)
            curves = train(
                loop, f"{title}, {form}, {name}", problem, of, [RATE],
                seeds=seeds, steps=steps, chunk=chunk,
                status=lambda point: f"loss {point['test_loss'].mean():.4f}",
            )["test_loss"][0]  # fmt: skip
            size, moment = bytes_per_parameter(of(RATE), params), log_second_moment(loop.last)
            reference = reference or (curves[:, -1], moment)
            above = 100 * (curves[:, -1] / reference[0] - 1)
            ratio = np.exp((moment - reference[1]).mean())
            excess[title][form, name] = size, above
            bar = BARS.get(name) if form == REFERENCE else BAR_OF_PARAMETERS if form in CODECS else None
            table.append((
                model, optimizer, form, name, f"{size:.2f}", f"{curves[:, -1].mean():.4f}",
                f"{above.mean():+.2f}", f"{above.min():+.2f} to {above.max():+.2f}",
                "-" if bar is None else f"{bar}: {'kept' if above.mean() <= bar else 'MISSED'}",
                f"{ratio:.2f}",
            ))  # fmt: skip
            bench.rows += [
                {
                    "model": model,
                    "optimizer": optimizer,
                    "parameters": form,
                    "codec": name,
                    "seed": seed,
                    "bytes_per_parameter": size,
                    "test_losses": curve.tolist(),
                    "mean_log_nu": float(moment[seed]),
                }
                for seed, curve in enumerate(curves)
            ]
            bench.save()
    bench.table(
        f"Test loss in nats per word after {steps} steps, seeds: {seeds}, b2 = {B2}",
        ("model", "optimizer", "parameters", "state", "bytes", "loss", "% above", "by seed", "bar", "nu"),
        table,
    )
    bench.note(
        "bytes: of parameters and state per parameter. % above: of the loss, to float32's. nu: the geometric "
        "mean of the second moments, to float32's. A seed has the same first weights and batches with every "
        "format."
    )
    bench.finish(lambda: draw(excess, steps))
