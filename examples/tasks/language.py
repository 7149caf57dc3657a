"""Language modelling as a task of training: streams of text, truncated back-propagation."""

from typing import Any

import jax
import numpy as np

from examples.data.split import DataError
from examples.data.text import Corpus
from examples.lab.task import Task
from examples.models.lstm import LanguageModel

STREAMS = 32  # Of held-out text, each read from a blank state.


def language_task(
    corpus: Corpus,
    *,
    hidden: int,
    embedding: int,
    batch: int,
    held_out: int,
    unroll: int = 20,
    dropout: float = 0.1,
) -> Task:
    """Cross-entropy in nats per word of an LSTM; ``test_loss`` is that of ``held_out`` words.

    A step reads ``unroll`` words of ``batch`` streams, and the next step goes on where it ended, with the
    state it left; so do gradients not. A stream has 1/batch of the text and goes on into the next one's
    part; a seed draws where in the text the first one starts.

    Raises:
      DataError: the text is too short.
    """
    words = len(corpus.words)
    if words < 16:
        raise DataError(f"{corpus.source}: has {words} words to learn, and at least 16 are wanted")
    steps = min(held_out, len(corpus.held_out) - STREAMS) // (STREAMS * unroll)
    if steps < 1:
        need = STREAMS * (unroll + 1)
        raise DataError(
            f"{corpus.source}: the held-out text has {len(corpus.held_out)} words, and {need} are wanted"
        )

    def windows(text, starts):
        """The text from each start, one word more than ``unroll``; its end is followed by its beginning."""
        return text.take(starts[..., None] + np.arange(unroll + 1), mode="wrap")

    def starts(size, streams, steps):
        return np.arange(streams) * (size // streams) + np.arange(steps)[:, None] * unroll

    def choose(seed, steps):
        size = len(corpus.train)
        return np.random.default_rng(seed).integers(size) + starts(size, batch, steps)

    def loss(model: Any, text: jax.Array) -> jax.Array:
        memory, losses = model.losses(model.memory[...], text)
        model.memory[...] = memory
        return losses.mean()

    def evaluate(model: Any, held_out: jax.Array) -> dict[str, jax.Array]:
        _, losses = jax.lax.scan(model.losses, model.blank(STREAMS), held_out)
        return {"test_loss": losses.mean()}

    return Task(
        # The paper's cut-offs are 4000, 40000 and 200000.
        make=lambda rngs: LanguageModel(
            words, (words // 16, words // 4), embedding, hidden, batch, dropout=dropout, rngs=rngs
        ),
        loss=loss,
        choose=choose,
        take=lambda starts: windows(corpus.train, starts),
        evaluate=evaluate,
        held_out=windows(corpus.held_out, starts(len(corpus.held_out), STREAMS, steps)),
    )
