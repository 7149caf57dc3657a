"""The runs of the study of warmup: their sizes, their task, and the steps that are looked at."""

import argparse
from typing import NamedTuple

from examples.data import numbers as _numbers
from examples.data import translation as _translation
from examples.data.pairs import unigram_entropy
from examples.lab.study import Study
from examples.lab.task import Task
from examples.tasks.translation import numbers_task, text_task

CHUNK = 50  # Steps between two evaluations.
WINDOW = 10  # Steps that a point of the curves is the mean of.
DEPTHS, RATES = (1, 2, 4, 6, 8), (1e-3, 2e-3, 4e-3, 8e-3)  # Of the map of short runs:
MAP_STEPS, MAP_WARMUP = 250, 100


class Sizes(NamedTuple):
    """The sizes of the runs."""

    layers: int
    width: int
    batch: int  # Pairs.
    steps: int
    rate: float
    warmup: int  # Steps of the tuned warmup.
    freeze: int  # Steps for which Adam-2k's parameters stand still.


NUMBERS = Sizes(layers=6, width=32, batch=32, steps=500, rate=4e-3, warmup=100, freeze=100)
QUICK = Sizes(layers=2, width=16, batch=16, steps=100, rate=4e-3, warmup=25, freeze=25)
# 160 pairs of 25 pieces each are 4000, the paper's batch.
IWSLT = Sizes(layers=6, width=512, batch=160, steps=70_000, rate=3e-4, warmup=4000, freeze=2000)


def chosen(options: argparse.Namespace) -> Sizes:
    """The defaults for the data, and what the command line changes."""
    defaults = QUICK if options.quick else IWSLT if options.data_dir else NUMBERS
    given = {key: getattr(options, key) for key in Sizes._fields}
    sizes = defaults._replace(**{key: value for key, value in given.items() if value is not None})
    return sizes._replace(steps=-(-sizes.steps // CHUNK) * CHUNK)


def watched_steps(steps: int) -> list[int]:
    """The steps, from 1, whose gradients are looked at: all at first, then fewer."""
    every = [*range(1, 21), *range(25, 101, 5), *range(120, 401, 20), *range(450, 1001, 50)]
    return [step for step in every if step <= steps]


def task_of(study: Study, sizes: Sizes) -> tuple[Task, dict[str, float]]:
    """The task, and the losses of models that ignore their source, by what these see instead."""
    options = study.options
    shape = sizes.layers, sizes.width, sizes.batch
    if not options.data_dir:
        levels = {
            "symbol frequencies": unigram_entropy(_numbers.load()[0].target),
            "all but the source": _numbers.BLIND_LOSS,
        }
        return numbers_task(*shape), levels
    corpus = _translation.load(
        options.data_dir, options.out, source=options.source, target=options.target,
        vocabulary=options.vocabulary, length=options.length, held_out=sizes.batch,
    )  # fmt: skip
    study.console.print(
        f"{len(corpus.data.source)} pairs in {corpus.vocabulary} pieces; {corpus.left_out} longer than "
        f"{options.length} pieces left out.",
        soft_wrap=True,
    )
    return text_task(corpus, *shape), {"symbol frequencies": unigram_entropy(corpus.data.target)}
