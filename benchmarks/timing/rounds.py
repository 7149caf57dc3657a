"""Timing side by side: every competitor once in every round, in an order drawn for the round."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

# Threads of a pool may go on spinning for a while after their work is done; nobody is timed meanwhile.
REST = 0.01

Timer = Callable[[], float]  # Does the work once; returns seconds.


def timer(call: Callable[[], Any], wait: Callable[[], Any] = lambda: None) -> Timer:
    """Times ``call(); wait()``.

    On an accelerator calls only enqueue work: there, several are in flight before the wait, and what is
    timed is the device and not the launch of one step.
    """
    calls = 1 if jax.default_backend() == "cpu" else 10

    def run() -> float:
        time.sleep(REST)
        start = time.perf_counter()
        for _ in range(calls):
            call()
        wait()
        return (time.perf_counter() - start) / calls

    return run


def interleaved(timers: Mapping[str, Timer], rounds: int, warm_up: int = 2) -> dict[str, np.ndarray]:
    """Seconds of each competitor in each round, shape=(rounds,); the rounds of the warm-up are left out."""
    # A fixed order would let each work in the caches, and in the heat, that always the same one left.
    order = np.random.default_rng(0)
    seconds = {name: np.zeros(rounds + warm_up) for name in timers}
    for i in range(rounds + warm_up):
        for name in order.permutation(list(timers)):
            seconds[name][i] = timers[name]()
    return {name: values[warm_up:] for name, values in seconds.items()}
