"""Every public function, and what each of its required arguments may be."""

import inspect

import jax
import numpy as np
import optax
from jax.sharding import Mesh

import radam_optax as rx

PRESETS, CODECS, SHARDING = (
    {name: getattr(module, name) for name in module.__all__}
    for module in (rx.presets, rx.codecs, rx.sharding)
)

PUBLIC = {
    name: f
    for name, f in (vars(rx) | PRESETS | CODECS | SHARDING).items()
    if inspect.isfunction(f) and not name.startswith("_")
}

MESH = Mesh(np.reshape(jax.devices()[:4], (2, 2)), ("x", "y"))

REQUIRED = {
    "learning_rate": 0.1,
    "peak_value": 0.1,
    "init_value": 0.1,
    "b1": 0.9,
    "b2": 0.999,
    "b3": 0.999,
    "alpha": 5.0,
    "exponent": 0.5,
    "upper": 1.0,
    "name": "momentum",
    "link": rx.square(),
    "direction": rx.sign(),
    "decay": 0.9,
    "momentum": 0.9,
    "count": 3,
    "rho": 5.0,
    "steps": 2,
    "inner": rx.first_moment(0.9),
    "codec": rx.codecs.bfloat16_stochastic(),
    "mesh": MESH,
    "axis": "x",
    "params": np.ones(3, "float32"),
    "state": optax.TraceState(np.ones(3, "float32")),
}
