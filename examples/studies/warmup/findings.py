"""What the study of warmup finds on the papers' claims."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from examples.lab.study import Finding
from examples.studies.warmup.optimizers import (
    ADAM,
    B2,
    EPS,
    EXACT,
    EXPONENTIAL,
    NO_SGD,
    RADAM,
    RAISED,
    TWO_K,
    UNTUNED,
    WARMUP,
    raised,
)

EARLY = 10  # Updates within which Adam distorts the gradients, by the paper.
CLEAR = 0.1  # Nats per symbol; less is no difference.


def findings_of(
    last: Mapping[str, np.ndarray], middle: Mapping[str, np.ndarray], stuck: float, steps: int, warmup: int
) -> list[Finding]:
    """The claims on the losses.

    Args:
      last: training losses at the end, shape (seeds,), by optimizer.
      middle: medians of log10 |g|, shape (seeds, watched), whose first EARLY are steps 1 to EARLY.
      stuck: the loss that is possible without the source.
      steps: of the runs.
      warmup: steps of the tuned warmup.
    """
    short = steps < 2 / (1 - B2)
    factor = raised(steps, warmup)

    def mean(name):
        return float(last[name].mean())

    def losses(*names):
        return ", ".join(f"{name} {mean(name):.2f}" for name in names)

    seeds = len(last[ADAM])
    stuck_seeds = int((~(last[ADAM] < stuck)).sum())
    others = [name for name in last if name not in (ADAM, EPS)]
    untrained = [name for name in others if not (last[name] < stuck - CLEAR).all()]
    untuned = [mean(UNTUNED), mean(EXPONENTIAL)]
    fall = {name: float((middle[name][:, EARLY - 1] - middle[name][:, 0]).mean()) for name in (ADAM, WARMUP)}
    better = [mean(name) for name in (TWO_K, WARMUP)]
    between = min(untuned) - CLEAR < mean(RADAM) < max(untuned) + CLEAR
    return [
        Finding(
            "Adam without warmup sticks",
            "about 500 training PPL on IWSLT De-En, loss ~10 against ~3",
            f"{stuck_seeds} of {seeds} seeds end at or above {stuck:.2f}, possible without the source "
            f"(mean {mean(ADAM):.2f})",
            stuck_seeds == seeds,
        ),
        Finding(
            "warmup, Adam-2k and RAdam train",
            "all converge",
            f"all end below {stuck - CLEAR:.2f}" if not untrained else f"not: {', '.join(untrained)}",
            not untrained,
            "its freeze is scaled down with the length of the runs, and ends at the full rate while its "
            "second moment has seen few gradients for 1/(1 - b2) = 1000."
            if untrained == [TWO_K] and short
            else "",
        ),
        Finding(
            "Adam-eps trains, but worse than Adam-2k and warmup",
            "clearly worse",
            losses(EPS, TWO_K, WARMUP),
            bool((last[EPS] < stuck).all()) and mean(EPS) > max(better) + CLEAR,
            ""
            if (last[EPS] < stuck).all()
            else "Adam-eps does not train in every run; the size of the gradients decides whether its "
            "eps of 1e-4 is large.",
        ),
        Finding(
            "untuned warmup matches RAdam",
            "Ma & Yarats (2021): they match",
            losses(RADAM, UNTUNED, EXPONENTIAL),
            between,
            ""
            if between
            else "these runs are shorter than the untuned warmup's 2/(1 - b2) = 2000 steps, in which RAdam's "
            "rectifier is larger at first: 0.215 against 0.05 and 0.095 at step 100."
            if short and mean(RADAM) < min(untuned)
            else "",
        ),
        Finding(
            "RAdam matches a tuned warmup",
            "BLEU 34.76 against 34.66 on IWSLT De-En",
            losses(RADAM, WARMUP),
            mean(RADAM) < mean(WARMUP) + CLEAR,
            ""
            if mean(RADAM) < mean(WARMUP) + CLEAR
            else f"with one peak rate for both, RAdam's {steps} steps sum to 1 / {factor:.2f} of those of "
            "the tuned warmup: it reaches the full rate within the run, and the rectifier does not.",
        ),
        Finding(
            f"with {factor:.2f} times the rate, so that their steps sum to as much, RAdam matches it",
            "none: a property of runs that are short for the rectifier",
            losses(RAISED, WARMUP),
            mean(RAISED) < mean(WARMUP) + CLEAR,
        ),
        Finding(
            "RAdam's two fallbacks, and the exact variance, differ little",
            "none; with this rate five steps of SGD are small",
            losses(RADAM, NO_SGD, EXACT),
            max(abs(mean(RADAM) - mean(name)) for name in (NO_SGD, EXACT)) < CLEAR,
        ),
        Finding(
            f"without warmup gradients shrink within {EARLY} updates",
            "the histogram is distorted towards small values",
            f"median |g| times {10 ** fall[ADAM]:.2g}; with warmup {10 ** fall[WARMUP]:.2g}",
            fall[ADAM] < min(fall[WARMUP], 0) - 0.3,
        ),
    ]


def map_findings(
    adam: np.ndarray, warm: np.ndarray, stuck: float, depths: Sequence[int], rates: Sequence[float]
) -> list[Finding]:
    """The claim on last losses of shape (depths, rates): where warmup trains and Adam sticks."""
    saved = ~(adam < stuck) & (warm < stuck - CLEAR)
    places = [
        f"{depth}+{depth} from rate {min(rate for rate, hit in zip(rates, row, strict=True) if hit):g}"
        for depth, row in zip(depths, saved, strict=True)
        if row.any()
    ]
    # The deeper, the smaller the rate that needs warmup.
    needed = [rates[int(row.argmax())] if row.any() else np.inf for row in saved]
    return [
        Finding(
            "the deeper, the smaller the rate at which only warmup trains",
            "none: a property of this task",
            "; ".join(places) or "nowhere",
            bool(places) and all(b <= a for a, b in itertools.pairwise(needed)),
        )
    ]
