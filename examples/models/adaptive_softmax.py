"""The adaptive softmax: exact probabilities of many words, of which the rare ones have few features."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax
from flax import nnx


class AdaptiveSoftmax(nnx.Module):
    """Words by falling frequency: the head tells apart the first of them and the clusters of the others.

    ``p(word) = p_head(word)`` where ``word < cutoffs[0]``, else ``p_head(cluster) p_cluster(word)``.
    Cluster i = 1, 2, ... has the words from one cut-off to the next and the logits ``B A x``, where A has
    the shape (features / reduction^i, features).

    Source: Grave et al. (2017), "Efficient softmax approximation for GPUs".

    Args:
      features: the length of x.
      words: how many there are.
      cutoffs: rising, between 0 and ``words``.
      reduction: of features, from cluster to cluster.
      rngs: of the weights.
    """

    def __init__(
        self, features: int, words: int, cutoffs: Sequence[int], reduction: int = 4, *, rngs: nnx.Rngs
    ):
        self.bounds = (*cutoffs, words)
        self.head = nnx.Linear(features, cutoffs[0] + len(cutoffs), rngs=rngs)
        self.tails = nnx.List()
        for i, (first, end) in enumerate(zip(self.bounds, self.bounds[1:], strict=False), start=1):
            few = max(1, features // reduction**i)
            down = nnx.Linear(features, few, use_bias=False, rngs=rngs)
            self.tails.append(nnx.Sequential(down, nnx.Linear(few, end - first, use_bias=False, rngs=rngs)))

    def loss(self, x: jax.Array, words: jax.Array) -> jax.Array:
        """``-ln p(words)`` in nats, shape (n,), for x of shape (n, features) and words of shape (n,)."""
        cross_entropy = optax.softmax_cross_entropy_with_integer_labels
        clusters = jnp.searchsorted(jnp.asarray(self.bounds[:-1]), words, side="right")
        in_head = jnp.where(clusters == 0, words, self.bounds[0] + clusters - 1)
        losses = cross_entropy(self.head(x), in_head)
        # Clusters are computed for all words, also those outside: shapes stay the same, and they are cheap.
        for i, tail in enumerate(self.tails):
            first, end = self.bounds[i : i + 2]
            inside = cross_entropy(tail(x), jnp.clip(words - first, 0, end - first - 1))
            losses += jnp.where(clusters == i + 1, inside, 0.0)
        return losses
