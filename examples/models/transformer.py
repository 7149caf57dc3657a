"""The Transformer of Vaswani et al. (2017) in Flax NNX: encoder and decoder, LayerNorm after the residual.

A stack of layers is one layer with stacked weights that is scanned over: it compiles as fast at
twelve layers as at one.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from examples.data.pairs import PAD


def sinusoids(length: int, width: int) -> np.ndarray:
    """Positions of shape (length, width): sines, then cosines, wavelengths from 2 pi to 10^4 * 2 pi."""
    rates = 1e-4 ** (np.arange(width // 2) / max(width // 2 - 1, 1))
    angles = np.arange(length)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def dense(inputs: int, outputs: int, rngs: nnx.Rngs) -> nnx.Linear:
    """A linear layer as fairseq starts it: Glorot-uniform weights, no bias at first."""
    return nnx.Linear(inputs, outputs, kernel_init=nnx.initializers.xavier_uniform(), rngs=rngs)


class Attention(nnx.Module):
    """Scaled dot-product attention with several heads."""

    def __init__(self, width: int, heads: int, rngs: nnx.Rngs):
        self.heads = heads
        self.query = dense(width, width, rngs)
        self.key_value = dense(width, 2 * width, rngs)
        self.out = dense(width, width, rngs)

    def __call__(self, x: jax.Array, memory: jax.Array, mask: jax.Array) -> jax.Array:
        """From x (n, q, width) and memory (n, k, width); mask, bool, broadcasts to (n, heads, q, k)."""
        query, key, value = (
            a.reshape(*a.shape[:-1], self.heads, -1)
            for a in (self.query(x), *jnp.split(self.key_value(memory), 2, axis=-1))
        )
        return self.out(jax.nn.dot_product_attention(query, key, value, mask=mask).reshape(x.shape))


class Sublayer(nnx.Module):
    """``LayerNorm(x + Dropout(f(x)))``: post-LayerNorm."""

    def __init__(self, function: nnx.Module, width: int, dropout: float, rngs: nnx.Rngs):
        self.function = function
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.norm = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)

    def __call__(self, x: jax.Array, *arguments: jax.Array) -> jax.Array:
        return self.norm(x + self.dropout(self.function(x, *arguments)))


class FeedForward(nnx.Module):
    """A hidden layer of ReLUs at each position."""

    def __init__(self, width: int, hidden: int, rngs: nnx.Rngs):
        self.inner = dense(width, hidden, rngs)
        self.outer = dense(hidden, width, rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.outer(nnx.relu(self.inner(x)))


class EncoderLayer(nnx.Module):
    """Self-attention and a feed-forward network."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float, rngs: nnx.Rngs):
        self.attend = Sublayer(Attention(width, heads, rngs), width, dropout, rngs)
        self.transform = Sublayer(FeedForward(width, hidden, rngs), width, dropout, rngs)

    def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
        return self.transform(self.attend(x, x, mask))


class DecoderLayer(nnx.Module):
    """Causal self-attention, attention to the encoder's output, and a feed-forward network."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float, rngs: nnx.Rngs):
        self.attend = Sublayer(Attention(width, heads, rngs), width, dropout, rngs)
        self.look_up = Sublayer(Attention(width, heads, rngs), width, dropout, rngs)
        self.transform = Sublayer(FeedForward(width, hidden, rngs), width, dropout, rngs)

    def __call__(self, x: jax.Array, past: jax.Array, memory: jax.Array, mask: jax.Array) -> jax.Array:
        return self.transform(self.look_up(self.attend(x, x, past), memory, mask))


def stack(layers: int, make: Callable[[nnx.Rngs], Any], rngs: nnx.Rngs) -> Any:
    """``layers`` layers, each with weights and dropout of its own, as one with a leading axis."""
    return nnx.split_rngs(splits=layers)(nnx.vmap(make, in_axes=0, out_axes=0))(rngs)


def through(layers: Any, x: jax.Array, *arguments: jax.Array) -> jax.Array:
    """The output of the last layer of a :func:`stack`."""
    axes = (nnx.Carry, 0, *(None for _ in arguments))
    return nnx.scan(lambda x, layer, *rest: layer(x, *rest), in_axes=axes, out_axes=nnx.Carry)(
        x, layers, *arguments
    )


class Transformer(nnx.Module):
    """Encoder and decoder of ``layers`` layers each.

    Args:
      sources, targets: sizes of the vocabularies.
      layers: of the encoder, and of the decoder.
      width: of all vectors, a multiple of ``2 * heads``.
      heads: of each attention.
      hidden: units of a feed-forward network.
      dropout: after each sublayer and on the embeddings.
      tied: the output layer is the target embedding, transposed.
    """

    def __init__(
        self,
        sources: int,
        targets: int,
        rngs: nnx.Rngs,
        *,
        layers: int = 6,
        width: int = 512,
        heads: int = 4,
        hidden: int = 1024,
        dropout: float = 0.0,
        tied: bool = True,
    ):
        def embedding(size):
            return nnx.Embed(size, width, embedding_init=nnx.initializers.normal(width**-0.5), rngs=rngs)

        shape = (width, heads, hidden, dropout)
        self.source, self.target = embedding(sources), embedding(targets)
        self.encoder = stack(layers, lambda rngs: EncoderLayer(*shape, rngs), rngs)
        self.decoder = stack(layers, lambda rngs: DecoderLayer(*shape, rngs), rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.output = None if tied else dense(width, targets, rngs)

    def __call__(self, source: jax.Array, target: jax.Array) -> jax.Array:
        """Logits (n, t, targets) of the symbol after each of target (n, t), from source (n, s); int32.

        ``target`` begins with START; sources are padded with PAD at their end.
        """
        mask = (source != PAD)[:, None, None, :]
        past = jnp.tril(jnp.ones((target.shape[1],) * 2, bool))[None, None]
        memory = through(self.encoder, self._embed(self.source, source), mask)
        x = through(self.decoder, self._embed(self.target, target), past, memory, mask)
        return self.target.attend(x) if self.output is None else self.output(x)

    def _embed(self, embedding: nnx.Embed, symbols: jax.Array) -> jax.Array:
        vectors = embedding(symbols)
        width = vectors.shape[-1]
        return self.dropout(vectors * width**0.5 + sinusoids(symbols.shape[1], width)[None])
