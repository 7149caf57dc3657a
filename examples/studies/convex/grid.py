"""The grid of alpha and b2 of the convex study, and the best setting on it."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

# Half decades, since the paper does not state its grid of alpha; its values of b2 are these two.
ALPHAS = (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
B2S = (0.99, 0.999)
PAIRS = tuple((alpha, b2) for b2 in B2S for alpha in ALPHAS)


SPLITS = {"train_loss": "training loss", "test_loss": "test loss"}
CHANCE = np.log(10)  # The loss of equal probabilities.

Results = Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]
"""By problem, optimizer and measure: arrays of shape (b2, alpha, seeds, points)."""


def on_grid(losses: np.ndarray) -> np.ndarray:
    """From shape (pairs, seeds, points) to (b2, alpha, seeds, points)."""
    return losses.reshape(len(B2S), len(ALPHAS), *losses.shape[1:])


def at_end(losses: np.ndarray) -> np.ndarray:
    """The mean over the last tenth of the points, the last axis: one point alone may be a lucky one."""
    return losses[..., -max(1, losses.shape[-1] // 10) :].mean(axis=-1)


def final_means(losses: np.ndarray) -> np.ndarray:
    """The loss at the end, mean over the seeds, of shape (b2, alpha); a diverged one is infinite."""
    means = at_end(losses).mean(axis=-1)
    return np.where(np.isfinite(means), means, np.inf)


class Best(NamedTuple):
    """The setting whose mean final loss is the lowest of the grid."""

    alpha: float
    b2: float
    losses: np.ndarray  # Its curves, shape=(seeds, points).

    @classmethod
    def of(cls, losses: np.ndarray) -> "Best":
        """From all curves, of shape (b2, alpha, seeds, points)."""
        means = final_means(losses)
        row, column = np.unravel_index(means.argmin(), means.shape)
        return cls(ALPHAS[column], B2S[row], losses[row, column])

    @property
    def final(self) -> np.ndarray:
        """The loss of each seed at the end."""
        return at_end(self.losses)

    @property
    def at_edge(self) -> bool:
        """Whether a better alpha may lie beyond the grid."""
        return self.alpha in (ALPHAS[0], ALPHAS[-1])

    def __str__(self) -> str:
        """``loss ± sample standard deviation over the seeds (alpha, b2)``."""
        return (
            f"{self.final.mean():.3g} ± {self.final.std(ddof=1):.1g} (alpha {self.alpha:g}, b2 {self.b2:g})"
        )
