"""A language model on a mesh of devices, in one process or many: FSDP, data parallelism, elastic restarts.

Given again, the command goes on from the last checkpoint in --out, on any mesh and with any number of
processes. All of them need the same --out, in a file system that they share.
"""

import json
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import flax
import jax
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh
from matplotlib.figure import Figure
from rich.console import Console

from examples.data.split import DataError
from examples.data.text import Corpus, standard_library
from examples.lab.console import make_console, print_table, task
from examples.lab.device import device_line
from examples.lab.files import atomic, read_csv, write_csv, write_picture
from examples.lab.interrupts import if_interrupted
from examples.lab.orbax import interrupts_wait, silence_orbax
from examples.lab.settings import check_folder
from examples.lab.step import Run
from examples.lab.style import level, look, sheet
from examples.models.decoder import Decoder
from examples.sharded.mesh import bytes_of, make_measure, make_mesh, make_step, random_windows, spread_windows
from examples.sharded.processes import differences, ended_together, join, pack, unpack
from examples.sharded.settings import Settings, check, free, identity, read
from examples.trainer.optimizer import make_optimizer
from radam_optax.checkpoint import Checkpoints

HELD_OUT = 8  # Batches.
RARE = 3  # Words that occur as often as this or less become <unk>.
COLUMNS = {"step": int, "loss": float}


def start(settings: Settings, words: int) -> tuple[Any, optax.GradientTransformation, Run]:
    """The model's graph, the optimizer, and the run before its first step, every array made in its parts."""

    @nnx.jit
    def make():
        shape = words, settings.length, settings.layers, settings.width, settings.heads
        return Decoder(*shape, rngs=nnx.Rngs(settings.seed))

    graph, params = nnx.split(make())
    # The step itself accumulates.
    optimizer = make_optimizer(replace(settings, accumulate=1), params)
    return graph, optimizer, Run(params, jax.jit(optimizer.init)(params))


def resume(
    checkpoints: Checkpoints, run: Run, depends_on: Mapping[str, Any], may_differ: Container[str]
) -> tuple[int, Run]:
    """The step and the run of the newest usable checkpoint, or 0 and the run as it is."""
    try:
        restored = checkpoints.restore(run.params, pack(depends_on))
    except ValueError as error:
        raise DataError(f"cannot go on: {error}") from error
    if restored is None:
        return 0, run
    before = unpack(restored.extra)
    if different := differences(before, depends_on, may_differ):
        raise DataError(f"cannot go on: the checkpoints are of another run: {different}")
    return restored.step, Run(restored.params, restored.opt_state)


def save(checkpoints: Checkpoints, step: int, run: Run, depends_on: Mapping[str, Any]) -> None:
    """Begins to write a checkpoint."""
    try:
        checkpoints.save(step, run.params, run.opt_state, pack(depends_on))
    except ValueError as error:  # The processes have folders of their own, say.
        raise DataError(str(error)) from error


def draw(rows: Sequence[Sequence[Any]], unigram: float) -> Figure:
    """The loss over steps."""
    figure, panel = sheet("Loss of the language model", "Nats per word of the training text, over steps", 3.8)
    panel.plot(*np.array(rows, float).reshape(-1, 2).T, lw=1.2, **look("RAdamW") | {"linestyle": "-"})
    panel.set_xlabel("step")
    level(panel, unigram, f"frequencies of words: {unigram:.2f}")
    return figure


def stretches(first: int, settings: Settings) -> Iterator[tuple[int, int]]:
    """Steps from and up to, between which nothing is reported or saved."""
    intervals = settings.log_every, settings.save_every
    ends = {settings.steps}.union(*(range(every, settings.steps, every) for every in intervals))
    return pairwise([first, *sorted(end for end in ends if end > first)])


