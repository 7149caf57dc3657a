"""RAdam with Equinox: a multilayer perceptron on handwritten digits."""

import argparse
from collections.abc import Sequence

import equinox as eqx
import jax
import numpy as np
import optax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import radam_optax as rx

OPTIMIZER = rx.radam(0.01)


@eqx.filter_jit(donate="all")
def train_step(model, state, images, labels):
    """Model and state after a step, and the loss before it."""

    def cross_entropy(model):
        return optax.softmax_cross_entropy_with_integer_labels(jax.vmap(model)(images), labels).mean()

    loss, gradients = eqx.filter_value_and_grad(cross_entropy)(model)
    # A model has leaves that are no arrays, its activation say: the optimizer sees the arrays alone.
    updates, state = OPTIMIZER.update(gradients, state, eqx.filter(model, eqx.is_inexact_array))
    return eqx.apply_updates(model, updates), state, loss


@eqx.filter_jit
def accuracy(model, images, labels):
    """The fraction of the images whose largest logit is at their label."""
    return (jax.vmap(model)(images).argmax(axis=-1) == labels).mean()


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains, and prints loss and test accuracy."""
    parser = argparse.ArgumentParser("equinox_mlp", description=__doc__)
    parser.add_argument("--steps", type=int, default=1000, help="default: %(default)s")
    steps = parser.parse_args(arguments).steps

    pixels, digits = load_digits(return_X_y=True)
    images, labels = pixels.astype(np.float32) / 16, digits.astype(np.int32)
    train_x, test_x, train_y, test_y = train_test_split(images, labels, test_size=540, random_state=0)

    model = eqx.nn.MLP(in_size=64, out_size=10, width_size=64, depth=2, key=jax.random.key(0))
    state = OPTIMIZER.init(eqx.filter(model, eqx.is_inexact_array))

    rng = np.random.default_rng(0)
    for step in range(1, steps + 1):
        batch = rng.integers(len(train_x), size=32)
        model, state, loss = train_step(model, state, train_x[batch], train_y[batch])
        if step % 100 == 0 or step in (1, steps):
            print(f"step {step:4}  loss {loss:.4f}  accuracy {accuracy(model, test_x, test_y):.1%}")


if __name__ == "__main__":
    main()
