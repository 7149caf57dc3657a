"""Train, stop, resume from a checkpoint: the run ends where one without a stop ends, to the last bit."""

import argparse
import tempfile
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits

import radam_optax as rx
from radam_optax.checkpoint import Checkpoints

OPTIMIZER = rx.radamw(0.01, weight_decay=0.01)


def start(images):
    """Parameters, a linear classifier's, and state before the first step."""
    params = {"kernel": jnp.zeros((images.shape[1], 10)), "bias": jnp.zeros(10)}
    return params, OPTIMIZER.init(params)


@jax.jit
def train_step(params, state, images, labels):
    """Parameters and state after a step, and the loss before it."""

    def cross_entropy(params):
        logits = images @ params["kernel"] + params["bias"]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    loss, gradients = jax.value_and_grad(cross_entropy)(params)
    updates, state = OPTIMIZER.update(gradients, state, params)
    return optax.apply_updates(params, updates), state, loss


def train(params, state, images, labels, steps):
    """The run after these steps; the batch of a step depends on its number alone, so that runs can go on."""
    loss = np.nan
    for step in steps:
        batch = np.random.default_rng(step).integers(len(images), size=32)
        params, state, loss = train_step(params, state, images[batch], labels[batch])
    print(f"step {steps.stop:4}  loss {loss:.4f}")
    return params, state


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains twice, once with a stop in the middle, and compares."""
    parser = argparse.ArgumentParser("resume", description=__doc__)
    parser.add_argument("--steps", type=int, default=200, help="default: %(default)s")
    steps = parser.parse_args(arguments).steps
    half = steps // 2
    pixels, digits = load_digits(return_X_y=True)
    images, labels = pixels.astype(np.float32) / 16, digits.astype(np.int32)

    whole = train(*start(images), images, labels, range(steps))

    with tempfile.TemporaryDirectory() as folder:
        with Checkpoints(folder, OPTIMIZER, keep=3) as checkpoints:
            params, state = train(*start(images), images, labels, range(half))
            checkpoints.save(half, params, state)

        # Later, in another process. The template says the shapes; the state is the optimizer's.
        template, _ = start(images)
        with Checkpoints(folder, OPTIMIZER) as checkpoints:
            restored = checkpoints.restore(template)
    assert restored  # It is None where there is no checkpoint.
    print(f"Resumed at step {restored.step}")
    resumed = train(restored.params, restored.opt_state, images, labels, range(restored.step, steps))

    pairs = zip(jax.tree.leaves(resumed), jax.tree.leaves(whole), strict=True)
    same = all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)
    print(f"Parameters and state are bitwise the same: {same}")


if __name__ == "__main__":
    main()
