"""The first updates of an optimizer on one stream of gradients: numbers for the pictures of the catalogue."""

import hashlib
import importlib.metadata
import json
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import radam_optax as rx

UPDATES, PARAMETERS = 2000, 256
FALL, SPIKE = (
    100,
    700,
)  # The gradients fall to a tenth after the one, and are thirty times as large at the other.
LEARNING_RATE = 1e-3
SHOWN = np.unique(np.concatenate([np.geomspace(1, UPDATES, 160).round(), np.arange(SPIKE - 2, SPIKE + 12)]))
SHOWN = SHOWN.astype(int)


def gradients():
    """Of shape (UPDATES, PARAMETERS): noise of size 1 about 0.3, then a tenth of it, with one spike."""
    t = np.arange(1, UPDATES + 1)[:, None]
    scale = np.where(t <= FALL, 1.0, 0.1) * np.where(t == SPIKE, 30.0, 1.0)
    noise = np.random.default_rng(0).normal(size=(UPDATES, PARAMETERS))
    return (scale * (0.3 + noise)).astype(np.float32)


def first_steps(name, arguments):
    """Effective rate and root mean square of the update at the updates ``SHOWN``."""
    optimizer = getattr(rx, name)(**{"learning_rate": LEARNING_RATE} | arguments)

    @jax.jit
    def run(gradients):
        def step(carry, gradient):
            params, state = carry
            updates, state = optimizer.update(gradient, state, params)
            size = jnp.sqrt(jnp.mean(updates**2))
            return (params + updates, state), (rx.effective_rate(updates, gradient), size)

        params = jnp.zeros(PARAMETERS)
        return jax.lax.scan(step, (params, optimizer.init(params)), gradients)[1]

    rate, size = (np.asarray(x)[SHOWN - 1] for x in run(gradients()))
    return {"rate": rate.tolist(), "update": size.tolist()}


def version(name, arguments):
    """A digest of what the numbers depend on: the sources of the package and of this file, and jaxlib."""
    digest = hashlib.sha256(f"{importlib.metadata.version('jaxlib')} {name} {arguments}".encode())
    for path in (Path(__file__), *sorted(Path(rx.__file__).parent.rglob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def cached(name, arguments, folder):
    """The first steps, from a file of the folder if it has been made from the same sources."""
    file = folder / f"{version(name, arguments)}.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # Whole or not at all, whoever else builds at this time.
        partial = file.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(first_steps(name, arguments)))
        partial.replace(file)
    return json.loads(file.read_text())
