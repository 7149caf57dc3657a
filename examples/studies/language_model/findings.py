"""Whether RAdam's perplexity is lower than Adam's."""

import numpy as np

import radam_optax as rx
from examples.lab.study import Finding
from examples.studies.language_model.optimizers import B2

PUBLISHED = {"Adam": 36.92, "RAdam": 35.70}  # Liu et al. (2020), Fig. 4: test perplexity.
LONG_ENOUGH = 1000  # Steps, 1 / (1 - b2): of a shorter run the rectifier takes more than half the length.
READING = (
    "RAdam counts as lower where it is so with every seed; pairs of runs have the same first weights and the "
    "same batches. Perplexities of different texts do not compare: only the ratios of the two optimizers do."
)
TOO_SHORT = "{} steps are too few to say which of the two ends better: that takes {:,} or more."


def compare(claim: str, published: str, adam: np.ndarray, radam: np.ndarray, steps: int) -> Finding:
    """Whether RAdam's perplexity is lower with every seed, after ``steps`` steps; both of shape (seeds,)."""
    ratios = radam / adam
    measured = (
        f"{radam.mean():.1f} with Adam's {adam.mean():.1f}, ratio {ratios.min():.3f} to {ratios.max():.3f}"
    )
    note = ""
    if ratios.min() < 1 <= ratios.max():
        note = "the seeds differ about it, so neither is shown to be lower."
    elif ratios.min() >= 1:
        taken = 1 - rx.rectification(B2, np.arange(1, steps + 1)).r.mean()
        note = (
            f"the rectifier takes {taken:.0%} of the length of these {steps} steps, and less of a longer "
            "run, which may be why."
        )
    return Finding(claim, published, measured, bool(ratios.max() < 1), note)


def findings(adam: np.ndarray, radam: np.ndarray, chunk: int, unigram: float) -> list[Finding]:
    """The verdict on test perplexities of shape (seeds, points), ``chunk`` steps apart."""
    steps = chunk * adam.shape[1]
    worst = max(adam[:, -1].max(), radam[:, -1].max())
    verdict = [
        Finding(
            "both learn more than how frequent words are",
            "-",
            f"perplexity {worst:.1f} at most; of the frequencies: {unigram:.1f}",
            bool(worst < unigram),
        ),
        compare(f"RAdam starts better, at step {chunk}", "no number", adam[:, 0], radam[:, 0], chunk),
    ]
    published = (
        f"{PUBLISHED['RAdam']:.2f} with Adam's {PUBLISHED['Adam']:.2f}, "
        f"ratio {PUBLISHED['RAdam'] / PUBLISHED['Adam']:.3f} (One Billion Word)"
    )
    if steps < LONG_ENOUGH:
        return verdict
    return [*verdict, compare("RAdam ends better", published, adam[:, -1], radam[:, -1], steps)]
