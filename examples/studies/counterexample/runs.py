"""All runs of the counterexample, and their rows."""

from collections.abc import Iterator, Mapping, Sequence

import jax.numpy as jnp
import numpy as np

from examples.lab.study import Study
from examples.studies.counterexample import problem

POINTS = 100  # Of a curve.
SHOWN = 0.5  # The alpha of picture and verdict; SGD, whose steps are not normalised, has its own.
SGD_SHOWN = 0.01
COLUMNS = ("optimizer", "alpha", "problem", "x_1", "seed", "step", "x", "regret", "expected_regret")
Results = Mapping[str, tuple[Sequence[float], dict[str, np.ndarray]]]  # Alphas; shape=(points, alphas, runs).


def simulate(study: Study, chunk: int, seeds: int) -> Results:
    """All runs: the paper's forms with alpha / sqrt(t), then the constant learning rates."""
    results = {}
    for recipes, alphas in (
        (problem.OPTIMIZERS, problem.ALPHAS),
        (problem.CONSTANT, problem.CONSTANT_ALPHAS),
    ):
        for name, recipe in recipes.items():
            program = problem.make_program(recipe, chunk, seeds)
            carry = problem.start(recipe, alphas, seeds)
            arrays = jnp.asarray(alphas)
            _, records = study.scan(
                name,
                program,
                carry,
                lambda i, arrays=arrays: (arrays, jnp.asarray(i)),
                POINTS,
                lambda record: f"x {' '.join(f'{x:7.4f}' for x in record['x'][:, 0])}",
                chunk,
            )
            results[name] = alphas, records
    return results


def rows(results: Results, chunk: int) -> Iterator[tuple[object, ...]]:
    """Those of the CSV file; stochastic runs start at 0, online ones have no seed."""
    online = len(problem.STARTS)
    for name, (alphas, records) in results.items():
        for point, alpha, run in np.ndindex(records["x"].shape):
            start = ("online", problem.STARTS[run], "") if run < online else ("stochastic", 0.0, run - online)
            values = (records[key][point, alpha, run] for key in ("x", "regret", "expected_regret"))
            yield name, alphas[alpha], *start, (point + 1) * chunk, *values
