"""A compressed state is made of ordinary containers: what takes a plain state takes it as well."""

import io
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import radam_optax as rx
from radam_optax import codecs
from tests.support.forms import in_forms
from tests.support.meshes import mesh_of

CODECS = {
    "stochastic": codecs.bfloat16_stochastic(),  # One array in the place of one,
    "int8": codecs.int8_blockwise(block_size=16, shards=8),  # and one more beside it.
}
every_codec = pytest.mark.parametrize("name", CODECS)
PARAMS = {"kernel": jnp.ones((16, 32)), "bias": jnp.ones(8), "scale": jnp.ones(())}
GRADIENTS = jax.tree.map(lambda p: 0.1 * p, PARAMS)


def compressed(name, **options):
    """The kernel's moments are encoded, the rest is not."""
    return rx.compress_state(rx.adam(0.1), CODECS[name], min_size=100, **options)


def stepped(tx, params=PARAMS):
    """A state after two steps, jitted as its users have it."""
    state = tx.init(params)
    for _ in range(2):
        _, state = jax.jit(tx.update)(jax.tree.map(lambda p: 0.1 * p, params), state, params)
    return state


def assert_same(actual, expected):
    """Bitwise."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@every_codec
@pytest.mark.parametrize("kind", ["Optimizer", "ModelAndOptimizer"])
def test_nnx(kind, name):
    """NNX takes a state apart into variables, and gives back what its own containers make of it."""
    nnx = pytest.importorskip("flax.nnx")
    tx = compressed(name)

    class Model(nnx.Module):
        def __init__(self):
            self.layer = nnx.Dict({path: nnx.Param(p) for path, p in PARAMS.items()})

    model = Model()
    optimizer = getattr(nnx, kind)(model, tx, wrt=nnx.Param)
    gradients = jax.tree.map(lambda p: 0.1 * p, nnx.state(model, nnx.Param))

    @nnx.jit
    def step(model, optimizer):
        optimizer.update(*([model] if kind == "Optimizer" else []), gradients)

    params = PARAMS
    state, update = tx.init({"layer": params}), jax.jit(tx.update)
    for _ in range(3):
        step(model, optimizer)
        updates, state = update({"layer": GRADIENTS}, state, {"layer": params})
        params = optax.apply_updates(params, updates["layer"])
    for path, p in params.items():
        np.testing.assert_allclose(model.layer[path], p, rtol=1e-6)
    for a, b in zip(jax.tree.leaves(optimizer.opt_state), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(a, b)
    nu = optax.tree.get(rx.decompress_state(nnx.as_pure(optimizer.opt_state)), "nu")
    assert nu["layer"]["kernel"].dtype == "float32"


@every_codec
def test_flax_serialization(name):
    serialization = pytest.importorskip("flax.serialization")
    tx = compressed(name)
    state = stepped(tx)
    found = serialization.from_bytes(tx.init(PARAMS), serialization.to_bytes(state))
    assert_same(found, state)
    found = serialization.from_state_dict(tx.init(PARAMS), serialization.to_state_dict(state))
    assert_same(found, state)
    with pytest.raises(ValueError, match=r"codecs\.float8_stochastic"):  # It names what is missing.
        serialization.from_state_dict(
            rx.compress_state(rx.adam(0.1), codecs.float8_stochastic()).init(PARAMS),
            serialization.to_state_dict(state),
        )


@every_codec
def test_linen_train_state(name):
    train_state = pytest.importorskip("flax.training.train_state")
    serialization = pytest.importorskip("flax.serialization")

    def fresh():
        return train_state.TrainState.create(apply_fn=None, params=PARAMS, tx=compressed(name))

    state = fresh()
    for _ in range(2):
        state = state.apply_gradients(grads=GRADIENTS)
    found = serialization.from_bytes(fresh(), serialization.to_bytes(state))
    assert_same(found.opt_state, state.opt_state)
    assert_same(found.apply_gradients(grads=GRADIENTS).params, state.apply_gradients(grads=GRADIENTS).params)


@every_codec
def test_equinox_serialisation(name):
    eqx = pytest.importorskip("equinox")
    tx = compressed(name)
    state, file = stepped(tx), io.BytesIO()
    eqx.tree_serialise_leaves(file, state)
    file.seek(0)
    assert_same(eqx.tree_deserialise_leaves(file, tx.init(PARAMS)), state)


@every_codec
def test_orbax_by_itself(name, tmp_path):
    ocp = pytest.importorskip("orbax.checkpoint")
    tx = compressed(name)
    state = stepped(tx)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", state)
        checkpointer.wait_until_finished()
        assert_same(checkpointer.restore(tmp_path / "state", tx.init(PARAMS)), state)


def named_tuples(node):
    """The kinds of named tuples in a state."""
    kinds = {type(node)} if hasattr(node, "_fields") else set()
    parts = node.values() if isinstance(node, dict) else node if isinstance(node, tuple) else ()
    return kinds.union(*map(named_tuples, parts))


def test_export():
    pytest.importorskip("flatbuffers")
    states = {name: stepped(compressed(name)) for name in CODECS}
    for kind in named_tuples(states["int8"]):
        jax.export.register_namedtuple_serialization(kind, serialized_name=f"{__name__}.{kind.__name__}")
    for name, state in states.items():
        update = jax.jit(compressed(name).update)
        exported = jax.export.export(update)(GRADIENTS, state, PARAMS)
        found = jax.export.deserialize(exported.serialize()).call(GRADIENTS, state, PARAMS)
        assert_same(found, update(GRADIENTS, state, PARAMS))


@every_codec
def test_shardings_of_parameters_are_mapped_over_the_state(name):
    """As optax's documentation makes them of the parameters': each leaf gets one, and they fit."""
    mesh, tx = mesh_of(AxisType.Auto, x=8), compressed(name)
    replicated = NamedSharding(mesh, P())
    shardings = {"kernel": NamedSharding(mesh, P(None, "x")), "bias": NamedSharding(mesh, P("x"))}
    shardings["scale"], state = replicated, tx.init(PARAMS)
    mapped = optax.tree.map_params(
        tx, lambda _, s: s, state, shardings, transform_non_params=lambda _: replicated
    )
    assert jax.tree.structure(mapped) == jax.tree.structure(state)
    state = jax.device_put(state, mapped)
    assert optax.tree.get(state, "nu")["kernel"].sharding == shardings["kernel"]
    _, new = jax.jit(tx.update, out_shardings=(None, mapped))(GRADIENTS, state, PARAMS)
    assert jax.tree.map(lambda x: x.sharding, new) == mapped


INNERS = {
    "adadelta": rx.adadelta(0.1),
    "optax.lion": optax.lion(0.1),
    "adafactor": optax.adafactor(0.1, min_dim_size_to_factor=8),
    "lbfgs": optax.scale_by_lbfgs(),
    "masked": optax.masked(rx.adam(0.1), {"kernel": True, "bias": False, "scale": True}),
    "MultiSteps": optax.MultiSteps(optax.adam(0.1), 2).gradient_transformation(),
    "inject_hyperparams": optax.inject_hyperparams(optax.adam)(learning_rate=0.1),
    "schedule_free": optax.contrib.schedule_free_adamw(0.1),
}


@every_codec
@pytest.mark.parametrize("inner", INNERS)
def test_what_optax_maps_of_a_state_it_maps_of_its_codes(inner, name):
    def mapped(tx):
        return optax.tree.map_params(tx, lambda x: "here", tx.init(PARAMS))

    def places(tree):
        return [path for path, x in jax.tree_util.tree_leaves_with_path(tree) if isinstance(x, str)]

    found = mapped(rx.compress_state(INNERS[inner], CODECS[name], min_size=100))
    assert places(found.inner) == places(mapped(INNERS[inner]))
    assert all(isinstance(x, str) for x in jax.tree.leaves(found.beside))


def test_an_init_that_cannot_do_without_parameters():
    """Of its state optax can map nothing; it is encoded all the same."""

    def init(params):
        return {"sum": jnp.zeros_like(params["kernel"]), "rows": params["kernel"].sum(0)}

    def update(updates, state, params=None):
        del params
        total = state["sum"] + updates["kernel"]
        return updates, {"sum": total, "rows": total.sum(0)}

    tx = rx.compress_state(optax.GradientTransformation(init, update), CODECS["int8"], min_size=100)
    state = stepped(tx)
    assert (state.inner["sum"].dtype, state.inner["rows"].dtype) == ("int8", "float32")
    np.testing.assert_allclose(rx.decompress_state(state)["sum"], 0.2, rtol=0.15)


@every_codec
@pytest.mark.parametrize(
    ("axis_type", "axes"),
    in_forms(
        list(itertools.product([AxisType.Auto, AxisType.Explicit], [("x", "y"), ("x",)])),
        [(AxisType.Auto, ("x", "y")), (AxisType.Explicit, ("x",))],
    ),
)
def test_init_in_shard_map(axis_type, axes, name):
    mesh = mesh_of(axis_type, x=4, y=2)
    params = {"kernel": jax.device_put(PARAMS["kernel"], NamedSharding(mesh, P("x", "y")))}
    tx = compressed(name)
    with jax.set_mesh(mesh):

        def both(params):
            state = tx.init(params)
            return tx.update(params, state, params)[0]

        spec = P("x", "y") if "y" in axes else P("x")
        both = jax.shard_map(both, in_specs=spec, out_specs=spec, axis_names=set(axes))
        updates = jax.jit(both)(params)
    np.testing.assert_allclose(updates["kernel"], -0.1, rtol=0.05)


@every_codec
def test_init_in_pmap(name):
    tx = compressed(name)
    params = {"kernel": jnp.ones((8, 16, 32))}
    state = jax.pmap(tx.init)(params)
    updates, _ = jax.pmap(tx.update)(params, state, params)
    np.testing.assert_allclose(updates["kernel"], -0.1, rtol=0.05)


# ---- Codecs of one's own: a dictionary of arrays, in any shapes and order.


class Scaled:
    """A scale for the whole array first, a number, and codes in another shape; it prints as an address."""

    def encode(self, x, seed):
        del seed
        scale = jnp.max(jnp.abs(x)) / 127 + 1e-30
        codes = jnp.round(x / scale).astype("int8")
        return {"scale": scale, "codes": codes.reshape(x.shape[0], -1, 1)}

    def decode(self, arrays):
        return (arrays["codes"].astype("float32") * arrays["scale"])[:, :, 0]


def test_a_codec_of_other_shapes():
    codec = Scaled()
    tx = rx.compress_state(rx.adam(0.1), codec, min_size=100)
    state = stepped(tx)
    assert [*state.steps] == ["Scaled"]
    assert optax.tree.get(state, "mu")["kernel"].shape == (16, 32, 1)
    nu = optax.tree.get(rx.decompress_state(state, codec), "nu")
    np.testing.assert_allclose(nu["kernel"], 0.01 * (1 - 0.999**2), rtol=0.02)
    np.testing.assert_array_equal(nu["kernel"], optax.tree.get(rx.decompress_state(state), "nu")["kernel"])
    other = rx.compress_state(rx.adam(0.1), Scaled(), min_size=100)  # Nothing tells them apart.
    other.update(GRADIENTS, state)
    with pytest.raises(
        ValueError, match="encoded by Scaled, and several codecs are known as that: give `codec`"
    ):
        rx.decompress_state(state)
    with pytest.raises(ValueError, match=r"encoded by Scaled, but `codec` is codecs.int8_blockwise\(block"):
        rx.decompress_state(state, CODECS["int8"])
    unknown = state._replace(steps={"another": 0})
    with pytest.raises(ValueError, match="encoded by another, and no codec is known as that: give `codec`"):
        rx.decompress_state(unknown)


def test_what_could_not_be_told_from_codes():
    """What is bfloat16 is encoded by bfloat16 as well, without loss; int8 is refused, and a filler's."""
    params = {"small": jnp.full(3, 0.1, "bfloat16")}
    state = rx.compress_state(optax.trace(0.9), codecs.bfloat16_stochastic()).init(params)
    np.testing.assert_array_equal(rx.decompress_state(state).trace["small"], jnp.zeros(3))
    integers = optax.GradientTransformation(lambda params: jnp.zeros(3, "int8"), None)
    with pytest.raises(
        ValueError, match=r"has int8 at '', which could not be told from codes of codecs.float8"
    ):
        rx.compress_state(integers, codecs.float8_stochastic()).init(params)
    rx.compress_state(integers, codecs.int8_blockwise()).init(params)

    class Wide:
        def encode(self, x, seed):
            return {"codes": x.astype("int8"), "rest": x.astype("uint16")}

        def decode(self, arrays):
            return arrays["codes"].astype("float32")

    with pytest.raises(ValueError, match=r"`codec` may use uint16 for its first array only; got .*Wide"):
        rx.compress_state(rx.adam(0.1), Wide()).init(PARAMS)


