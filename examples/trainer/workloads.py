"""What the trainer can learn: data by name, and for each kind of data the models, by name with arguments."""

import argparse
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

from examples.data import cifar10 as _cifar10
from examples.data import digits as _digits
from examples.data import mnist as _mnist
from examples.data import numbers as _numbers
from examples.data import text as _text
from examples.data import translation as _translation
from examples.data.augmentation import Augmentation
from examples.data.split import DataError, Split
from examples.lab.task import Task
from examples.models.mlp import MLP
from examples.models.resnet import ResNet
from examples.tasks import language as _language
from examples.tasks.classification import classification
from examples.trainer import calls as _spec

Models = Mapping[str, Callable[..., Task]]


def _images(
    options: argparse.Namespace, splits: tuple[Split, Split], augmentation: Augmentation | None = None
) -> Models:
    data, test = splits
    *shape, channels = data.images.shape[1:]
    classes = int(data.labels.max()) + 1

    def task(make):
        return classification(
            make, data, test, options.batch, augmentation=augmentation, test_batch=min(500, len(test.labels))
        )

    return {
        "resnet": lambda depth=8, widths=(16, 32, 64): task(
            lambda rngs: ResNet(depth, widths, channels, classes, rngs=rngs)
        ),
        "mlp": lambda hidden=(100,): task(
            lambda rngs: MLP((prod(shape) * channels, *hidden, classes), rngs=rngs)
        ),
        "logistic": lambda: task(lambda rngs: MLP((prod(shape) * channels, classes), rngs=rngs)),
    }


def _words(options: argparse.Namespace, corpus: _text.Corpus) -> Models:
    return {
        "lstm": lambda hidden=200, embedding=100, unroll=20, dropout=0.1: _language.language_task(
            corpus,
            hidden=hidden,
            embedding=embedding,
            batch=options.batch,
            held_out=20_000,
            unroll=unroll,
            dropout=dropout,
        )
    }


def _folder(options: argparse.Namespace) -> Path:
    if options.data_dir is None:
        raise DataError(f"--data {options.data} wants its folder: --data-dir DIR")
    return Path(options.data_dir)


def _pairs(
    options: argparse.Namespace, source: str, target: str, vocabulary: int, length: int, held_out: int
) -> Models:
    corpus = _translation.load(
        _folder(options),
        Path(options.out),
        source=source,
        target=target,
        vocabulary=vocabulary,
        length=length,
        held_out=held_out,
    )
    return {
        "transformer": lambda layers=6, width=512, dropout=0.3, smoothing=0.1: _translation.text_task(
            corpus, layers, width, options.batch, dropout, smoothing
        )
    }


# Functions of the trainer's options; the first model is the default.
DATA: dict[str, Callable[..., Models]] = {
    "digits": lambda options: _images(options, _digits.load()),
    "mnist": lambda options: _images(options, _mnist.load(_folder(options))),
    "cifar10": lambda options, augment=True, checksum=True: _images(
        options, _cifar10.load(_folder(options), checksum), Augmentation(4, True) if augment else None
    ),
    "sources": lambda options, megabytes=2, rare=3, vocabulary=8000: _words(
        options, _text.standard_library(megabytes, rare, vocabulary)
    ),
    "one_billion_word": lambda options, megabytes=100, rare=3, vocabulary=100_000: _words(
        options, _text.one_billion_word(_folder(options), megabytes, rare, vocabulary)
    ),
    "numbers": lambda options: {
        "transformer": lambda layers=2, width=64: _numbers.numbers_task(layers, width, options.batch)
    },
    "pairs": lambda options, source="de", target="en", vocabulary=10_000, length=100, held_out=1000: _pairs(
        options, source, target, vocabulary, length, held_out
    ),
}


def make_task(options: argparse.Namespace) -> Task:
    """The task of ``--data`` and ``--model``.

    Raises:
      DataError: there is none of that name, an argument is wrong, or the data cannot be read.
    """
    models = _call("--data", options.data, DATA, options)
    return _call("--model", options.model or next(iter(models)), models)


def _call(flag: str, text: str, choices: Mapping[str, Callable[..., Any]], *given: Any) -> Any:
    try:
        return _spec.call(_spec.parse(text), choices, *given)
    except _spec.SpecError as error:
        cause = error.__cause__
        raise cause if isinstance(cause, DataError) else DataError(f"{flag}: {error}") from error
