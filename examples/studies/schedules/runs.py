"""The runs of the study, by what they were told, and the best of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from examples.studies.schedules.methods import (
    ADAM,
    ADAM_UNWARMED,
    METHODS,
    PEAKS,
    RADAM,
    RADAM_TO_HALF,
    Setting,
)

COLUMNS = ("method", "peak", "warmup", "length", "seed", "step", "train_perplexity", "test_perplexity")


class Runs(NamedTuple):
    """Of one method: perplexities of shape (settings, seeds, points)."""

    settings: Sequence[Setting]
    train: np.ndarray
    test: np.ndarray

    def where(self, told: Callable[[Setting], bool]) -> "Runs":
        """Those of some of the settings."""
        kept = [i for i, setting in enumerate(self.settings) if told(setting)]
        return Runs([self.settings[i] for i in kept], self.train[kept], self.test[kept])

    @property
    def best(self) -> int:
        """The index of the setting that ends lowest on held-out text, in the mean over the seeds."""
        ends = self.test[:, :, -1].mean(axis=1)
        return int(np.where(np.isfinite(ends), ends, np.inf).argmin())

    @property
    def at_best(self) -> np.ndarray:
        """Perplexity on held-out text with that setting, of shape (seeds, points)."""
        return self.test[self.best]

    def at_peaks(self) -> np.ndarray:
        """The same at the end with the best of the other settings, of shape (peaks, seeds)."""
        return np.stack([self.where(lambda s, p=peak: s.peak == p).at_best[:, -1] for peak in PEAKS])


def contestants(results: Mapping[str, Runs], steps: int) -> dict[str, Runs]:
    """The methods, and what is seen of them when they are told less, or that training ends sooner."""
    whole = {name: runs.where(lambda s: s.length == steps) for name, runs in results.items()}
    return whole | {
        ADAM_UNWARMED: results[ADAM].where(lambda s: s.warmup == 0),
        RADAM_TO_HALF: results[RADAM].where(lambda s: s.length < steps),
    }


def told(name: str) -> str:
    """What a contestant has to be told besides the peak."""
    return METHODS[name].told if name in METHODS else "length"


def rows(results: Mapping[str, Runs], chunk: int) -> Iterator[tuple[object, ...]]:
    """All runs, tidy, in the order of ``COLUMNS``; ``step`` is the last one of a chunk."""
    for name, runs in results.items():
        for setting, seed, point in np.ndindex(runs.test.shape):
            measures = runs.train[setting, seed, point], runs.test[setting, seed, point]
            yield name, *runs.settings[setting], seed, (point + 1) * chunk, *measures
