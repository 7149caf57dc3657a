"""Long-term memory: rare informative gradients need it, one huge spike makes it a burden."""

from collections.abc import Iterator, Sequence

import numpy as np

from examples.lab.console import print_table
from examples.lab.study import Size, Study
from examples.studies.sparse_spike.figures import PICTURES
from examples.studies.sparse_spike.findings import rare_findings, slowdown_findings, training_findings
from examples.studies.sparse_spike.memory import (
    AFTER,
    AT,
    METHODS,
    PERIOD,
    PERIODS,
    WALK,
    Pairs,
    make_walk,
    measured_progress,
    measured_slowdown,
    progress,
    slowdown,
    steps_of_period,
)
from examples.studies.sparse_spike.spike import (
    CHUNK,
    COLUMNS,
    OPTIMIZERS,
    READING,
    rows_of,
    summary_row,
    train,
)

SIZES = {
    "steps": Size(2000, 600, f"of the network's training, rounded up to a multiple of {CHUNK}"),
    "seeds": Size(3, 1, "of weights and batches"),
}
RATE = 0.02  # Of the walks among rare gradients.


def walk(study: Study, name: str) -> tuple[np.ndarray, np.ndarray]:
    """x and the effective rate of an optimizer among rare gradients, each of shape (WALK,)."""
    program, carry = make_walk(METHODS[name], RATE, PERIOD, WALK)
    _, (x, rate) = study.scan(
        f"{name}, rare", program, carry, lambda i: (), 1, lambda record: f"x = {record[0][-1]:.3f}", WALK
    )
    return x[0], rate[0]


def walk_rows(walks: Pairs) -> Iterator[tuple[object, ...]]:
    """One row per optimizer and ten steps."""
    for name, columns in walks.items():
        for i in range(9, WALK, 10):
            yield name, i + 1, *(column[i] for column in columns)


def progress_rows(parts: Pairs) -> Iterator[tuple[object, ...]]:
    """One row per optimizer and period that was measured."""
    for name, (formula, measured) in parts.items():
        for period, value in zip(PERIODS, measured, strict=True):
            yield name, period, value, formula[period - 2]


def slowdown_rows(slowdowns: Pairs) -> Iterator[tuple[object, ...]]:
    """One row per optimizer and ten steps, the spike's first."""
    for name, (formula, measured) in slowdowns.items():
        for steps in range(0, AFTER + 1, 10):
            yield name, steps, measured[steps], formula[steps]


def main(arguments: Sequence[str]) -> None:
    """Runs both parts; writes their CSV files, two pictures and ``summary.json``."""
    study = Study("sparse_spike", __doc__, arguments, SIZES)
    options = study.options
    if options.steps < AT:
        study.parser.error(f"argument --steps: the spike is at step {AT}; got {options.steps}")
    chunks = -(-options.steps // CHUNK)
    study.parts = len(METHODS) + len(OPTIMIZERS)
    walks = {name: walk(study, name) for name in METHODS}
    parts, slowdowns = {}, {}
    for name, method in METHODS.items():
        formula = [progress(steps_of_period(method, k)) for k in range(2, PERIODS[-1] + 1)]
        parts[name] = np.array(formula), measured_progress(method, PERIODS)
        slowdowns[name] = slowdown(method, AFTER), measured_slowdown(method, AFTER)
    results = {name: train(study, name, options.seeds, chunks) for name in OPTIMIZERS}

    study.write_csv("rare_walks.csv", ("optimizer", "step", "x", "effective_rate"), walk_rows(walks))
    study.write_csv("rare_progress.csv", ("optimizer", "period", "measured", "formula"), progress_rows(parts))
    study.write_csv(
        "slowdown.csv", ("optimizer", "steps_since", "measured", "formula"), slowdown_rows(slowdowns)
    )
    study.write_csv("spike.csv", COLUMNS, rows_of(results))
    header = ["optimizer", "before", f"{CHUNK} after", "at the end", "no spike", "slow steps"]
    title = f"Training loss in nats (mean of {CHUNK} steps) around a spike"
    print_table(study.console, title, header, [[name, *summary_row(c)] for name, c in results.items()])
    study.console.print(READING, soft_wrap=True)
    findings = [
        *rare_findings(walks, parts),
        *slowdown_findings(slowdowns),
        *training_findings(results, chunks * CHUNK),
    ]
    losses = {name: curves.train_loss[:, :, -1].mean(axis=1).tolist() for name, curves in results.items()}
    study.conclude(findings, {"last train_loss, without and with the spike": losses}, PICTURES)
