"""A post-LayerNorm Transformer on which Adam sticks without warmup, and nine ways around it.

The task is made on the spot, numbers in English words to digits; with --data-dir it is the
translation of the user's pairs of sentences, in the set-up of Liu et al. (2020) on IWSLT'14.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from examples.lab.console import print_table
from examples.lab.options import above, positive_int
from examples.lab.side_by_side import side_by_side
from examples.lab.study import Size, Study
from examples.studies.warmup.depths import train_depths
from examples.studies.warmup.figures import PICTURES, SHOWN, medians, smooth
from examples.studies.warmup.findings import findings_of
from examples.studies.warmup.optimizers import optimizers
from examples.studies.warmup.runs import (
    CHUNK,
    DEPTHS,
    IWSLT,
    NUMBERS,
    QUICK,
    WINDOW,
    chosen,
    task_of,
    watched_steps,
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The sizes, whose defaults depend on the data, and the data."""
    helps = {
        "layers": "of the encoder, and of the decoder",
        "width": "of the model, a multiple of 8",
        "batch": "pairs per step",
        "steps": f"per run, rounded up to a multiple of {CHUNK}",
        "rate": "the learning rate",
        "warmup": "steps of the tuned linear warmup",
        "freeze": "steps for which Adam-2k's parameters stand still",
    }
    for name, text in helps.items():
        values = (getattr(sizes, name) for sizes in (NUMBERS, QUICK, IWSLT))
        default = "default: {:g}; --quick: {:g}; --data-dir: {:g}".format(*values)
        kind, metavar = (above(0), "RATE") if name == "rate" else (positive_int, "N")
        parser.add_argument(f"--{name}", type=kind, metavar=metavar, help=f"{text} ({default})")
    parser.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="train.SRC, train.TGT, valid.SRC and valid.TGT in it"
    )
    parser.add_argument("--source", default="de", metavar="SRC", help="default: %(default)s")
    parser.add_argument("--target", default="en", metavar="TGT", help="default: %(default)s")
    parser.add_argument(
        "--vocabulary", type=positive_int, default=10_000, metavar="N", help="pieces (default: %(default)s)"
    )
    parser.add_argument(
        "--length", type=positive_int, default=64, metavar="N",
        help="longer sentences, in pieces, are left out (default: %(default)s)",
    )  # fmt: skip


def rows_of(losses: dict[str, np.ndarray]) -> list[tuple[Any, ...]]:
    """Optimizer, seed, last step of a window, mean loss of the window."""
    return [
        (name, seed, (point + 1) * WINDOW, loss)
        for name, runs in losses.items()
        for (seed, point), loss in np.ndenumerate(smooth(runs, WINDOW))
    ]


def main(arguments: Sequence[str]) -> None:
    """Writes ``curves``, ``gradients`` and (numbers, in full) ``depths``, ``summary.json`` and pictures."""
    study = Study("warmup", __doc__, arguments, {"seeds": Size(3, 1, "runs per optimizer")}, add_options)
    options = study.options
    sizes = chosen(options)
    if sizes.width % 8:
        study.parser.error(f"argument --width: must be a multiple of 8; got {sizes.width}")
    task, levels = task_of(study, sizes)
    recipes = optimizers(sizes.rate, sizes.steps, sizes.warmup, sizes.freeze)
    watched = watched_steps(sizes.steps)
    study.parts = options.seeds + (0 if options.quick or options.data_dir else len(DEPTHS))
    results = side_by_side(
        study,
        "ten optimizers",
        task,
        list(recipes.values()),
        seeds=options.seeds,
        steps=sizes.steps,
        chunk=CHUNK,
        watched=watched,
        status=lambda p: "losses " + " ".join(f"{x:.2f}" for x in p["train_loss"].mean(axis=0)),
    )
    by_name = {key: dict(zip(recipes, values, strict=True)) for key, values in results.items()}
    losses, counts = by_name["train_loss"], by_name["magnitudes"]
    model = f"{sizes.layers}+{sizes.layers} layers of width {sizes.width}, post-LayerNorm"
    what = "numbers in words to digits" if not options.data_dir else "translation of sentences"
    study.write_csv("curves.csv", ("optimizer", "seed", "step", "train_loss"), rows_of(losses))
    study.write_csv(
        "gradients.csv",
        ("optimizer", "seed", "step", "bin", "count"),
        [
            (name, seed, watched[step], bin_, count)
            for name in SHOWN
            for (seed, step, bin_), count in np.ndenumerate(counts[name])
        ],
    )
    last = {name: smooth(runs, CHUNK)[:, -1] for name, runs in losses.items()}
    exact = {name: values[:, -1] for name, values in by_name["test_exact"].items()}
    rows = [
        [
            name,
            f"{values.mean():.3f}",
            f"{values.min():.3f} ... {values.max():.3f}",
            f"{exact[name].mean():.1%}",
        ]
        for name, values in last.items()
    ]
    title = f"{what.capitalize()}, {model}, rate {sizes.rate:g}, after {sizes.steps} steps"
    print_table(study.console, title, ["optimizer", "train loss", "range", "exact on held-out"], rows)
    found = []
    summary: dict[str, Any] = {"setting": sizes._asdict(), "levels": levels}
    if options.quick:
        study.console.print("\nToo shallow and too short for a verdict: leave out --quick.")
    else:
        found = findings_of(
            last,
            {name: medians(counts[name]) for name in SHOWN},
            min(levels.values()),
            sizes.steps,
            sizes.warmup,
        )
        if not options.data_dir:
            depths, more = train_depths(study, sizes)
            found += more
            summary["depths"] = depths
    summary["train_loss"] = last
    summary["test_exact"] = exact
    study.conclude(found, summary, PICTURES)
