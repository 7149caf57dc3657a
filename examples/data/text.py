"""Words of a text as numbers: the standard library's own sources, or the One Billion Word benchmark."""

import sysconfig
import tokenize
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from examples.data.split import DataError

UNKNOWN, END = "<unk>", "</s>"  # A rare word; the end of a line.
BLANK = r"\s\x1c-\x1f"  # As Python's str.isspace; of a regular expression's set.
BETWEEN_BLANKS = f"[^{BLANK}]+"
# A run of letters, digits and underscores, or one other sign: identifiers and keywords stay whole.
IN_SOURCES = rf"[\p{{L}}\p{{N}}_]+|[^\p{{L}}\p{{N}}_{BLANK}]"
LINES = 10_000  # That are encoded at a time, because encodings take ten times the room of their numbers.
# Tests repeat each other; the tables of character sets are no text.
LEFT_OUT = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "encodings"})
HELD_OUT_EVERY = 10  # One file in so many of the standard library is held out.
TRAINING = ("training-monolingual.tokenized.shuffled", "news.en-*-of-*")
HELD_OUT = ("heldout-monolingual.tokenized.shuffled", "news.en.heldout-*-of-*")


class Corpus(NamedTuple):
    """A text in numbers, each the index of a word in ``words``, which are sorted by falling frequency.

    ``train`` has shape (n,), ``held_out`` (m,), both int32; ``counts``, of shape (vocabulary,), says how
    often a word occurs in ``train``.
    """

    train: np.ndarray
    held_out: np.ndarray
    words: tuple[str, ...]
    counts: np.ndarray
    source: str

    def unigram_loss(self) -> float:
        """Cross-entropy in nats per word of the held-out text under the frequencies of the training text.

        They are ``(count + 1) / (n + vocabulary)``, so that no word is impossible.
        """
        smooth = self.counts + 1.0
        return float(-np.log(smooth / smooth.sum())[self.held_out].mean())


def standard_library(megabytes: int, rare: int, vocabulary: int, folder: Path | None = None) -> Corpus:
    """The sources of Python's standard library, without tests: words of :data:`IN_SOURCES`, lines that end.

    Args:
      megabytes: how much of it to read, in 10^6 bytes; files come in the order of a hash of their names, so
        that a part is a sample, and every tenth is held out.
      rare: words as frequent or less in the training text become :data:`UNKNOWN`.
      vocabulary: how many words are kept at most, :data:`UNKNOWN` included.
      folder: with the sources, or None for those of this Python.
    """
    root = folder or Path(sysconfig.get_path("stdlib"))
    names = {file.relative_to(root).as_posix() for file in root.rglob("*.py")}
    names = sorted((zlib.crc32(n.encode()), n) for n in names if LEFT_OUT.isdisjoint(n.split("/")))
    left, files = megabytes * 10**6, []
    for _, name in names:
        if (left := left - (root / name).stat().st_size) < 0:
            break
        files.append(root / name)
    if len(files) < HELD_OUT_EVERY:
        raise DataError(
            f"{root}: has only {len(files)} sources to read, and at least {HELD_OUT_EVERY} are wanted"
        )

    def lines(index: int) -> list[str]:
        with tokenize.open(files[index]) as file:  # In the encoding that the source declares.
            return file.readlines()

    held_out = range(HELD_OUT_EVERY - 1, len(files), HELD_OUT_EVERY)
    train = (i for i in range(len(files)) if i not in held_out)
    source = f"the sources of Python's standard library ({len(files)} files)"
    texts, unseen = (chain.from_iterable(map(lines, part)) for part in (train, held_out))
    return _corpus(texts, unseen, IN_SOURCES, rare, vocabulary, source)


def one_billion_word(folder: Path, megabytes: int, rare: int, vocabulary: int) -> Corpus:
    """The benchmark of Chelba et al. (2013) as it is distributed: a sentence per line, words between blanks.

    Args:
      folder: with the folders :data:`TRAINING` and :data:`HELD_OUT`, of files in UTF-8.
      megabytes: how much of each to read, in 10^6 bytes; the files are shuffled already.
      rare: as in :func:`standard_library`. vocabulary: as there.

    Raises:
      DataError: a folder is missing, holds no such file, or a file is not UTF-8.
    """
    train, held_out = (
        _sentences(folder / name, pattern, megabytes) for name, pattern in (TRAINING, HELD_OUT)
    )
    return _corpus(train, held_out, BETWEEN_BLANKS, rare, vocabulary, "the One Billion Word benchmark")


def _sentences(folder: Path, pattern: str, megabytes: int) -> Iterator[str]:
    if not folder.is_dir():
        raise DataError(
            f"{folder}: is no folder; wanted is the One Billion Word benchmark's, with files {pattern}"
        )
    files = sorted(folder.glob(pattern))
    if not files:
        raise DataError(f"{folder}: has no file {pattern}, as the One Billion Word benchmark has")
    left = megabytes * 10**6
    for file in files:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if (left := left - len(line)) < 0:
                    return
                try:
                    yield line.decode("utf-8")
                except UnicodeDecodeError:
                    raise DataError(f"{file}: line {number} is not UTF-8, as the text must be") from None


def _corpus(
    train_lines: Iterable[str],
    held_out_lines: Iterable[str],
    word: str,
    rare: int,
    vocabulary: int,
    source: str,
) -> Corpus:
    """Learns the words, which match a regular expression, from the training text."""
    # A line that is not blank ends with END, after the only line feed that it has.
    texts = [
        [f"{line.strip()}\n{END}" for line in lines if line.strip()]
        for lines in (train_lines, held_out_lines)
    ]
    for text, name in zip(texts, ("training", "held-out"), strict=True):
        if not text:
            raise DataError(f"{source}: the {name} text is empty, and words are wanted")
    learned = Tokenizer(models.WordLevel())
    pattern = Regex(rf"(?<=\n){END}|{word}")
    learned.pre_tokenizer = pre_tokenizers.Split(pattern, "removed", invert=True)
    trainer = trainers.WordLevelTrainer(
        vocab_size=vocabulary - 1, min_frequency=rare + 1, show_progress=False, special_tokens=[]
    )
    learned.train_from_iterator(texts[0], trainer)
    numbers = learned.get_vocab()
    words = (UNKNOWN, *sorted(numbers, key=numbers.__getitem__))
    numbers = {name: index for index, name in enumerate(words)} | {UNKNOWN: 0}
    learned.model = models.WordLevel(numbers, unk_token=UNKNOWN)

    def encode(lines: list[str]) -> np.ndarray:
        parts = (learned.encode_batch_fast(lines[i : i + LINES]) for i in range(0, len(lines), LINES))
        return np.concatenate([np.array(line.ids, np.int32) for part in parts for line in part])

    train, held_out = map(encode, texts)
    return Corpus(train, held_out, words, np.bincount(train, minlength=len(words)), source)
