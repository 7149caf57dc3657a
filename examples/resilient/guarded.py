"""Training steps that survive: what is not finite is left out, what is too large is clipped."""

import hashlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from flax.training.dynamic_scale import DynamicScale

from examples.lab.step import Run, differentiate, update
from examples.resilient.faults import spoil_gradients, spoil_images


def guard(optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    """Clips gradients by their norm; leaves out steps with NaN or inf, parameters and state untouched.

    The wrapper of optax gives in after a number of such steps in a row, which the loop has to prevent by
    stopping; this one has practically no such number.
    """
    clipped = optax.chain(optax.clip_by_global_norm(1.0), optimizer)
    return optax.apply_if_finite(clipped, max_consecutive_errors=np.iinfo(np.int32).max)


def start(optimizer: optax.GradientTransformation, params: Any) -> Run:
    """A run before its first step. A scale that is too large for the gradients is soon halved."""
    loss_scale = DynamicScale(growth_interval=100, fin_steps=jnp.int32(0), scale=jnp.float32(2**16))
    return Run(params, jax.jit(optimizer.init)(params), loss_scale=loss_scale)


def make_program(optimizer: optax.GradientTransformation, graph: Any, float16: bool) -> Callable[..., Any]:
    """The jitted function of a run, images, labels and faults, each with a leading axis of steps.

    It returns the run after these steps, and for each step its loss and whether it was taken. With
    ``float16``, the network computes in it, forward and backward; parameters and moments are float32.
    """

    def cross_entropy(
        params: Any, variables: Any, batch: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, Any]:
        images, labels = batch
        if float16:
            params, images = optax.tree.cast(params, jnp.float16), images.astype(jnp.float16)
        logits = nnx.merge(graph, params)(images).astype(jnp.float32)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), variables

    def step(run, batch):
        images, labels, fault = batch
        inputs = spoil_images(fault, images), labels
        run, loss, gradients = differentiate(cross_entropy, run, inputs, scaled=float16)
        run, _ = update(optimizer, run, spoil_gradients(fault, gradients))
        return run, (loss, run.opt_state.last_finite)

    return jax.jit(lambda run, *batches: jax.lax.scan(step, run, batches), donate_argnums=0)


def digest(run: Run) -> str:
    """The same for two runs if and only if they are equal to the last bit."""
    leaves = jax.tree.leaves(jax.device_get(run))
    return hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in leaves)).hexdigest()