def fit(
    settings: Settings, corpus: Corpus, mesh: Mesh, console: Console
) -> tuple[Any, Run, list[Sequence[Any]]]:
    """Trains to the last step; the model's graph, the run and the curve."""
    graph, optimizer, run = start(settings, len(corpus.words))
    train_step = make_step(graph, optimizer)
    depends_on = identity(settings, corpus)
    curve = settings.out / "curve.csv"
    shape = settings.accumulate, settings.batch, settings.length
    with (
        Checkpoints(settings.out / "checkpoints", optimizer, asynchronous=True) as checkpoints,
        ended_together(),
    ):
        first, run = resume(checkpoints, run, depends_on, free(settings))
        rows: list[Sequence[Any]] = [*read_csv(curve, first, COLUMNS)]
        if first >= settings.steps:
            console.print(f"There is nothing left to do: {first} of {settings.steps} steps are done.")
        elif first:
            console.print(f"Goes on at step {first}.")
        with task(console, settings.optimizer.name, settings.steps) as report:
            for begin, end in stretches(first, settings):
                losses = []
                for step in range(begin, end):
                    texts = random_windows(corpus.train, settings.seed, step, shape, mesh)
                    run, loss = train_step(run, texts)
                    losses.append(loss)
                losses = np.array(jax.device_get(losses))
                if not np.isfinite(losses).all():
                    raise DataError(f"stopped at step {end}: the loss is not finite")
                rows += [(step, f"{loss:.9g}") for step, loss in enumerate(losses, begin + 1)]
                report(end, f"loss {losses.mean():.4f}")
                if end % settings.save_every == 0 or end == settings.steps:
                    if jax.process_index() == 0:
                        write_csv(curve, [*COLUMNS], rows)
                    with interrupts_wait():
                        save(checkpoints, end, run, depends_on)
    return graph, run, rows


def conclude(settings: Settings, results: Mapping[str, Any], rows: Sequence[Any], console: Console) -> None:
    """Prints the results, and writes them with the curve's picture."""
    loss, unigram = (results[name] for name in ("held_out_loss", "unigram_loss"))
    cells = [
        [name, *(f"{size / 2**20:.2f}" for size in results[f"bytes_of_{name}"])]
        for name in ("parameters", "state")
    ]
    print_table(console, "Memory in MiB", ("", "all devices", "one device"), cells)
    console.print(f"Held-out loss {loss:.4f} nats per word; that of the words' frequencies is {unigram:.4f}.")
    pictures = write_picture(settings.out / "curve.png", lambda: draw(rows, unigram))
    with atomic(settings.out / "summary.json") as partial:
        partial.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    others = (settings.out / name for name in ("checkpoints", "curve.csv", "summary.json"))
    files = ", ".join(map(str, (*others, *pictures)))
    console.print(f"Wrote {files} after {results['seconds']:.0f} s.", soft_wrap=True)


def main(arguments: Sequence[str]) -> None:
    """Trains; writes ``checkpoints/``, ``curve.csv``, at the end ``summary.json`` and the curve's picture."""
    settings = read(arguments, __doc__)
    check_folder(settings.out)
    if_interrupted("It goes on at its last checkpoint", "examples", "train_sharded", *arguments)
    started = time.monotonic()
    silence_orbax()
    corpus = standard_library(settings.megabytes, RARE, settings.vocabulary)
    depends_on = identity(settings, corpus)
    join(settings, depends_on)
    mesh = make_mesh(settings.mesh)
    check(settings, mesh, corpus)
    console = make_console()
    console.quiet = jax.process_index() > 0
    sizes = " x ".join(f"{name}={size}" for name, size in mesh.shape.items())
    console.print(f"{device_line()}; mesh {sizes}; processes: {jax.process_count()}", soft_wrap=True)
    console.print(f"Text: {corpus.source}, {len(corpus.train):,} words", soft_wrap=True)

    with jax.set_mesh(mesh), ended_together():
        graph, run, rows = fit(settings, corpus, mesh, console)
        shape = HELD_OUT, settings.batch, settings.length
        held_out = spread_windows(corpus.held_out, shape, mesh)
        loss = float(make_measure(graph)(run.params, held_out))
        if jax.process_index() > 0:
            return
        versions = {package.__name__: package.__version__ for package in (jax, flax, optax, np)}
        results = {
            "settings": depends_on,
            "versions": versions,
            "device": device_line(),
            "processes": jax.process_count(),
            "mesh": dict(mesh.shape),
            "bytes_of_parameters": bytes_of(run.params),
            "bytes_of_state": bytes_of(run.opt_state),
            "held_out_loss": loss,
            "unigram_loss": corpus.unigram_loss(),
            "seconds": time.monotonic() - started,
        }
        conclude(settings, results, rows, console)
