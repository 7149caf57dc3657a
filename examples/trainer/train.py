"""A trainer to start from: any optimizer of the catalogue on images, text or pairs of texts."""

import inspect
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from flax.training.dynamic_scale import DynamicScale
from tensorboardX import SummaryWriter

import radam_optax as rx
from examples.data.split import DataError
from examples.lab.console import make_console, task
from examples.lab.device import device_line
from examples.lab.interrupts import if_interrupted
from examples.lab.orbax import interrupts_wait, silence_orbax
from examples.lab.settings import check_folder
from examples.lab.step import Run, differentiate, update
from examples.lab.task import Task, evaluate, loss_of
from examples.trainer.optimizer import OPTIMIZERS, SCHEDULES, evaluated, make_optimizer, make_schedule
from examples.trainer.settings import FILE, Settings, read, write
from examples.trainer.workloads import DATA, make_task
from radam_optax.checkpoint import Checkpoints

PATIENCE = 100  # Batches in a row without finite gradients, after which training stops.


def make_program(
    task: Task, graph: Any, optimizer: optax.GradientTransformation, precision: str
) -> Callable[[Run, Any], tuple[Run, dict[str, jax.Array]]]:
    """The jitted function of a run and batches with leading axes (steps, batches per update).

    It returns the run after these steps and, for each, the means over its batches of loss and gradient norm
    and the norm of the update. The model computes with parameters and real inputs in ``precision``.
    """

    full = loss_of(task, graph)

    def loss_in_precision(params, variables, batch):
        params = optax.tree.cast(params, precision)
        batch = jax.tree.map(
            lambda x: x.astype(precision) if jnp.issubdtype(x.dtype, jnp.floating) else x, batch
        )
        loss, after = full(params, variables, batch)
        after = jax.tree.map(lambda x, was: x.astype(was.dtype), after, variables)
        return loss.astype(jnp.float32), after

    def micro_step(run, batch):
        run, loss, gradients = differentiate(loss_in_precision, run, batch, scaled=precision == "float16")
        run, updates = update(optimizer, run, gradients)
        norms = optax.tree.norm(gradients), optax.tree.norm(updates)
        return run, (loss, *norms)

    def step(run, batches):
        run, (losses, gradient_norms, update_norms) = jax.lax.scan(micro_step, run, batches)
        # Of the updates of accumulated gradients all but one are zero.
        return run, {
            "loss": losses.mean(),
            "gradient_norm": gradient_norms.mean(),
            "update_norm": update_norms.sum(),
        }

    return jax.jit(lambda run, batches: jax.lax.scan(step, run, batches), donate_argnums=0)


def rectifier(state: Any) -> dict[str, float]:
    """rho and r, where the optimizer rectifies."""
    try:
        stats = rx.rectification_stats(state)
    except ValueError:
        return {}
    return {name: float(stats[name]) for name in ("rho", "r")}


def open_folder(settings: Settings) -> Path:
    """The folder of checkpoints; refuses to mix two runs."""
    folder = settings.out / "checkpoints"
    if folder.exists() and not settings.resume:
        raise DataError(
            f"{settings.out}: holds a run; --resume goes on with it, another --out starts a new one"
        )
    return folder


def restore(checkpoints: Checkpoints, run: Run) -> tuple[int, Run]:
    """The newest usable checkpoint."""
    try:
        restored = checkpoints.restore(run.params, (run.variables, run.loss_scale))
    except ValueError as error:
        raise DataError(f"cannot resume: {error}") from error
    if restored is None:
        return 0, run
    step, params, opt_state, (variables, loss_scale) = restored
    return step, Run(params, opt_state, variables, loss_scale)


def describe() -> str:
    """What there is to call, with its arguments."""

    def line(name: str, function: Any, given: int) -> str:
        parameters = list(inspect.signature(function).parameters.values())[given:]
        return f"  {name}({', '.join(str(p.replace(annotation=p.empty)) for p in parameters)})"

    parts = []
    for title, table, given in (
        ("--data", DATA, 1),
        ("--optimizer", OPTIMIZERS, 1),
        ("--schedule", SCHEDULES, 2),
    ):
        parts += [f"{title} is one of", *(line(name, f, given) for name, f in table.items()), ""]
    parts += ["--model is one of resnet(depth, widths), mlp(hidden), logistic for images, lstm for text,"]
    parts += ["transformer for numbers and pairs. Example: --optimizer 'radamw(b2=0.99, weight_decay=0.01)'"]
    return "\n".join(parts)


