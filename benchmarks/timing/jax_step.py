"""An optimizer's step in JAX that can be timed, with what the compiler says about it."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.subjects.step import compiled_step, nbytes
from benchmarks.timing.rounds import Timer, timer

Gradients = dict[str, jax.Array]


def gradients_of(shapes: Sequence[tuple[int, ...]]) -> Gradients:
    """Standard normal gradients, float32; always the same."""
    draw = np.random.default_rng(0)
    return {f"leaf{i}": jnp.asarray(draw.standard_normal(s, np.float32)) for i, s in enumerate(shapes)}


class JaxStep:
    """A training step that goes on from call to call.

    ``bytes`` is the least that it has to move: gradients are read, parameters and state read and written.
    ``accessed_bytes`` and ``temp_bytes`` are the compiler's count of what it reads and writes, and of its
    temporary buffers.
    """

    def __init__(self, tx: optax.GradientTransformation, gradients: Gradients):
        self._gradients = gradients
        self._params = jax.tree.map(jnp.copy, gradients)
        self._state = tx.init(self._params)
        self.bytes = nbytes(gradients) + 2 * nbytes((self._params, self._state))
        self._step = compiled_step(tx, self._params, self._state, gradients)
        # Not every backend counts; where one does not, the figure is missing and nothing else.
        cost = self._step.cost_analysis() or {}
        memory = self._step.memory_analysis()
        self.accessed_bytes = int(cost["bytes accessed"]) if "bytes accessed" in cost else None
        self.temp_bytes = memory.temp_size_in_bytes if memory else None

    def timer(self) -> Timer:
        return timer(self._call, lambda: jax.block_until_ready((self._params, self._state)))

    def _call(self) -> None:
        self._params, self._state = self._step(self._params, self._state, self._gradients)
