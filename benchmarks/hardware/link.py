"""How long a step takes whose state crosses the link between device and host, by its compiled schedule."""

from typing import NamedTuple

from benchmarks.hardware.hlo import MOVES, events


class Crossing(NamedTuple):
    """Bytes that come from the host and go there, and seconds of the whole program."""

    arriving: int
    leaving: int
    seconds: float


def crossing(text: str, link: float, memory: float) -> Crossing:
    """Plays a schedule back: transfers of one direction take turns, kernels wait for what they need.

    Args:
      text: ``compiled.as_text()``.
      link: bytes per second, each way, both ways at once.
      memory: bytes per second of the device's main memory; kernels take no longer than that.
    """
    now = arrived = left = 0.0
    ends, arriving, leaving = {}, 0, 0
    for event in events(text):
        begun = now
        if event.arriving:
            arrived = max(arrived, begun) + event.arriving / link
        if event.leaving:
            left = max(left, begun) + event.leaving / link
        crossed = max(arrived if event.arriving else 0.0, left if event.leaving else 0.0)
        arriving, leaving = arriving + event.arriving, leaving + event.leaving
        if event.waits_for:
            now = max(now, ends.get(event.waits_for, now))
        elif event.opcode in MOVES:
            ends[event.name] = max(begun, crossed)
        else:  # GPUs read the host's memory in the kernel itself.
            now = max(begun + event.main / memory, crossed)
    return Crossing(arriving, leaving, max(now, arrived, left))
