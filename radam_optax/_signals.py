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


class DelayState(NamedTuple):
    """State of :func:`delay`."""

    held: tuple[optax.Updates, ...]  # What has come in and not gone out, the oldest first.


@validated
def delay(
    steps: Annotated[int, size(1, 1000)] = 1,
    initial: Real = 0.0,
    *,
    real: Flag = False,
    dtype: AnyDType = None,
) -> optax.GradientTransformation:
    """What came in some steps ago: ``out_t = in_{t - steps}``, and ``initial`` until there is one.

    Behind an average, its own argument ``delayed`` does the same for one step, and needs no array for it.

    Args:
      steps: how many updates, a whole number in [1, 1000]. Each takes an array of the parameter's shape, and
        time to move it.
      initial: what comes out of the first ``steps`` updates, in the units of what comes in.
      real: whether what comes in is real where the parameter is complex, as a second moment is.
      dtype: dtype of what is held; None: that of the parameter, but at least float32.

    Source: Zhou et al. (2019), AdaShift; Taniguchi et al. (2024), ADOPT, whose rate has not seen the
    gradient that it scales.
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
    """State of :func:`mixture`."""

    clock: Clock | tuple[()]  # Of all its parts; (): none counts, or it is that of the link around this one.
    parts: tuple[optax.OptState, ...]

    count = _clock.count  # pyright: ignore[reportAssignmentType]


@validated
def mixture(*parts: Annotated[tuple[Any, Any], weighted]) -> Optimizer:
    """The weighted sum of what several transformations make of the same input.

    ::

        mixture((1.0, first_moment(0.9)), (5.0, first_moment(0.9999, debias=False)))    # AdEMAMix's momentum

    Args:
      parts: pairs of a weight, a number or a schedule of the count of past updates, and a transformation,
        :func:`optax.identity` for the input itself.

    Raises:
      TypeError: a part is not such a pair.
      ValueError: there are no parts.

    Source: Ma & Yarats (2019), QHM, for an average and the gradient; Lucas et al. (2019), AggMo, for
    several averages.
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
    """State of :func:`difference`."""

    clock: Clock | tuple[()]  # (): that of the link around it.
    previous: optax.Updates  # shapes of the parameters.

    count = _clock.count  # pyright: ignore[reportAssignmentType]


@validated
def difference(*, dtype: AnyDType = None) -> optax.GradientTransformation:
    """What has changed since the last step: ``out_t = in_t - in_{t-1}``, and 0 at the first.

    Args:
      dtype: dtype of the last input, which is kept; None: that of the parameter, but at least float32.

    Source: Xie et al. (2022), Adan.
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
    """State of :func:`clip` with a schedule."""

    clock: Clock | tuple[()]  # (): that of the link around it.

    count = _clock.count  # pyright: ignore[reportAssignmentType]


@validated
def clip(upper: Weight, lower: Weight | None = None) -> optax.GradientTransformation:
    """Keeps every element between two bounds: ``min(max(x, lower), upper)``.

    Args:
      upper: a number, or a schedule of the count of past updates, in the units of what comes in.
      lower: as upper, and at most that; None is -upper, and bounds the modulus of complex elements.

    Raises:
      ValueError: lower > upper, as far as both are numbers.
      TypeError: from ``update``, complex elements with a ``lower``.

    Source: Luo et al. (2019), AdaBound; Taniguchi et al. (2024), ADOPT.
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
    """``|g|^2``, real: a second moment that forgets everything but the gradient at hand.

    Source: Ma & Yarats (2019), QHAdam, which mixes it with the average.
    """

    def update(updates, state, params=None):
        del params
        return map_leaves(abs_sq, (updates,)), state

    return optax.GradientTransformation(optax.init_empty_state, update)


@validated
def sign() -> optax.GradientTransformation:
    """The sign of every element; ``x / |x|`` if it is complex, and 0 of 0.

    Source: Bernstein et al. (2018), signSGD; Chen et al. (2023), Lion.
    """

    def update(updates, state, params=None):
        del params
        return map_leaves(jnp.sign, (updates,)), state

    return optax.GradientTransformation(optax.init_empty_state, update)


class WithSignalState(NamedTuple):
    """State of :func:`with_signal`."""

    clock: Clock | tuple[()]  # Of both links; (): none counts, or it is that of the link around this one.
    signal: optax.OptState
    inner: optax.OptState

    count = _clock.count  # pyright: ignore[reportAssignmentType]


@validated
def with_signal(name: Annotated[str, identifier], link: Link, inner: Link) -> Optimizer:
    """Makes a signal once, for several places of a line: ``inner`` hears it by :func:`signal`.

    Adan reads the change of its gradient twice, in its momentum and in its rate, and keeps the last gradient
    once::

        ahead = mixture((1.0, identity()), (b2, signal("change")))
        with_signal("change", difference(), scale_by_adaptive_rate(
            momentum=mixture((1.0, first_moment(b1)), (b2, chain(signal("change"), first_moment(b2)))),
            rate=chain(ahead, second_moment(b3), inverse_root(eps)),
        ))

    Args:
      name: of the signal, by which ``inner`` receives it as an extra argument.
      link: makes it of the updates.
      inner: what the updates go through.
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
def signal(name: Annotated[str, identifier]) -> Optimizer:
    """Puts an extra argument in the place of what comes in.

    Args:
      name: of the argument: "momentum" or "gradient", which :func:`scale_by_adaptive_rate` hands to its rate,
        or that of a :func:`with_signal`.

    Raises:
      ValueError: from ``update``, there is no such argument.
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
