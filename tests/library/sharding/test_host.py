"""State on the host: it is there, it has the bits of state on the device, and it comes and goes in turn."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

import radam_optax as rx
from tests.support.compiler import AS_USERS
from tests.support.meshes import collectives, mesh_of, put

# All but the bias goes to the host, one parameter after the other.
offload = functools.partial(rx.sharding.offload_state, min_size=16, group_bytes=1, in_flight=1)
ROWS = P("x")
SHAPES = {"bias": (8,), "down": (16, 8), "up": (8, 24)}
DIVIDED = {
    "radamw": lambda: rx.radamw(0.1),
    "float8": lambda: rx.compress_state(rx.radam(0.1), rx.codecs.float8_stochastic(), min_size=16),
    "schedule_free": lambda: rx.schedule_free_radam(0.1),
}
INNERS = DIVIDED | {
    "optax.adam": lambda: optax.adam(optax.linear_schedule(0.1, 0.0, 9)),
    "hyperparameters": lambda: optax.inject_hyperparams(rx.radam)(learning_rate=0.1),
    "by leaf": lambda: optax.lamb(0.1),
    "without parameters": lambda: optax.masked(rx.adam(0.1), {"bias": False, "down": True, "up": True}),
}


def params_of(mesh=None, spec=ROWS):
    draw = np.random.default_rng(0)
    params = {name: jnp.asarray(draw.standard_normal(shape, np.float32)) for name, shape in SHAPES.items()}
    return {name: put(mesh, p, spec) for name, p in params.items()} if mesh else params


def kinds(tree):
    """Which memories hold what is large, and what is small."""
    leaves = jax.tree.leaves(tree)
    memories = {
        large: {x.sharding.memory_kind for x in leaves if (x.size >= 16) == large} for large in (0, 1)
    }
    return memories[1], memories[0]


ON_HOST = ({"pinned_host"}, {"device"})


def lies_as_its_parameter(state, params):
    """Though in another memory."""
    for name in ("mu", "nu"):
        for x, p in zip(*map(jax.tree.leaves, (optax.tree.get(state, name), params)), strict=True):
            there = p.sharding.with_memory_kind(x.sharding.memory_kind)
            if not x.sharding.is_equivalent_to(there, x.ndim):
                return False
    return True


def assert_same(found, expected):
    """Bitwise."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(expected), strict=True
    ):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), jax.tree_util.keystr(path)


def train(txs, params, *, donate):
    """Some optimizers in one program: their states' shardings by a jitted init, and what seven steps make."""

    def init(params):
        return {name: tx.init(params) for name, tx in txs.items()}

    def step(trees, states):
        found = {
            name: tx.update(jax.tree.map(jnp.sin, trees[name]), states[name], trees[name])
            for name, tx in txs.items()
        }
        trees = {name: optax.apply_updates(trees[name], updates) for name, (updates, _) in found.items()}
        return trees, {name: state for name, (_, state) in found.items()}

    trees, states = {name: jax.tree.map(jnp.copy, params) for name in txs}, jax.jit(init)(params)
    shardings = jax.tree.map(lambda x: x.sharding, states)
    step = jax.jit(step, donate_argnums=(0, 1) if donate else ()).lower(trees, states).compile(AS_USERS)
    for _ in range(7):  # Rectification begins with the sixth.
        trees, states = step(trees, states)
    return shardings, trees, states, step


@pytest.mark.parametrize("axis_type", [None, AxisType.Auto, AxisType.Explicit])
def test_state_lives_on_the_host_and_has_the_bits_of_state_on_the_device(axis_type):
    """After init and after every step, donated or not; divided over a mesh as the parameters are."""
    mesh = axis_type and mesh_of(axis_type, x=8)
    params, inner = params_of(mesh), {name: build() for name, build in (DIVIDED if mesh else INNERS).items()}
    # As optax has it; a chain compiles its arithmetic as the chain of ours does.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        _, *expected, _ = train(inner, params, donate=True)
        outer = {name: offload(tx) for name, tx in inner.items()}
        shardings, trees, states, step = train(outer, params, donate=mesh is not None)
    assert_same([trees, states], expected)
    assert kinds(states) == ON_HOST
    assert kinds(trees) == ({"device"}, {"device"})
    assert jax.tree.map(lambda x: x.sharding.memory_kind, states) == jax.tree.map(
        lambda s: s.memory_kind, shardings
    )
    if mesh:
        assert jax.tree.map(lambda x: x.sharding, states) == shardings
        assert lies_as_its_parameter(states["radamw"], params)
        assert collectives(step) == []


