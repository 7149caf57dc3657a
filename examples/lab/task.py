"""What is learned: a task, its loss as a function of parameters, its measures."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from flax import nnx


class Task(NamedTuple):
    """What is learned: a model, its loss and its data.

    Randomness of a batch is drawn by ``choose``, so that ``take`` only looks up; a model's own (dropout)
    and what else it keeps (batch statistics, a recurrent state) are variables of the model that are no
    :class:`nnx.Param`, and are carried from step to step.
    """

    make: Callable[[nnx.Rngs], nnx.Module]
    loss: Callable[[Any, Any], jax.Array]  # Of a model and a batch: what is minimised, in nats, shape=().
    choose: Callable[
        [int, int], Any
    ]  # From a seed and a number of steps, a tree with a leading axis of steps.
    take: Callable[[Any], Any]  # From (a part of) these choices, the batches, on the host.
    evaluate: Callable[
        [Any, Any], dict[str, jax.Array]
    ]  # Of a model and ``held_out``: named measures, shape=().
    held_out: Any = ()


def loss_of(task: Task, graph: Any) -> Callable[[Any, Any, Any], tuple[jax.Array, Any]]:
    """The function ``loss, variables = f(params, variables, batch)``, to be differentiated."""

    def function(params, variables, batch):
        # A copy, because variables of an outer trace refuse to change.
        model = nnx.merge(graph, params, variables, copy=True)
        loss = task.loss(model, batch)
        return loss, nnx.state(model, nnx.Not(nnx.Param))

    return function


def evaluate(task: Task, graph: Any, params: Any, variables: Any, held_out: Any) -> dict[str, jax.Array]:
    """The task's measures."""
    model = nnx.merge(graph, params, variables, copy=True)
    model.eval()
    return task.evaluate(model, held_out)
