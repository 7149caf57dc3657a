"""Where Adam goes the wrong way for ever and AMSGrad does not: the synthetic problem of AMSGrad's paper."""

from collections.abc import Sequence

import jax

from examples.lab.study import Size, Study
from examples.studies.counterexample.figures import draw, draw_drift
from examples.studies.counterexample.findings import compare, explain, judge
from examples.studies.counterexample.problem import drifts
from examples.studies.counterexample.runs import COLUMNS, POINTS, rows, simulate

SIZES = {
    "steps": Size(5_000_000, 1_000_000, "steps of each run, rounded up to a multiple of the points"),
    "seeds": Size(10, 4, "stochastic runs per setting"),
}


def main(arguments: Sequence[str]) -> None:
    """Simulates in float64, and writes the curves, the drift, their pictures and the verdict."""
    study = Study("counterexample", __doc__, arguments, SIZES)
    chunk = -(-study.options.steps // POINTS)
    with jax.enable_x64(True):
        results = simulate(study, chunk, study.options.seeds)
        explained, roots = explain()
        curves = drifts()
    study.write_csv("curves.csv", COLUMNS, rows(results, chunk))
    study.write_figure("curves.png", draw(results, chunk))
    exact = [name for name in curves if "," in name]
    lines = [("exact", name, *at) for name in exact for at in zip(curves["b2"], curves[name], strict=True)]
    dots = zip(curves["measured b2"], curves["measured"], strict=True)
    lines += [("measured", exact[0], *at) for at in dots]
    study.write_csv("drift.csv", ("kind", "optimizer", "b2", "drift"), lines)
    study.write_figure("drift.png", draw_drift(curves, roots))
    ends = {
        name: {
            str(alpha): {key: values[-1, i].tolist() for key, values in records.items()}
            for i, alpha in enumerate(alphas)
        }
        for name, (alphas, records) in results.items()
    }
    study.conclude([*compare(results, POINTS * chunk), *judge(results), *explained], ends)
