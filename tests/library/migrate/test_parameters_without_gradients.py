"""Frozen and unused parameters, of which PyTorch keeps nothing until a gradient comes, move with the rest."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import radam_optax as rx
from radam_optax import migrate, presets
from tests.support.forms import in_forms

pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("x64")]
STEPS = 7
KINDS = {
    "SGD": {"momentum": 0.9},
    "Adagrad": {"initial_accumulator_value": 0.1},
    "RMSprop": {"centered": True, "momentum": 0.9},
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "NAdam": {},
    "RAdam": {},
}
COUNTED = ("Adam", "AdamW", "NAdam", "RAdam")


def preset(name, **arguments):
    return getattr(presets, f"torch_{name.lower()}")(0.1, **arguments)


class Run:
    """Of PyTorch in float64: ``late`` gets its first gradient after some steps."""

    def __init__(self, name, **arguments):
        torch = self.torch = pytest.importorskip("torch")
        start = {"early": np.ones((2, 3)), "late": np.full(2, 0.5)}
        self.params = {n: torch.tensor(x, requires_grad=True) for n, x in start.items()}
        self.optimizer = getattr(torch.optim, name)(self.params.items(), lr=0.1, **arguments)

    def steps(self, first, last, names):
        before = self.torch.get_default_dtype()
        self.torch.set_default_dtype(self.torch.float64)  # Of NAdam's product of momenta.
        for step in range(first, last):
            for name in names:
                self.params[name].grad = self.torch.tensor(np.asarray(gradients(step)[name]))
            self.optimizer.step()
        self.torch.set_default_dtype(before)
        return self

    def values(self):
        return {name: jnp.array(p.detach().numpy()) for name, p in self.params.items()}


def gradients(step):
    rng = np.random.default_rng(step)
    return {"early": jnp.asarray(rng.normal(size=(2, 3))), "late": jnp.asarray(rng.normal(size=2))}


def follow(tx, params, state, names):
    """All parameters but those in ``names`` get gradients of zero, and are left as they are."""
    update = jax.jit(tx.update)
    for step in range(STEPS, 2 * STEPS):
        updates, state = update(gradients(step), state, params)
        params = {n: p + updates[n] if n in names else p for n, p in params.items()}
    return params


close = functools.partial(jax.tree.map, functools.partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-15))


@pytest.mark.parametrize("name", in_forms(KINDS, ("SGD", "Adam")))
def test_frozen_parameters_move(name):
    run = Run(name, **KINDS[name]).steps(0, STEPS, ["early"])
    tx, params, saved = preset(name, **KINDS[name]), run.values(), run.optimizer.state_dict()
    state = migrate.from_torch(saved, params, tx)
    jax.tree.map(lambda a, b: np.testing.assert_equal(a.dtype, b.dtype), state, fresh := tx.init(params))
    left_out = migrate.from_torch(saved, {"early": params["early"]}, tx)
    for statistic in ("mu", "nu", "nu_max", "sum_of_squares", "trace"):
        of_all, of_fresh, of_early = (
            [tree for _, tree in optax.tree.get_all_with_path(s, statistic)] for s in (state, fresh, left_out)
        )
        for moved, made, early in zip(of_all, of_fresh, of_early, strict=True):
            np.testing.assert_array_equal(moved["late"], made["late"])
            np.testing.assert_array_equal(moved["early"], early["early"])
    names = ["early"] if name in COUNTED else ["early", "late"]  # One that starts late is exact there.
    close(follow(tx, params, state, names), run.steps(STEPS, 2 * STEPS, names).values())


def test_one_that_may_start_late_has_an_optimizer_of_its_own():
    """Its bias correction begins with it; beside the others it would be that of their number of updates."""
    run = Run("AdamW").steps(0, STEPS, ["early"])
    params, tx = run.values(), preset("AdamW")
    moved = migrate.from_torch(run.optimizer.state_dict(), params | {"late": optax.MaskedNode()}, tx)
    apart = optax.partition({"moved": tx, "new": tx}, {"early": "moved", "late": "new"})
    state = apart.init(params)
    state.inner_states["moved"] = optax.MaskedState(moved)
    close(
        follow(apart, params, state, ["early", "late"]),
        run.steps(STEPS, 2 * STEPS, ["early", "late"]).values(),
    )


def test_one_count_for_parameters_that_differ_has_to_be_meant():
    run = Run("Adam").steps(0, STEPS, ["early"]).steps(STEPS, STEPS + 3, ["early", "late"])
    params, tx, saved = run.values(), preset("Adam"), run.optimizer.state_dict()
    words = "different numbers of updates, [3, 10], and one is kept here for all: pass `count=10`"
    with pytest.raises(ValueError, match=re.escape(words)):
        migrate.from_torch(saved, params, tx)
    assert rx.step_count(migrate.from_torch(saved, params, tx, count=10)) == 10
    with pytest.raises(
        ValueError, match=re.escape("The state holds the number of updates, 10; `count` is 3.")
    ):
        migrate.from_torch(saved, params, tx, count=3)


def test_what_shall_begin_anew_is_deleted_there():
    """A new head, say, of another shape: the advice of the two errors that it makes."""
    run = Run("RMSprop").steps(0, STEPS, ["early", "late"])
    params, tx, saved = run.values(), preset("RMSprop"), run.optimizer.state_dict()
    with pytest.raises(ValueError, match=r"missing here: \['late'\]\. .*delete from state_dict\['state'\]"):
        migrate.from_torch(saved, {"early": params["early"]}, tx)
    del saved["state"][1]
    for new in ({"early": params["early"]}, params | {"late": jnp.zeros((4, 4))}):
        state = migrate.from_torch(saved, new, tx)
        assert jax.tree.structure(state) == jax.tree.structure(tx.init(new))
