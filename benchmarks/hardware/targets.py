"""Hardware that a step can be compiled for without being here: TPU slices and NVIDIA GPUs.

XLA's compiler for TPUs comes with ``libtpu``, the one for GPUs with JAX's CUDA plugin. Both compile for a
described topology; neither needs a device.
"""

import importlib.util
import os
from typing import Any, NamedTuple

import jax
from jax.experimental import topologies

# Of as many chips as the grid has; v5e and v6e slices end at 256.
TPUS = ("v5e:2x2", "v5p:2x2x1", "v6e:2x2", "v5e:16x16", "v6e:16x16", "v5p:8x8x8")

# What the compiler asks about a GPU, with XLA's own figures of the SXM models, which differ in memory only.
_HOPPER = """
gpu_device_info {{
  cuda_compute_capability {{ major: 9 feature_extension: ACCELERATED_FEATURES }}
  threads_per_warp: 32
  threads_per_block_limit: 1024
  threads_per_core_limit: 2048
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  registers_per_block_limit: 65536
  registers_per_core_limit: 65536
  shared_memory_per_block: 49152
  shared_memory_per_block_optin: 232448
  shared_memory_per_core: 233472
  core_count: 132
  fpus_per_core: 128
  clock_rate_ghz: 1.98
  l2_cache_size: 52428800
  memory_bandwidth: {bandwidth}
  device_memory_size: {memory}
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 10 }}
device_description_str: "{name}"
"""
GPUS = {
    "h100": {"name": "NVIDIA H100 80GB HBM3", "bandwidth": 3352320000000, "memory": 84942979072},
    "h200": {"name": "NVIDIA H200 141GB HBM3e", "bandwidth": 4800000000000, "memory": 151397597184},
}


class Chip(NamedTuple):
    """The memory of a chip: gigabytes, and gigabytes per second."""

    memory: float
    bandwidth: float


# https://cloud.google.com/tpu/docs/v5e, .../v5p and .../v6e; by the part of a target before its shape.
CHIPS = {"v5e": Chip(16, 819), "v5p": Chip(95, 2765), "v6e": Chip(32, 1640)} | {
    name: Chip(gpu["memory"] / 1e9, gpu["bandwidth"] / 1e9) for name, gpu in GPUS.items()
}
TARGETS = (*TPUS, *GPUS)
GROUPS = {target: "tpu-aot" if target in TPUS else "cuda-aot" for target in TARGETS}

_ENVIRONMENT = {
    "TPU_SKIP_MDS_QUERY": "1",  # This is no machine of Google's cloud, to be asked what TPU it has.
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_LOG_DIR": "disabled",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # The lock is for devices.
    "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1",  # CUDA's libraries, which a step does not call, are not here.
}


def prepare() -> None:
    """Lets this process compile for hardware that it does not have; call it before JAX computes."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    jax.config.update("jax_platforms", "cpu")


def installed(target: str) -> bool:
    """Whether the compiler for a target is here."""
    if target in TPUS:
        return importlib.util.find_spec("libtpu") is not None
    plugins = importlib.util.find_spec("jax_plugins")
    return plugins is not None and any(
        importlib.util.find_spec(f"jax_plugins.xla_cuda{version}") for version in (12, 13)
    )


def devices(target: str) -> list[Any]:
    """The devices of a target: they can be compiled for, not computed with."""
    if target in TPUS:
        return topologies.get_topology_desc(target, "tpu").devices
    config = _HOPPER.format(**GPUS[target])
    return topologies.get_topology_desc("", "cuda", topology="1x1x1", target_config=config).devices
