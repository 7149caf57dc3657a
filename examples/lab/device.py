"""What a program runs on."""

import os

import jax


def device_line() -> str:
    """One line that says what a measurement ran on."""
    device = jax.devices()[0]
    kind = device.device_kind if device.platform != "cpu" else f"CPU, {cores()} cores"
    return f"JAX {jax.__version__} on {kind}"


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
