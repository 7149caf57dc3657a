"""Three surfaces over the plane that optimizers find hard, each for another reason."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

GENTLE, STEEP = 0.2, 18.0  # Curvatures along the ravine and across it: a condition number of 90.
# Its axis is 20 degrees from the x-axis: a method that scales x and y apart cannot undo the scaling.
AXIS = np.deg2rad(20.0)


class Surface(NamedTuple):
    """A height over the plane, dimensionless, and where a run begins."""

    name: str
    height: Callable[[Any, Any], Any]  # Of x and y, elementwise.
    start: tuple[float, float]
    minima: tuple[tuple[float, float], ...]  # All of them, the deepest first.
    window: tuple[float, float, float, float]  # Left, right, bottom, top of its picture.


def along_and_across(x: Any, y: Any) -> tuple[Any, Any]:
    """The coordinates of a point along the ravine and across it."""
    return np.cos(AXIS) * x + np.sin(AXIS) * y, np.cos(AXIS) * y - np.sin(AXIS) * x


def ravine(x: Any, y: Any) -> Any:
    """A quadratic with one minimum, at 0."""
    along, across = along_and_across(x, y)
    return (GENTLE * along**2 + STEEP * across**2) / 2


def saddle(x: Any, y: Any) -> Any:
    """``x^2 / 2 - y^2 / 2 + y^4 / 4``: curvatures 1 and -1 at the saddle in 0, minima at y = 1 and -1."""
    return x**2 / 2 - y**2 / 2 + y**4 / 4


def camel(x: Any, y: Any) -> Any:
    """A quarter of the six-hump camel back of Dixon & Szego (1978), so that one learning rate suits all."""
    return ((4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2) / 4


_CAMEL = ((0.0898420, -0.7126564), (-1.7036067, 0.7960836), (1.6071048, 0.5686515))

SURFACES = (
    Surface(
        f"a ravine: curvatures {STEEP:g} and {GENTLE:g}",
        ravine,
        (-4.0, -1.0),
        ((0.0, 0.0),),
        (-4.6, 0.9, -2.6, 0.6),
    ),
    Surface(
        "a saddle: curvatures 1 and -1",
        saddle,
        (-1.0, 0.01),
        ((0.0, 1.0), (0.0, -1.0)),
        (-1.2, 0.8, -0.25, 1.35),
    ),
    Surface(
        "six minima: the camel back",
        camel,
        (-1.95, -0.3),
        tuple((sign * x, sign * y) for x, y in _CAMEL for sign in (1, -1)),
        (-2.15, 2.15, -1.15, 1.15),
    ),
)
