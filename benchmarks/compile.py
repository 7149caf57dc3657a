"""Time to trace, and to lower and compile, one training step of 1000 leaves: ratio to optax."""

import statistics
import time

import jax
import jax.numpy as jnp
import optax

import radam_optax as rx

LEAVES, ROUNDS = 1000, 5


def measure(tx: optax.GradientTransformation, params: dict[str, jax.Array]) -> tuple[float, float]:
    """Seconds to trace, and to lower and compile."""

    def step(grads, state, params):
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    start = time.perf_counter()
    traced = jax.jit(step).trace(params, tx.init(params), params)
    middle = time.perf_counter()
    traced.lower().compile()
    return middle - start, time.perf_counter() - middle


def main() -> None:
    params = {f"layer{i}": jnp.zeros((8, 8)) for i in range(LEAVES)}
    print("| recipe  | trace, ratio to optax | lower + compile, ratio to optax |")
    print("|---------|-----------------------|---------------------------------|")
    for name in ("adam", "amsgrad", "radam"):
        ours, theirs = [], []
        for _ in range(ROUNDS):
            theirs.append(measure(getattr(optax, name)(1e-3), params))
            ours.append(measure(getattr(rx, name)(1e-3), params))
        ratios = [
            statistics.median(o[i] for o in ours) / statistics.median(t[i] for t in theirs) for i in (0, 1)
        ]
        print(f"| {name:7} | {ratios[0]:.2f} | {ratios[1]:.2f} |")
