"""Links that reshape a stream, be it of gradients, statistics or rates: delayed, mixed, differenced, clipped.

They stand on either side of the product, in a momentum or in a rate. What comes out of them is in at
least float32, as statistics are.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from radam_optax import _clock
from radam_optax._clock import Clock
from radam_optax._core.calls import validated
from radam_optax._core.domains import (
    AnyDType,
    Flag,
    Link,
    Real,
    Weight,
    identifier,
    number_in,
    size,
    weighted,
)
from radam_optax._core.leaves import LeafError, abs_sq, map_leaves, times
from radam_optax._core.states import check_length, expect, full_like
from radam_optax._core.values import Optimizer, is_static, value_at

Steps = Annotated[int, size(1, 1000)]
Part = Annotated[tuple[Any, Any], weighted]
Name = Annotated[str, identifier]


class DelayState(NamedTuple):
    """State of :func:`delay`.

    Attributes:
      held: What has come in and not gone out, the oldest first; trees like the parameters, in the units of
        the input.
    """

    held: tuple[optax.Updates, ...]


@validated
def delay(
    steps: Steps = 1,
    initial: Real = 0.0,
    *,
    real: Flag = False,
    dtype: AnyDType = None,
) -> optax.GradientTransformation:
    """What came in some steps ago.

    ::

        out_t = in_{t-steps}                         initial, until there is one

    Behind an average, its own argument ``delayed`` does the same for one step and needs no array for it.

    Args:
      steps: Number of updates that the input is held for, a whole number in [1, 1000]. Each takes an array of
        the parameter's shape. Default: 1.
      initial: What comes out of the first updates, until there is something to come out; in units of the
        input. Default: 0.0.
      real: Whether what comes in is real where the parameter is complex, as a second moment is.
        Default: False.
      dtype: Dtype of the state, floating or complex. None: that of the parameter, but at least float32. It
        stays as it is from ``init`` on, whatever comes in. Default: None.

    Returns:
      An :class:`optax.GradientTransformation`. What comes out is the input of an earlier step. Its state is a
      :class:`DelayState`.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.delay(initial=1.0), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> for _ in range(2):
      ...     out, state = link.update(gradient, state)
      ...     print(np.asarray(out))
      [1. 1.]
      [ 1. -2.]

    References:
      Zhou et al. (2019), AdaShift. https://arxiv.org/abs/1810.00143

      Taniguchi et al. (2024), ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal Rate,
      Algorithm 2. https://arxiv.org/abs/2411.02853
    """

    def init(params):
        return DelayState(tuple(full_like(params, initial, dtype, real=real) for _ in range(steps)))

    def update(updates, state, params=None):
        expect(DelayState, state)
        del params
        check_length("held", state.held, steps)
        oldest, *others = state.held
        out, newest = map_leaves(_exchange, (updates,), (oldest,))
        return out, DelayState((*others, newest))

    return optax.GradientTransformation(init, update)


def _exchange(x, held):
    return held, x


class MixtureState(NamedTuple):
    """State of :func:`mixture`.

    Attributes:
      clock: How many updates the link has seen. ``()``: nothing depends on it, or the link around this one
        has the clock.
      parts: States of the parts, in their order.
    """

    clock: Clock | tuple[()]
    parts: tuple[optax.OptState, ...]

    @property
    def count(self) -> jax.Array:
        """Number of updates that the link has seen, shape (), int32."""
        return _clock.count_of(self)


@validated
def mixture(*parts: Part) -> Optimizer:
    """The weighted sum of what several transformations make of the same input.

    ::

        out = weight_1 link_1(in) + weight_2 link_2(in) + ...

    Args:
      *parts: Pairs of a weight and a transformation. A weight is a number, or a schedule of the count of past
        updates, dimensionless; ``optax.identity()`` is the transformation for the input itself.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs`. What comes out is the sum, in at least float32. Its
      state is a :class:`MixtureState`.

    Raises:
      TypeError: A part is no such pair.
      ValueError: There are no parts, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> slow = rx.first_moment(0.9999, debias=False)
      >>> link = rx.mixture((1.0, rx.first_moment(0.9)), (5.0, slow))  # AdEMAMix's momentum.
      >>> gradient = jnp.array([1.0, -2.0])
      >>> out, state = link.update(gradient, link.init(gradient))
      >>> print(np.asarray(out).round(4))
      [ 1.0005 -2.001 ]

    References:
      Ma & Yarats (2019), Quasi-hyperbolic momentum and Adam for deep learning, section 3, for an average and
      the gradient. https://arxiv.org/abs/1810.06801

      Lucas et al. (2019), Aggregated Momentum. https://arxiv.org/abs/1804.00325

      Pagliardini et al. (2024), The AdEMAMix Optimizer: Better, Faster, Older, section 3, for a fast and a
      slow average. https://arxiv.org/abs/2409.03137
    """
    weights: list[Any] = [weight for weight, _ in parts]
    links = [optax.with_extra_args_support(link) for _, link in parts]
    counts = any(map(callable, weights))

    def init(params):
        states = tuple(link.init(params) for link in links)
        clock = _clock.new() if counts else _clock.of_links(states)
        return MixtureState(clock, _clock.handed((), states))

    def update(updates, state, params=None, **extra_args):
        expect(MixtureState, state)
        check_length("parts", state.parts, len(links))
        outs, states = [], []
        for link, kept in zip(links, _clock.handed(state.clock, state.parts), strict=True):
            out, new = link.update(updates, kept, params, **extra_args)
            outs.append(out)
            states.append(new)
        count = _clock.running(state).count if counts else None
        now = tuple(value_at(weight, count, factor=True) for weight in weights)
        updates = map_leaves(_weighted_sum, tuple(outs), (), now)
        return updates, MixtureState(_clock.after(state.clock), _clock.handed((), tuple(states)))

    return optax.GradientTransformationExtraArgs(init, update)


def _weighted_sum(*terms):
    half = len(terms) // 2
    first, *others = (times(x, weight) for x, weight in zip(terms[:half], terms[half:], strict=True))
    return sum(others, start=first)


class DifferenceState(NamedTuple):
    """State of :func:`difference`.

    Attributes:
      clock: How many updates the link has seen. ``()``: nothing depends on it, or the link around this one
        has the clock.
      previous: Last input, in its units; a tree like the parameters.
    """

    clock: Clock | tuple[()]
    previous: optax.Updates

    @property
    def count(self) -> jax.Array:
        """Number of updates that the link has seen, shape (), int32."""
        return _clock.count_of(self)


@validated
def difference(*, dtype: AnyDType = None) -> optax.GradientTransformation:
    """What has changed since the last step.

    ::

        out_t = in_t - in_{t-1}                      0 at the first step

    Args:
      dtype: Dtype of the state, floating or complex. None: that of the parameter, but at least float32. It
        stays as it is from ``init`` on, whatever comes in. Default: None.

    Returns:
      An :class:`optax.GradientTransformation`. What comes out is the change, in at least float32. Its state
      is a :class:`DifferenceState`.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.difference(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> for factor in (1.0, 1.5):
      ...     out, state = link.update(factor * gradient, state)
      ...     print(np.asarray(out))
      [0. 0.]
      [ 0.5 -1. ]

    References:
      Xie et al. (2022), Adan: Adaptive Nesterov Momentum Algorithm, Algorithm 1.
      https://arxiv.org/abs/2208.06677
    """

    def init(params):
        return DifferenceState(_clock.new(), full_like(params, 0.0, dtype))

    def update(updates, state, params=None):
        expect(DifferenceState, state)
        del params
        first = _clock.running(state).count == 0
        updates, previous = map_leaves(_change, (updates,), (state.previous,), (first,))
        return updates, DifferenceState(_clock.after(state.clock), previous)

    return optax.GradientTransformation(init, update)


def _change(x, previous, first):
    # TPU compilers make one loop of results that the update is computed from, but a copy, in a loop of its
    # own, of what merely comes in. There the copy is a choice that says only that x is NaN where it is; on
    # CPU and GPU that would be another array.
    kept = jax.lax.platform_dependent(x, tpu=_chosen, default=lambda x: x)
    return jax.lax.select(first, jax.lax.full_like(x, 0), kept - previous), kept


def _chosen(x):
    return jax.lax.select(x == x, x, jax.lax.full_like(x, jnp.nan))


class ClipState(NamedTuple):
    """State of :func:`clip` with a schedule.

    Attributes:
      clock: How many updates the link has seen. ``()``: nothing depends on it, or the link around this one
        has the clock.
    """

    clock: Clock | tuple[()]

    @property
    def count(self) -> jax.Array:
        """Number of updates that the link has seen, shape (), int32."""
        return _clock.count_of(self)


@validated
def clip(upper: Weight, lower: Weight | None = None) -> optax.GradientTransformation:
    """Keeps every element between two bounds.

    ::

        out = min(max(x, lower), upper)

    Args:
      upper: Upper bound, in the units of the input: a number, >= 0 without a ``lower``, or a schedule of the
        count of past updates.
      lower: Lower bound, in the units of the input, at most ``upper``: a number, or a schedule of the count
        of past updates. None: -upper, which bounds the modulus of complex elements. Default: None.

    Returns:
      An :class:`optax.GradientTransformation`. Its state is a :class:`ClipState` if a bound is a schedule.

    Raises:
      TypeError: From ``update``, the elements are complex and there is a ``lower``.
      ValueError: ``lower`` is greater than ``upper``, as far as both are numbers.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.clip(1.5), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> out, state = link.update(gradient, state)
      >>> print(np.asarray(out))
      [ 1.  -1.5]

    References:
      Luo et al. (2019), Adaptive Gradient Methods with Dynamic Bound of Learning Rate, Algorithm 2.
      https://arxiv.org/abs/1902.09843

      Taniguchi et al. (2024), ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal Rate,
      Algorithm 2. https://arxiv.org/abs/2411.02853
    """
    bounds = (upper,) if lower is None else (upper, lower)
    counts = any(map(callable, bounds))
    if lower is None:
        if is_static(upper):
            number_in("[0, inf)", " without `lower`")("upper", upper)
    elif is_static(lower) and is_static(upper):
        number_in(f"(-inf, {upper}]", ", the other bound")("lower", lower)

    def init(params):
        del params
        return ClipState(_clock.new()) if counts else optax.EmptyState()

    def update(updates, state, params=None):
        del params
        expect(ClipState if counts else optax.EmptyState, state)
        count = _clock.running(state).count if counts else None
        now = tuple(value_at(bound, count, factor=True) for bound in bounds)
        updates = map_leaves(_clipped, (updates,), (), now)
        return updates, ClipState(_clock.after(state.clock)) if counts else state

    return optax.GradientTransformation(init, update)


def _clipped(x, upper, lower=None):
    if not jnp.iscomplexobj(x):
        return jnp.minimum(jnp.maximum(x, -upper if lower is None else lower), upper)
    if lower is not None:
        raise LeafError(" is complex, and has no order by which `clip` could keep it above `lower`.")
    modulus = jnp.abs(x)
    too_large = modulus > upper
    return times(x, jnp.where(too_large, upper / jnp.where(too_large, modulus, 1), 1))


@validated
def square() -> optax.GradientTransformation:
    """The squared modulus: a second moment that forgets everything but the gradient at hand.

    ::

        out = |g|^2

    Returns:
      An :class:`optax.GradientTransformation` without state. What comes out is real, in at least float32.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.square(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> out, _ = link.update(gradient, state)
      >>> print(np.asarray(out))
      [1. 4.]

    References:
      Ma & Yarats (2019), Quasi-hyperbolic momentum and Adam for deep learning, section 4, which mixes it with
      the average. https://arxiv.org/abs/1810.06801
    """

    def update(updates, state, params=None):
        del params
        return map_leaves(abs_sq, (updates,)), state

    return optax.GradientTransformation(optax.init_empty_state, update)


@validated
def sign() -> optax.GradientTransformation:
    """The sign of every element: ``x / |x|`` of a complex one, and 0 of 0.

    Returns:
      An :class:`optax.GradientTransformation` without state.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.sign(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> out, _ = link.update(gradient, state)
      >>> print(np.asarray(out))
      [ 1. -1.]

    References:
      Bernstein et al. (2018), signSGD. https://arxiv.org/abs/1802.04434

      Chen et al. (2023), Symbolic Discovery of Optimization Algorithms, Algorithm 2.
      https://arxiv.org/abs/2302.06675
    """

    def update(updates, state, params=None):
        del params
        return map_leaves(jnp.sign, (updates,)), state

    return optax.GradientTransformation(optax.init_empty_state, update)


class WithSignalState(NamedTuple):
    """State of :func:`with_signal`.

    Attributes:
      clock: How many updates the link has seen. ``()``: nothing depends on it, or the link around this one
        has the clock.
      signal: State of the transformation that makes the signal.
      inner: State of the transformation that the updates go through.
    """

    clock: Clock | tuple[()]
    signal: optax.OptState
    inner: optax.OptState

    @property
    def count(self) -> jax.Array:
        """Number of updates that the link has seen, shape (), int32."""
        return _clock.count_of(self)


@validated
def with_signal(name: Name, link: Link, inner: Link) -> Optimizer:
    """Makes a signal once, for several places of a line, which hear it by :func:`signal`.

    Adan reads the change of its gradient twice, in its momentum and in its rate, and keeps the last gradient
    once.

    Args:
      name: Name of the signal, a word that can name an argument; ``inner`` receives the signal as an extra
        argument of this name.
      link: Transformation that makes the signal of the updates.
      inner: Transformation that the updates go through, and in which :func:`signal` stands for the signal.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs`. What comes out is that of ``inner``. Its state is a
      :class:`WithSignalState`.

    Raises:
      TypeError: ``name`` is no word that can name an argument, or ``link`` or ``inner`` no transformation.
      ValueError: Updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> change = rx.signal("change")
      >>> adans = rx.mixture((1.0, rx.first_moment(0.98)), (0.92, optax.chain(change, rx.first_moment(0.92))))
      >>> link, gradient = rx.with_signal("change", rx.difference(), adans), jnp.array([1.0, -2.0])
      >>> out, state = link.update(gradient, link.init(gradient))
      >>> print(np.asarray(out).round(4))
      [ 1. -2.]

    References:
      Xie et al. (2022), Adan: Adaptive Nesterov Momentum Algorithm, Algorithm 1.
      https://arxiv.org/abs/2208.06677
    """
    link, inner = map(optax.with_extra_args_support, (link, inner))

    def init(params):
        states = link.init(params), inner.init(params)
        return WithSignalState(_clock.of_links(states), *_clock.handed((), states))

    def update(updates, state, params=None, **extra_args):
        expect(WithSignalState, state)
        of_link, of_inner = _clock.handed(state.clock, (state.signal, state.inner))
        heard, of_link = link.update(updates, of_link, params, **extra_args)
        updates, of_inner = inner.update(updates, of_inner, params, **extra_args | {name: heard})
        return updates, WithSignalState(_clock.after(state.clock), *_clock.handed((), (of_link, of_inner)))

    return optax.GradientTransformationExtraArgs(init, update)


@validated
def signal(name: Name) -> Optimizer:
    """Puts an extra argument in the place of what comes in.

    Args:
      name: Name of the extra argument: "momentum" or "gradient", which :func:`scale_by_adaptive_rate` hands
        to its rate, or that of a :func:`with_signal`.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` without state. What comes out is the argument.

    Raises:
      TypeError: ``name`` is no word that can name an argument.
      ValueError: From ``update``, there is no such argument.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> rate = optax.chain(rx.signal("momentum"), rx.square(), rx.inverse_root())
      >>> link = rx.scale_by_adaptive_rate(rate=rate, momentum=rx.first_moment(0.9))
      >>> gradient = jnp.array([1.0, -2.0])
      >>> out, _ = link.update(gradient, link.init(gradient))
      >>> print(np.asarray(out).round(4))  # The sign of the momentum.
      [ 1. -1.]
    """

    def update(updates, state, params=None, **extra_args):
        del updates, params
        if name not in extra_args:
            raise ValueError(
                f"`name` must be that of a signal; there is no {name!r} where this `signal` stands. Put it "
                "into the rate of `scale_by_adaptive_rate`, for 'momentum' or 'gradient', or into a "
                "`with_signal` of that name."
            )
        return extra_args[name], state

    return optax.GradientTransformationExtraArgs(optax.init_empty_state, update)