def test_an_init_and_an_update_that_are_not_jitted():
    params, tx = params_of(mesh_of(AxisType.Auto, x=8)), offload(rx.radam(0.1))
    state = tx.init(params)
    assert kinds(state) == ON_HOST
    assert lies_as_its_parameter(state, params)
    updates, new = tx.update(params, state, params)
    assert kinds(new) == ON_HOST
    assert_same(updates, jax.jit(tx.update)(params, state, params)[0])


def test_either_takes_over_from_the_other():
    params, inner = params_of(), rx.radam(0.1)
    tx = offload(inner)
    _, state = jax.jit(tx.update)(params, inner.init(params), params)
    assert kinds(state) == ON_HOST
    on_device = jax.device_put(state, jax.memory.Space.Device)
    _, state = jax.jit(tx.update)(params, state, params)
    assert_same(state, jax.jit(inner.update)(params, on_device, params)[1])


def test_it_stands_around_shard_state_and_inside_of_other_wrappers():
    mesh = mesh_of(AxisType.Auto, x=8)
    params, radam = params_of(mesh, P()), functools.partial(rx.radam, 0.1)
    divided = rx.sharding.shard_state(radam(), mesh, "x")

    def in_others(wrap):
        return {
            "MultiSteps": optax.MultiSteps(wrap(radam()), 2),
            "masked": optax.masked(wrap(radam()), {"bias": True, "down": True, "up": False}),
            "hyperparameters": optax.inject_hyperparams(lambda rate: wrap(rx.radam(rate)))(rate=0.1),
        }

    with jax.numpy_dtype_promotion("standard"):
        _, *expected, _ = train(in_others(lambda tx: tx) | {"divided": divided}, params, donate=True)
        outer = in_others(offload) | {"divided": offload(divided)}
        _, trees, states, _ = train(outer, params, donate=True)
    assert_same([trees, states], expected)
    for state in states.values():
        assert kinds(optax.tree.get(state, "nu")) == ON_HOST
    assert optax.tree.get(states["divided"], "nu")["down"].sharding.shard_shape((16, 8)) == (2, 8)


def test_vmap_and_scan():
    """Of three steps at two rates: the bits of the same without it."""
    params = params_of()

    def run(tx, scale):
        def step(carry, _):
            params, state = carry
            updates, state = tx.update(jax.tree.map(lambda p: scale * p, params), state, params)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, (params, tx.init(params)), length=3)[0]

    def runs(tx):
        return jax.jit(jax.vmap(functools.partial(run, tx)))(jnp.asarray([0.5, 2.0]))

    found, expected = runs(offload(rx.adam(0.1))), runs(rx.adam(0.1))
    assert_same(found, expected)
    assert optax.tree.get(found[1], "nu")["up"].sharding.memory_kind == "pinned_host"


def test_flax_nnx_keeps_it_there():
    nnx = pytest.importorskip("flax.nnx")
    model = nnx.Linear(8, 24, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, offload(rx.radam(0.1), min_size=48), wrt=nnx.Param)

    @functools.partial(nnx.jit, donate_argnums=(0, 1))
    def step(model, optimizer):
        loss, gradients = nnx.value_and_grad(lambda model: jnp.mean(model(jnp.ones((2, 8))) ** 2))(model)
        optimizer.update(model, gradients)
        return loss

    losses = [float(step(model, optimizer)) for _ in range(8)]
    assert losses[-1] < losses[0]
    for name in ("mu", "nu"):
        moment = optax.tree.get(nnx.as_pure(nnx.state(optimizer))["opt_state"], name)
        assert moment["kernel"].sharding.memory_kind == "pinned_host"
        assert moment["bias"].sharding.memory_kind == "device"


