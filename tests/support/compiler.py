"""What XLA is told, since most of the time of the tests is compilation.

Its older emitters of loops and less of LLVM take less than half of the time. They round within the bounds of
the tests, but users' programs come from the newer ones: so do those whose bits or buffers are what a test is
about, which are compiled with ``AS_USERS``, and those of the processes that tests start, `forks.alone`.
Without any of LLVM's optimizations powers are less exact. That matters neither in examples and benchmarks,
`LEAST`, nor where a few steps are compared up to rounding, `UNOPTIMIZED`.
"""

import importlib.metadata

QUICK = "--xla_backend_optimization_level=1 --xla_cpu_parallel_codegen_split_count=1"
# Of one program.
AS_USERS: dict[str, bool | int] = {"xla_backend_optimization_level": 3}
UNOPTIMIZED = {"xla_backend_optimization_level": 0}
# From JAX 0.12 on there are no older emitters. JAX itself must not be imported before it is told.
if tuple(map(int, importlib.metadata.version("jaxlib").split(".")[:2])) < (0, 12):
    QUICK += " --xla_cpu_use_fusion_emitters=false"
    AS_USERS["xla_cpu_use_fusion_emitters"] = True
LEAST = QUICK.replace("level=1", "level=0")
