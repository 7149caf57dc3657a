"""Strict everywhere: dtype promotion, rank promotion; warnings are errors (pyproject.toml)."""

import gc
import os

# Several devices, for the tests of sharding, and less of LLVM, since most of the time is compilation;
# read when JAX starts. Processes that tests start compile as users do.
LESS_LLVM = " --xla_backend_optimization_level=1"
os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count=8{LESS_LLVM}")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import hypothesis
import jax
import pytest

gc.set_threshold(100_000, 50, 1000)  # Each collection goes over all programs that were traced so far.
jax.devices()
os.environ["XLA_FLAGS"] = os.environ["XLA_FLAGS"].removesuffix(LESS_LLVM)

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update(
    "jax_compilation_cache_dir", os.environ.get("JAX_COMPILATION_CACHE_DIR", os.path.abspath(".jax_cache"))
)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)

hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.load_profile("ci")


@pytest.fixture
def x64():
    """Float64 and int64 for one test; the package works in float32 otherwise."""
    with jax.enable_x64(True):
        yield
