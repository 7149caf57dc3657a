"""State follows the sharding of its parameter, from a jitted init on, and the update communicates nothing.

Every recipe on a mesh of three axes, to the same bits on any number of devices; the wrappers of optax
around one of them; ZeRO-1.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import radam_optax as rx
from tests.support.compiler import AS_USERS, UNOPTIMIZED
from tests.support.forms import in_forms
from tests.support.meshes import collectives, mesh_of, put
from tests.support.recipes import ALONE, BY_LEAF, COVERING, build

every_axis_type = pytest.mark.parametrize("axis_type", [AxisType.Auto, AxisType.Explicit])
# Many in one program, which is compiled in less time than each of them alone.
PROGRAMS = {
    "covering": [name for name in ALONE if name in COVERING],
    "others": [name for name in ALONE if name not in COVERING],
}
every_recipe = pytest.mark.parametrize("program", in_forms(PROGRAMS, ("covering",)))

# Data parallel, FSDP, tensor parallel, both, all three; two layouts of one shape. What an axis does not
# divide (5, 3) JAX keeps whole, or refuses. Parts leave a remainder to vectorized loops.
LAYOUTS = {
    "replicated": ((5,), "float32", P()),
    "rows": ((4, 13), "bfloat16", P("fsdp")),
    "columns": ((3, 14), "float32", P(None, "tensor")),
    "both": ((8, 38), "float32", P("fsdp", "tensor")),
    "swapped": ((8, 38), "float32", P("tensor", "fsdp")),
    "all": ((8, 3), "complex64", P(("data", "fsdp", "tensor"))),
    "eighths": ((8, 19), "float32", P(("data", "fsdp", "tensor"))),
}


def draws(number, mesh):
    """Trees of parameters or gradients; always the same."""
    draw = np.random.default_rng(0)

    def leaf(shape, dtype, spec):
        parts = draw.standard_normal((2, *shape))
        return put(
            mesh, jnp.asarray(parts[0] + 1j * parts[1] if dtype == "complex64" else parts[0], dtype), spec
        )

    return [{name: leaf(*layout) for name, layout in LAYOUTS.items()} for _ in range(number)]


def sharded_params(axis_type):
    return draws(1, mesh_of(axis_type, data=2, fsdp=2, tensor=2))[0]


def strays(tree, params):
    """The paths of what is neither sharded like its parameter nor, a number, replicated on its devices."""
    found = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        keys = [key.key for key in path if getattr(key, "key", None) in params]
        expected = params[keys[0]].sharding if keys else NamedSharding(params["both"].sharding.mesh, P())
        placed = leaf.sharding.is_equivalent_to(expected, leaf.ndim)
        if not (placed or (not keys and not leaf.committed)):  # `jit` takes it wherever it is.
            found.append(jax.tree_util.keystr(path))
    return found


def check(tx, params, *, jitted=True):
    """An optimizer's state is where it should be, without communication; ``jitted``: by that init too."""
    init = jax.jit(tx.init).lower(params).compile()
    states = [tx.init(params), *([init(params)] if jitted else [])]
    update = jax.jit(tx.update).lower(params, states[-1], params).compile()
    assert collectives(init) == collectives(update) == []
    for tree in (*states, *update(params, states[-1], params)):
        assert strays(tree, params) == []


def run_recipes(program, leaves, axis_type, options=UNOPTIMIZED, **axes):
    """Some of them in one program: what it returns at each step. Nothing strays, nothing is communicated."""
    txs = {name: build(name) for name in PROGRAMS[program]}
    trees = draws(8, mesh_of(axis_type, **axes))
    params, *gradients = ({name: tree[name] for name in leaves} for tree in trees)

    def init(params):
        return {name: tx.init(params) for name, tx in txs.items()}

    def update(gradients, states, params):
        found = {name: tx.update(gradients, states[name], params) for name, tx in txs.items()}
        return {name: u for name, (u, _) in found.items()}, {name: s for name, (_, s) in found.items()}

    jitted = jax.jit(init).lower(params).compile(UNOPTIMIZED)
    states, history = jitted(params), []
    update = jax.jit(update).lower(params, states, params).compile(options)
    assert collectives(jitted) == collectives(update) == []
    assert strays(states, params) == strays(init(params), params) == []
    for g in gradients:  # Rectification begins with the sixth.
        updates, states = update(g, states, params)
        assert strays((updates, states), params) == []
        history.append(jax.device_get((updates, states)))
    return history


