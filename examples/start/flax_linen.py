"""RAdamW with Flax linen: a convolutional network on handwritten digits, in Flax's TrainState."""

import argparse
from collections.abc import Sequence

import jax
import numpy as np
import optax
from flax import linen
from flax.training.train_state import TrainState
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import radam_optax as rx


class Network(linen.Module):
    """Two 3 x 3 convolutions, the second with stride 2, and a linear layer."""

    @linen.compact
    def __call__(self, images):
        x = linen.relu(linen.Conv(8, (3, 3))(images))
        x = linen.relu(linen.Conv(16, (3, 3), strides=2)(x))
        return linen.Dense(10)(x.reshape(x.shape[0], -1))


@jax.jit
def train_step(state, images, labels):
    """The state after a step, and the loss before it."""

    def cross_entropy(params):
        logits = state.apply_fn({"params": params}, images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    loss, gradients = jax.value_and_grad(cross_entropy)(state.params)
    return state.apply_gradients(grads=gradients), loss


@jax.jit
def accuracy(state, images, labels):
    """The fraction of the images whose largest logit is at their label."""
    return (state.apply_fn({"params": state.params}, images).argmax(axis=-1) == labels).mean()


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains, and prints loss, test accuracy and how far the rectifier has opened."""
    parser = argparse.ArgumentParser("flax_linen", description=__doc__)
    parser.add_argument("--steps", type=int, default=1000, help="default: %(default)s")
    steps = parser.parse_args(arguments).steps

    pixels, digits = load_digits(return_X_y=True)
    images, labels = pixels.reshape(-1, 8, 8, 1).astype(np.float32) / 16, digits.astype(np.int32)
    train_x, test_x, train_y, test_y = train_test_split(images, labels, test_size=540, random_state=0)

    network = Network()
    state = TrainState.create(
        apply_fn=network.apply,
        params=network.init(jax.random.key(0), train_x[:1])["params"],
        tx=optax.chain(optax.clip_by_global_norm(1.0), rx.radamw(0.01, weight_decay=0.01)),
    )

    rng = np.random.default_rng(0)
    for step in range(1, steps + 1):
        batch = rng.integers(len(train_x), size=32)
        state, loss = train_step(state, train_x[batch], train_y[batch])
        if step % 100 == 0 or step in (1, steps):
            now = rx.rectification_stats(state.opt_state)
            rectifier = f"rho {float(now['rho']):6.1f}  r {float(now['r']):.3f}"
            right = accuracy(state, test_x, test_y)
            print(f"step {step:4}  loss {loss:.4f}  accuracy {right:.1%}  {rectifier}")


if __name__ == "__main__":
    main()
