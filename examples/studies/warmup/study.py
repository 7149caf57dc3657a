"""A post-LayerNorm Transformer on which Adam sticks without warmup, and eight ways around it.

The task is made on the spot, numbers in English words to digits; with --data-dir it is the
translation of the user's pairs of sentences, in the set-up of Liu et al. (2020) on IWSLT'14.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from examples.data import numbers as _numbers
from examples.data import translation as _translation
from examples.lab.console import print_table
from examples.lab.options import above, positive_int
from examples.lab.side_by_side import side_by_side
from examples.lab.study import Finding, Size, Study
from examples.lab.task import Task
from examples.studies.warmup.figures import SHOWN, draw_curves, draw_gradients, draw_map, medians, smooth
from examples.studies.warmup.findings import findings_of, map_findings
from examples.studies.warmup.optimizers import ADAM, WARMUP, optimizers
from examples.tasks.sequences import unigram_entropy

CHUNK = 50  # Steps between two evaluations, and that a point of the curves is the mean of.
DEPTHS, RATES = (1, 2, 4, 6, 8), (1e-3, 2e-3, 4e-3, 8e-3)  # Of the map,
MAP_STEPS, MAP_WARMUP = 250, 100  # whose runs are short.


class Setting(NamedTuple):
    """The sizes of the runs."""

    layers: int
    width: int
    batch: int  # Pairs.
    steps: int
    rate: float
    warmup: int  # Steps of the tuned warmup.
    freeze: int  # Steps for which Adam-2k's parameters stand still.


NUMBERS = Setting(layers=6, width=32, batch=32, steps=500, rate=4e-3, warmup=100, freeze=100)
QUICK = Setting(layers=2, width=16, batch=16, steps=100, rate=4e-3, warmup=25, freeze=25)
# 160 pairs of 25 pieces each are 4000, the paper's batch.
IWSLT = Setting(layers=6, width=512, batch=160, steps=70_000, rate=3e-4, warmup=4000, freeze=2000)


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
        values = (getattr(setting, name) for setting in (NUMBERS, QUICK, IWSLT))
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


def chosen(options: argparse.Namespace) -> Setting:
    """The defaults for the data, and what the command line changes."""
    defaults = QUICK if options.quick else IWSLT if options.data_dir else NUMBERS
    given = {key: getattr(options, key) for key in Setting._fields}
    setting = defaults._replace(**{key: value for key, value in given.items() if value is not None})
    return setting._replace(steps=-(-setting.steps // CHUNK) * CHUNK)


def watched_steps(steps: int) -> list[int]:
    """The steps, from 1, whose gradients are looked at: all at first, then fewer."""
    every = [*range(1, 21), *range(25, 101, 5), *range(120, 401, 20), *range(450, 1001, 50)]
    return [step for step in every if step <= steps]


def draw_depths(study: Study, setting: Setting) -> tuple[dict[str, np.ndarray], list[Finding]]:
    """Short runs of Adam without and with warmup over depths and rates: their last losses."""
    recipes = [
        optimizers(rate, MAP_STEPS, MAP_WARMUP, setting.freeze)[name]
        for name in (ADAM, WARMUP)
        for rate in RATES
    ]
    rows = []
    for depth in DEPTHS:
        results = side_by_side(
            study,
            f"{depth}+{depth} layers",
            _numbers.numbers_task(depth, setting.width, setting.batch),
            recipes,
            seeds=1,
            steps=MAP_STEPS,
            chunk=CHUNK,
            status=lambda p: "losses " + " ".join(f"{x:.2f}" for x in p["train_loss"].mean(axis=0)),
        )
        rows.append(smooth(results["train_loss"][:, 0], CHUNK)[:, -1].reshape(2, len(RATES)))
    losses = dict(zip((ADAM, WARMUP), np.stack(rows, axis=1), strict=True))
    study.write_csv(
        "depths.csv",
        ("optimizer", "layers", "learning_rate", "train_loss"),
        [
            (name, DEPTHS[i], RATES[j], loss)
            for name, values in losses.items()
            for (i, j), loss in np.ndenumerate(values)
        ],
    )
    title = (
        f"Where Adam needs warmup: loss after {MAP_STEPS} steps, without and with {MAP_WARMUP} steps of it\n"
        f"* not below {_numbers.BLIND_LOSS:.2f}, what is possible without reading the source; one seed"
    )
    study.write_figure("depths.png", draw_map(losses, DEPTHS, RATES, _numbers.BLIND_LOSS, title))
    return losses, map_findings(losses[ADAM], losses[WARMUP], _numbers.BLIND_LOSS, DEPTHS, RATES)


def task_of(study: Study, setting: Setting) -> tuple[Task, dict[str, float]]:
    """The task, and the losses of models that ignore their source, by what these see instead."""
    options = study.options
    sizes = (setting.layers, setting.width, setting.batch)
    if not options.data_dir:
        levels = {
            "symbol frequencies": unigram_entropy(_numbers.load()[0].target),
            "all but the source": _numbers.BLIND_LOSS,
        }
        return _numbers.numbers_task(*sizes), levels
    corpus = _translation.load(
        options.data_dir, options.out, source=options.source, target=options.target,
        vocabulary=options.vocabulary, length=options.length, held_out=setting.batch,
    )  # fmt: skip
    study.console.print(
        f"{len(corpus.data.source)} pairs in {corpus.vocabulary} pieces; {corpus.left_out} longer than "
        f"{options.length} pieces left out.",
        soft_wrap=True,
    )
    return _translation.text_task(corpus, *sizes), {"symbol frequencies": unigram_entropy(corpus.data.target)}


def rows_of(losses: Mapping[str, np.ndarray]) -> list[tuple[Any, ...]]:
    """Optimizer, seed, last step of a chunk, mean loss of the chunk."""
    return [
        (name, seed, (point + 1) * CHUNK, loss)
        for name, runs in losses.items()
        for (seed, point), loss in np.ndenumerate(smooth(runs, CHUNK))
    ]


def finite(values: np.ndarray) -> list[float | None]:
    """For JSON, which knows no NaN: a run that has diverged is null."""
    return [float(x) if np.isfinite(x) else None for x in values]


def main(arguments: Sequence[str]) -> None:
    """Writes ``curves``, ``gradients`` and (numbers, in full) ``depths`` as CSV and PNG; ``summary.json``."""
    sizes = {"seeds": Size(3, 1, "runs per optimizer")}
    study = Study("warmup", __doc__, arguments, sizes, add_options)
    options = study.options
    setting = chosen(options)
    if setting.width % 8:
        study.parser.error(f"argument --width: must be a multiple of 8; got {setting.width}")
    task, levels = task_of(study, setting)
    recipes = optimizers(setting.rate, setting.steps, setting.warmup, setting.freeze)
    watched = watched_steps(setting.steps)
    results = side_by_side(
        study,
        "nine optimizers",
        task,
        list(recipes.values()),
        seeds=options.seeds,
        steps=setting.steps,
        chunk=CHUNK,
        watched=watched,
        status=lambda p: "losses " + " ".join(f"{x:.2f}" for x in p["train_loss"].mean(axis=0)),
    )
    by_name = {key: dict(zip(recipes, values, strict=True)) for key, values in results.items()}
    losses, counts = by_name["train_loss"], by_name["magnitudes"]
    seeds = f"mean and range of {options.seeds} seeds" if options.seeds > 1 else "one seed"
    model = f"{setting.layers}+{setting.layers} layers of width {setting.width}, post-LayerNorm"
    what = "numbers in words to digits" if not options.data_dir else "translation of sentences"
    study.write_csv("curves.csv", ("optimizer", "seed", "step", "train_loss"), rows_of(losses))
    study.write_figure(
        "curves.png",
        draw_curves(
            losses,
            {f"least loss from {name}": level for name, level in levels.items()},
            CHUNK // 5,
            f"{what.capitalize()}: {model},\nlearning rate {setting.rate:g}, falling to 0 linearly; {seeds}",
        ),
    )
    study.write_csv(
        "gradients.csv",
        ("optimizer", "seed", "step", "bin", "count"),
        [
            (name, seed, watched[step], bin_, count)
            for name in SHOWN
            for (seed, step, bin_), count in np.ndenumerate(counts[name])
        ],
    )
    study.write_figure(
        "gradients.png",
        draw_gradients(
            {name: counts[name].sum(axis=0) for name in SHOWN},
            watched,
            f"Sizes of the gradients (as Liu et al., 2020): {model}, rate {setting.rate:g}",
        ),
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
    title = f"{what.capitalize()}, {model}, rate {setting.rate:g}, after {setting.steps} steps"
    print_table(study.console, title, ["optimizer", "train loss", "range", "exact on held-out"], rows)
    found = []
    summary: dict[str, Any] = {"setting": setting._asdict(), "levels": levels}
    if options.quick:
        study.console.print("\nToo shallow and too short for a verdict: leave out --quick.")
    else:
        found = findings_of(
            last, {name: medians(counts[name]) for name in SHOWN}, min(levels.values()), setting.steps
        )
        if not options.data_dir:
            depths, more = draw_depths(study, setting)
            found += more
            summary["depths"] = {name: [*map(finite, values)] for name, values in depths.items()}
    summary["train_loss"] = {name: finite(values) for name, values in last.items()}
    summary["test_exact"] = {name: finite(values) for name, values in exact.items()}
    study.conclude(found, summary)
