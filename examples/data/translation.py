"""Pairs of sentences from a folder of the user's, in pieces of words that a tokenizer has learned from them.

The folder holds plain text in UTF-8, a sentence per line, line n of one file the translation of
line n of the other: ``train.de`` and ``train.en``, ``valid.de`` and ``valid.en`` (or other endings).
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from examples.data.pairs import Pairs, padded
from examples.data.split import DataError

SPECIAL = ("<pad>", "<start>", "<end>", "<unknown>")


class Text(NamedTuple):
    """Sentences and their translations."""

    sources: list[str]
    targets: list[str]


def read_lines(file: Path) -> list[str]:
    """The lines of a text file."""
    try:
        # Only a line feed ends a line; str.splitlines would find more ends.
        lines = file.read_text("utf-8").rstrip("\n").split("\n")
    except OSError as error:
        raise DataError(
            f"{file}: {error.strerror}; wanted: plain text, a sentence per line, for example train.de, "
            "train.en, valid.de and valid.en"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 at byte {error.start}; wanted: plain text in UTF-8") from error
    if not any(map(str.strip, lines)):
        raise DataError(f"{file}: empty; wanted: plain text, a sentence per line")
    return [line.strip() for line in lines]


def read_pairs(folder: Path, part: str, source: str, target: str) -> Text:
    """``part.source`` and ``part.target`` without the pairs of which a side is blank."""
    files = [folder / f"{part}.{language}" for language in (source, target)]
    sides = [read_lines(file) for file in files]
    if len(sides[0]) != len(sides[1]):
        raise DataError(
            f"{files[1]}: {len(sides[1])} lines where {files[0].name} has {len(sides[0])}; "
            "wanted: line n is the translation of line n"
        )
    pairs = [pair for pair in zip(*sides, strict=True) if all(pair)]
    if not pairs:
        raise DataError(f"{files[0]}: no line has a translation in {files[1].name}")
    return Text(*map(list, zip(*pairs, strict=True)))


def tokenizer(text: Text, vocabulary: int, cache: Path) -> Tokenizer:
    """Byte-pair encoding, one for both languages, learned from the text, or read back from ``cache``."""
    digest = hashlib.sha256("\n".join([*text.sources, *text.targets]).encode()).hexdigest()[:16]
    file = cache / f"bpe-{vocabulary}-{digest}.json"
    if file.exists():
        return Tokenizer.from_file(str(file))
    learned = Tokenizer(models.BPE(unk_token=SPECIAL[-1]))
    learned.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=list(SPECIAL), show_progress=False)
    learned.train_from_iterator([*text.sources, *text.targets], trainer)
    cache.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    learned.save(str(partial))
    partial.replace(file)
    return learned


def encode(text: Text, learned: Tokenizer, length: int) -> tuple[Pairs, int]:
    """The pairs of which no side has more than ``length`` pieces, padded; and how many were left out."""
    sources, targets = ([e.ids for e in learned.encode_batch(side)] for side in text)
    kept = [pair for pair in zip(sources, targets, strict=True) if max(map(len, pair)) <= length]
    if not kept:
        raise DataError(f"--length: no pair of sentences has at most {length} pieces on both sides")
    return padded(*zip(*kept, strict=True)), len(sources) - len(kept)


class Corpus(NamedTuple):
    """Text in pieces."""

    data: Pairs
    held_out: Pairs
    vocabulary: int
    left_out: int  # Pairs of ``data`` that were too long.


def load(
    folder: Path, cache: Path, *, source: str, target: str, vocabulary: int, length: int, held_out: int
) -> Corpus:
    """The training pairs of a folder, and the first ``held_out`` of its validation pairs."""
    train, valid = (read_pairs(folder, part, source, target) for part in ("train", "valid"))
    learned = tokenizer(train, vocabulary, cache)
    data, left_out = encode(train, learned, length)
    valid, _ = encode(valid, learned, length)
    return Corpus(data, Pairs(*(x[:held_out] for x in valid)), learned.get_vocab_size(), left_out)
