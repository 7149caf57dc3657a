"""Strict everywhere: dtype promotion, rank promotion; warnings are errors (pyproject.toml)."""

import gc
import os

# Several devices, for the tests of sharding, and what is quick to compile, since most of the time is
# compilation: less of LLVM, and a loop in one kernel, as XLA compiles small loops anyway. Read when JAX
# starts. Processes that tests start compile as users do.
LOOP = "xla_cpu_small_while_loop_byte_threshold=1000000"
QUICK = f" --xla_backend_optimization_level=1 --xla_backend_extra_options={LOOP}"
os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count=8{QUICK}")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import hypothesis
import jax
import pytest

gc.set_threshold(100_000, 50, 1000)  # Each collection goes over all programs that were traced so far.
jax.devices()
os.environ["XLA_FLAGS"] = os.environ["XLA_FLAGS"].removesuffix(QUICK)

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", os.path.abspath(".jax_cache"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)

hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.load_profile("ci")


@pytest.fixture
def x64():
    """Float64 and int64 for one test; the package works in float32 otherwise."""
    with jax.enable_x64(True):
        yield
