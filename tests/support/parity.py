"""What optimizers of different frameworks are compared over: the gradients, and a distance of two paths."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

STEPS, SIZE = 1000, 6


def make_noise():
    """Of order 1, but: spikes of 100, a fall to 0.01, zeros for a while and at random, one constant sign."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(STEPS, SIZE))
    noise[:, 0] = np.abs(noise[:, 0])
    noise[[300, 650], ::2] *= 1e2
    noise[500:] *= 1e-2
    noise[:3, 1] = 0
    noise[700:750, 2] = 0
    noise[rng.random(noise.shape) < 0.03] = 0
    return noise.astype("float32").astype("float64")


NOISE = make_noise()


# Of the size of a network's weights: in float32 1000 roundings of numbers near 1 alone are 1e-5.
START = 0.1 * np.random.default_rng(1).normal(size=SIZE).astype("float32").astype("float64")


def follow(tx, dtype="float64", noise=NOISE, start=START):
    """The parameters after each step, in float64."""
    return follow_each({"it": tx}, dtype, noise, start)["it"]


def parameters(p, state):
    del state
    return p


def follow_each(txs, dtype="float64", noise=NOISE, start=START, readout=parameters):
    """The same of several, as one program, or what else ``readout`` makes of parameters and state."""

    def step(carry, g):
        carry = {name: stepped(txs[name], g, *pair) for name, pair in carry.items()}
        return carry, {name: readout(*pair) for name, pair in carry.items()}

    def stepped(tx, g, p, state):
        updates, state = tx.update(g, state, p)
        return optax.apply_updates(p, updates), state

    def paths(p, noise):
        return jax.lax.scan(step, {name: (p, tx.init(p)) for name, tx in txs.items()}, noise)[1]

    with jax.enable_x64(dtype == "float64"):
        found = jax.jit(paths)(jnp.asarray(start, dtype), jnp.asarray(noise, dtype))
        return jax.tree.map(lambda path: np.asarray(path, "float64"), found)


def follow_torch(make, dtype="float64", readout=parameters):
    """The same of an optimizer of PyTorch, which ``make`` makes of its parameters."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))  # Of NAdam's product of momenta.
    try:
        p = torch.tensor(START, dtype=getattr(torch, dtype), requires_grad=True)
        optimizer = make([p])
        path = []
        for g in NOISE:
            p.grad = torch.tensor(g, dtype=p.dtype)
            optimizer.step()
            path.append(readout(p, optimizer).detach().numpy().astype("float64"))
        return np.array(path)
    finally:
        torch.set_default_dtype(before)


def distance(actual, expected):
    """At the worst step, relative to the largest value that a parameter takes on the way."""
    return (np.abs(actual - expected) / np.abs(expected).max(axis=0)).max()


def build(make, arguments):
    """In x64 mode, so that hyperparameters keep their last bit."""
    with jax.enable_x64(True):
        return make(**arguments)
