"""All runs of the counterexample, and their rows."""

from collections.abc import Iterator, Mapping, Sequence

import jax.numpy as jnp
import numpy as np

from examples.lab.study import Study
from examples.lab.training import Recipe
from examples.studies.counterexample import problem

POINTS = 100  # Of a curve.
RUNS = sum(map(len, (problem.OPTIMIZERS, problem.SUCCESSORS, problem.CONSTANT, problem.OVER_B2)))
SGD_SHOWN = 0.01  # SGD's steps are not normalised.
COLUMNS = ("optimizer", "alpha", "problem", "x_1", "seed", "step", "x", "regret", "expected_regret")
Results = Mapping[str, tuple[Sequence[float], dict[str, np.ndarray]]]
"""By optimizer: the alphas, or values of b2, and records of shape (points, alphas, runs)."""


def simulate(study: Study, chunk: int, seeds: int) -> Results:
    """All runs over alpha: the paper's forms and the successors with alpha / sqrt(t), then constant rates."""
    return (
        _simulate(study, problem.OPTIMIZERS, problem.ALPHAS, chunk, seeds)
        | _simulate(study, problem.SUCCESSORS, problem.ALPHAS, chunk, seeds)
        | _simulate(study, problem.CONSTANT, problem.CONSTANT_ALPHAS, chunk, seeds)
    )


def simulate_over_b2(study: Study, chunk: int, seeds: int) -> Results:
    """Adam's and ADOPT's runs over b2, at the alpha of the pictures."""
    return _simulate(study, problem.OVER_B2, problem.B2S, chunk, seeds, " over b2")


def _simulate(
    study: Study,
    recipes: Mapping[str, Recipe],
    values: Sequence[float],
    chunk: int,
    seeds: int,
    suffix: str = "",
) -> dict[str, tuple[Sequence[float], dict[str, np.ndarray]]]:
    results = {}
    arrays = jnp.asarray(values)
    for name, recipe in recipes.items():
        _, records = study.scan(
            name + suffix,
            problem.make_program(recipe, chunk, seeds),
            problem.start(recipe, values, seeds),
            lambda i: (arrays, jnp.asarray(i)),
            POINTS,
            lambda record: f"x {' '.join(f'{x:7.4f}' for x in record['x'][:, 0])}",
            chunk,
        )
        results[name] = values, records
    return results


def rows(results: Results, chunk: int) -> Iterator[tuple[object, ...]]:
    """Those of a CSV file; stochastic runs start at 0, online ones have no seed."""
    online = len(problem.STARTS)
    for name, (values, records) in results.items():
        for point, value, run in np.ndindex(records["x"].shape):
            start = ("online", problem.STARTS[run], "") if run < online else ("stochastic", 0.0, run - online)
            measures = (records[key][point, value, run] for key in ("x", "regret", "expected_regret"))
            yield name, values[value], *start, (point + 1) * chunk, *measures
