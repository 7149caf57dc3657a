"""AdaBelief rectified, off the menu, with JAX alone: parameters are a tree, a step is a function."""

import argparse
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import radam_optax as rx

# A momentum times an adaptive rate, each a chain of links: the sign belongs to the learning rate.
OPTIMIZER = optax.chain(
    rx.scale_by_adaptive_rate(
        momentum=rx.first_moment(0.9),
        rate=optax.chain(rx.belief_moment(0.999), rx.inverse_root(1e-8), rx.scale_by_rectification(0.999)),
    ),
    optax.scale_by_learning_rate(0.01),
)


def network(params, images):
    """Logits of shape (n, 10) from images of shape (n, 64)."""
    hidden = jax.nn.relu(images @ params["w1"] + params["b1"])
    return hidden @ params["w2"] + params["b2"]


def loss_of(params, images, labels):
    """Mean cross-entropy in nats."""
    return optax.softmax_cross_entropy_with_integer_labels(network(params, images), labels).mean()


def step(params, state, images, labels):
    """Parameters and state after a step, and the loss before it."""
    loss, gradients = jax.value_and_grad(loss_of)(params, images, labels)
    updates, state = OPTIMIZER.update(gradients, state, params)
    return optax.apply_updates(params, updates), state, loss


# Donated, and returned in the order in which they come in, parameters and state are not copied.
train_step = jax.jit(step, donate_argnums=(0, 1))


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains, and prints loss and test accuracy."""
    parser = argparse.ArgumentParser("plain_jax", description=__doc__)
    parser.add_argument("--steps", type=int, default=1000, help="default: %(default)s")
    steps = parser.parse_args(arguments).steps

    pixels, digits = load_digits(return_X_y=True)
    images, labels = pixels.astype(np.float32) / 16, digits.astype(np.int32)
    train_x, test_x, train_y, test_y = train_test_split(images, labels, test_size=540, random_state=0)

    key1, key2 = jax.random.split(jax.random.key(0))
    params = {
        "w1": jax.random.normal(key1, (64, 64)) / 8,
        "b1": jnp.zeros(64),
        "w2": jax.random.normal(key2, (64, 10)) / 8,
        "b2": jnp.zeros(10),
    }
    state = OPTIMIZER.init(params)

    rng = np.random.default_rng(0)
    for i in range(1, steps + 1):
        batch = rng.integers(len(train_x), size=32)
        params, state, loss = train_step(params, state, train_x[batch], train_y[batch])
        if i % 100 == 0 or i in (1, steps):
            accuracy = (network(params, test_x).argmax(axis=-1) == test_y).mean()
            print(f"step {i:4}  loss {loss:.4f}  accuracy {accuracy:.1%}")


if __name__ == "__main__":
    main()
