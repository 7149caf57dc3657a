"""A step of training: differentiate, then update; and all that it changes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class Run(NamedTuple):
    """All that training changes."""

    params: Any
    opt_state: Any
    variables: Any = ()  # Of the model, besides its parameters.
    loss_scale: Any = ()  # A DynamicScale of Flax, where the model may compute in float16.


def differentiate(
    loss: Callable[[Any, Any, Any], tuple[jax.Array, Any]], run: Run, batch: Any, *, scaled: bool = False
) -> tuple[Run, jax.Array, Any]:
    """The loss on a batch and its gradients; all that changes but for what :func:`update` does.

    Args:
      loss: ``value, variables = loss(params, variables, batch)``; see :func:`examples.lab.task.loss_of`.
      run: before the step.
      batch: of the task.
      scaled: whether ``run.loss_scale`` keeps small gradients from becoming zero, as float16 needs.

    Returns:
      The run with its new variables and loss scale, the loss, and the gradients by the parameters.
    """
    if not scaled:
        (value, variables), gradients = jax.value_and_grad(loss, has_aux=True)(
            run.params, run.variables, batch
        )
        return run._replace(variables=variables), value, gradients
    loss_scale, finite, (value, variables), gradients = run.loss_scale.value_and_grad(loss, has_aux=True)(
        run.params, run.variables, batch
    )
    # A batch that overflows must not leave its traces in the model's variables either.
    variables = jax.tree.map(lambda new, old: jnp.where(finite, new, old), variables, run.variables)
    return run._replace(variables=variables, loss_scale=loss_scale), value, gradients


def update(optimizer: optax.GradientTransformation, run: Run, gradients: Any) -> tuple[Run, Any]:
    """The run after a step of the optimizer, and what was added to the parameters."""
    updates, opt_state = optimizer.update(gradients, run.opt_state, run.params)
    return run._replace(params=optax.apply_updates(run.params, updates), opt_state=opt_state), updates
