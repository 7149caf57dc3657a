"""State in the host's memory, which passes through the device during a step."""

from __future__ import annotations

from typing import Annotated, Any

import jax
import numpy as np
import optax
from jax.extend.core import Literal

from radam_optax._core.calls import validated
from radam_optax._core.domains import Link, size
from radam_optax._core.values import Optimizer
from radam_optax.sharding._stages import divided, run

Whole = Annotated[int, size(1)]

_HOST, _DEVICE = jax.memory.Space.Host, jax.memory.Space.Device


@validated
def offload_state(
    inner: Link,
    *,
    min_size: Whole = 65536,
    group_bytes: Whole = 2**27,
    in_flight: Whole = 2,
) -> Optimizer:
    """Keeps the state of any transformation in the host's memory, and brings it to the device in parts.

    ::

        group 1    arrives    is updated   leaves
        group 2               arrives      is updated   leaves
        group 3                            arrives      is updated   leaves

    Between steps the device holds no state. A step is done in groups of arrays, from the last parameter to
    the first, as the backward pass makes gradients. The state has the structure of that of ``inner`` and,
    bitwise, its values, so that one can take over from the other. On a mesh it is divided as without it, each
    device's part in the memory of its host.

    All of the state goes over the link to the host in each step, and as much comes back. With S bytes of it
    on a device and a link of B bytes per second each way, a step takes at least ``S / B``, and ``2 S / B``
    where the link goes one way at a time: 8 bytes per parameter of Adam at 25 GB/s are 0.32 s per 10^9
    parameters. It pays where that is little beside the rest of a step, as with large batches; a state in
    fewer bytes, by :func:`radam_optax.compress_state` within it, has fewer to send.

    It belongs around ``compress_state``, ``compress_params`` and :func:`shard_state`, and inside of what else
    wraps an optimizer: :class:`optax.MultiSteps`, masks, chains. Put parameters on a device beforehand, by
    ``jax.device_put(params, jax.devices()[0])``, or the second step is compiled anew. What computes with
    large arrays of the state outside of ``update`` takes ``jax.device_put(state, jax.memory.Space.Device)``.
    Donate the state to a jitted step, as always, or the host holds it twice.

    On TPUs, arrays of 8 bits, the codes of ``int8_blockwise`` and ``float8_stochastic``, need the compiler of
    JAX 0.12; on CPUs, JAX 0.8 leaves the state on the device under jit.

    Args:
      inner: Transformation whose state is kept there, of this package or not; extra arguments reach it. Where
        an update cannot begin before it has all of the state, for a norm of it or under ``lax.cond``, all of
        it is on the device then.
      min_size: Size of the smallest array that leaves the device, in elements; a whole number >= 1.
        Default: 65536.
      group_bytes: Bytes of state, on all devices together, with which a group is complete; a whole number >=
        1. Small groups take less memory, large ones fewer transfers; an array is in one group.
        Default: 2**27.
      in_flight: Number of groups that may be on their way at once, a whole number >= 1. The device holds
        about twice as many. With 1, a GPU does not send and receive at the same time; a TPU does, in less
        memory than with 2, since its compiler lets the next group set out by itself. Default: 2.

    Returns:
      A transformation with the state of ``inner``.

    Raises:
      TypeError: ``inner`` is no transformation, or another argument no whole number.
      ValueError: A number is less than 1; from ``init`` and ``update``, the devices have no memory of the
        kind "pinned_host".

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> import optax
      >>> import radam_optax as rx
      >>> inner = rx.compress_state(rx.radamw(3e-4), rx.codecs.bfloat16_stochastic())  # Half to send.
      >>> optimizer = rx.sharding.offload_state(inner, min_size=4096)
      >>> params = jax.device_put(jnp.ones((64, 64)), jax.devices()[0])
      >>> state = optimizer.init(params)
      >>> optax.tree.get(state, "mu").sharding.memory_kind
      'pinned_host'
      >>> updates, state = jax.jit(optimizer.update)(jnp.ones_like(params), state, params)

    References:
      Ren et al. (2021), ZeRO-Offload: Democratizing Billion-Scale Model Training, where the host computes
      the update too. https://arxiv.org/abs/2101.06840
    """
    inner = optax.with_extra_args_support(inner)

    def kept(state):
        return jax.tree.map(lambda x: jax.device_put(x, _HOST) if np.size(x) >= min_size else x, state)

    def init(params):
        _check_memories()
        return kept(inner.init(params))

    def update(updates, state, params=None, **extra_args):
        _check_memories()
        before, structure = jax.tree.flatten(state)
        made = []

        def program(*leaves):
            there = [jax.device_put(x, _DEVICE) if _is_on_host(x) else x for x in leaves]
            new_updates, new = inner.update(updates, structure.unflatten(there), params, **extra_args)
            results, result_structure = jax.tree.flatten((new_updates, kept(new)))
            made.append(result_structure)
            return results

        traced = jax.make_jaxpr(program)(*before)
        jaxpr, (result_structure,) = traced.jaxpr, made
        successors = {}
        if result_structure.children()[1] == structure:
            after = jaxpr.outvars[len(jaxpr.outvars) - len(before) :]
            pairs = zip(jaxpr.invars, after, before, strict=True)
            successors = {old: new for old, new, x in pairs if _is_on_host(x)}
        values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*traced.consts, *before], strict=True))
        split = len(jaxpr.outvars) - result_structure.children()[1].num_leaves
        # From the last parameter to the first, as gradients come: one that waits for its turn takes memory.
        order = [*reversed(jaxpr.outvars[:split]), *jaxpr.outvars[split:]]
        run(divided(jaxpr, order, successors, group_bytes), values, successors, in_flight)
        return result_structure.unflatten(
            v.val if isinstance(v, Literal) else values[v] for v in jaxpr.outvars
        )

    return optax.GradientTransformationExtraArgs(init, update)


def _is_on_host(x: Any) -> bool:
    return jax.typeof(x).memory_space is _HOST


def _check_memories() -> None:
    device = jax.local_devices()[0]
    kinds = [memory.kind for memory in device.addressable_memories()]
    if "pinned_host" not in kinds:
        raise ValueError(
            f"`offload_state` needs devices with memory of the kind 'pinned_host'; {device} has "
            f"{', '.join(map(repr, kinds))}. Use the optimizer without it."
        )
