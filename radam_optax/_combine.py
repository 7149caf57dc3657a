"""The heart of the package: one algorithm, two pipelines.

Every optimizer here is an instance of one method. With g_t the gradient at step t,

    m_t = phi(g_1, ..., g_t)                      the momentum
    l_t = psi(g_1, ..., g_t)                      the adaptive learning rate, elementwise
    theta_t = theta_{t-1} - alpha_t m_t l_t

phi and psi are ordinary optax transformations, and :func:`scale_by_adaptive_rate` is the product.
What flows through the links of psi is no gradient: it is a statistic on its way to becoming a rate,

    gradient --second_moment--> v --amsgrad_max--> max v --inverse_root--> l --rectification--> r l

so the order of the links is the algorithm, and "plain momentum" is simply the rate 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from radam_optax import _clock
from radam_optax._clock import Clock
from radam_optax._core.calls import validated
from radam_optax._core.domains import Count, Link, function
from radam_optax._core.leaves import lifted, map_leaves, times
from radam_optax._core.states import expect
from radam_optax._core.values import Optimizer


class ScaleByAdaptiveRateState(NamedTuple):
    """State of :func:`scale_by_adaptive_rate`.

    What its links keep is read from it by the names that it has in optax's states.
    """

    clock: Clock | tuple[()]  # Of all its links; (): none counts, or it is that of the link around this one.
    momentum: optax.OptState
    rate: optax.OptState

    count = _clock.count  # pyright: ignore[reportAssignmentType]

    @property
    def mu(self) -> optax.Updates:
        """The average of the gradients."""
        return self._kept("mu")

    @property
    def nu(self) -> optax.Updates:
        """The average of their squares."""
        return self._kept("nu")

    @property
    def nu_max(self) -> optax.Updates:
        """The running maximum of ``nu``."""
        return self._kept("nu_max")

    @property
    def sum_of_squares(self) -> optax.Updates:
        """The sum of the squared gradients."""
        return self._kept("sum_of_squares")

    def _kept(self, name: str) -> Any:
        def has(x):
            return name in getattr(x, "_fields", ())

        part = next(filter(has, jax.tree.leaves(tuple(self), is_leaf=has)), None)
        if part is None:
            raise AttributeError(f"No link of this optimizer keeps `{name}`.")
        return getattr(part, name)


@validated
def scale_by_adaptive_rate(rate: Link | None = None, momentum: Link | None = None) -> Optimizer:
    """The generic method: ``updates = momentum(g) * rate(g)``.

    Either may have such a product among its links: LaProp and ADOPT are the momentum of gradients that have
    been scaled before. All of them go by one clock.

    Args:
      rate: psi, a chain of links from the gradient to the elementwise learning rate. It receives the
        momentum as the extra argument ``momentum=``, and the gradient that the outermost product was given as
        ``gradient=``. None is 1: the momentum is the update.
      momentum: phi; None (:func:`optax.identity`) is the gradient itself.

    Returns:
      A transformation whose updates have the dtype of the gradients, or that of the parameters, if these
      are given and it is wider.

    Source: Reddi et al. (2018), Algorithm 1; Liu et al. (2020), Algorithm 1.
    """
    phi = optax.with_extra_args_support(optax.identity() if momentum is None else momentum)
    psi = optax.with_extra_args_support(_no_rate() if rate is None else rate)

    def init(params):
        states = phi.init(params), psi.init(params)
        return ScaleByAdaptiveRateState(_clock.of_links(states), *_clock.handed((), states))

    def update(updates, state, params=None, **extra_args):
        expect(ScaleByAdaptiveRateState, state)
        if momentum is None:  # What passes any state on would not notice that it is of another optimizer.
            expect(optax.EmptyState, state.momentum)
        links = _clock.handed(state.clock, (state.momentum, state.rate))
        g = lifted(updates)
        extra_args = {"gradient": g} | extra_args
        m, phi_state = phi.update(g, links[0], params, **extra_args)
        # A rate may measure the gradient from what was expected of it: AdaBelief's does.
        rate, psi_state = psi.update(g, links[1], params, **extra_args | {"momentum": m})
        # The product is made in float32 at least, and rounded once, to the dtype of the update.
        factors = (m,) if rate is None else (m, rate)
        updates = map_leaves(_product, factors, like=updates, at_least=params)
        links = _clock.handed((), (phi_state, psi_state))
        return updates, ScaleByAdaptiveRateState(_clock.after(state.clock), *links)

    return optax.GradientTransformationExtraArgs(init, update)


def _product(m, rate=None):
    return m if rate is None else times(m, rate)


def _no_rate() -> optax.GradientTransformation:
    def update(updates: Any, state: Any, params: Any = None) -> Any:
        del updates, params
        return None, state

    return optax.GradientTransformation(optax.init_empty_state, update)


class FreezeUntilState(NamedTuple):
    """State of :func:`freeze_until`."""

    clock: Clock | tuple[()]  # (): that of the link around it.
    inner: optax.OptState


@validated
def freeze_until(inner: Link, steps: Count) -> Optimizer:
    """Holds ``inner`` back: for the first ``steps`` updates its state stays and its output is zero.

    As the momentum of :func:`scale_by_adaptive_rate` it makes Adam-2k, where only the rate learns at
    first. The count of ``inner`` starts when it is released.

    Args:
      inner: the transformation to hold back.
      steps: number of updates, a whole number >= 0.

    Source: Liu et al. (2020), section 3.1.
    """
    inner = optax.with_extra_args_support(inner)

    def init(params):
        return FreezeUntilState(_clock.new(), _clock.handed((), inner.init(params)))

    def update(updates, state, params=None, **extra_args):
        expect(FreezeUntilState, state)
        # `inner` runs at every step, since under jit nothing can be left out; what it did is not kept.
        seen = _clock.running(state).count
        live, since = seen >= steps, Clock(jnp.maximum(seen - steps, 0))
        links = _clock.handed(since, state.inner)
        new_updates, new_inner = inner.update(updates, links, params, **extra_args)
        new_updates = jax.tree.map(lambda u: jnp.where(live, u, jnp.zeros_like(u)), new_updates)
        new_inner = optax.tree.where(live, _clock.handed((), new_inner), state.inner)
        return new_updates, FreezeUntilState(_clock.after(state.clock), new_inner)

    return optax.GradientTransformationExtraArgs(init, update)


@validated
def project(projection_fn: Annotated[Callable[[Any], Any], function]) -> optax.GradientTransformation:
    """Changes the updates so that the parameters land in a set: ``P(params + updates) - params``.

    It belongs at the end of a chain, behind the learning rate. Elements that the projection leaves
    alone keep their update to the last bit; the others arrive to within one rounding.

    Args:
      projection_fn: P, from a tree of parameters to one of the same structure, for example
        ``lambda x: optax.projections.projection_box(x, -1.0, 1.0)``.

    Raises:
      TypeError: ``projection_fn`` is not a function.
      ValueError: ``update`` is called without ``params``, or the projection returns another tree.

    Source: Reddi et al. (2018), Algorithm 1: Pi in the norm of sqrt(V_t), which on a box is the
    Euclidean projection, since both clip each coordinate.
    """

    def update(updates, state, params=None):
        if params is None:
            raise ValueError("`project` needs `params`: call `update(updates, state, params)`.")
        # Without a dtype of its own: the projection sees the sum before it is rounded to the parameter's.
        free = map_leaves(_arrive, (updates, params))
        inside = projection_fn(free)
        try:
            inputs = (updates, params, free, inside)
            return map_leaves(_back_into, inputs, like=updates, at_least=params), state
        except (TypeError, ValueError) as error:
            raise ValueError(f"`projection_fn` must return a tree like its argument. {error}") from None

    return optax.GradientTransformation(optax.init_empty_state, update)


def _arrive(u, p):
    return p + u


def _back_into(u, p, free, inside):
    return jnp.where(inside == free, u, inside - p)
