"""The README's code runs as written, in its order, and its catalogue is complete."""

import importlib.util
import pathlib
import re

import jax
import pytest

import radam_optax as rx

README = pathlib.Path(__file__).parents[2] / "README.md"


def importable(block):
    """What a block brings in beyond the package's own needs is there."""
    # The first block on checkpoints goes on from that on PyTorch.
    needs = {"import torch": ["torch"], "torch_radam": ["torch"], "import checkpoint": ["orbax"]}
    packages = [package for text, names in needs.items() if text in block for package in names]
    # Under jit the CPU backend of JAX 0.8 leaves on the device what is to go to the host.
    has_host = "offload_state" not in block or jax.__version_info__ >= (0, 10)
    return has_host and all(map(importlib.util.find_spec, packages))


@jax.numpy_dtype_promotion("standard")  # As readers have it: optax's MultiSteps mixes dtypes.
def test_code_blocks_run():
    pytest.importorskip("flax")
    namespace = {}
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        if importable(block):
            exec(block, namespace)
    params = {"w": 1.0}
    for name in (
        "optimizer",
        "adam",
        "rmsprop",
        "adagrad",
        "radam",
        "adabelief",
        "rectified_rmsprop",
        "forgetting",
        *("rectified_laprop", "rectified_adopt", "radam_ademamix", "radam_padam", "radam_under_a_ceiling"),
        *("cautious_radam", "adashift", "gi_adam", "palm", "nosadam", "schedule_free_lion"),
    ):
        tx = namespace[name] if name != "optimizer" else rx.radam(1e-3)
        updates, _ = tx.update(params, tx.init(params), params)
        assert updates["w"] == updates["w"]


def test_the_table_names_every_optimizer():
    table = README.read_text().split("## The catalogue")[1].split("## With Flax")[0]
    catalogue = {
        name
        for name, value in vars(rx).items()
        if getattr(value, "__module__", "") in ("radam_optax._optimizers", "radam_optax._successors")
        and not name.startswith("scale_by_")
        and name != "without_lookahead"
    }
    assert catalogue <= set(re.findall(r"`(\w+)`", table))
