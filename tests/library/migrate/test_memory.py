"""What was moved shares no memory with its source: PyTorch writes its next step where the last one was."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from radam_optax import migrate, presets
from tests.support.forms import in_forms

PARAMS = {"kernel": jnp.full((3, 2), 0.5), "bias": jnp.full(2, 0.25)}
ORDER = ["bias", "weight"]
# Between them they have every kind of state.
EQUALS = {
    "sgd": presets.torch_sgd(lambda count: 0.1, momentum=0.9),
    "adagrad": presets.torch_adagrad(),
    "rmsprop": presets.torch_rmsprop(centered=True, momentum=0.9),
    "amsgrad": presets.torch_adam(amsgrad=True),
    "nadam": presets.torch_nadam(),
    "radam": presets.torch_radam(),
}


def in_numpy(leaf):
    """A writable copy that begins where JAX takes memory over, if it is let: at a multiple of 64 bytes."""
    leaf = np.asarray(leaf)
    memory = np.empty(leaf.nbytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start : start + leaf.nbytes].view(leaf.dtype).reshape(leaf.shape)
    copy[...] = leaf
    return copy


def in_torch(leaf):
    import torch

    return torch.tensor(np.asarray(leaf))


def in_jax(leaf):
    return jnp.array(leaf)


def overwrite(tree):
    """Other numbers in all arrays and tensors of a tree; those of JAX are given away, as to a jitted step."""
    for leaf in jax.tree.leaves(tree):
        if isinstance(leaf, jax.Array):
            leaf.delete()
        elif isinstance(leaf, np.ndarray):
            leaf[...] = 7
        elif hasattr(leaf, "fill_"):
            leaf.fill_(7)


def numbers_of(leaf):
    """A copy of what an array, a tensor or a setting holds."""
    return np.array(leaf.float().numpy() if hasattr(leaf, "float") else leaf)


def holds(move, *sources):
    """Makes sure that the result of a move stays what it is, whatever becomes of its sources."""
    result = move(*sources)
    before = jax.tree.map(numbers_of, result)
    overwrite(sources)
    jax.tree.map(np.testing.assert_array_equal, jax.tree.map(numbers_of, result), before)


def after_an_update(tx):
    with jax.numpy_dtype_promotion("standard"):
        return tx.update(PARAMS, tx.init(PARAMS), PARAMS)[1]


@pytest.mark.parity
@pytest.mark.parametrize("name", in_forms(EQUALS, ("sgd", "amsgrad")))
def test_states_share_nothing_with_those_of_pytorch(name):
    pytest.importorskip("torch")
    tx, settings = EQUALS[name], {"names": migrate.flax_names, "order": ORDER, "count": 1}
    state = after_an_update(tx)

    def to_torch(params, state):
        return migrate.to_torch(state, params, tx, **settings)

    def from_torch(params, saved):
        return migrate.from_torch(saved, params, tx, **settings)

    for make in (in_numpy, in_jax):
        holds(to_torch, *jax.tree.map(make, (PARAMS, state)))
    for make in (in_numpy, in_torch, in_jax):
        saved = to_torch(PARAMS, state)
        entries = {i: {key: make(x) for key, x in entry.items()} for i, entry in saved["state"].items()}
        holds(from_torch, jax.tree.map(in_numpy, PARAMS), saved | {"state": entries})


@pytest.mark.parity
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_parameters_share_nothing_with_those_of_pytorch(dtype):
    pytest.importorskip("torch")
    params = jax.tree.map(lambda p: p.astype(dtype), PARAMS)

    def to_torch(params):
        return migrate.params_to_torch(params, names=migrate.flax_names)

    def from_torch(saved):
        return migrate.params_from_torch(saved, params, names=migrate.flax_names)

    for make in (in_numpy, in_jax):
        holds(to_torch, jax.tree.map(make, params))
        holds(from_torch, jax.tree.map(make, {"weight": params["kernel"].T, "bias": params["bias"]}))
    holds(from_torch, to_torch(params))


@pytest.mark.parametrize(
    "name", in_forms(["sgd", "adagrad", "rmsprop", "amsgrad", "nadam", "radam"], ["amsgrad"])
)
def test_states_share_nothing_with_those_of_optax(name):
    arguments = {"momentum": 0.9} if name in ("sgd", "rmsprop") else {}
    ours, theirs = (getattr(module, name)(lambda count: 0.1, **arguments) for module in (rx, optax))
    for move, source, target in ((migrate.from_optax, theirs, ours), (migrate.to_optax, ours, theirs)):
        for make in (in_numpy, in_jax):
            state, params = jax.tree.map(make, (after_an_update(source), PARAMS))
            holds(lambda state, params, move=move, tx=target: move(state, params, tx), state, params)
