"""Time of one compiled step, donated buffers, interleaved: ratio to optax at three shapes."""

import statistics
import time

import jax
import jax.numpy as jnp
import optax

import radam_optax as rx

SHAPES = {"1 x 8M": (1, 8_000_000), "100 x 80k": (100, 80_000), "1000 x 1k": (1000, 1_000)}
ROUNDS = 30


def compiled_step(tx: optax.GradientTransformation):
    """The compiled training step of an optimizer; parameters and state are updated in place."""

    def step(grads, state, params):
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    return jax.jit(step, donate_argnums=(1, 2))


def main() -> None:
    print("| recipe  | leaves | step, ratio to optax | bytes accessed, ratio |")
    print("|---------|--------|----------------------|-----------------------|")
    for name in ("adam", "amsgrad", "radam", "rmsprop"):
        for label, (leaves, size) in SHAPES.items():
            grads = {f"layer{i}": jnp.ones(size) for i in range(leaves)}
            runs = []
            for package in (optax, rx):
                tx = getattr(package, name)(1e-3)
                params = jax.tree.map(jnp.copy, grads)
                state = tx.init(params)
                step = compiled_step(tx).lower(grads, state, params).compile()
                runs.append([step, params, state, []])
            for _ in range(ROUNDS):
                for run in runs:
                    step, params, state, seconds = run
                    start = time.perf_counter()
                    params, state = jax.block_until_ready(step(grads, state, params))
                    seconds.append(time.perf_counter() - start)
                    run[1:3] = params, state
            theirs, ours = (statistics.median(run[3][3:]) for run in runs)
            bytes_ = [run[0].cost_analysis()["bytes accessed"] for run in runs]
            print(f"| {name:7} | {label} | {ours / theirs:.2f} | {bytes_[1] / bytes_[0]:.3f} |")
