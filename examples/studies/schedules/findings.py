"""Whether what needs to be told less ends as low, by the claims of those who published it."""

from collections.abc import Mapping

import numpy as np

from examples.lab.study import Finding
from examples.studies.schedules.methods import (
    ADAM,
    ADAM_UNWARMED,
    ADAMOD,
    ADAMW_FREE,
    GI_ADAM,
    PEAKS,
    RADAM,
    RADAM_FREE,
    RADAM_TO_HALF,
)
from examples.studies.schedules.runs import Runs

READING = (
    "Each method has the settings that end lowest for it. One counts as higher or lower than another where "
    "it is so with every seed, on the same first weights and batches; 'no higher' is all but higher."
)


def findings(runs: Mapping[str, Runs]) -> list[Finding]:
    """The verdict on contestants, from held-out text."""
    ends = {name: those.at_best[:, -1] for name, those in runs.items()}

    def no_higher(name: str, other: str, published: str) -> Finding:
        best = runs[ADAM].settings[runs[ADAM].best]
        note = "Adam's own best setting has no warmup." if other == ADAM and not best.warmup else ""
        return _compare(f"{name} ends no higher than {other}", published, ends[name], ends[other], note=note)

    def steadier(name: str, published: str) -> Finding:
        one, other = (runs[of].at_peaks() for of in (name, ADAM_UNWARMED))
        highest, highest_of_other = (PEAKS[at.mean(axis=1).argmax()] for at in (one, other))
        return _compare(
            f"{name}: the highest end over the peaks is less above the lowest than of {ADAM_UNWARMED}",
            published,
            one.max(axis=0) / one.min(axis=0),
            other.max(axis=0) / other.min(axis=0),
            strictly=True,
            note=f"The highest is at peak {highest:g}, of {ADAM_UNWARMED} at {highest_of_other:g}.",
        )

    on_the_way = runs[RADAM_FREE].test[:, :, runs[RADAM_FREE].test.shape[-1] // 2 - 1]
    return [
        no_higher(RADAM_FREE, RADAM, "as good as a schedule (Defazio et al., 2024)"),
        no_higher(ADAMW_FREE, ADAM, "as good as a schedule (Defazio et al., 2024)"),
        no_higher(RADAM_FREE, ADAMW_FREE, "needs no warmup (schedulefree 1.4)"),
        _compare(
            f"{RADAM_FREE} is at half of the steps no higher than {RADAM_TO_HALF}",
            "so at any time (Defazio et al., 2024)",
            on_the_way[on_the_way.mean(axis=1).argmin()],
            ends[RADAM_TO_HALF],
        ),
        no_higher(RADAM, ADAM, "needs no warmup (Liu et al., 2020)"),
        no_higher(ADAMOD, ADAM, "needs no warmup (Ding et al., 2019)"),
        no_higher(GI_ADAM, ADAM, "as good as warmup (Kalra & Barkeshli, 2024)"),
        steadier(RADAM, "robust to the learning rate (Liu et al., 2020)"),
        steadier(ADAMOD, "robust to the learning rate (Ding et al., 2019)"),
        steadier(GI_ADAM, "takes larger learning rates (Kalra & Barkeshli, 2024)"),
    ]


def _compare(
    claim: str,
    published: str,
    one: np.ndarray,
    other: np.ndarray,
    *,
    strictly: bool = False,
    note: str = "",
) -> Finding:
    """Whether one is no higher than the other, or ``strictly`` lower; both by seed."""
    ratios = one / other
    measured = f"{one.mean():.4g} with {other.mean():.4g}, ratio {ratios.min():.3f} to {ratios.max():.3f}"
    agrees = bool(ratios.max() < 1 if strictly else ratios.min() <= 1)
    undecided = "The seeds differ about it." if ratios.min() < 1 < ratios.max() else ""
    return Finding(claim, published, measured, agrees, f"{undecided} {note}".strip())
