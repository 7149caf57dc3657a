"""Median and quartiles: what is given of every figure that was measured several times."""

from typing import NamedTuple

import numpy as np


class Spread(NamedTuple):
    """Median and quartiles."""

    median: float
    low: float
    high: float


def spread(values: np.ndarray) -> Spread:
    """Of one figure per round."""
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return Spread(float(median), float(low), float(high))


def exactly(value: float) -> Spread:
    """Of a figure that is counted and not measured, so that every round would give the same."""
    return Spread(value, value, value)
