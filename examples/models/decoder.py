"""A decoder-only Transformer in Flax NNX that says itself how its weights are sharded."""

import jax
from flax import nnx
from jax.sharding import PartitionSpec

DATA, FSDP = "data", "fsdp"  # Axes of the mesh: both split the batch, the second one weights and state.
ROWS = PartitionSpec((DATA, FSDP))
INITIAL = nnx.initializers.normal(0.02)


def dense(inputs: int, outputs: int, rngs: nnx.Rngs) -> nnx.Linear:
    """A linear layer without bias whose larger side is sharded."""
    names = (FSDP, None) if inputs > outputs else (None, FSDP)
    return nnx.Linear(
        inputs, outputs, use_bias=False, kernel_init=nnx.with_partitioning(INITIAL, names), rngs=rngs
    )


class Block(nnx.Module):
    """Causal attention and a feed-forward network, each added to its input, which it sees normalised."""

    def __init__(self, width: int, heads: int, rngs: nnx.Rngs):
        self.heads = heads
        self.attention_norm = nnx.RMSNorm(width, rngs=rngs)
        self.query_key_value = dense(width, 3 * width, rngs)
        self.out = dense(width, width, rngs)
        self.hidden_norm = nnx.RMSNorm(width, rngs=rngs)
        self.inner = dense(width, 4 * width, rngs)
        self.outer = dense(4 * width, width, rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """From and to shape (n, length, width)."""
        n, length, width = x.shape
        heads = self.query_key_value(self.attention_norm(x)).reshape(n, length, 3, self.heads, -1)
        query, key, value = (heads[:, :, i] for i in range(3))
        attended = jax.nn.dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(attended.reshape(n, length, width))
        return x + self.outer(nnx.gelu(self.inner(self.hidden_norm(x))))


class Decoder(nnx.Module):
    """Embeddings of words and positions, ``layers`` blocks, and the embeddings again as output weights.

    Args:
      words: size of the vocabulary.
      length: of the longest text.
      layers: how many.
      width: of all vectors, a multiple of ``heads`` and of the mesh's axis ``fsdp``.
      heads: of each attention.
    """

    def __init__(self, words: int, length: int, layers: int, width: int, heads: int, rngs: nnx.Rngs):
        initial = nnx.with_partitioning(INITIAL, (None, FSDP))
        self.words = nnx.Embed(words, width, embedding_init=initial, rngs=rngs)
        self.positions = nnx.Embed(length, width, embedding_init=initial, rngs=rngs)
        self.blocks = nnx.List(Block(width, heads, rngs) for _ in range(layers))
        self.norm = nnx.RMSNorm(width, rngs=rngs)

    def __call__(self, text: jax.Array) -> jax.Array:
        """Logits (n, length, words) of the word after each of ``text`` (n, length), int32."""
        # Weights are gathered where they are used, not activations: every device keeps to its rows.
        words, positions = (
            jax.lax.with_sharding_constraint(embed.embedding[...], PartitionSpec())
            for embed in (self.words, self.positions)
        )
        x = jax.lax.with_sharding_constraint(words[text] + positions[None, : text.shape[1]], ROWS)
        for block in self.blocks:
            x = block(x)
        return self.norm(x) @ words.T
