"""State_dicts as FSDP and distributed checkpoints make them, with names of parameters instead of numbers."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from radam_optax import migrate, presets

pytestmark = pytest.mark.parity
PARAMS = [
    {"weight": jnp.zeros((2, 3)), "bias": jnp.zeros(2)},
    {"weight": jnp.zeros((1, 2)), "bias": jnp.zeros(1)},
]
TX = presets.torch_adamw(0.1, weight_decay=0.1)


class Run:
    """Of PyTorch, with the last bias frozen."""

    def __init__(self, seed=0, wrap=lambda module: module):
        torch = self.torch = pytest.importorskip("torch")
        torch.manual_seed(seed)
        self.module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))
        self.module[1].bias.requires_grad_(False)
        wrap(self.module)
        self.optimizer = torch.optim.AdamW(self.module.parameters(), lr=0.1, weight_decay=0.1)

    def steps(self, count):
        for _ in range(count):
            self.optimizer.zero_grad()
            self.module(self.torch.ones(4, 3)).square().sum().backward()
            self.optimizer.step()
        return self

    def by_name(self, **options):
        from torch.distributed.checkpoint import state_dict

        return state_dict.get_optimizer_state_dict(
            self.module, self.optimizer, options=state_dict.StateDictOptions(**options)
        )


def test_names_of_parameters_take_the_place_of_numbers():
    run = Run().steps(3)
    order = [name for name, _ in run.module.named_parameters()]
    expected = migrate.from_torch(run.optimizer.state_dict(), PARAMS, TX, order=order)
    saved = run.by_name()
    assert saved["param_groups"][0]["params"] == order
    for given in ({}, {"order": order}, {"group": 0}):
        state = migrate.from_torch(saved, PARAMS, TX, **given)
        jax.tree.map(np.testing.assert_array_equal, state, expected)
    advice = "['0.bias', '1.weight', '1.bias', '0.weight']. Leave it out"
    with pytest.raises(ValueError, match=re.escape(advice)):
        migrate.from_torch(saved, PARAMS, TX, order=order[1:] + order[:1])


def test_pytorch_goes_on_with_a_state_by_name():
    run, other = Run().steps(3), Run(seed=1)
    from torch.distributed.checkpoint.state_dict import set_optimizer_state_dict

    state = migrate.from_torch(run.by_name(), PARAMS, TX)
    order = [name for name, _ in run.module.named_parameters()]
    moved = migrate.to_torch(state, PARAMS, TX, order=order, named=True)
    assert list(moved["state"]) == moved["param_groups"][0]["params"] == order
    other.module.load_state_dict(run.module.state_dict())
    set_optimizer_state_dict(other.module, other.optimizer, moved)
    expected = run.steps(3).module.state_dict()
    for name, value in other.steps(3).module.state_dict().items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-6)


def test_parts_of_processes_are_refused_and_the_whole_is_taken(tmp_path):
    pytest.importorskip("torch")
    from torch import distributed
    from torch.distributed.fsdp import fully_shard

    plain = Run().steps(3)
    store = f"file://{tmp_path / 'store'}"
    distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    try:
        run = Run(wrap=fully_shard).steps(3)
        for move, parts in ((migrate.from_torch, run.by_name()), (params_of, run.module.state_dict())):
            with pytest.raises(
                ValueError, match=r"one process's part .* StateDictOptions\(full_state_dict=True\)"
            ):
                move(parts, PARAMS, TX)
        state = migrate.from_torch(run.by_name(full_state_dict=True), PARAMS, TX)
    finally:
        distributed.destroy_process_group()
    expected = migrate.from_torch(plain.by_name(), PARAMS, TX)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), state, expected)


def params_of(state_dict, params, _):
    return migrate.params_from_torch(state_dict, params)


def test_what_is_no_state_dict_is_met_with_what_to_pass():
    run = Run().steps(1)
    whole = {"epoch": 3, "model": run.module.state_dict(), "optimizer": run.optimizer.state_dict()}
    for given, advice in (
        (whole, "pass the part 'optimizer' of what is given"),
        (run.by_name(flatten_optimizer_state_dict=True), "make it without `flatten_optimizer_state_dict`"),
        (run.module.state_dict(), "got the keys ['0.weight', "),
    ):
        with pytest.raises(ValueError, match=re.escape(advice)):
            migrate.from_torch(given, PARAMS, TX)