@every_recipe
def test_every_recipe_has_the_same_bits_on_any_number_of_devices(program):
    """Of real numbers. Sums of two products, |g|^2, XLA for CPUs rounds once or twice as it vectorizes."""
    some = {"both", "eighths", "rows"}

    def of_some(history):
        leaves = jax.tree_util.tree_leaves_with_path(history)
        return [
            x
            for path, x in leaves
            if not {getattr(key, "key", None) for key in path} & (LAYOUTS.keys() - some)
        ]

    run = functools.partial(run_recipes, program, axis_type=AxisType.Auto, options=AS_USERS)
    alone = run(some, data=1, fsdp=1, tensor=1)
    assert_same(run(some, data=1, fsdp=2, tensor=1), alone)
    assert_same(run(some, data=1, fsdp=2, tensor=2), alone)
    found = run(LAYOUTS, data=2, fsdp=2, tensor=2)
    assert_same(of_some(found), of_some(alone))


@every_recipe
def test_every_recipe_on_explicit_axes(program):
    run_recipes(program, {"both", "swapped", "all"}, AxisType.Explicit, data=2, fsdp=2, tensor=2)


@pytest.mark.parametrize("name", BY_LEAF)
def test_a_mean_over_a_leaf_is_that_over_all_devices(name):
    """The updates are those of one device, state is where its parameter is, and numbers are what is sent."""
    tx, found = build(name), []
    for axes in ({"fsdp": 1, "tensor": 1}, {"fsdp": 2, "tensor": 2}):
        mesh = mesh_of(AxisType.Auto, data=1, **axes)
        params, *gradients = ({"both": tree["both"]} for tree in draws(4, mesh))
        state = jax.jit(tx.init)(params)
        update = jax.jit(tx.update).lower(params, state, params).compile()
        assert all(kind == "all-reduce" for kind, _ in collectives(update))
        assert bool(collectives(update)) == (axes["fsdp"] > 1)
        for g in gradients:
            updates, state = update(g, state, params)
            assert strays((updates, state), params) == []
        found.append(np.asarray(updates["both"]))
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("axes", [{"x": 8}, {"x": 4, "y": 2}], ids=str)
@every_axis_type
def test_other_meshes(axes, axis_type):
    mesh = mesh_of(axis_type, **axes)
    specs = {"both": P(*axes), "swapped": P(None, *axes), "replicated": P()}
    check(rx.radamw(0.1), {name: put(mesh, jnp.ones((8, 8, 8)), spec) for name, spec in specs.items()})


WRAPPERS = {
    "chain": lambda tx: optax.chain(optax.add_decayed_weights(0.1), tx, optax.scale(0.5)),
    "masked": lambda tx: optax.masked(tx, lambda params: {name: name != "rows" for name in params}),
    "partition": lambda tx: optax.partition(
        {"a": tx, "b": rx.sgd(0.1)}, lambda params: {name: "ab"[name == "both"] for name in params}
    ),
    "inject_hyperparams": lambda tx: optax.inject_hyperparams(rx.radam)(learning_rate=0.1, b2=0.99),
    "compress_state": lambda tx: rx.compress_state(tx, rx.codecs.bfloat16_stochastic(), min_size=0),
    "MultiSteps": lambda tx: optax.MultiSteps(tx, 2),
}


WRAPPED = [(name, axis_type) for name in WRAPPERS for axis_type in (AxisType.Auto, AxisType.Explicit)]


