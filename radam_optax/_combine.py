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

Projection = Annotated[Callable[[Any], Any], function]


class ScaleByAdaptiveRateState(NamedTuple):
    """State of :func:`scale_by_adaptive_rate`.

    What its links keep is read from it by the names that it has in optax's states: ``mu``, ``nu``,
    ``nu_max``, ``sum_of_squares`` and ``count``.

    Attributes:
      clock: How many updates the link has seen. ``()``: nothing depends on it, or the link around this one
        has the clock.
      momentum: State of the momentum, phi.
      rate: State of the rate, psi.
    """

    clock: Clock | tuple[()]
    momentum: optax.OptState
    rate: optax.OptState

    @property
    def count(self) -> jax.Array:
        """Number of updates that the link has seen, shape (), int32."""
        return _clock.count_of(self)

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
def scale_by_adaptive_rate(*, rate: Link | None = None, momentum: Link | None = None) -> Optimizer:
    """The generic method: a momentum times an adaptive learning rate, both made of the gradients.

    ::

        m   = momentum(g_1, ..., g_t)
        l   = rate(g_1, ..., g_t)
        out = m l                                    elementwise

    Every optimizer of this package is such a product. Either factor may have another product among its links:
    LaProp and ADOPT are the momentum of gradients that have been scaled before. All links go by one clock.

    Args:
      rate: Transformation from the gradient to the elementwise learning rate, psi, such as
        ``optax.chain(rx.second_moment(0.999), rx.inverse_root())``. It receives the momentum as the extra
        argument ``momentum=``, and the gradient that the outermost product was given as ``gradient=``. None
        is 1: the momentum is the update. Default: None.
      momentum: Transformation from the gradient to the momentum, phi. None: the gradient itself.
        Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate, in the dtype of the gradients, or that of the parameters if these are given and it is
      wider. Its state is a :class:`ScaleByAdaptiveRateState`.

    Raises:
      TypeError: ``rate`` or ``momentum`` is no gradient transformation.
      ValueError: Updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> rate = optax.chain(rx.second_moment(0.999), rx.inverse_root(), rx.scale_by_rectification(0.999))
      >>> radam = rx.scale_by_adaptive_rate(rate=rate, momentum=rx.first_moment(0.9))
      >>> gradient = jnp.array([1.0, -2.0])
      >>> updates, state = radam.update(gradient, radam.init(gradient))
      >>> print(np.asarray(updates).round(4))  # At first the rate of RAdam is 1.
      [ 1. -2.]

    References:
      Reddi et al. (2018), On the Convergence of Adam and Beyond, Algorithm 1.
      https://arxiv.org/abs/1904.09237

      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond, Algorithm 1.
      https://arxiv.org/abs/1908.03265
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
    """State of :func:`freeze_until`.

    Attributes:
      clock: How many updates the link has seen. ``()``: nothing depends on it, or the link around this one
        has the clock.
      inner: State of the transformation that is held back.
    """

    clock: Clock | tuple[()]
    inner: optax.OptState


@validated
def freeze_until(inner: Link, steps: Count) -> Optimizer:
    """Holds a transformation back: for the first ``steps`` updates its state stays and its output is zero.

    As the momentum of :func:`scale_by_adaptive_rate` it makes Adam-2k, where only the rate learns at first.
    The count of ``inner`` starts when it is released.

    Args:
      inner: Transformation to hold back, of this package or not.
      steps: Number of updates to hold back, a whole number >= 0.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs`. What comes out is that of ``inner``, or 0. Its state
      is a :class:`FreezeUntilState`.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.freeze_until(rx.first_moment(0.9), steps=1), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> for _ in range(2):
      ...     out, state = link.update(gradient, state)
      ...     print(np.asarray(out).round(4))
      [0. 0.]
      [ 1. -2.]

    References:
      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond, section 3.1.
      https://arxiv.org/abs/1908.03265
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
def project(projection_fn: Projection) -> optax.GradientTransformation:
    """Changes the updates so that the parameters land in a set.

    ::

        out = P(params + updates) - params

    It belongs at the end of a chain, behind the learning rate. Elements that the projection leaves alone keep
    their update to the last bit; the others arrive to within one rounding. The paper's projection is in the
    norm of the root of the second moment, which on a box is the same, since both clip each coordinate.

    Args:
      projection_fn: Projection P, from a tree of parameters to one of the same structure, for example
        ``lambda x: optax.projections.projection_box(x, -1.0, 1.0)``.

    Returns:
      An :class:`optax.GradientTransformation` without state.

    Raises:
      TypeError: ``projection_fn`` is not a function.
      ValueError: ``update`` is called without ``params``, or the projection returns another tree.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> box = rx.project(lambda p: optax.projections.projection_box(p, -1.0, 1.0))
      >>> params, updates = jnp.array([0.9, 0.5]), jnp.array([0.2, 0.2])
      >>> updates, _ = box.update(updates, box.init(params), params)
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [1.  0.7]

    References:
      Reddi et al. (2018), On the Convergence of Adam and Beyond, Algorithm 1.
      https://arxiv.org/abs/1904.09237
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
