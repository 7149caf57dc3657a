"""Two forms of the tests, strictness, and what the tests have cost.

The full form is everything: ``pytest``. The quick form, ``pytest -m "not full"``, is what a newcomer waits
for: it covers every kind of thing that the library does, the full form every case of it. A test, or a case
of a parametrized one, that is of the full form alone has the mark ``full``; everything in ``tests/examples``
and ``tests/benchmarks`` has it by its place. So ``pytest -m full`` is what the quick form has left out, and a
test never asks in which form it runs. Helpers are in ``tests/support``: `forms.in_forms` marks all cases but
a few, `recipes.every_recipe` does so for the recipes, `recipes.every_group` for those that share a program;
`forks.forks` starts the processes of tests from one that has imported what they need, `programs.start` those
of examples and benchmarks; `compiler` is what XLA is told, so that programs are compiled in half of the time.

Strict everywhere: dtype promotion, rank promotion; warnings are errors (pyproject.toml).
"""

import gc
import os
import pathlib
import resource

import pytest

pytest.register_assert_rewrite("tests.support")
from tests.support import compiler

# Several devices, for the tests of sharding; read when JAX starts. Processes that tests start have one.
FLAGS = os.environ.get("XLA_FLAGS")
os.environ.setdefault("XLA_FLAGS", f"--xla_force_host_platform_device_count=8 {compiler.QUICK}")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import hypothesis
import jax

gc.set_threshold(100_000, 50, 1000)  # Each collection goes over all programs that were traced so far.
jax.devices()
if FLAGS is None:
    del os.environ["XLA_FLAGS"]

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
if jax.config.jax_compilation_cache_dir is None:  # No JAX_COMPILATION_CACHE_DIR.
    jax.config.update("jax_compilation_cache_dir", os.path.abspath(".jax_cache"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)

hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.load_profile("ci")

FULL = [pathlib.Path(__file__).parent / folder for folder in ("examples", "benchmarks")]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Before marks are looked at."""
    for item in items:
        if any(folder in item.path.parents for folder in FULL):
            item.add_marker(pytest.mark.full)


def pytest_sessionfinish():
    """Before what was used is counted."""
    from tests.support import forks

    forks.close()


def pytest_terminal_summary(terminalreporter, config):
    """Of the process that the others have reported to, which has waited for them."""
    if not hasattr(config, "workerinput"):
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        seconds = sum(each.ru_utime + each.ru_stime for each in used)
        terminalreporter.write_line(f"{seconds:.0f} CPU-seconds of all processes, user and system")


@pytest.fixture
def x64():
    """Float64 and int64 for one test; the package works in float32 otherwise."""
    with jax.enable_x64(True):
        yield