@pytest.mark.parametrize(
    ("name", "axis_type"), in_forms(WRAPPED, [WRAPPED[2 * i + i % 2] for i in range(len(WRAPPERS))])
)
def test_wrapped_state_is_sharded_like_its_parameter(name, axis_type):
    params = sharded_params(axis_type)
    if name == "MultiSteps":
        del params["all"]  # It averages complex gradients in real numbers.
    with jax.numpy_dtype_promotion("standard"):  # As optax has it.
        tx = WRAPPERS[name](rx.radam(0.1))
        check(tx, params, jitted=name != "MultiSteps")
        if (name, axis_type) == ("MultiSteps", AxisType.Auto):
            # The zeros that it makes itself; in an init that is not jitted they are sharded.
            assert all("acc_grads" in path for path in strays(jax.jit(tx.init)(params), params))


def test_each_device_may_update_its_part_by_itself():
    """In shard_map there is nothing but parts: the update and its init are the same on them."""
    params = sharded_params(AxisType.Auto)
    mesh, tx = params["both"].sharding.mesh, rx.radam(0.1)
    state, specs = jax.jit(tx.init)(params), jax.tree.map(lambda p: p.sharding.spec, params)
    state_specs = jax.tree.map(lambda leaf: leaf.sharding.spec, state)
    init = jax.jit(jax.shard_map(tx.init, mesh=mesh, in_specs=(specs,), out_specs=state_specs))
    step = jax.shard_map(
        tx.update, mesh=mesh, in_specs=(specs, state_specs, specs), out_specs=(specs, state_specs)
    )
    step = jax.jit(step).lower(params, state, params).compile()
    assert collectives(step) == []
    found, expected = init(params), state
    for _ in range(7):  # Rectification begins with the sixth.
        mine, found = step(params, found, params)
        theirs, expected = jax.jit(tx.update)(params, expected, params)
        assert_same((mine, found), (theirs, expected))


def assert_same(found, expected):
    """Bitwise."""
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(expected), strict=True
    ):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), jax.tree_util.keystr(path)


# ZeRO-1.

INNERS = {
    "radamw": lambda: rx.radamw(0.1),
    "optax.adamw": lambda: optax.adamw(0.1),  # Whose zeros have no sharding in a jitted init.
    "compress_state": lambda: rx.compress_state(
        rx.radamw(0.1), rx.codecs.int8_blockwise(block_size=4, shards=8), min_size=0
    ),
}
SHAPES = {"w1": (16, 32), "b1": (32,), "w2": (32, 8), "deep": (3, 5, 8)}  # Each with a length of eighths.


def replicated_params(mesh, shapes=SHAPES):
    draw = np.random.default_rng(1)
    return {name: put(mesh, draw.standard_normal(s, np.float32), P()) for name, s in shapes.items()}


def bytes_on_first_device(tree):
    return sum(leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(tree) if leaf.ndim)


@pytest.mark.parametrize(
    ("name", "axis_type"),
    [*((name, AxisType.Auto) for name in INNERS), ("radamw", AxisType.Explicit)],
)
def test_state_is_divided_over_the_devices_to_the_same_bits(name, axis_type):
    mesh, inner = mesh_of(axis_type, data=8), INNERS[name]()
    tx, params = rx.sharding.shard_state(inner, mesh, "data"), replicated_params(mesh)
    # As optax has it; and for an init that does not look at its parameters, as its zeros do not.
    with jax.numpy_dtype_promotion("standard"), jax.set_mesh(mesh):
        _check_divided(tx, inner, params)


def _check_divided(tx, inner, params):
    state, alone = jax.jit(tx.init)(params), jax.jit(inner.init)(params)
    assert_same(state, alone)
    assert bytes_on_first_device(alone) == 8 * bytes_on_first_device(state)
    assert bytes_on_first_device(tx.init(params)) == bytes_on_first_device(state)
    update = jax.jit(tx.update).lower(params, state, params).compile(AS_USERS)
    whole = jax.jit(inner.update).lower(params, alone, params).compile(AS_USERS)
    gathered = [size for kind, size in collectives(update) if kind == "all-gather"]
    assert len(gathered) == len(collectives(update))
    assert sum(gathered) == sum(p.size for p in params.values())
    for _ in range(7):
        updates, state = update(params, state, params)
        expected, alone = whole(params, alone, params)
        assert_same((updates, state), (expected, alone))
    assert bytes_on_first_device(alone) == 8 * bytes_on_first_device(state)
    assert all(u.sharding.is_equivalent_to(params[n].sharding, u.ndim) for n, u in updates.items())


