"""The parameters of Llama 2 (Touvron et al. 2023): shapes, and the axes of a mesh to divide them over."""

from typing import NamedTuple


class Llama(NamedTuple):
    """The sizes of a model; its output layer is not tied to its embedding."""

    layers: int
    width: int
    heads: int
    kv_heads: int  # Fewer than heads: grouped-query attention.
    hidden: int  # of the feed-forward layers.
    vocabulary: int = 32_000

    def leaves(self, *, stacked: bool = True) -> dict[str, tuple[tuple[int, ...], tuple[str | None, ...]]]:
        """Shape and axes of each leaf: fully sharded over "rows", tensor parallel over "columns".

        Layers are stacked, as code that scans over them has them: one leaf of each kind for all layers; or
        each has leaves of its own.
        """
        kv = self.width * self.kv_heads // self.heads
        into, out_of, norm = (None, "rows", "columns"), (None, "columns", "rows"), (None, "rows")
        n, width = self.layers, self.width
        ends = {
            "embedding": ((self.vocabulary, width), ("columns", "rows")),
            "norm": ((width,), ("rows",)),
            "output": ((width, self.vocabulary), ("rows", "columns")),
        }
        layers = {
            "attention_norm": ((n, width), norm),
            "query": ((n, width, width), into),
            "key": ((n, width, kv), into),
            "value": ((n, width, kv), into),
            "attention": ((n, width, width), out_of),
            "feed_forward_norm": ((n, width), norm),
            "gate": ((n, width, self.hidden), into),
            "up": ((n, width, self.hidden), into),
            "down": ((n, self.hidden, width), out_of),
        }
        if not stacked:
            layers = {
                f"{name}_{layer}": (shape[1:], axes[1:])
                for layer in range(n)
                for name, (shape, axes) in layers.items()
            }
        return ends | layers


LLAMA_2 = {
    "7B": Llama(layers=32, width=4096, heads=32, kv_heads=32, hidden=11_008),
    "70B": Llama(layers=80, width=8192, heads=64, kv_heads=8, hidden=28_672),
}
