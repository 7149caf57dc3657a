"""What a refusal says to do works: each test meets an error, does what it says, and goes on exactly."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from radam_optax import migrate, presets

PARAMS = {"weight": jnp.linspace(0.5, 1.0, 6).reshape(2, 3), "bias": jnp.ones(2)}
GRADIENTS = jax.tree.map(jnp.sin, PARAMS)
ORDER = ["weight", "bias"]


def says(*words):
    return pytest.raises(ValueError, match="(?s)" + ".*".join(map(re.escape, words)))


def in_torch(groups, steps=3):
    """An optimizer of PyTorch, AdamW, after some steps of PARAMS."""
    torch = pytest.importorskip("torch")
    params = {name: torch.tensor(np.array(PARAMS[name]), requires_grad=True) for name in ORDER}
    optimizer = torch.optim.AdamW(groups(params), lr=0.1)
    return params, take_steps(params, optimizer, steps)


def take_steps(params, optimizer, steps):
    for _ in range(steps):
        for name, p in params.items():
            p.grad = p.new_tensor(np.array(GRADIENTS[name]))
        optimizer.step()
    return optimizer


def update(tx, state, params):
    with jax.numpy_dtype_promotion("standard"):  # Of optax's wrappers.
        updates, _ = tx.update(GRADIENTS, state, params)
        return optax.apply_updates(params, updates)


def values(params):
    return {name: jnp.array(p.detach().numpy()) for name, p in params.items()}


close = functools.partial(jax.tree.map, functools.partial(np.testing.assert_allclose, rtol=1e-5))


@pytest.mark.parity
def test_in_a_chain_a_state_is_put_in_its_place():
    params, optimizer = in_torch(lambda params: params.values())
    adamw, saved = presets.torch_adamw(0.1), optimizer.state_dict()
    chain, start = optax.chain(optax.clip_by_global_norm(1e3), adamw), values(params)
    with says("In an optax.chain", "move its part of the state, and put that in its place in the tuple"):
        migrate.from_torch(saved, start, chain, order=ORDER)
    first, _ = chain.init(start)
    state = (first, migrate.from_torch(saved, start, adamw, order=ORDER))
    after = update(chain, state, start)
    take_steps(params, optimizer, 1)
    close(after, values(params))
    with says("`state` is not one of torch_adamw(lr=0.1)", "of an optax.chain's state its part alone"):
        migrate.to_torch(state, start, adamw, order=ORDER)
    migrate.to_torch(state[1], start, adamw, order=ORDER)


@pytest.mark.parity
def test_groups_that_differ_go_into_a_partition():
    params, optimizer = in_torch(
        lambda params: [{"params": [params["weight"]]}, {"params": [params["bias"]], "weight_decay": 0.5}]
    )
    saved, start = optimizer.state_dict(), values(params)
    decays = {0: presets.torch_adamw(0.1), 1: presets.torch_adamw(0.1, weight_decay=0.5)}
    with says(
        "param_groups[1] has weight_decay=0.5",
        "use presets.torch_adam(lr=0.1, weight_decay=0.5, decoupled_weight_decay=True) for this group alone, "
        "with `group=1`.",
    ):
        migrate.from_torch(saved, start, decays[0], order=ORDER)
    both = optax.partition(decays, {"weight": 0, "bias": 1})
    state = both.init(start)
    for group, name in enumerate(ORDER):
        own = jax.tree.map(lambda _: optax.MaskedNode(), start) | {name: start[name]}
        moved = migrate.from_torch(saved, own, decays[group], order=ORDER, group=group)
        state.inner_states[group] = optax.MaskedState(moved)
    take_steps(params, optimizer, 1)
    close(update(both, state, start), values(params))


@pytest.mark.parametrize(
    ("wrap", "field"),
    [
        (lambda tx: optax.MultiSteps(tx, 1).gradient_transformation(), "inner_opt_state"),
        (lambda tx: optax.apply_if_finite(tx, 3), "inner_state"),
    ],
    ids=["MultiSteps", "apply_if_finite"],
)
def test_the_state_inside_of_a_wrapper_is_moved(wrap, field):
    ours, theirs = (module.adam(0.1, b2=0.5) for module in (rx, optax))  # Exact in float32.
    with jax.numpy_dtype_promotion("standard"):
        _, state = wrap(theirs).update(GRADIENTS, wrap(theirs).init(PARAMS), PARAMS)
    with says("more than moments and counts", f"`state.{field}`", "by `_replace`"):
        migrate.from_optax(state, PARAMS, ours)
    inside = migrate.from_optax(getattr(state, field), PARAMS, ours)
    moved = wrap(ours).init(PARAMS)._replace(**{field: inside})
    close(update(wrap(ours), moved, PARAMS), update(wrap(theirs), state, PARAMS))


def test_names_are_shown_by_one_of_those_there():
    saved = {f"module.{name}": np.array(leaf) for name, leaf in PARAMS.items()}
    with says(
        "Missing there: ['bias', 'weight']", "must give each leaf its name there, such as 'module.weight'"
    ):
        migrate.params_from_torch(saved, PARAMS)
    close(migrate.params_from_torch(saved, PARAMS, names=lambda path, _: (f"module.{path}", None)), PARAMS)


@pytest.mark.parity
def test_frozen_parameters_are_left_out_on_both_sides():
    pytest.importorskip("torch")
    tx, trained = presets.torch_adamw(), {"weight": PARAMS["weight"]}
    with says("missing here: ['bias']", "must have the parameters of `params` and no others"):
        migrate.to_torch(tx.init(trained), trained, tx, order=ORDER)
    assert migrate.to_torch(tx.init(trained), trained, tx, order=["weight"])


def test_what_lacks_pytorch_says_how_to_get_it(monkeypatch, tmp_path):
    import sys

    for module, path in (("torch", tmp_path / "a.pt"), ("safetensors", tmp_path / "a.safetensors")):
        path.write_bytes(b"")
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.setitem(sys.modules, f"{module}.numpy", None)
        message = re.escape(f"This needs {module}: pip install 'radam-optax[parity]'")
        with pytest.raises(ModuleNotFoundError, match=message):
            migrate.load_torch(path)
