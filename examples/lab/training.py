"""Training for studies: all runs of an optimizer, learning rates x seeds, in one jitted program."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from examples.lab.step import Run, differentiate, update
from examples.lab.task import Task, evaluate, loss_of


class Loops(Protocol):
    """What carries out the loop of a training: a :class:`examples.lab.study.Study`, or what does without."""

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
        """See :meth:`examples.lab.study.Study.scan`."""
        ...


Recipe = Callable[[Any], optax.GradientTransformation]  # Of a learning rate, traced.


def one_by_one(function: Callable[..., Any], in_axes: Sequence[int | None]) -> Callable[..., Any]:
    """``jax.vmap`` as a loop: for models that fill the machine alone."""

    def looped(*args):
        def call(mapped):
            values = iter(mapped)
            return function(
                *(a if axis is None else next(values) for a, axis in zip(args, in_axes, strict=True))
            )

        return jax.lax.map(call, [a for a, axis in zip(args, in_axes, strict=True) if axis == 0])

    return looped


def train(
    study: Loops,
    name: str,
    task: Task,
    recipe: Recipe,
    rates: Sequence[Any],
    *,
    seeds: int,
    steps: int,
    chunk: int,
    status: Callable[[dict[str, np.ndarray]], str],
    mapped: Callable[..., Any] = jax.vmap,
    evaluated: Callable[[Any, Any], Any] = lambda state, params: params,
) -> dict[str, np.ndarray]:
    """Trains ``len(rates) * seeds`` models for ``steps`` steps, a multiple of ``chunk``.

    A seed fixes the first weights and the batches, so all optimizers start and go on alike. The program is
    compiled once: learning rates are traced, and all chunks have one shape.

    Args:
      study: whose progress it is part of.
      name: of the optimizer, unique in the study.
      task: what to learn.
      recipe: makes the optimizer for a learning rate.
      rates: learning rates, or whatever else the recipe takes.
      seeds: how many, from 0.
      steps: of the optimizer.
      chunk: steps between two points of the curves.
      status: a few words on a point, whose values have shape (rates, seeds).
      mapped: ``jax.vmap``, or :func:`one_by_one`.
      evaluated: the parameters to evaluate, of the optimizer's state and those in training.

    Returns:
      ``train_loss``, the mean over a chunk's batches, and the measures of ``task.evaluate`` at its end,
      each of shape (rates, seeds, steps / chunk).
    """

    def start(rate, params, variables):
        return Run(params, recipe(rate).init(params), variables)

    def run_chunk(run, rate, batches, held_out):
        optimizer, loss_function = recipe(rate), loss_of(task, graph)

        def step(run, batch):
            run, loss, gradients = differentiate(loss_function, run, batch)
            run, _ = update(optimizer, run, gradients)
            return run, loss

        run, losses = jax.lax.scan(step, run, batches)
        params = evaluated(run.opt_state, run.params)
        measures = evaluate(task, graph, params, run.variables, held_out)
        return run, {"train_loss": losses.mean()} | measures

    parts = [nnx.split(task.make(nnx.Rngs(seed)), nnx.Param, ...) for seed in range(seeds)]
    graph = parts[0][0]
    params, variables = (
        jax.tree.map(lambda *x: jnp.stack(x), *part) for part in list(zip(*parts, strict=True))[1:]
    )
    rates_ = jnp.asarray(rates)
    runs = jax.jit(jax.vmap(jax.vmap(start, (None, 0, 0)), (0, None, None)))(rates_, params, variables)
    # Batches differ by seed, not by learning rate.
    program = jax.jit(mapped(mapped(run_chunk, (0, None, 0, None)), (0, 0, None, None)), donate_argnums=0)
    held_out = jax.device_put(task.held_out)
    choices = [task.choose(seed, steps) for seed in range(seeds)]

    def inputs(i):
        parts = (jax.tree.map(lambda x: x[i * chunk : (i + 1) * chunk], choice) for choice in choices)
        return rates_, jax.tree.map(lambda *x: np.stack(x), *map(task.take, parts)), held_out

    _, records = study.scan(name, program, runs, inputs, steps // chunk, status, chunk)
    return {key: np.moveaxis(values, 0, -1) for key, values in records.items()}


def rows_of(
    results: Mapping[str, Mapping[str, np.ndarray]],
    rates: Sequence[float],
    chunk: int,
    measures: Sequence[str],
) -> Iterator[tuple[object, ...]]:
    """The curves of several optimizers, tidy: name, learning rate, seed, last step of the chunk, measures."""
    for name, curves in results.items():
        for rate, seed, point in np.ndindex(curves[measures[0]].shape):
            values = (curves[measure][rate, seed, point] for measure in measures)
            yield name, rates[rate], seed, (point + 1) * chunk, *values
