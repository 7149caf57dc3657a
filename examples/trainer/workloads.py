"""What the trainer can learn: data by name, and for each kind of data the models, by name with arguments."""

from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

from examples.data import cifar10, digits, mnist, text, translation
from examples.data.augmentation import Augmentation
from examples.data.split import DataError, Split
from examples.lab.task import Task
from examples.models.mlp import MLP
from examples.models.resnet import ResNet
from examples.tasks.classification import classification
from examples.tasks.language import language_task
from examples.tasks.translation import numbers_task, text_task
from examples.trainer.calls import Call, CallError, Choices, make
from examples.trainer.settings import Settings

Models = Mapping[str, Callable[..., Task]]


def _images(
    settings: Settings, splits: tuple[Split, Split], augmentation: Augmentation | None = None
) -> Models:
    data, test = splits
    *shape, channels = data.images.shape[1:]
    classes = int(data.labels.max()) + 1

    def task(make):
        return classification(
            make, data, test, settings.batch, augmentation=augmentation, test_batch=min(500, len(test.labels))
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


def _words(settings: Settings, corpus: text.Corpus) -> Models:
    return {
        "lstm": lambda hidden=200, embedding=100, unroll=20, dropout=0.1: language_task(
            corpus,
            hidden=hidden,
            embedding=embedding,
            batch=settings.batch,
            held_out=20_000,
            unroll=unroll,
            dropout=dropout,
        )
    }


def _folder(settings: Settings) -> Path:
    if settings.data_dir is None:
        raise DataError(f"--data {settings.data} wants its folder: --data-dir DIR")
    return settings.data_dir


def _pairs(
    settings: Settings, source: str, target: str, vocabulary: int, length: int, held_out: int
) -> Models:
    corpus = translation.load(
        _folder(settings),
        settings.out,
        source=source,
        target=target,
        vocabulary=vocabulary,
        length=length,
        held_out=held_out,
    )
    return {
        "transformer": lambda layers=6, width=512, dropout=0.3, smoothing=0.1: text_task(
            corpus, layers, width, settings.batch, dropout, smoothing
        )
    }


# Functions of the trainer's settings; the first model is the default.
DATA: dict[str, Callable[..., Models]] = {
    "digits": lambda settings: _images(settings, digits.load()),
    "mnist": lambda settings: _images(settings, mnist.load(_folder(settings))),
    "cifar10": lambda settings, augment=True, checksum=True: _images(
        settings, cifar10.load(_folder(settings), checksum), Augmentation(4, True) if augment else None
    ),
    "sources": lambda settings, megabytes=2, rare=3, vocabulary=8000: _words(
        settings, text.standard_library(megabytes, rare, vocabulary)
    ),
    "one_billion_word": lambda settings, megabytes=100, rare=3, vocabulary=100_000: _words(
        settings, text.one_billion_word(_folder(settings), megabytes, rare, vocabulary)
    ),
    "numbers": lambda settings: {
        "transformer": lambda layers=2, width=64: numbers_task(layers, width, settings.batch)
    },
    "pairs": lambda settings, source="de", target="en", vocabulary=10_000, length=100, held_out=1000: _pairs(
        settings, source, target, vocabulary, length, held_out
    ),
}


def make_task(settings: Settings) -> Task:
    """The task of ``--data`` and ``--model``.

    Raises:
      DataError: there is none of that name, an argument is wrong, or the data cannot be read.
    """
    models = _make("--data", settings.data, DATA, settings)
    return _make("--model", settings.model or Call(next(iter(models))), models)


def _make(flag: str, call: Call, choices: Choices, *given: Any) -> Any:
    try:
        return make(call, choices, *given)
    except CallError as error:
        cause = error.__cause__
        raise cause if isinstance(cause, DataError) else DataError(f"{flag}: {error}") from error
