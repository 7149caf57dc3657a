"""Pairs that are made on the spot: numbers in English words, and in digits."""

import functools

import numpy as np

from examples.data.pairs import Pairs, padded

LIMIT = 10**6  # Numbers are below it,
TRAINING, HELD_OUT = 30_000, 256  # and so many of them are used.

# fmt: off
ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
# fmt: on
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
WORDS = ("<pad>", "<start>", "<end>", *ONES, *TENS, "hundred", "thousand", "and")
DIGITS = ("<pad>", "<start>", "<end>", *"0123456789")

# Symbols of a target on average: the digits, counted place by place, and END.
SYMBOLS = (LIMIT + sum(LIMIT - 10**digits for digits in range(1, 6))) / LIMIT + 1
# The least loss without the source, in nats per symbol: all numbers are equally likely.
BLIND_LOSS = float(np.log(LIMIT) / SYMBOLS)


def in_words(number: int) -> list[str]:
    """The words of 0 <= number < 10^6: 312005 is three hundred and twelve thousand and five."""
    if number < 20:
        return [ONES[number]]
    if number < 100:
        return [TENS[number // 10 - 2], *(in_words(number % 10) if number % 10 else ())]
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    rest = number % size
    joint = ["and"] if 0 < rest < 100 else []
    return [*in_words(number // size), name, *joint, *(in_words(rest) if rest else ())]


@functools.cache
def load() -> tuple[Pairs, Pairs]:
    """Training and held-out pairs: different numbers, the same in every run."""
    numbers = np.random.default_rng(0).permutation(LIMIT)[: HELD_OUT + TRAINING].tolist()
    words = {word: index for index, word in enumerate(WORDS)}
    digits = {digit: index for index, digit in enumerate(DIGITS)}
    pairs = padded(
        [[words[word] for word in in_words(number)] for number in numbers],
        [[digits[digit] for digit in str(number)] for number in numbers],
    )
    return Pairs(*(x[HELD_OUT:] for x in pairs)), Pairs(*(x[:HELD_OUT] for x in pairs))