def loss(params, x):
    return jnp.mean(jnp.tanh(x @ params["w1"] + params["b1"][None]) @ params["w2"])


@every_axis_type
def test_a_training_step_communicates_gradients_and_updates_once(axis_type):
    """XLA for CPUs sums the gradients whole and takes its part; for TPUs it makes a reduce-scatter of it."""
    mesh = mesh_of(axis_type, data=8)
    params = replicated_params(mesh, {name: SHAPES[name] for name in ("w1", "b1", "w2")})
    x = put(mesh, jnp.ones((16, 16)), P("data"))
    tx = rx.sharding.shard_state(rx.radam(0.1), mesh, "data")

    @jax.jit
    def step(params, state, x):
        updates, state = tx.update(jax.grad(loss)(params, x), state, params)
        return optax.apply_updates(params, updates), state

    state, size = jax.jit(tx.init)(params), sum(p.size for p in params.values())
    found = collectives(step.lower(params, state, x).compile())
    total = {kind: sum(s for k, s in found if k == kind) for kind, _ in found}
    assert total == {"all-reduce": size, "all-gather": size}
    _, new_state = step(params, state, x)  # As it went in: there is one compilation, not two.
    assert [leaf.sharding for leaf in jax.tree.leaves(new_state)] == [
        s.sharding for s in jax.tree.leaves(state)
    ]


@every_axis_type
def test_state_is_divided_beside_tensor_parallelism(axis_type):
    """Along a dimension that is free and divisible; where there is none, as the parameters are."""
    mesh = mesh_of(axis_type, data=4, model=2)
    layouts = {  # Shape, and the axes of the parameter and of its state.
        "w": ((8, 2), P(None, "model"), P("data", "model")),
        "b": ((2,), P("model"), P("model")),
        "rest": [((3, 8), P(), P(None, "data")), ((6,), P(), P()), ((), P(), P())],
    }

    params = jax.tree.map(lambda row: put(mesh, jnp.ones(row[0]), row[1]), layouts, is_leaf=_is_row)
    specs = {"w": P(None, "model"), "b": P("model"), "rest": P()}
    tx = rx.sharding.shard_state(rx.radam(0.1), mesh, "data", specs)
    for state in (tx.init(params), jax.jit(tx.init)(params)):
        updates, state = jax.jit(tx.update)(params, state, params)
        for tree, index in ((updates, 1), (optax.tree.get(state, "nu"), 2)):
            for row, x in zip(jax.tree.leaves(layouts, is_leaf=_is_row), jax.tree.leaves(tree), strict=True):
                assert x.sharding.is_equivalent_to(NamedSharding(mesh, row[index]), x.ndim)


def _is_row(x):
    return isinstance(x, tuple)


def test_divided_state_inside_and_outside_of_optax():
    """Leaves that are None or masked, and zeros that optax makes."""
    mesh = mesh_of(AxisType.Auto, data=8)
    params = replicated_params(mesh) | {"none": None}
    divide = functools.partial(rx.sharding.shard_state, mesh=mesh, axis="data")
    unmasked = {name: name != "b1" for name in params}
    with jax.numpy_dtype_promotion("standard"):
        for tx in (divide(optax.MultiSteps(rx.radam(0.1), 2)), optax.masked(divide(rx.radam(0.1)), unmasked)):
            state = jax.jit(tx.init)(params)
            for tree in (state, jax.jit(tx.update)(params, state, params)[1], tx.init(params)):
                assert not [leaf for leaf in jax.tree.leaves(tree) if leaf.ndim and leaf.is_fully_replicated]
