"""State divided over an axis of the mesh: ZeRO-1."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from radam_optax._core.calls import validated
from radam_optax._core.domains import Link, Tree, anything
from radam_optax._core.messages import name_of
from radam_optax._core.owners import map_with_params
from radam_optax._core.placement import fits
from radam_optax._core.values import Optimizer


def _mesh(name: str, value: Any) -> Mesh:
    if not isinstance(value, Mesh):
        raise TypeError(f"`{name}` must be a Mesh; got {value!r}.")
    if set(value.axis_types) not in ({AxisType.Auto}, {AxisType.Explicit}):
        raise ValueError(f"`{name}` must have axes of one type, Auto or Explicit; got {value.axis_types}.")
    return value


DeviceMesh = Annotated[Mesh, _mesh]
AxisName = Annotated[str, anything]


@validated
def shard_state(
    inner: Link,
    mesh: DeviceMesh,
    axis: AxisName,
    specs: Tree = PartitionSpec(),
) -> Optimizer:
    """Divides an optimizer's state over an axis of the mesh that its parameters are replicated over: ZeRO-1.

    ::

        part of the updates, part of the state = inner.update(part of the gradients, part of the state)
        updates = the parts of all devices, gathered

    A leaf is divided along its first dimension that ``specs`` leaves free and the length of ``axis`` divides;
    one without such a dimension stays as it is. The state has the structure and the values of that of
    ``inner``, bitwise if this works element by element, so that one can take over from the other.

    On n devices each holds 1/n of the state and does 1/n of its arithmetic. An update gathers what it
    returns, the size of the parameters, once. Where the gradients are yet to be summed over ``axis``, as
    under data parallelism, a device needs only its part of the sum: XLA for TPUs can make a reduce-scatter of
    it, which together with the gathering costs what the whole sum did.

    Args:
      inner: Transformation whose state is divided, of this package or not; extra arguments reach it.
      mesh: Devices, in a mesh whose axes are all Auto or all Explicit.
      axis: Name of the axis of the mesh to divide the state over.
      specs: How the parameters are laid out, and the updates returned: a PartitionSpec, or a tree of them
        with one for each leaf, or for all leaves below a node. ``PartitionSpec()``: replicated.
        Default: PartitionSpec().

    Returns:
      A transformation with the state of ``inner``.

    Raises:
      TypeError: ``inner`` is no transformation, ``mesh`` no mesh, or a leaf of ``specs`` no PartitionSpec.
      ValueError: The mesh does not have an axis that is named, or ``specs`` names ``axis``; from ``init``
        and ``update``, ``specs`` has nothing for a leaf, or does not divide it evenly, or the axis does not
        divide the blocks of a codec.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> import optax
      >>> import radam_optax as rx
      >>> mesh = jax.make_mesh((jax.device_count(),), ("data",), (jax.sharding.AxisType.Auto,))
      >>> optimizer = rx.sharding.shard_state(rx.radamw(3e-4), mesh, "data")
      >>> state = optimizer.init({"kernel": jnp.zeros((64, 64))})
      >>> tuple(optax.tree.get(state, "mu")["kernel"].sharding.spec)
      ('data',)

    References:
      Rajbhandari et al. (2020), ZeRO: Memory Optimizations Toward Training Trillion Parameter Models, stage
      1. https://arxiv.org/abs/1910.02054

      Xu et al. (2020), Automatic Cross-Replica Sharding of Weight Update in Data-Parallel Training, as
      annotations. https://arxiv.org/abs/2004.13336
    """
    if not (isinstance(axis, str) and axis in mesh.axis_names):
        raise ValueError(f"`axis` must be an axis of the mesh, {_names(mesh)}; got {axis!r}.")
    by_path = dict(jax.tree_util.tree_leaves_with_path(specs))
    for path, spec in by_path.items():
        _check_spec(f"`specs`{jax.tree_util.keystr(path)}", spec, mesh, axis)
    inner = optax.with_extra_args_support(inner)
    place = jax.lax.with_sharding_constraint if AxisType.Auto in mesh.axis_types else jax.sharding.reshard

    def shardings(tree):
        return jax.tree_util.tree_map_with_path(lambda *leaf: _sharding(mesh, by_path, *leaf), tree)

    def divided(tree, usual):
        return jax.tree.map(lambda leaf, sharding: _divided(leaf, sharding, axis), tree, usual)

    def placed(tree, shardings):
        return jax.tree.map(place, tree, shardings)

    def kept(state, tree, where):
        """What is made without a look at the parameters' values, ``zeros_like``, has no sharding under jit;
        one step later it would have, and every step would be compiled twice.
        """

        def put(x, p):
            if p is None:
                return x
            if not fits(p.sharding, x.shape):
                raise ValueError(
                    f"The state of {inner!r} has an array of shape {x.shape} that cannot be divided as its "
                    f"parameter is, {p.sharding.spec} of {dict(mesh.shape)}: give its codec `shards`."
                )
            return place(x, p.sharding)

        known = jax.tree.map(
            lambda x, s: jax.ShapeDtypeStruct(jnp.shape(x), x.dtype, sharding=s), tree, where
        )
        return map_with_params(put, state, known)

    def init(params):
        where = divided(params, shardings(params))
        params = placed(params, where)
        return kept(inner.init(params), params, where)

    def update(updates, state, params=None, **extra_args):
        usual = shardings(updates)
        where = divided(updates, usual)
        updates, params = placed(updates, where), placed(params, divided(params, shardings(params)))
        updates, state = inner.update(updates, state, params, **extra_args)
        return placed(updates, usual), kept(state, updates, where)

    return optax.GradientTransformationExtraArgs(init, update)


def _names(mesh: Mesh) -> str:
    return " or ".join(map(repr, mesh.axis_names))


def _check_spec(name: str, spec: Any, mesh: Mesh, axis: str) -> None:
    if not isinstance(spec, PartitionSpec):
        raise TypeError(f"{name} must be a PartitionSpec; got {spec!r}.")
    for used in jax.tree.leaves(tuple(spec)):
        if used == axis:
            raise ValueError(f"{name} must leave `axis`={axis!r} free; got {spec}.")
        if isinstance(used, str) and used not in mesh.axis_names:
            raise ValueError(f"{name} must name axes of the mesh, {_names(mesh)}; got {spec}.")


def _sharding(mesh: Mesh, specs: dict[Any, PartitionSpec], path: Any, leaf: Any) -> NamedSharding:
    """How a leaf is laid out, by the spec at its path, or at the first part of it."""
    spec = next((specs[path[:end]] for end in range(len(path) + 1) if path[:end] in specs), None)
    if spec is None:
        raise ValueError(f"`specs` must have a PartitionSpec for each leaf; got none for {name_of(path)!r}.")
    shape, sharding = jnp.shape(leaf), NamedSharding(mesh, spec)
    if len(spec) > len(shape) or not fits(sharding, shape):
        raise ValueError(
            f"`specs` must divide each leaf evenly over the mesh, {dict(mesh.shape)}; got {spec} for "
            f"{name_of(path)!r} of shape {shape}."
        )
    return sharding


def _divided(leaf: Any, sharding: NamedSharding, axis: str) -> NamedSharding:
    """A leaf's sharding, divided over the axis as well where a dimension allows it."""
    mesh, spec, shape = sharding.mesh, sharding.spec, jnp.shape(leaf)
    entries = (*spec, *[None] * (len(shape) - len(spec)))
    for dimension, (length, entry) in enumerate(zip(shape, entries, strict=True)):
        if entry is None and length and length % mesh.shape[axis] == 0:
            # Without what else would be None at the end, as `jit` has it: equal shardings compile once.
            return NamedSharding(mesh, PartitionSpec(*entries[:dimension], axis, *spec[dimension + 1 :]))
    return sharding
