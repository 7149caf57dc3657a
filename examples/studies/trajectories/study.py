"""Ten optimizers on a ravine, a saddle and six minima; how long their first steps are, and why."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from examples.lab.console import print_table
from examples.lab.study import Size, Study
from examples.studies.trajectories.figures import PICTURES
from examples.studies.trajectories.findings import counts, first_step_findings, path_findings
from examples.studies.trajectories.first_steps import FORMULAS, GRADIENTS, STEPS, step_sizes
from examples.studies.trajectories.paths import LEFT, METHODS, NEAR, RATES, heights, make_program, start
from examples.studies.trajectories.surfaces import SURFACES

SIZES = {
    "steps": Size(400, 400, "of each optimizer"),
    "frames": Size(100, 25, "pictures in the animation"),
}


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


def main(arguments: Sequence[str]) -> None:
    """Runs all; writes the paths, a picture, an animation, the first steps and ``summary.json``."""
    study = Study("trajectories", __doc__, arguments, SIZES)
    study.parts = len(METHODS)
    paths = {name: run(study, name) for name in METHODS}
    sizes = {name: step_sizes(method) for name, method in METHODS.items()}
    study.write_csv("paths.csv", ("optimizer", "surface", "step", "x", "y", "height"), path_rows(paths))
    columns = ("optimizer", "gradient", "step", "size", "formula")
    study.write_csv("first_steps.csv", columns, size_rows(sizes))
    table = counts(paths)
    print_results(study, table, sizes)
    findings = [*path_findings(paths, table), *first_step_findings(sizes)]
    study.conclude(findings, {"steps": table}, PICTURES)
