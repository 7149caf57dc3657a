"""A language model: embeddings, layers of LSTM, an adaptive softmax; it goes on where a batch left it."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from examples.models.adaptive_softmax import AdaptiveSoftmax


class Memory(nnx.Variable):
    """The state in which a batch leaves the model and the next one finds it; a constant to the gradient."""


def run_lstm(cell: nnx.OptimizedLSTMCell, state: jax.Array, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``nnx.RNN(cell)``, but with one matrix product for the inputs of all times.

    Args:
      cell: gives the weights.
      state: c and h, shape (2, batch, hidden).
      inputs: shape (time, batch, features).

    Returns:
      The last state, and h at all times, shape (time, batch, hidden).
    """

    def step(state, projected):
        c, h = state
        i, f, g, o = jnp.split(projected + cell.dense_h(h), 4, axis=-1)
        c = nnx.sigmoid(f) * c + nnx.sigmoid(i) * jnp.tanh(g)
        h = nnx.sigmoid(o) * jnp.tanh(c)
        return jnp.stack([c, h]), h

    return jax.lax.scan(step, state, cell.dense_i(inputs))


class LanguageModel(nnx.Module):
    """Probabilities of the next word, given all words so far.

    Source: Liu et al. (2020), who train two layers of 2048 units with embeddings of 300 features and
    dropout 0.1; Zaremba et al. (2014) for dropout on what goes up, and not on what goes on in time.

    Args:
      words: how many there are, by falling frequency.
      cutoffs: of the adaptive softmax.
      embedding: features of a word.
      hidden: units per layer.
      batch: how many streams of text are read side by side in training.
      layers: of LSTM.
      dropout: rate, of the embeddings and each layer's output.
      rngs: of the weights, and of dropout.
    """

    def __init__(
        self,
        words: int,
        cutoffs: Sequence[int],
        embedding: int,
        hidden: int,
        batch: int,
        layers: int = 2,
        dropout: float = 0.1,
        *,
        rngs: nnx.Rngs,
    ):
        self.embed = nnx.Embed(words, embedding, rngs=rngs)
        below = [embedding] + [hidden] * (layers - 1)
        self.cells = nnx.List(nnx.OptimizedLSTMCell(features, hidden, rngs=rngs) for features in below)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.softmax = AdaptiveSoftmax(hidden, words, cutoffs, rngs=rngs)
        self.memory = Memory(self.blank(batch))

    def blank(self, batch: int) -> jax.Array:
        """The state before the first word: zeros of shape (layers, 2, batch, hidden)."""
        return jnp.zeros((len(self.cells), 2, batch, self.cells[0].hidden_features))

    def losses(self, memory: jax.Array, text: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The state after ``text``, shape (batch, time + 1), and ``-ln p`` of all words but the first.

        The losses are in nats, of shape (batch, time).
        """
        x = self.dropout(self.embed(text[:, :-1].T))
        states = []
        for cell, state in zip(self.cells, memory, strict=True):
            state, x = run_lstm(cell, state, x)
            x = self.dropout(x)
            states.append(state)
        losses = self.softmax.loss(x.reshape(-1, x.shape[-1]), text[:, 1:].T.reshape(-1))
        return jnp.stack(states), losses.reshape(x.shape[:2]).T
