"""Ten optimizers on a ravine, a saddle and six minima; how long their first steps are, and why."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from examples.lab.console import print_table
from examples.lab.study import Finding, Size, Study
from examples.studies.trajectories.figures import animate, draw
from examples.studies.trajectories.first_steps import (
    FORMULAS,
    GRADIENTS,
    STEPS,
    first_step_findings,
    step_sizes,
)
from examples.studies.trajectories.paths import (
    ADAPTIVE,
    CAMEL,
    LEFT,
    METHODS,
    NEAR,
    RATES,
    RAVINE,
    SADDLE,
    crossings,
    heights,
    left_saddle,
    make_program,
    settled,
    sgd_steps_ravine,
    sgd_steps_saddle,
    start,
)
from examples.studies.trajectories.surfaces import GENTLE, STEEP, SURFACES

SIZES = {
    "steps": Size(400, 400, "of each optimizer"),
    "frames": Size(100, 25, "pictures in the animation"),
}
FPS = 12
SWINGS = 50  # Steps over which swings across the ravine are counted: later ones are rounding.


def run(study: Study, name: str) -> np.ndarray:
    """The path of a method: positions of shape (steps + 1, surfaces, 2), the start included."""
    method, steps = METHODS[name], study.options.steps
    _, positions = study.scan(
        name,
        make_program(method, steps),
        start(method),
        lambda i: (),
        1,
        lambda p: "at heights " + ", ".join(f"{height:.2g}" for height in heights(p)[-1]),
        steps,
    )
    first = np.asarray([surface.start for surface in SURFACES], np.float32)
    return np.concatenate([first[None], positions.reshape(-1, *first.shape)])


def path_rows(paths: Mapping[str, np.ndarray]) -> Iterator[tuple[object, ...]]:
    """One row per optimizer, surface and step."""
    for name, path in paths.items():
        above = heights(path)
        for index, surface in enumerate(SURFACES):
            for step, (x, y) in enumerate(path[:, index]):
                yield name, surface.name, step, x, y, above[step, index]


def size_rows(sizes: Mapping[str, np.ndarray]) -> Iterator[tuple[object, ...]]:
    """One row per optimizer, gradient and step; the formula is of the first step alone."""
    for name, values in sizes.items():
        for (step, index), size in np.ndenumerate(values):
            formula = "" if step else FORMULAS[name][1](GRADIENTS[index])
            yield name, GRADIENTS[index], step + 1, size, formula


def counts(paths: Mapping[str, np.ndarray]) -> dict[str, dict[str, int | float | None]]:
    """What is read off the paths, in the types of JSON; None is never."""
    result: dict[str, dict[str, int | float | None]] = {}
    for name, path in paths.items():
        at = [settled(path[:, index], index) for index in range(len(SURFACES))]
        end = at[CAMEL]
        camel = SURFACES[CAMEL]
        result[name] = {
            "ravine": at[RAVINE] and at[RAVINE][0],
            "left saddle": left_saddle(path[:, SADDLE]),
            "saddle": at[SADDLE] and at[SADDLE][0],
            "six minima": end and end[0],
            "height of the minimum": end
            and round(float(camel.height(*camel.minima[end[1]]) - camel.height(*camel.minima[0])), 4),
        }
    return result


def print_results(
    study: Study, table: Mapping[str, Mapping[str, int | float | None]], sizes: Mapping[str, np.ndarray]
) -> None:
    """Two tables: steps on the surfaces, and the sizes of the first steps."""
    header = ["optimizer", "rate", "ravine", "left", "saddle", "minima", "height"]
    rows = [
        [name, f"{METHODS[name].rate:g}", *("never" if x is None else f"{x:g}" for x in row.values())]
        for name, row in table.items()
    ]
    print_table(study.console, f"Steps until a path stays within {NEAR} of a minimum", header, rows)
    study.console.print(
        f"Left: the saddle, |y| >= {LEFT}. Height: of the one of the six minima, above the deepest.\n{RATES}",
        soft_wrap=True,
    )
    header = ["optimizer", "formula", *(f"{g:g}" for g in GRADIENTS), "longest", "at"]
    rows = []
    for name, values in sizes.items():
        middle = values[:, GRADIENTS.index(1.0)]
        first = (f"{size:.4g}" for size in values[0])
        # Sizes that are equal but for rounding are first reached at their first step.
        longest = int(np.argmax(middle >= middle.max() * (1 - 1e-4)))
        rows.append([name, FORMULAS[name][0], *first, f"{middle[longest]:.4g}", str(longest + 1)])
    title = f"The first step in learning rates, by the gradient g; and the longest of {STEPS} steps at g = 1"
    print_table(study.console, title, header, rows)


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


def main(arguments: Sequence[str]) -> None:
    """Runs all; writes the paths, a picture, an animation, the first steps and ``summary.json``."""
    study = Study("trajectories", __doc__, arguments, SIZES)
    paths = {name: run(study, name) for name in METHODS}
    sizes = {name: step_sizes(method) for name, method in METHODS.items()}
    study.write_csv("paths.csv", ("optimizer", "surface", "step", "x", "y", "height"), path_rows(paths))
    columns = ("optimizer", "gradient", "step", "size", "formula")
    study.write_csv("first_steps.csv", columns, size_rows(sizes))
    study.write_figure("trajectories.png", draw(paths))
    figure, draw_frame, frames = animate(paths, study.options.frames)
    study.write_animation("trajectories.gif", figure, draw_frame, frames, FPS)
    table = counts(paths)
    print_results(study, table, sizes)
    findings = [*path_findings(paths, table), *first_step_findings(sizes)]
    study.conclude(findings, {"steps": table})
