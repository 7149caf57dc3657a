"""Where Adam needs warmup: short runs over depths and learning rates."""

from typing import Any

import numpy as np

from examples.data import numbers as _numbers
from examples.lab.side_by_side import side_by_side
from examples.lab.study import Finding, Study
from examples.studies.warmup.figures import smooth
from examples.studies.warmup.findings import map_findings
from examples.studies.warmup.optimizers import ADAM, WARMUP, optimizers
from examples.studies.warmup.runs import CHUNK, DEPTHS, MAP_STEPS, MAP_WARMUP, RATES, Sizes
from examples.tasks.translation import numbers_task


def train_depths(study: Study, sizes: Sizes) -> tuple[dict[str, np.ndarray], list[Finding]]:
    """Short runs of Adam without and with warmup over depths and rates: their last losses."""
    recipes = [
        optimizers(rate, MAP_STEPS, MAP_WARMUP, sizes.freeze)[name]
        for name in (ADAM, WARMUP)
        for rate in RATES
    ]
    rows = []
    for depth in DEPTHS:
        results = side_by_side(
            study,
            f"{depth}+{depth} layers",
            numbers_task(depth, sizes.width, sizes.batch),
            recipes,
            seeds=1,
            steps=MAP_STEPS,
            chunk=CHUNK,
            status=lambda p: "losses " + " ".join(f"{x:.2f}" for x in p["train_loss"].mean(axis=0)),
        )
        rows.append(smooth(results["train_loss"][:, 0], CHUNK)[:, -1].reshape(2, len(RATES)))
    losses: dict[str, Any] = dict(zip((ADAM, WARMUP), np.stack(rows, axis=1), strict=True))
    study.write_csv(
        "depths.csv",
        ("optimizer", "layers", "learning_rate", "train_loss"),
        [
            (name, DEPTHS[i], RATES[j], loss)
            for name, values in losses.items()
            for (i, j), loss in np.ndenumerate(values)
        ],
    )
    return losses, map_findings(losses[ADAM], losses[WARMUP], _numbers.BLIND_LOSS, DEPTHS, RATES)