# ---- Derivatives through two steps and the state between them.


def meta(tx):
    """A loss after two steps, as a function of a number that acts through the gradients and the state."""
    params = {"w": jnp.linspace(0.5, 1.5, 64 * 8).reshape(8, 64)}

    def loss(scale):
        state, p = tx.init(params), params
        for _ in range(2):
            updates, state = tx.update(jax.tree.map(lambda x: scale * x**2, p), state, p)
            p = optax.apply_updates(p, updates)
        return jnp.mean(p["w"] ** 2)

    return loss


THROUGH = {"stochastic": codecs.bfloat16_stochastic(), "compensated": codecs.bfloat16_compensated()}
MOMENTS = {"momentum": rx.momentum(0.1), "second": rx.second_moment(0.9)}
REFUSED = {"int8": codecs.int8_blockwise(), "float8": codecs.float8_stochastic(), "own": Scaled()}


@pytest.mark.parametrize(
    ("moment", "name"), in_forms(list(itertools.product(MOMENTS, THROUGH)), [("second", "stochastic")])
)
def test_derivatives_go_straight_through_bfloat16(moment, name):
    inner = MOMENTS[moment]
    expected = jax.grad(meta(inner))(0.3)
    loss = meta(rx.compress_state(inner, THROUGH[name], min_size=0))
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(0.3), expected, rtol=0.01)
    np.testing.assert_allclose(jax.jvp(loss, (0.3,), (1.0,))[1], expected, rtol=0.01)
    second = jax.hessian(meta(inner))(0.3)
    np.testing.assert_allclose(jax.jit(jax.hessian(loss))(0.3), second, rtol=0.01)


@pytest.mark.parametrize("name", REFUSED)
def test_derivatives_through_integers_are_refused(name):
    """Never zero without a word."""
    loss = meta(rx.compress_state(rx.momentum(0.1), REFUSED[name], min_size=0))
    message = r"cannot be differentiated through: .* is int8, which has no derivative.*stop_gradient"
    with pytest.raises(TypeError, match=message):
        jax.grad(loss)(0.3)
    with pytest.raises(TypeError, match=message):
        jax.jvp(jax.jit(loss), (0.3,), (1.0,))


@pytest.mark.parametrize("name", REFUSED)
def test_a_learning_rate_that_the_state_does_not_know_of_has_its_derivative(name):
    def loss(rate, make=lambda rate: rx.compress_state(rx.momentum(rate), REFUSED[name], min_size=0)):
        tx, params = make(rate), {"w": jnp.ones((8, 64))}
        return jnp.sum(tx.update(params, tx.init(params), params)[0]["w"])

    np.testing.assert_allclose(jax.grad(loss)(0.1), -512.0)
