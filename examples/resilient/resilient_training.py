"""Training that survives NaN, overflow in float16, SIGKILL, corrupted checkpoints and a full disk."""

import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from flax import nnx
from rich.console import Console

import radam_optax as rx
from examples.data import digits
from examples.data.split import batch_indices
from examples.lab.console import make_console, print_table, task
from examples.lab.device import device_line
from examples.lab.files import read_csv, write_csv
from examples.lab.interrupts import if_interrupted
from examples.lab.orbax import interrupts_wait, silence_orbax
from examples.lab.settings import Count, Folder, Switch, check_folder
from examples.lab.settings import read as read_flags
from examples.lab.step import Run
from examples.models.convolutional import Network
from examples.resilient.faults import KINDS, draw
from examples.resilient.guarded import digest, guard, make_program, start
from examples.tasks.classification import accuracy
from radam_optax.checkpoint import Checkpoints

OPTIMIZERS = {"radamw": rx.radamw(0.01, weight_decay=0.01), "amsgrad": rx.amsgrad(0.01)}
PATIENCE = 20  # Steps without a finite gradient, one after the other, that end the run.
QUICK = 200  # Steps.
COLUMNS = {"step": int, "train_loss": float, "skipped": int, "loss_scale": float, "digest": str}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a run is made of."""

    optimizer: Literal["radamw", "amsgrad"] = "radamw"
    """with the settings that are in the source"""
    steps: Count = 1000
    """rounded up to whole saves; with --quick 200, unless given"""
    save_every: Count = 50
    """steps"""
    seed: Count = 1
    """of weights, batches and faults"""
    float16: Switch = False
    """compute in float16, with a dynamic loss scale"""
    faults: Switch = False
    """spoil one step in 50 in each of the ways"""
    fresh: Switch = False
    """delete the checkpoints instead of resuming"""
    out: Folder = Path("out/resilient_training")
    """of checkpoints and log"""
    quick: Switch = False
    """200 steps, unless given"""


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
    run = Run(restored.params, restored.opt_state, loss_scale=loss_scale)
    console.print(f"Resumed at step {restored.step}, digest {digest(run)}", soft_wrap=True)
    return restored.step, run


def write_log(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    """One row per checkpoint: the mean loss since the last one, the steps left out since the first."""
    write_csv(path, [*COLUMNS], rows)


def print_faults(faults: np.ndarray, taken: np.ndarray, console: Console) -> None:
    """A table of what was done to the last steps, and how many of them were left out."""
    rows = []
    for kind, name in enumerate(KINDS):
        hit = faults[len(faults) - len(taken) :] == kind
        rows.append([name, str(hit.sum()), str((hit & ~taken).sum())])
    print_table(
        console, f"What was done to the last {len(taken)} steps", ("fault", "steps", "left out"), rows
    )


def read(arguments: Sequence[str]) -> Settings:
    """The settings; ``--quick`` changes what was not given."""
    settings, given = read_flags(Settings, "resilient_training", __doc__, arguments)
    return replace(settings, steps=QUICK) if settings.quick and "steps" not in given else settings


def main(arguments: Sequence[str]) -> None:
    """Trains; writes ``checkpoints/`` and ``log.csv`` on the way."""
    settings = read(arguments)
    check_folder(settings.out)
    silence_orbax()
    every, seed = settings.save_every, settings.seed
    folder, log = settings.out / "checkpoints", settings.out / "log.csv"
    console = make_console()
    console.print(device_line())
    again = [word for word in arguments if word != "--fresh"]
    if_interrupted("It goes on at its last checkpoint", "examples", "resilient_training", *again)
    if settings.fresh:
        shutil.rmtree(folder, ignore_errors=True)

    data, test = digits.load()
    graph, params = nnx.split(Network(nnx.Rngs(seed)))
    optimizer = guard(OPTIMIZERS[settings.optimizer])
    program = make_program(optimizer, graph, settings.float16)
    taken, failure = np.zeros(0, bool), None
    with Checkpoints(folder, optimizer) as checkpoints:
        first, run = resume(checkpoints, start(optimizer, params), seed, console)
        rows: list[Sequence[Any]] = [*read_csv(log, first, COLUMNS)]
        steps = first + -(-max(settings.steps - first, 0) // every) * every
        # The batch and the fault of a step depend on the seed and the step alone.
        batches = batch_indices(seed, steps, len(data.labels), digits.BATCH)
        faults = draw(seed, steps, settings.float16) * settings.faults
        with task(console, settings.optimizer, steps) as report:
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
                scale = float(run.loss_scale.scale) if settings.float16 else 1.0
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
                report(step, f"{status}  scale 2^{np.log2(scale):.0f}" if settings.float16 else status)
        kept = checkpoints.steps()

    if settings.faults:
        print_faults(faults, taken, console)
    correct, left_out = accuracy(nnx.merge(graph, run.params), *test), run.opt_state.total_notfinite
    console.print(f"Test accuracy {correct:.1%} after {steps} steps, {left_out} left out.")
    console.print(f"Digest {digest(run)}", soft_wrap=True)
    if failure:
        raise SystemExit(f"The last save failed; the checkpoints are of steps {kept}.")