def test_checkpoints_bring_it_back(tmp_path):
    pytest.importorskip("orbax.checkpoint")
    from radam_optax.checkpoint import Checkpoints

    params, tx = params_of(mesh_of(AxisType.Auto, x=8)), offload(rx.radam(0.1))
    state = jax.jit(tx.init)(params)
    _, state = jax.jit(tx.update)(params, state, params)
    with Checkpoints(tmp_path, tx) as checkpoints:
        checkpoints.save(1, params, state)
        found = checkpoints.restore(params, opt_state=state).opt_state
    assert_same(found, state)
    assert kinds(found) == ON_HOST


def test_devices_without_such_a_memory_are_an_error(monkeypatch):
    class Device:
        def addressable_memories(self):
            return jax.devices()[0].addressable_memories()[:1]

        def __str__(self):
            return "METAL_0"

    tx, params = offload(rx.radam(0.1)), params_of()
    state = tx.init(params)
    monkeypatch.setattr(jax, "local_devices", lambda: [Device()])
    message = "`offload_state` needs devices with memory of the kind 'pinned_host'; METAL_0 has 'device'. "
    for call in (lambda: tx.init(params), lambda: tx.update(params, state)):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}Use the optimizer without it.$"):
            call()


# Stages.


def stages_of(tx, params):
    """The shapes of what arrives at each barrier, and of what has to have left before."""
    state = jax.jit(tx.init)(params)
    traced = jax.make_jaxpr(tx.update)(params, state, params)
    return [
        [x.aval.shape for x in equation.invars]
        for equation in traced.jaxpr.eqns
        if equation.primitive.name == "optimization_barrier"
    ]


@pytest.mark.parametrize(
    ("group_bytes", "in_flight", "waits"),
    [(1, 1, 4), (1, 2, 3), (1, 9, 0), (2 * 4 * 64, 1, 4), (2 * 4 * 64 + 1, 1, 2), (2**27, 1, 0)],
)
def test_a_group_waits_until_another_has_left(group_bytes, in_flight, waits):
    """Of five parameters alike, with two moments each."""
    params = {name: jnp.ones((8, 8)) for name in "abcde"}
    tx = offload(rx.adam(0.1), group_bytes=group_bytes, in_flight=in_flight)
    found = stages_of(tx, params)
    assert len(found) == waits
    assert all({*shapes} == {(8, 8)} for shapes in found)


def test_the_last_parameter_is_the_first_to_be_updated():
    """Since its gradient is: the backward pass need not wait with those that it has."""
    params = {str(n): jnp.ones((8, n)) for n in (4, 5, 6, 7)}
    found = stages_of(offload(rx.adam(0.1)), params)
    assert [shapes[0] for shapes in found] == [(8, 6), (8, 5), (8, 4)]
    assert [shapes[-1] for shapes in found] == [(8, 7), (8, 6), (8, 5)]


def test_what_all_of_an_update_needs_arrives_first():
    """A norm of the state, say, so that nothing is left to wait."""

    def by_norm(updates, state, params=None):
        scale = 1 / optax.tree.norm(state)
        return jax.tree.map(lambda u: scale * u, updates), jax.tree.map(jnp.add, state, updates)

    params = params_of()
    inner = optax.GradientTransformation(lambda params: jax.tree.map(jnp.ones_like, params), by_norm)
    tx = offload(inner)
    assert stages_of(tx, params) == []
    state = jax.jit(tx.init)(params)
    updates, state = jax.jit(tx.update)(params, state)
    expected = jax.jit(inner.update)(params, inner.init(params))
    assert_same((updates, state), expected)


def test_a_state_of_another_structure_and_what_nobody_reads():
    """It all happens in one stage; a print is printed, though nothing depends on it."""
    printed = []

    def growing(updates, state, params=None):
        jax.debug.callback(lambda x: printed.append(x.shape), state["a"])
        return updates, state | {"b": state["a"] + 1}

    inner = optax.GradientTransformation(lambda params: {"a": params["up"]}, growing)
    tx, params = offload(inner), params_of()
    updates, state = jax.jit(tx.update)(params, jax.jit(tx.init)(params))
    jax.effects_barrier()
    assert printed == [(8, 24)]
    assert_same(updates, params)
    assert_same(state, {"a": params["up"], "b": params["up"] + 1})
    assert kinds(state) == ({"pinned_host"}, set())
