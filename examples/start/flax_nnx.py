"""RAdamW with Flax NNX: a network on handwritten digits, in nnx.Optimizer, with a checkpoint halfway."""

import argparse
import tempfile
from collections.abc import Sequence

import numpy as np
import optax
from flax import nnx
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import radam_optax as rx
from radam_optax.checkpoint import Checkpoints

CHAIN = optax.chain(optax.clip_by_global_norm(1.0), rx.radamw(0.01, weight_decay=0.01))


class Network(nnx.Module):
    """Two 3 x 3 convolutions, the second with stride 2, and a linear layer."""

    def __init__(self, rngs: nnx.Rngs):
        self.conv1 = nnx.Conv(1, 8, (3, 3), rngs=rngs)
        self.conv2 = nnx.Conv(8, 16, (3, 3), strides=2, rngs=rngs)
        self.linear = nnx.Linear(4 * 4 * 16, 10, rngs=rngs)

    def __call__(self, images):
        x = nnx.relu(self.conv1(images))
        x = nnx.relu(self.conv2(x))
        return self.linear(x.reshape(x.shape[0], -1))


def start(seed):
    """A model and its optimizer, before the first step."""
    model = Network(nnx.Rngs(seed))
    return model, nnx.Optimizer(model, CHAIN, wrt=nnx.Param)


@nnx.jit
def train_step(model, optimizer, images, labels):
    """Changes model and optimizer in place; returns the loss before that."""

    def cross_entropy(model):
        return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()

    loss, gradients = nnx.value_and_grad(cross_entropy)(model)
    optimizer.update(model, gradients)
    return loss


@nnx.jit
def accuracy(model, images, labels):
    """The fraction of the images whose largest logit is at their label."""
    return (model(images).argmax(axis=-1) == labels).mean()


def save(folder, step, model, optimizer):
    """Writes a checkpoint of NNX's states, as they are."""
    with Checkpoints(folder, CHAIN) as checkpoints:
        checkpoints.save(step, nnx.state(model, nnx.Param), optimizer.opt_state, {"step": optimizer.step})


def restore(folder, model, optimizer):
    """Changes model and optimizer in place to what the newest checkpoint holds."""
    with Checkpoints(folder, CHAIN) as checkpoints:
        restored = checkpoints.restore(
            nnx.state(model, nnx.Param), {"step": optimizer.step}, opt_state=optimizer.opt_state
        )
    assert restored  # It is None where there is no checkpoint.
    nnx.update(model, restored.params)
    nnx.update(optimizer, nnx.state({"opt_state": restored.opt_state} | restored.extra))


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains, and prints loss, test accuracy and how far the rectifier has opened."""
    parser = argparse.ArgumentParser("flax_nnx", description=__doc__)
    parser.add_argument("--steps", type=int, default=1000, help="default: %(default)s")
    steps = parser.parse_args(arguments).steps

    pixels, digits = load_digits(return_X_y=True)
    images, labels = pixels.reshape(-1, 8, 8, 1).astype(np.float32) / 16, digits.astype(np.int32)
    train_x, test_x, train_y, test_y = train_test_split(images, labels, test_size=540, random_state=0)

    model, optimizer = start(seed=0)
    rng = np.random.default_rng(0)
    for step in range(1, steps + 1):
        batch = rng.integers(len(train_x), size=32)
        loss = train_step(model, optimizer, train_x[batch], train_y[batch])
        if step % 100 == 0 or step in (1, steps):
            now = rx.rectification_stats(optimizer.opt_state)
            rectifier = f"rho {float(now['rho']):6.1f}  r {float(now['r']):.3f}"
            print(
                f"step {step:4}  loss {loss:.4f}  accuracy {accuracy(model, test_x, test_y):.1%}  {rectifier}"
            )
        if step == steps // 2:
            with tempfile.TemporaryDirectory() as folder:
                save(folder, step, model, optimizer)
                model, optimizer = start(seed=1)  # As in another process.
                restore(folder, model, optimizer)


if __name__ == "__main__":
    main()
