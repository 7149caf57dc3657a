"""RAdam's two-layer LSTM language model: perplexity of Adam and RAdam over steps, on Python's own sources."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from examples.data.text import Corpus, one_billion_word, standard_library
from examples.lab.options import above
from examples.lab.study import Size, Study
from examples.lab.training import one_by_one, rows_of, train
from examples.studies.language_model.figures import PICTURES
from examples.studies.language_model.findings import LONG_ENOUGH, READING, TOO_SHORT, findings
from examples.studies.language_model.optimizers import OPTIMIZERS, recipe
from examples.tasks.language import language_task

POINTS = 20  # Of a curve.
# The paper's is 0.001; of 0.001, 0.003 and 0.01, in 1000 steps, this one is best for Adam.
RATE = 0.01
SIZES = {
    "steps": Size(2000, 200, f"optimizer steps per run, rounded up to a multiple of {POINTS}"),
    "seeds": Size(3, 1, "runs per optimizer"),
    "hidden": Size(128, 32, "units per layer; the paper has 2048"),
    "embedding": Size(96, 32, "features of a word; the paper has 300"),
    "batch": Size(32, 16, "streams of text; a step reads 20 words of each; the paper has 128"),
    "megabytes": Size(16, 2, "how much text to read, in 10^6 bytes"),
    "vocabulary": Size(5000, 1000, "words to tell apart at most; all others become one, <unk>"),
    "rare": Size(3, 3, "words that occur as often as this or less become <unk>"),
    "held-out": Size(20480, 2560, "words of held-out text to measure on"),
}
COLUMNS = ("optimizer", "learning_rate", "seed", "step", "train_perplexity", "test_perplexity")


def load(options: argparse.Namespace) -> Corpus:
    """The text that the options name."""
    sizes = options.megabytes, options.rare, options.vocabulary
    return (
        standard_library(*sizes) if options.data_dir is None else one_billion_word(options.data_dir, *sizes)
    )


def main(arguments: Sequence[str]) -> None:
    """Trains both; writes ``perplexity.csv``, ``perplexity.png`` and ``summary.json`` at the end."""

    def add_options(parser):
        parser.add_argument(
            "--data-dir",
            type=Path,
            metavar="DIR",
            help="the One Billion Word benchmark, as unpacked (default: the sources of Python's library)",
        )
        parser.add_argument(
            "--learning-rate",
            type=above(0),
            default=RATE,
            metavar="X",
            help="of 9/14 of the steps, then a tenth of it; the paper has 0.001 (default: %(default)s)",
        )

    study = Study("language_model", __doc__, arguments, SIZES, add_options)
    options = study.options
    corpus = load(options)
    task = language_task(
        corpus,
        hidden=options.hidden,
        embedding=options.embedding,
        batch=options.batch,
        held_out=options.held_out,
    )
    unigram = float(np.exp(corpus.unigram_loss()))
    study.console.print(
        f"{corpus.source}: {len(corpus.train):,} words to learn from, {len(corpus.words):,} different ones; "
        f"perplexity of their frequencies on held-out text: {unigram:.1f}",
        soft_wrap=True,
    )
    chunk = -(-options.steps // POINTS)
    steps = chunk * POINTS
    rates = [options.learning_rate]
    study.parts = len(OPTIMIZERS)
    results = {}
    for name, optimizer in OPTIMIZERS.items():
        curves = train(
            study,
            name,
            task,
            recipe(optimizer, steps),
            rates,
            seeds=options.seeds,
            steps=steps,
            chunk=chunk,
            status=lambda point: f"perplexity {np.exp(point['test_loss']).mean():.1f}",
            mapped=one_by_one,  # A model fills the machine alone.
        )
        results[name] = {
            "train_perplexity": np.exp(curves["train_loss"]),
            "test_perplexity": np.exp(curves["test_loss"]),
        }
    study.write_csv("perplexity.csv", COLUMNS, rows_of(results, rates, chunk, COLUMNS[4:]))
    by_seed = {name: {key: x[0] for key, x in curves.items()} for name, curves in results.items()}
    tests = {name: curves["test_perplexity"] for name, curves in by_seed.items()}
    study.console.print(READING)
    if steps < LONG_ENOUGH:
        study.console.print(TOO_SHORT.format(steps, LONG_ENOUGH))
    study.conclude(
        findings(tests["Adam"], tests["RAdam"], chunk, unigram),
        {
            "text": {
                "source": corpus.source,
                "training_words": len(corpus.train),
                "held_out_words": len(corpus.held_out),
                "vocabulary": len(corpus.words),
                "unigram_perplexity": unigram,
            },
            "test_perplexity": {name: runs[:, -1].tolist() for name, runs in tests.items()},
        },
        PICTURES,
    )
