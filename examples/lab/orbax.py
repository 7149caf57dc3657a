"""Orbax in a program that has one line for each thing it says."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager


def silence_orbax() -> None:
    """Keeps Orbax from logging what it raises as well, once per thread."""
    logging.getLogger("absl").setLevel(logging.CRITICAL)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Ctrl-C takes effect at the end of the block: Orbax would have more than one line to say about it."""
    signals = []
    handler = signal.signal(signal.SIGINT, lambda *_: signals.append(None))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if signals:
            raise KeyboardInterrupt
