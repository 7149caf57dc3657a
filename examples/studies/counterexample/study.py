"""Where Adam goes the wrong way for ever and AMSGrad does not: the synthetic problem of AMSGrad's paper."""

from collections.abc import Sequence
from typing import Any

import jax

from examples.lab.study import Size, Study
from examples.studies.counterexample.figures import PICTURES
from examples.studies.counterexample.findings import (
    compare,
    explain,
    judge,
    judge_over_b2,
    judge_successors,
)
from examples.studies.counterexample.problem import drifts
from examples.studies.counterexample.runs import (
    COLUMNS,
    POINTS,
    RUNS,
    Results,
    rows,
    simulate,
    simulate_over_b2,
)

SIZES = {
    "steps": Size(5_000_000, 1_000_000, "steps of each run, rounded up to a multiple of the points"),
    "seeds": Size(10, 4, "stochastic runs per setting"),
}


def ends(results: Results) -> dict[str, Any]:
    """The last records, for ``summary.json``."""
    return {
        name: {
            str(value): {key: record[-1, i].tolist() for key, record in records.items()}
            for i, value in enumerate(values)
        }
        for name, (values, records) in results.items()
    }


def main(arguments: Sequence[str]) -> None:
    """Simulates in float64, and writes the curves, the drift, their pictures and the verdict."""
    study = Study("counterexample", __doc__, arguments, SIZES)
    chunk = -(-study.options.steps // POINTS)
    study.parts = RUNS
    with jax.enable_x64(True):
        results = simulate(study, chunk, study.options.seeds)
        over_b2 = simulate_over_b2(study, chunk, study.options.seeds)
        explained = explain()
        curves = drifts()
    study.write_csv("curves.csv", COLUMNS, rows(results, chunk))
    columns = ("b2" if column == "alpha" else column for column in COLUMNS)
    study.write_csv("over_b2.csv", [*columns], rows(over_b2, chunk))
    exact = [name for name in curves if "," in name]
    lines = [("exact", name, *at) for name in exact for at in zip(curves["b2"], curves[name], strict=True)]
    dots = zip(curves["measured b2"], curves["measured"], strict=True)
    lines += [("measured", exact[0], *at) for at in dots]
    study.write_csv("drift.csv", ("kind", "optimizer", "b2", "drift"), lines)
    findings = [
        *compare(results, POINTS * chunk),
        *judge(results),
        *judge_successors(results),
        *judge_over_b2(over_b2),
        *explained,
    ]
    study.conclude(findings, ends(results) | {"over b2": ends(over_b2)}, PICTURES)
