"""Training that survives NaN, overflow in float16, SIGKILL, corrupted checkpoints and a full disk."""

import argparse
import csv
import logging
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from rich.console import Console

import radam_optax as rx
from examples.data import digits as _digits
from examples.data.split import batch_indices
from examples.lab.console import device_line, make_console, print_table, task
from examples.lab.files import write_csv
from examples.lab.options import output_folder, positive_int
from examples.lab.orbax import interrupts_wait
from examples.models.convolutional import Network
from examples.resilient import faults as _faults
from examples.resilient.guarded import Run, digest, guard, make_program, start
from examples.tasks.classification import accuracy
from radam_optax.checkpoint import Checkpoints

OPTIMIZERS = {"radamw": rx.radamw(0.01, weight_decay=0.01), "amsgrad": rx.amsgrad(0.01)}
PATIENCE = 20  # Steps without a finite gradient, one after the other, that end the run.
COLUMNS = ("step", "train_loss", "skipped", "loss_scale", "digest")


def resume(checkpoints: Checkpoints, run: Run, seed: int, console: Console) -> tuple[int, Run]:
    """The step and the run of the newest usable checkpoint, or 0 and the run as it is."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            restored = checkpoints.restore(run.params, (run.loss_scale, jnp.asarray(seed)))
        except ValueError as error:
            raise SystemExit(f"Cannot resume; --fresh would start anew. {error}") from error
    for warning in caught:
        console.print(str(warning.message), soft_wrap=True)
    if restored is None:
        return 0, run
    loss_scale, its_seed = restored.extra
    if its_seed != seed:
        raise SystemExit(
            f"Cannot resume; --fresh would start anew. The checkpoints are of --seed {its_seed}."
        )
    run = Run(restored.params, restored.opt_state, loss_scale)
    console.print(f"Resumed at step {restored.step}, digest {digest(run)}", soft_wrap=True)
    return restored.step, run


def read_log(path: Path, step: int) -> list[list[Any]]:
    """The rows of the log up to a step."""
    if step == 0 or not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in list(csv.reader(file))[1:] if int(row[0]) <= step]


def write_log(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    """One row per checkpoint: the mean loss since the last one, the steps left out since the first."""
    write_csv(path, COLUMNS, rows)


def print_faults(faults: np.ndarray, taken: np.ndarray, console: Console) -> None:
    """A table of what was done to the last steps, and how many of them were left out."""
    rows = []
    for kind, name in enumerate(_faults.KINDS):
        hit = faults[len(faults) - len(taken) :] == kind
        rows.append([name, str(hit.sum()), str((hit & ~taken).sum())])
    print_table(
        console, f"What was done to the last {len(taken)} steps", ("fault", "steps", "left out"), rows
    )


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options; ``--quick`` changes what was not given."""
    parser = argparse.ArgumentParser("python -m examples resilient_training", description=__doc__)
    add = parser.add_argument
    add("--optimizer", choices=OPTIMIZERS, default="radamw", help="default: %(default)s")
    add("--steps", type=positive_int, metavar="N", help="rounded up to whole saves (default: 1000)")
    add("--save-every", type=positive_int, metavar="N", default=50, help="default: %(default)s steps")
    add("--seed", type=positive_int, default=1, help="of weights, batches and faults (default: %(default)s)")
    add("--float16", action="store_true", help="compute in float16, with a dynamic loss scale")
    add("--faults", action="store_true", help=f"spoil one step in {_faults.ONE_IN} in each of the ways")
    add("--fresh", action="store_true", help="delete the checkpoints instead of resuming")
    folder = {"type": output_folder, "default": "out/resilient_training"}
    add("--out", **folder, metavar="DIR", help="default: %(default)s")
    add("--quick", action="store_true", help="200 steps, unless given")
    options = parser.parse_args(arguments)
    options.steps = options.steps or (200 if options.quick else 1000)
    return options


def main(arguments: Sequence[str]) -> None:
    """Trains; writes ``checkpoints/`` and ``log.csv`` on the way."""
    options = parse(arguments)
    logging.getLogger("absl").setLevel(logging.CRITICAL)  # Orbax logs what it raises, once per thread.
    every, seed = options.save_every, options.seed
    folder, log = options.out / "checkpoints", options.out / "log.csv"
    console = make_console()
    console.print(device_line())
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)

    data, test = _digits.load()
    graph, params = nnx.split(Network(nnx.Rngs(seed)))
    optimizer = guard(OPTIMIZERS[options.optimizer])
    program = make_program(optimizer, graph, options.float16)
    taken, failure = np.zeros(0, bool), None
    with Checkpoints(folder, optimizer) as checkpoints:
        first, run = resume(checkpoints, start(optimizer, params), seed, console)
        rows = read_log(log, first)
        steps = first + -(-max(options.steps - first, 0) // every) * every
        # The batch and the fault of a step depend on the seed and the step alone.
        batches = batch_indices(seed, steps, len(data.labels), _digits.BATCH)
        faults = _faults.draw(seed, steps, options.float16) * options.faults
        with task(console, options.optimizer, steps) as report:
            for step in range(first + every, steps + 1, every):
                chunk = slice(step - every, step)
                images, labels = data.images[batches[chunk]], data.labels[batches[chunk]]
                run, (losses, finite) = program(run, images, labels, faults[chunk])
                taken = np.append(taken, finite)
                if (missed := int(run.opt_state.notfinite_count)) >= PATIENCE:
                    raise SystemExit(
                        f"Stopped at step {step}: the last {missed} gradients were not finite. "
                        f"The checkpoints of steps {checkpoints.steps()} stay."
                    )
                loss, left_out = jnp.mean(losses, where=finite), int(run.opt_state.total_notfinite)
                scale = float(run.loss_scale.scale) if options.float16 else 1.0
                rows.append([step, f"{loss:.6g}", left_out, scale, digest(run)])
                try:
                    write_log(log, rows)
                    with interrupts_wait():
                        checkpoints.save(step, run.params, run.opt_state, (run.loss_scale, jnp.asarray(seed)))
                    failure = None
                except OSError as error:
                    failure = error
                    console.print(f"Not saved, training goes on: {error}", soft_wrap=True)
                status = f"loss {loss:.4f}  left out {left_out}"
                report(step, f"{status}  scale 2^{np.log2(scale):.0f}" if options.float16 else status)
        kept = checkpoints.steps()

    if options.faults:
        print_faults(faults, taken, console)
    correct, left_out = accuracy(nnx.merge(graph, run.params), *test), run.opt_state.total_notfinite
    console.print(f"Test accuracy {correct:.1%} after {steps} steps, {left_out} left out.")
    console.print(f"Digest {digest(run)}", soft_wrap=True)
    if failure:
        raise SystemExit(f"The last save failed; the checkpoints are of steps {kept}.")
