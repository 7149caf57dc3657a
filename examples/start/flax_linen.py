"""RAdamW in the TrainState of Flax linen, on the handwritten digits of the quickstart."""

import argparse
from collections.abc import Sequence

import jax
import optax
from flax import linen
from flax.training.train_state import TrainState

import radam_optax as rx
from examples.data.digits import BATCH, CLASSES, load
from examples.data.split import batch_indices
from examples.lab.console import device_line, make_console, task
from examples.lab.options import positive_int


class Network(linen.Module):
    """Two 3 x 3 convolutions, the second with stride 2, and a linear layer."""

    @linen.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Logits of shape (n, 10) from images of shape (n, 8, 8, 1)."""
        x = linen.relu(linen.Conv(8, (3, 3))(images))
        x = linen.relu(linen.Conv(16, (3, 3), strides=2)(x))
        return linen.Dense(CLASSES)(x.reshape(x.shape[0], -1))


@jax.jit
def train_step(state: TrainState, images: jax.Array, labels: jax.Array) -> tuple[TrainState, jax.Array]:
    """One step of the optimizer in ``state``; returns the loss before it."""

    def cross_entropy(params):
        logits = state.apply_fn({"params": params}, images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    loss, gradients = jax.value_and_grad(cross_entropy)(state.params)
    return state.apply_gradients(grads=gradients), loss


@jax.jit
def accuracy(state: TrainState, images: jax.Array, labels: jax.Array) -> jax.Array:
    """The fraction of the images whose largest logit is at their label."""
    return (state.apply_fn({"params": state.params}, images).argmax(axis=-1) == labels).mean()


def main(arguments: Sequence[str]) -> None:
    """Trains, and shows loss, test accuracy and the rectifier on the way."""
    parser = argparse.ArgumentParser("python -m examples flax_train_state", description=__doc__)
    parser.add_argument("--steps", type=positive_int, default=1000, help="default: %(default)s")
    steps = parser.parse_args(arguments).steps
    console = make_console()
    console.print(device_line())
    data, test = load()

    network = Network()
    state = TrainState.create(
        apply_fn=network.apply,
        params=network.init(jax.random.key(0), data.images[:1])["params"],
        tx=optax.chain(optax.clip_by_global_norm(1.0), rx.radamw(0.01, weight_decay=0.01)),
    )
    with task(console, "RAdamW, clipped", steps) as report:
        for done, batch in enumerate(batch_indices(0, steps, len(data.labels), BATCH), start=1):
            state, loss = train_step(state, data.images[batch], data.labels[batch])
            if done % 50 == 0 or done == steps:
                now = rx.rectification_stats(state.opt_state)
                rectifier = f"rho {now['rho']:6.1f}  r {now['r']:.3f}"
                report(done, f"loss {loss:.4f}  acc {accuracy(state, *test):5.1%}  {rectifier}")
