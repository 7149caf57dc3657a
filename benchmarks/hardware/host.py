"""An optimizer's step with its state in the host's memory, compiled for chips that need not be here."""

from typing import Any, NamedTuple

import jax
import optax
from jax.extend.core import jaxpr_as_fun
from jax.sharding import NamedSharding

from benchmarks.subjects.step import jitted_step


class OnHost(NamedTuple):
    """The compiled step, and shapes and shardings of the state."""

    step: Any
    state: Any


def compiled_on_host(tx: optax.GradientTransformation, params: dict[str, jax.ShapeDtypeStruct]) -> OnHost:
    """Compiles the donated step of an optimizer that keeps state in the memory that its ``init`` names.

    Of a GPU that is not here JAX knows no memory but one, and would take all of the state to be there. On a
    mesh without devices it believes what it is told: the step is traced on that, and compiled for the chips.
    """
    mesh = next(iter(params.values())).sharding.mesh
    init = jax.jit(tx.init, keep_unused=True).lower(params).compile()
    made, shapes = jax.make_jaxpr(tx.init, return_shape=True)(params)
    structure = jax.tree.structure(shapes)
    kinds = ["pinned_host" if a.memory_space is jax.memory.Space.Host else None for a in made.out_avals]
    specs = [sharding.spec for sharding in jax.tree.leaves(init.output_shardings)]

    def placed(mesh, kinds):
        return structure.unflatten(
            jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=NamedSharding(mesh, spec, memory_kind=kind))
            for x, spec, kind in zip(jax.tree.leaves(shapes), specs, kinds, strict=True)
        )

    abstract = jax.tree.map(
        lambda p: p.update(sharding=NamedSharding(mesh.abstract_mesh, p.sharding.spec)), params
    )
    step = jitted_step(tx)
    traced, results = jax.make_jaxpr(step, return_shape=True)(
        abstract, placed(mesh.abstract_mesh, kinds), abstract
    )

    def replay(*args):
        return jax.tree.structure(results).unflatten(jaxpr_as_fun(traced)(*jax.tree.leaves(args)))

    state = placed(mesh, kinds)
    compiled = jax.jit(replay, donate_argnums=(0, 1)).lower(params, state, params).compile()
    return OnHost(compiled, state)
