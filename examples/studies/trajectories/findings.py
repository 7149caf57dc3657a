"""What is read off the paths and the first steps, beside what is claimed of them."""

from collections.abc import Mapping

import numpy as np

from examples.lab.study import Finding
from examples.studies.trajectories.first_steps import FORMULAS, GRADIENTS, first_adaptive, radam, step_sizes
from examples.studies.trajectories.paths import (
    ADAPTIVE,
    CAMEL,
    LEFT,
    METHODS,
    RAVINE,
    SADDLE,
    crossings,
    left_saddle,
    settled,
    sgd_steps_ravine,
    sgd_steps_saddle,
)
from examples.studies.trajectories.surfaces import GENTLE, STEEP, SURFACES

SWINGS = 50  # Steps over which swings across the ravine are counted: later ones are rounding.


def counts(paths: Mapping[str, np.ndarray]) -> dict[str, dict[str, int | float | None]]:
    """What is read off the paths, in the types of JSON; None is never."""
    result: dict[str, dict[str, int | float | None]] = {}
    for name, path in paths.items():
        at = [settled(path[:, index], index) for index in range(len(SURFACES))]
        ravine, saddle, end = at[RAVINE], at[SADDLE], at[CAMEL]
        camel = SURFACES[CAMEL]
        result[name] = {
            "ravine": ravine and ravine[0],
            "left saddle": left_saddle(path[:, SADDLE]),
            "saddle": saddle and saddle[0],
            "six minima": end and end[0],
            "height of the minimum": end
            and round(float(camel.height(*camel.minima[end[1]]) - camel.height(*camel.minima[0])), 4),
        }
    return result


def path_findings(
    paths: Mapping[str, np.ndarray], table: Mapping[str, Mapping[str, int | float | None]]
) -> list[Finding]:
    """What is claimed of the paths beside what they do."""

    def shown(value: int | float | None) -> str:
        return "never" if value is None else f"{value:g}"

    def steps(name: str, what: str) -> float:
        value = table[name][what]
        return np.inf if value is None else value

    swings = {name: crossings(paths[name][: SWINGS + 1, RAVINE]) for name in ("SGD", "Adam")}
    kappa = STEEP / GENTLE
    on_ravine = sgd_steps_ravine(METHODS["SGD"].rate)
    off_saddle = sgd_steps_saddle(METHODS["SGD"].rate)
    later = [name for name in ADAPTIVE if steps(name, "left saddle") >= steps("SGD", "left saddle")]
    rolled = [name for name in ("momentum", "Nesterov") if table[name]["height of the minimum"] == 0]
    return [
        Finding(
            "SGD swings across the ravine",
            "it goes back and forth across the narrow axis (Goodfellow et al. 2016, 8.3.2)",
            f"{swings['SGD']:.0%} of the first {SWINGS} steps change sides; of Adam's {swings['Adam']:.0%}",
            swings["SGD"] > 0.5,
        ),
        Finding(
            "SGD on the ravine, in closed form",
            f"(1 - rate * curvature)^t: {on_ravine} steps",
            f"{shown(table['SGD']['ravine'])} steps",
            abs(steps("SGD", "ravine") - on_ravine) <= 1,
        ),
        Finding(
            "momentum shortens the way along the ravine",
            f"at best rates from {_per_decade(kappa):.0f} steps per factor of 10 to "
            f"{_per_decade(np.sqrt(kappa)):.0f} (Polyak 1964)",
            f"SGD {shown(table['SGD']['ravine'])} steps, momentum {shown(table['momentum']['ravine'])}, "
            f"Nesterov {shown(table['Nesterov']['ravine'])}",
            max(steps("momentum", "ravine"), steps("Nesterov", "ravine")) < steps("SGD", "ravine"),
        ),
        Finding(
            "SGD leaves the saddle exponentially slowly",
            f"ln({LEFT} / y_0) / ln(1 + rate): {off_saddle} steps",
            f"{shown(table['SGD']['left saddle'])} steps",
            abs(steps("SGD", "left saddle") - off_saddle) <= 0.1 * off_saddle,
        ),
        Finding(
            "adaptive methods leave the saddle before SGD",
            "a step does not shrink with the gradient",
            ", ".join(f"{name} {shown(table[name]['left saddle'])}" for name in ADAPTIVE),
            not later,
            f"later than SGD: {', '.join(later)}" if later else "",
        ),
        Finding(
            "momentum rolls through a shallow minimum that holds SGD",
            "no number",
            f"SGD ends {shown(table['SGD']['height of the minimum'])} above the deepest, "
            f"momentum {shown(table['momentum']['height of the minimum'])}, "
            f"Nesterov {shown(table['Nesterov']['height of the minimum'])}",
            len(rolled) == 2 and table["SGD"]["height of the minimum"] != 0,
        ),
    ]


def _per_decade(kappa: float) -> float:
    """Steps that shrink an error tenfold at (kappa - 1) / (kappa + 1) each."""
    return np.log(10) / np.log((kappa + 1) / (kappa - 1))


def first_step_findings(sizes: Mapping[str, np.ndarray]) -> list[Finding]:
    """The formulas beside the sizes, at all gradients; and when RAdam begins to adapt."""

    def compare(name: str, claim: str, published: str) -> Finding:
        formula = np.array([FORMULAS[name][1](g) for g in GRADIENTS])
        measured = ", ".join(f"{size:.4g}" for size in sizes[name][0])
        return Finding(
            f"first step of {name}: {claim}",
            f"{published}: {', '.join(f'{size:.4g}' for size in formula)}",
            measured,
            bool(np.allclose(sizes[name][0], formula, rtol=1e-4)),
        )

    opened = {threshold: step_sizes(radam(threshold)) for threshold in (4.0, 5.0)}
    first = {threshold: first_adaptive(values) for threshold, values in opened.items()}
    rectifier = [opened[t][first[t] - 1, GRADIENTS.index(1.0)] for t in opened]
    r = [0.0173115032, 0.0258211128]
    return [
        compare("Adam", "the learning rate", "g / (g + eps)"),
        compare("Adam, uncorrected", "3.16 times too long", "(1 - b1) g / (√(1 - b2) g + eps)"),
        compare("RMSProp", "3.16 times too long", "g / √((1 - decay) g² + eps)"),
        compare("AdaGrad", "the learning rate", "g / √(g² + eps)"),
        compare("momentum", "that of SGD", "g"),
        compare("RAdam", "not adapted, that of SGD", "g"),
        Finding(
            "RAdam's first adapted step",
            "rho_t > 4 (paper): step 5; rho_t >= 5 (authors' code): step 6",
            f"steps {first[4.0]} and {first[5.0]}",
            (first[4.0], first[5.0]) == (5, 6),
        ),
        Finding(
            "its size, the rectifier",
            f"r_5 = {r[0]:.5f}, r_6 = {r[1]:.5f}",
            f"{rectifier[0]:.5f}, {rectifier[1]:.5f}",
            bool(np.allclose(rectifier, r, rtol=1e-4)),
        ),
    ]
