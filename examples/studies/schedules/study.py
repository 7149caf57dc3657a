"""Optimizers with and without schedules on a small language model: what each is told, what it reaches."""

from collections.abc import Mapping, Sequence

import numpy as np

from examples.data.text import standard_library
from examples.lab.console import print_table
from examples.lab.study import Size, Study
from examples.lab.training import train
from examples.studies.schedules.figures import PICTURES
from examples.studies.schedules.findings import READING, findings
from examples.studies.schedules.methods import METHODS, PEAKS
from examples.studies.schedules.runs import COLUMNS, Runs, contestants, rows, told
from examples.tasks.language import language_task

POINTS = 20  # Of a curve; an even number, for one is half of the steps.
SEEDS_FOR_A_VERDICT = 2
RARE = 3  # Words that occur as often as this or less become <unk>.
SIZES = {
    "steps": Size(1000, 20, f"optimizer steps per run, rounded up to a multiple of {POINTS}"),
    "seeds": Size(3, 2, f"runs per setting; {SEEDS_FOR_A_VERDICT} for a verdict"),
    "hidden": Size(48, 8, "units per layer"),
    "embedding": Size(32, 8, "features of a word"),
    "batch": Size(8, 4, "streams of text; a step reads 20 words of each"),
    "megabytes": Size(4, 1, "how much text to read, in 10^6 bytes"),
    "vocabulary": Size(1500, 200, "words to tell apart at most; all others become one, <unk>"),
    "held-out": Size(5120, 640, "words of held-out text to measure on"),
}


def print_ends(study: Study, runs: Mapping[str, Runs]) -> None:
    """What each is told besides the peak, and its perplexity at the end, at its best and at every peak."""
    table = []
    for name, those in runs.items():
        end = those.at_best[:, -1]
        spread = f"{end.mean():.2f}" + (f" ± {end.std(ddof=1):.2f}" if len(end) > 1 else "")
        over_peaks = (f"{at.mean():.1f}" for at in those.at_peaks())
        table.append([name, told(name), spread, *over_peaks])
    header = ["", "told besides the peak", "best", *(f"{peak:g}" for peak in PEAKS)]
    title = "Perplexity of held-out text at the end, at the best setting and for each peak"
    print_table(study.console, title, header, table)


def main(arguments: Sequence[str]) -> None:
    """Trains all; writes ``curves.csv``, ``schedules.png`` and ``summary.json``."""
    study = Study("schedules", __doc__, arguments, SIZES)
    options = study.options
    corpus = standard_library(options.megabytes, RARE, options.vocabulary)
    task = language_task(
        corpus,
        hidden=options.hidden,
        embedding=options.embedding,
        batch=options.batch,
        held_out=options.held_out,
    )
    chunk = -(-options.steps // POINTS)
    steps = chunk * POINTS
    study.parts = len(METHODS)
    results = {}
    for name, method in METHODS.items():
        settings = method.settings(steps)
        curves = train(
            study,
            name,
            task,
            method.recipe,
            settings,
            seeds=options.seeds,
            steps=steps,
            chunk=chunk,
            status=lambda point: f"perplexity {np.exp(point['test_loss']).mean(axis=1).min():.1f} at best",
            evaluated=method.evaluated,
        )
        results[name] = Runs(settings, np.exp(curves["train_loss"]), np.exp(curves["test_loss"]))

    runs = contestants(results, steps)
    study.write_csv("curves.csv", COLUMNS, rows(results, chunk))
    print_ends(study, runs)
    if options.seeds < SEEDS_FOR_A_VERDICT:
        study.console.print(f"No verdict: it needs at least {SEEDS_FOR_A_VERDICT} seeds.")
        found = []
    else:
        study.console.print(READING)
        found = findings(runs)
    best = {
        name: {
            "told": told(name),
            "setting": those.settings[those.best]._asdict(),
            "test_perplexity": those.at_best[:, -1].tolist(),
        }
        for name, those in runs.items()
    }
    study.conclude(found, {"steps": steps, "best": best}, PICTURES)
