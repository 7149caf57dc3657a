"""What processes that tests start are given."""

import os

import jax


def environment(*, devices=1, **variables):
    """Variables of a process with so many devices, whose programs are compiled once for all processes."""
    flags = os.environ.get("XLA_FLAGS", "")
    if devices > 1:
        flags += f" --xla_force_host_platform_device_count={devices}"
    cache = {
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }
    return os.environ | {"XLA_FLAGS": flags.strip()} | cache | variables
