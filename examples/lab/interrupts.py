"""Ctrl-C: one line that says what to type next, and an end at once."""

import os
import shlex
import sys
from typing import Any, NoReturn

_advice: list[str] = []


def if_interrupted(advice: str, package: str, *arguments: str) -> None:
    """What an interrupt from now on says after ``Interrupted.``: the advice, and the command to type."""
    _advice[:] = [f"{advice} with: {shlex.join(['python', '-m', package, *arguments])}"]


def stop(*_: Any) -> NoReturn:
    """Ends the process with one line, at once: XLA can crash in an orderly exit from an interrupted call."""
    print(" ".join(["Interrupted.", *_advice]), file=sys.stderr, flush=True)
    os._exit(130)
