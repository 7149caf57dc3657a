"""The types of options on a command line, whose errors are one line."""

import argparse
import os
from collections.abc import Callable
from math import inf, nan
from pathlib import Path


def positive_int(text: str) -> int:
    """An argparse type: a whole number >= 1."""
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1; got {text!r}")
    return int(text)


def at_least(smallest: float) -> Callable[[str], float]:
    """An argparse type: a finite number >= the smallest."""
    return _number(lambda value: value >= smallest, f">= {smallest:g}")


def above(bound: float) -> Callable[[str], float]:
    """An argparse type: a finite number > the bound."""
    return _number(lambda value: value > bound, f"> {bound:g}")


def _number(holds: Callable[[float], bool], rule: str) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = nan
        if not (value < inf and holds(value)):
            raise argparse.ArgumentTypeError(f"must be a number {rule}; got {text!r}")
        return value

    return convert


def output_folder(text: str) -> Path:
    """An argparse type: a folder to write to, made here so that a bad one fails before the work."""
    folder = Path(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot make the folder {text!r}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"cannot write to the folder {text!r}")
    return folder
