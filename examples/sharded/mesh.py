"""Training on a mesh of devices: its axes, each process's rows of a batch, and the step."""

import argparse
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from examples.data.split import DataError
from examples.lab.options import positive_int
from examples.lab.step import update
from examples.models.decoder import DATA, FSDP, ROWS

AXES = (DATA, FSDP)


def mesh_sizes(text: str) -> dict[str, int]:
    """An argparse type: the sizes of axes of the mesh, ``data=2,fsdp=4``."""
    sizes: dict[str, int] = {}
    for part in text.split(","):
        name, _, size = part.partition("=")
        if name not in AXES:
            raise argparse.ArgumentTypeError(f"there is no axis {name!r}; there are {', '.join(AXES)}")
        if name in sizes:
            raise argparse.ArgumentTypeError(f"{name} is given twice")
        sizes[name] = positive_int(size)
    return sizes


def make_mesh(sizes: Mapping[str, int] | None) -> Mesh:
    """All devices of all processes; by default, as one axis ``fsdp``."""
    devices = jax.devices()
    sizes = sizes or {FSDP: len(devices)}
    if prod(sizes.values()) != len(devices):
        product = " x ".join(f"{name}={size}" for name, size in sizes.items())
        processes = f" in {jax.process_count()} processes" if jax.process_count() > 1 else ""
        raise DataError(
            f"--mesh: {product} makes {prod(sizes.values())} devices, and there are {len(devices)}{processes}"
        )
    shape = tuple(sizes.get(axis, 1) for axis in AXES)
    return jax.make_mesh(shape, AXES, axis_types=(AxisType.Auto,) * len(AXES))


def windows(text: np.ndarray, starts: np.ndarray, length: int, mesh: Mesh) -> jax.Array:
    """The ``length + 1`` words from each of ``starts``, which has shape (batches, batch), on.

    A process reads only the rows that its devices hold.
    """

    def read(index):
        return text[starts[index[:2]][..., None] + np.arange(length + 1)]

    sharding = NamedSharding(mesh, PartitionSpec(None, *ROWS))
    return jax.make_array_from_callback((*starts.shape, length + 1), sharding, read)


def random_windows(
    text: np.ndarray, seed: int, step: int, shape: tuple[int, int, int], mesh: Mesh
) -> jax.Array:
    """Those of a step, the same on any mesh; ``shape`` is (batches, batch, length)."""
    *counts, length = shape
    starts = np.random.default_rng((seed, step)).integers(len(text) - length, size=counts)
    return windows(text, starts, length, mesh)


def spread_windows(text: np.ndarray, shape: tuple[int, int, int], mesh: Mesh) -> jax.Array:
    """Those that begin at even distances; ``shape`` is as in :func:`random_windows`."""
    *counts, length = shape
    starts = np.linspace(0, len(text) - length - 1, prod(counts)).astype(int)
    return windows(text, starts.reshape(counts), length, mesh)


def loss_of(graph: Any, params: Any, texts: jax.Array) -> jax.Array:
    """Nats per word, each predicted from those before it; ``texts`` has shape (n, length + 1)."""
    logits = nnx.merge(graph, params)(texts[:, :-1])
    return optax.softmax_cross_entropy_with_integer_labels(logits, texts[:, 1:]).mean()


def make_step(graph: Any, optimizer: optax.GradientTransformation) -> Callable[..., Any]:
    """The jitted ``run, loss = step(run, batches)``.

    The gradient is the mean over batches, of shape (n, batch, length + 1), that are gone through one by one.
    """

    def step(run, batches):
        def add(total, batch):
            return jax.tree.map(
                jnp.add, total, jax.value_and_grad(loss_of, 1)(graph, run.params, batch)
            ), None

        zeros = jnp.zeros(()), jax.tree.map(jnp.zeros_like, run.params)
        total, _ = jax.lax.scan(add, zeros, batches)
        loss, gradients = jax.tree.map(lambda x: x / len(batches), total)
        run, _ = update(optimizer, run, gradients)
        return run, loss

    return jax.jit(step, donate_argnums=0)


def make_measure(graph: Any) -> Callable[..., jax.Array]:
    """The jitted mean loss of ``params`` on batches as in :func:`make_step`."""
    return jax.jit(
        lambda params, batches: jax.lax.map(lambda batch: loss_of(graph, params, batch), batches).mean()
    )


def bytes_of(tree: Any) -> tuple[int, int]:
    """Of all its arrays, and of what one device holds of them."""
    leaves = jax.tree.leaves(tree)
    return sum(x.nbytes for x in leaves), sum(x.addressable_shards[0].data.nbytes for x in leaves)
