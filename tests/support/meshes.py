"""Devices in a mesh, arrays on them, and what a program says to them all."""

import math
import re

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding

COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")


def mesh_of(axis_type, **axes):
    devices = np.reshape(jax.devices()[: math.prod(axes.values())], tuple(axes.values()))
    return Mesh(devices, tuple(axes), axis_types=(axis_type,) * len(axes))


def grid_of(*shape, axis_type=AxisType.Auto):
    """Of one axis, ``x``, or two."""
    return mesh_of(axis_type, **dict(zip("xy", shape, strict=False)))


def put(mesh, x, spec):
    return jax.device_put(x, NamedSharding(mesh, spec))


def collectives(compiled):
    """What each collective of a program makes: its name and the numbers in it."""
    found = re.findall(rf"= (.*?) ({'|'.join(COLLECTIVES)})(?:-start)?\(", compiled.as_text())
    shapes = ((name, re.findall(r"\w+\[([\d,]*)\]", made)) for made, name in found)
    return [(n, sum(math.prod(map(int, s.split(","))) if s else 1 for s in made)) for n, made in shapes]