def main(arguments: Sequence[str]) -> None:
    """Trains; writes checkpoints, TensorBoard scalars and the settings into ``--out``."""
    settings = read(arguments, __doc__, describe())
    check_folder(settings.out)
    silence_orbax()
    folder = open_folder(settings)
    console = make_console()
    console.print(device_line())

    workload = make_task(settings)
    try:
        model = workload.make(nnx.Rngs(settings.seed))
    except (TypeError, ValueError) as error:
        raise DataError(f"--model: {settings.model}: {error}") from error
    graph, params, variables = nnx.split(model, nnx.Param, ...)
    schedule = make_schedule(settings)
    optimizer = optax.apply_if_finite(make_optimizer(settings, params), np.iinfo(np.int32).max)
    program = make_program(workload, graph, optimizer, settings.precision)

    @jax.jit
    def measure(run, held_out):
        params = evaluated(settings.optimizer, run.opt_state, run.params)
        return evaluate(workload, graph, params, run.variables, held_out)

    scale = DynamicScale(growth_interval=1000, fin_steps=jnp.int32(0), scale=jnp.float32(2**15))
    run = Run(params, jax.jit(optimizer.init)(params), variables, scale)

    write(settings)
    again = ("train", "--resume", "--out", str(settings.out))
    if_interrupted("It goes on at its last checkpoint", "examples", *again)
    started = time.monotonic()
    measures: dict[str, float] = {}
    with Checkpoints(folder, optimizer) as checkpoints:
        first, run = restore(checkpoints, run)
        if settings.resume:
            console.print(f"Goes on at step {first}." if first else "No checkpoint yet: starts at step 0.")
        if first >= settings.steps:
            console.print(f"There is nothing left to do: {first} of {settings.steps} steps are done.")
            return
        choices = workload.choose(settings.seed, settings.steps * settings.accumulate)
        board = settings.out / "tensorboard"
        # Files are named by the second, in which a run may be stopped and resumed.
        writer = SummaryWriter(
            str(board), purge_step=first + 1 if first else None, filename_suffix=f".{first}"
        )
        with task(console, settings.optimizer.name, settings.steps) as report:
            step = first
            while step < settings.steps:
                # Chunks end at multiples of --log-every, wherever the run was resumed.
                until = min(settings.steps, (step // settings.log_every + 1) * settings.log_every)
                run, records = program(run, batches(workload, choices, step, until, settings.accumulate))
                records = jax.device_get(records)
                if (missed := int(run.opt_state.notfinite_count)) >= PATIENCE:
                    raise DataError(f"stopped at step {until}: the last {missed} gradients were not finite")
                for index, at in enumerate(range(step + 1, until + 1)):
                    for name, values in records.items():
                        writer.add_scalar(f"train/{name}", float(values[index]), at)
                    writer.add_scalar("train/learning_rate", float(np.asarray(schedule(at - 1))), at)
                measures = {name: float(x) for name, x in measure(run, workload.held_out).items()}
                for name, value in measures.items():
                    writer.add_scalar(f"held_out/{name}", value, until)
                for name, value in rectifier(run.opt_state).items():
                    writer.add_scalar(f"rectifier/{name}", value, until)
                held_out = "  ".join(f"{name} {value:.4f}" for name, value in measures.items())
                report(until, f"loss {records['loss'].mean():.4f}  {held_out}")
                # A step that saves is a multiple of --save-every, or the last.
                if until == settings.steps or until // settings.save_every > step // settings.save_every:
                    writer.flush()
                    with interrupts_wait():
                        checkpoints.save(until, run.params, run.opt_state, (run.variables, run.loss_scale))
                step = until
        writer.close()
    console.print("  ".join(f"{name} {value:.4f}" for name, value in measures.items()))
    if left_out := int(run.opt_state.total_notfinite):
        console.print(f"{left_out} batches were left out: their gradients were not finite.")
    console.print(
        f"Wrote {folder}, {board} and {settings.out / FILE} after {time.monotonic() - started:.0f} s.",
        soft_wrap=True,
    )


def batches(task: Task, choices: Any, step: int, until: int, accumulate: int) -> Any:
    """Those of the steps from ``step`` to ``until``, with leading axes (steps, accumulate)."""
    part = jax.tree.map(lambda x: x[step * accumulate : until * accumulate], choices)
    return jax.tree.map(lambda x: x.reshape(until - step, accumulate, *x.shape[1:]), task.take(part))
