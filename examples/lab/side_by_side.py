"""Many optimizers train the same model side by side in one program, which is compiled once.

The gradients of all cases come from one program that is mapped over them; only the updates, cheap to
compile, are traced optimizer by optimizer, and see all parameters as one vector: an operation per
optimizer instead of one per leaf, which is what keeps the program small.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.flatten_util import ravel_pytree

from examples.lab.step import Run, differentiate, update
from examples.lab.task import Task, evaluate, loss_of
from examples.lab.training import Loops

# Bins of |g|, by powers of ten; what lies outside counts in the first and the last.
EDGES = np.arange(-12, 0.26, 0.25)


def magnitudes(gradient: jax.Array) -> jax.Array:
    """How many components of a gradient have log10 |g| in each bin of EDGES; int32."""
    edges = jnp.asarray(10.0 ** EDGES[1:-1], gradient.dtype)
    below = jax.lax.map(lambda edge: (jnp.abs(gradient) < edge).sum(dtype=jnp.int32), edges)
    return jnp.diff(below, prepend=0, append=gradient.size).astype(jnp.int32)


def side_by_side(
    study: Loops,
    name: str,
    task: Task,
    optimizers: Sequence[optax.GradientTransformation],
    *,
    seeds: int,
    steps: int,
    chunk: int,
    watched: Sequence[int] = (),
    status: Callable[[dict[str, np.ndarray]], str],
) -> dict[str, np.ndarray]:
    """Trains a model per optimizer and seed for ``steps`` steps, a multiple of ``chunk``.

    A seed fixes the first weights and the batches, so all optimizers start and go on alike.

    Args:
      study: whose progress it is part of.
      name: of these runs, unique in the study.
      task: what to learn.
      optimizers: one per case.
      seeds: how many, from 0.
      steps: of the optimizers.
      chunk: steps between two evaluations.
      watched: the steps, from 1, whose gradients are put into bins.
      status: a few words on a record: ``train_loss`` of shape (chunk, cases), and the task's measures.

    Returns:
      ``train_loss`` of shape (cases, seeds, steps), the task's measures of shape (cases, seeds,
      steps / chunk), and ``magnitudes`` of shape (cases, seeds, watched, bins).
    """

    def gradient(params, variables, batch, watch):
        run = Run(unravel(params), (), variables)
        run, loss, slope = differentiate(loss_of(task, graph), run, batch)
        slope, _ = ravel_pytree(slope)
        nothing = jnp.zeros(len(EDGES) - 1, jnp.int32)
        return loss, run.variables, slope, jax.lax.cond(watch, magnitudes, lambda _: nothing, slope)

    def step(runs, inputs):
        batch, watch = inputs
        losses, variables, slopes, bins = jax.lax.map(
            lambda run: gradient(*run, batch=batch, watch=watch), (runs.params, runs.variables)
        )
        after = [
            update(optimizer, Run(runs.params[case], runs.opt_state[case]), slopes[case])[0]
            for case, optimizer in enumerate(optimizers)
        ]
        states = tuple(run.opt_state for run in after)
        return Run(jnp.stack([run.params for run in after]), states, variables), (losses, bins)

    @jax.jit
    def program(runs, batches, watch, held_out):
        runs, (losses, bins) = jax.lax.scan(step, runs, (batches, watch))
        measures = jax.lax.map(
            lambda run: evaluate(task, graph, unravel(run[0]), run[1], held_out),
            (runs.params, runs.variables),
        )
        return runs, {"train_loss": losses, "magnitudes": bins} | measures

    held_out = jax.device_put(task.held_out)
    watch = np.isin(np.arange(1, steps + 1), watched)
    results = []
    for seed in range(seeds):
        graph, params, variables = nnx.split(task.make(nnx.Rngs(seed)), nnx.Param, ...)
        choices = task.choose(seed, steps)

        def inputs(i, choices=choices):
            part = slice(i * chunk, (i + 1) * chunk)
            return task.take(jax.tree.map(lambda x: x[part], choices)), watch[part], held_out

        params, unravel = ravel_pytree(params)
        states = tuple(optimizer.init(params) for optimizer in optimizers)
        copies = [(params, variables)] * len(states)
        params, variables = jax.tree.map(lambda *x: jnp.stack(x), *copies)
        runs = Run(params, states, variables)
        title = f"{name}, seed {seed}" if seeds > 1 else name
        _, records = study.scan(title, program, runs, inputs, steps // chunk, status, chunk)
        for key in ("train_loss", "magnitudes"):
            records[key] = records[key].reshape(steps, *records[key].shape[2:])
        records["magnitudes"] = records["magnitudes"][watch]
        results.append({key: np.moveaxis(values, 0, 1) for key, values in records.items()})
    return {key: np.stack([result[key] for result in results], axis=1) for key in results[0]}
