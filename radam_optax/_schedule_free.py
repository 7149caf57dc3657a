"""Training without a schedule's end: an average of the iterates takes the place of the decay."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from radam_optax import _clock
from radam_optax._clock import Clock
from radam_optax._core.calls import check_direction, validated
from radam_optax._core.domains import AnyDType, Forgetting, Link, NonNegative, OneRate, Tree
from radam_optax._core.leaves import in_structure_of, map_leaves, raised, times
from radam_optax._core.states import copy_like, expect, state_of
from radam_optax._core.values import Optimizer, as_scalar, in_dtype_of, value_at
from radam_optax._numerics import Sum, check_sums


class ScheduleFreeState(NamedTuple):
    """State of :func:`schedule_free`.

    Attributes:
      clock: How many updates the link has seen. ``()``: nothing depends on it, or the link around this one
        has the clock.
      weight_sum: Sum of the weights of the average so far, and what its roundings have left out.
      max_lr: Largest learning rate so far, shape (), float32 (float64 in x64 mode).
      b1: Place of the parameters y between the iterate z and its average x at the last update; float32
        (float64 in x64 mode) of shape ().
      inner: State of the direction.
      z: Iterate without averaging, in parameter units; a tree like the parameters.
    """

    clock: Clock | tuple[()]
    weight_sum: Sum
    max_lr: jax.Array
    b1: jax.Array
    inner: optax.OptState
    z: optax.Params

    @property
    def count(self) -> jax.Array:
        """Number of updates that the link has seen, shape (), int32."""
        return _clock.count_of(self)

    @property
    def exact(self) -> tuple[str, ...]:
        """Fields that an encoding must not make coarser; the steps of z are far smaller than it is."""
        return ("z",)


@validated
def schedule_free(
    direction: Link,
    learning_rate: OneRate,
    b1: Forgetting = 0.9,
    r: NonNegative = 0.0,
    weight_lr_power: NonNegative = 2.0,
    *,
    state_dtype: AnyDType = None,
) -> Optimizer:
    """Schedule-free learning with any direction: the gradient is taken between an iterate and its average.

    ::

        d  = direction(gradient at y)                lr = learning_rate(t - 1)
        w  = t^r max(lr so far)^weight_lr_power      c = w / (sum of w so far), 0 while the sum is 0
        y  = (1 - c) y + c z + lr (b1 (1 - c) - 1) d
        z  = z - lr d

    The parameters that are trained are y; z is kept beside them, and the average x follows from both.
    Evaluate and publish x, which :func:`schedule_free_eval_params` gives.

    It is the form of the schedulefree package 1.4. In optax's the weights read the schedule a step later than
    the updates, and add up in the dtype of the parameters.

    Args:
      direction: Transformation from gradients to a direction of ascent without momentum, before the learning
        rate, such as ``rx.scale_by_rms(0.999, bias_correction=True)``.
      learning_rate: Step size of z, >= 0: a number, or a schedule of the count of past updates (0 at the
        first), which may warm up and need not decay.
      b1: Place of the parameters y between the iterate z, at 0, and its average x, at 1; dimensionless, in
        (0, 1]. It takes the place of momentum. Default: 0.9.
      r: Power of t in the weights of the average, dimensionless, >= 0. Default: 0.0.
      weight_lr_power: Power of the largest learning rate so far in the weights of the average, dimensionless,
        >= 0. Default: 2.0.
      state_dtype: Dtype of z, floating or complex. None: that of the parameter, but at least float32.
        Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters. Its
      state is a :class:`ScheduleFreeState`, with ``count`` and ``z``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``direction`` is a complete optimizer of this package, whose learning rate belongs here; or
        ``update`` is called without ``params``; or an argument is outside its domain.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer = rx.schedule_free(rx.scale_by_rms(0.999, bias_correction=True), 0.1)
      >>> params = jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> params = optax.apply_updates(params, updates)
      >>> print(np.asarray(rx.schedule_free_eval_params(state, params)).round(4))
      [ 0.9 -1.9]

    References:
      Defazio et al. (2024), The Road Less Scheduled, Algorithm 1. https://arxiv.org/abs/2405.15682
    """
    check_direction("schedule_free", "direction", direction)
    inner = optax.with_extra_args_support(direction)

    def init(params):
        # An array for each, since one buffer could not be donated twice.
        zeros = [jnp.zeros([], jnp.result_type(float)) for _ in range(3)]
        return ScheduleFreeState(
            clock=_clock.new(),
            weight_sum=Sum(*zeros[:2]),
            max_lr=zeros[2],
            b1=jnp.copy(as_scalar(b1)),
            z=copy_like(params, state_dtype),
            inner=_clock.handed((), inner.init(params)),
        )

    def update(updates, state, params=None, **extra_args):
        expect(ScheduleFreeState, state)
        check_sums("weight_sum", (state.weight_sum,))
        if params is None:
            raise ValueError("`schedule_free` needs `params`: call `update(updates, state, params)`.")
        clock = _clock.running(state)
        d, of_inner = inner.update(updates, _clock.handed(clock, state.inner), params, **extra_args)
        lr = as_scalar(value_at(learning_rate, clock.count))
        max_lr = jnp.maximum(as_scalar(state.max_lr), lr)
        # Huge powers overflow; capped, they are equal weights, and 0 while the learning rate is.
        most = jnp.finfo(max_lr.dtype).max * 2.0**-32
        of_step, of_rate = raised(as_scalar(clock.count) + 1, r), raised(max_lr, weight_lr_power)
        weight = jnp.minimum(jnp.minimum(of_step, most) * of_rate, most)
        weight_sum = Sum(*map(as_scalar, state.weight_sum)).plus(weight)
        nothing = weight_sum.value == 0
        c = jnp.where(nothing, 0, weight / jnp.where(nothing, 1, weight_sum.value))
        scalars = (c, lr, b1 * (1 - c) - 1)
        updates, z = map_leaves(_step, (d, params), (state.z,), scalars, like=updates, at_least=params)
        found = (weight_sum, max_lr, as_scalar(b1))
        numbers = jax.tree.map(in_dtype_of, (state.weight_sum, state.max_lr, state.b1), found)
        return updates, ScheduleFreeState(
            _clock.after(state.clock), *numbers, z=z, inner=_clock.handed((), of_inner)
        )

    return optax.GradientTransformationExtraArgs(init, update)


def _step(d, y, z, c, lr, of_step):
    new = z - times(d, lr)
    # By way of z, and not of d, which a CPU would keep in an array of its own: y follows z as it was rounded.
    return times(z - y, c) + times(z - new, of_step), new


@validated
def schedule_free_eval_params(state: Tree, params: Tree) -> Any:
    """The parameters to evaluate and to publish: the average of the iterates.

    ::

        x = y + (1 - 1/b1) (z - y)

    What is not trained, by a mask or as an integer, is its own average.

    Args:
      state: State of an optimizer that holds one :func:`schedule_free`, however deep.
      params: Parameters that the optimizer trains, y.

    Returns:
      A tree like ``params``.

    Raises:
      ValueError: The state holds no :class:`ScheduleFreeState`, or several.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.schedule_free_sgd(0.1), jnp.array([1.0, -2.0])
      >>> updates, state = optimizer.update(params, optimizer.init(params), params)
      >>> averaged = rx.schedule_free_eval_params(state, optax.apply_updates(params, updates))
      >>> print(np.asarray(averaged).round(4))
      [ 0.9 -1.8]

    References:
      Defazio et al. (2024), The Road Less Scheduled, Algorithm 1. https://arxiv.org/abs/2405.15682
    """
    return _between(state, params, lambda b1: 1 - 1 / b1)


@validated
def schedule_free_train_params(state: Tree, params: Tree) -> Any:
    """The parameters to go on training with, from those to evaluate.

    ::

        y = x + (1 - b1) (z - x)

    Args:
      state: State of an optimizer that holds one :func:`schedule_free`, however deep.
      params: Parameters to evaluate, x, which :func:`schedule_free_eval_params` gave.

    Returns:
      A tree like ``params``.

    Raises:
      ValueError: The state holds no :class:`ScheduleFreeState`, or several.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.schedule_free_sgd(0.1), jnp.array([1.0, -2.0])
      >>> updates, state = optimizer.update(params, optimizer.init(params), params)
      >>> averaged = rx.schedule_free_eval_params(state, optax.apply_updates(params, updates))
      >>> print(np.asarray(rx.schedule_free_train_params(state, averaged)).round(4))
      [ 0.9 -1.8]

    References:
      Defazio et al. (2024), The Road Less Scheduled, Algorithm 1. https://arxiv.org/abs/2405.15682
    """
    return _between(state, params, lambda b1: 1 - b1)


def _between(state: Any, params: Any, share: Any) -> Any:
    found = state_of(ScheduleFreeState, state)
    z = in_structure_of(params, found.z)
    averaged = jax.tree.map(lambda p, z: None if z is None else p, params, z)
    moved = map_leaves(_towards, (averaged, z), (), (share(jnp.asarray(found.b1)),), like=averaged)
    # What is not trained, by a mask or as an integer, is its own average.
    return jax.tree.map(lambda p, x: p if x is None else x, params, moved)


def _towards(p, z, share):
    return p + times(z - p, share)
