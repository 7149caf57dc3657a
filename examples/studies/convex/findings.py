"""Whether AMSGrad's best loss is lower than Adam's."""

import numpy as np

from examples.lab.study import Finding
from examples.studies.convex.grid import CHANCE, SPLITS, Best

READING = (
    "AMSGrad counts as lower where it is so with every seed, the two compared on the same first weights and "
    "batches; were they alike, chance would do that to one comparison in {:,}. Both are the paper's: b1 = "
    "0.9, no bias correction. Losses are means over the last tenth of the steps, settings the best of the "
    "grid for each, so a best test loss has seen the test images."
)


def compare(problem: str, split: str, adam: Best, amsgrad: Best) -> Finding:
    """Whether AMSGrad's best loss is lower than Adam's, seed by seed."""
    seeds = len(adam.final)
    lower, higher = np.sum(amsgrad.final < adam.final), np.sum(amsgrad.final > adam.final)
    notes = []
    if higher == seeds:
        notes.append("Adam's is lower with every seed.")
        if split == "train_loss" and amsgrad.final.mean() < CHANCE / 10:
            notes.append(
                "Gradients fade with the loss here: Adam's second moment follows them down, AMSGrad's keeps "
                "its maximum, and so its steps are the shorter ones."
            )
    elif lower < seeds:
        notes.append("No difference: the seeds do not agree which is lower.")
    notes += [
        f"{name}'s best alpha is at the end of the grid."
        for name, best in (("Adam", adam), ("AMSGrad", amsgrad))
        if best.at_edge
    ]
    return Finding(
        f"{problem}: AMSGrad's best {SPLITS[split]} is below Adam's",
        "it is (curves, no numbers)",
        f"AMSGrad {amsgrad}, Adam {adam}: lower with {lower} of {seeds} seeds",
        bool(lower == seeds),
        " ".join(notes),
    )
