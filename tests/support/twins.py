"""The optimizers that this package and optax both have, for tests that put one in the place of the other."""

import functools
from typing import NamedTuple

import jax
import optax

import radam_optax as rx


class Twins(NamedTuple):
    """Two factories of one signature."""

    ours: object
    optax: object

    def __call__(self, *args, **kwargs):
        """Both optimizers, built with the same arguments."""
        return Twins(*(factory(*args, **kwargs) for factory in self))


def twins(name, **settings):
    return Twins(*(functools.partial(getattr(package, name), **settings) for package in (rx, optax)))


TWINS = {
    **{
        name: twins(name)
        for name in ("adabelief", "adadelta", "adagrad", "adam", "adamw", "amsgrad", "nadam", "radam", "yogi")
    },
    "rmsprop": twins("rmsprop", momentum=0.9),
    "sgd": twins("sgd", momentum=0.9, nesterov=True),
}


def side_by_side(follow, names=TWINS, learning_rate=0.1):
    """``follow(optimizer)`` of both twins of every name, in one program: by name, the two results."""
    return jax.jit(
        lambda rate: {name: tuple(map(follow, TWINS[name](learning_rate=rate))) for name in names}
    )(learning_rate)
