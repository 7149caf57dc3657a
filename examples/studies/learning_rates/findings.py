"""What the study of learning rates finds on figure 6 and table 1 of the RAdam paper."""

from collections.abc import Mapping

import numpy as np

from examples.lab.study import Finding
from examples.studies.learning_rates.optimizers import RATES

PUBLISHED = {"SGD": 91.51, "Adam": 90.54, "RAdam": 91.38}  # Table 1: test accuracy on CIFAR-10, in %.
PUBLISHED_AT_HIGHEST = 91.06  # RAdam's at learning rate 0.1, in %.
TOLERANCE = 0.5  # Points of accuracy between this measurement of CIFAR-10 and the published one.

Results = Mapping[str, Mapping[str, np.ndarray]]
"""By optimizer and measure: curves of shape (rates, seeds, points)."""


def final_accuracies(results: Results) -> dict[str, np.ndarray]:
    """Test accuracy at the end in %, by optimizer: shape (rates, seeds)."""
    return {name: 100 * curves["test_accuracy"][:, :, -1] for name, curves in results.items()}


def at_best_rate(accuracies: np.ndarray) -> tuple[int, np.ndarray]:
    """The index of the learning rate with the highest mean over the seeds, and the accuracies there."""
    best = int(accuracies.mean(axis=1).argmax())
    return best, accuracies[best]


def spread(values: np.ndarray) -> str:
    """The mean and, of more than one seed, the sample standard deviation."""
    return f"{values.mean():.2f}" + (f" ± {values.std(ddof=1):.2f}" if len(values) > 1 else "")


def ordering(claim: str, published: str, higher: tuple[str, np.ndarray], lower: tuple[str, np.ndarray]):
    """A finding that one quantity exceeds another in the mean over the seeds, beyond chance.

    Seeds share first weights and batches, so their differences are paired: the mean difference must be
    more than two standard errors.
    """
    differences = higher[1] - lower[1]
    mean, error = differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))
    note = ""
    if mean < -2 * error:
        note = f"the opposite holds here, by {-mean:.2f} ± {error:.2f} points (standard error)."
    elif mean <= 2 * error:
        note = f"undecided: the difference, {mean:+.2f} ± {error:.2f} points, is within two standard errors."
    measured = ", ".join(f"{name} {spread(values)}" for name, values in (higher, lower))
    return Finding(claim, published, measured, bool(mean > 2 * error), note)


def findings(results: Results, cifar: bool) -> list[Finding]:
    """Figure 6's claim, the order of table 1 and, of CIFAR-10, its numbers; at least two seeds.

    All is test accuracy at the end in %; what varies over the learning rates is its range, in points.
    """
    final = final_accuracies(results)
    ranges = {name: np.ptp(values, axis=0) for name, values in final.items()}
    best = {name: at_best_rate(values)[1] for name, values in final.items()}
    sensitivity = ordering(
        "RAdam varies less over the rates than Adam",
        "curves closer together (figure 6)",
        ("Adam", ranges["Adam"]),
        ("RAdam", ranges["RAdam"]),
    )
    if not (sensitivity.agrees or cifar) and (cause := _cause(final["RAdam"])):
        sensitivity = sensitivity._replace(note=f"{sensitivity.note} {cause}")
    found = [sensitivity]
    for first, second in (("RAdam", "Adam"), ("SGD", "RAdam"), ("SGD", "Adam")):
        found.append(
            ordering(
                f"{first} above {second}, each at its best",
                f"{PUBLISHED[first]} > {PUBLISHED[second]} (table 1)",
                (first, best[first]),
                (second, best[second]),
            )
        )
    if cifar:
        claims = [(f"Test accuracy of {name} in %", PUBLISHED[name], best[name]) for name in PUBLISHED]
        claims.append((f"Test accuracy of RAdam at {RATES[0]} in %", PUBLISHED_AT_HIGHEST, final["RAdam"][0]))
        for claim, published, values in claims:
            agrees = bool(abs(values.mean() - published) <= TOLERANCE)
            note = "" if agrees else f"agreement would be {TOLERANCE} points."
            found.append(Finding(claim, f"{published}", spread(values), agrees, note))
    return found


def _cause(accuracies: np.ndarray) -> str:
    """What may make RAdam's range wide in a short training, where its lowest learning rate is the worst."""
    if accuracies.mean(axis=1).argmin() != len(RATES) - 1:
        return ""
    return (
        f"RAdam is weakest at {RATES[-1]}; a reason may be that its rectifier shortens the first thousand "
        "steps or so, which are few of the paper's 73 thousand but many of these."
    )
