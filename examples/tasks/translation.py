"""What a Transformer learns to translate: numbers in words to digits, a user's text to text."""

from examples.data.numbers import DIGITS, WORDS, load
from examples.data.translation import Corpus
from examples.lab.task import Task
from examples.models.transformer import Transformer
from examples.tasks.sequences import translation


def numbers_task(
    layers: int = 6, width: int = 32, batch: int = 32, dropout: float = 0.0, smoothing: float = 0.0
) -> Task:
    """Written-out numbers to digits, with a Transformer of four heads and ``2 * width`` hidden units."""

    def make(rngs):
        return Transformer(
            len(WORDS), len(DIGITS), rngs,
            layers=layers, width=width, heads=4, hidden=2 * width, dropout=dropout,
        )  # fmt: skip

    return translation(make, *load(), batch, smoothing)


def text_task(
    corpus: Corpus, layers: int = 6, width: int = 512, batch: int = 160,
    dropout: float = 0.3, smoothing: float = 0.1,
) -> Task:  # fmt: skip
    """Text to text, with a Transformer of four heads and ``2 * width`` hidden units."""

    def make(rngs):
        return Transformer(
            corpus.vocabulary, corpus.vocabulary, rngs,
            layers=layers, width=width, heads=4, hidden=2 * width, dropout=dropout,
        )  # fmt: skip

    return translation(make, corpus.data, corpus.held_out, batch, smoothing)
