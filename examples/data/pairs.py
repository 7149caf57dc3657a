"""Pairs of sequences of symbols: one to read, and the one to say."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

PAD, START, END = range(3)  # The first symbols of every vocabulary.


class Pairs(NamedTuple):
    """Sources (n, s) and targets (n, t), int32; both end with END and PADs, targets begin with START."""

    source: np.ndarray
    target: np.ndarray


def padded(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> Pairs:
    """Pairs as wide as the longest of them."""

    def table(sequences):
        rows = np.full((len(sequences), max(map(len, sequences))), PAD, np.int32)
        for row, sequence in zip(rows, sequences, strict=True):
            row[: len(sequence)] = sequence
        return rows

    return Pairs(table([[*s, END] for s in sources]), table([[START, *t, END] for t in targets]))


def unigram_entropy(targets: np.ndarray) -> float:
    """Nats per symbol, END included: the loss of the best model that sees neither source nor prefix."""
    counts = np.array(list(Counter(targets[targets > START].tolist()).values()))
    return float(-(counts / counts.sum() * np.log(counts / counts.sum())).sum())
