"""The machine's own limit: how fast memory can be read and written at the size of a step."""

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.timing.rounds import Timer, timer

SCALE, COPY = "in-place scale", "copy"


class _Pass:
    """One pass over memory by one fused loop; the result stays where it was donated."""

    def __init__(self, function: Any, *arrays: jax.Array):
        # The array that a copy is written to is not read: JAX would leave it out, and write somewhere else.
        last = len(arrays) - 1
        jitted = jax.jit(function, donate_argnums=last, keep_unused=True)
        self._compiled = jitted.lower(*arrays).compile()
        self._arrays = arrays

    def __call__(self) -> None:
        self._arrays = (*self._arrays[:-1], self._compiled(*self._arrays))

    def wait(self) -> None:
        jax.block_until_ready(self._arrays)


def limit_timers(bytes_moved: int) -> dict[str, Timer]:
    """Both ways to move so many bytes, half of them read and half written, in arrays of float32."""
    x = jnp.ones(max(1, bytes_moved // 8))  # Of every 8 bytes a float32 is read, and one is written.
    passes = {
        SCALE: _Pass(_scaled, x + 0),
        COPY: _Pass(lambda source, target: _scaled(source), x, x + 0),
    }
    return {name: timer(one, one.wait) for name, one in passes.items()}


def _scaled(x):
    return x * 0.999999  # A factor of 1 would be compiled to nothing, or to another kind of copy.
