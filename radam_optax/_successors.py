"""The catalogue goes on: what was published after Adam, AMSGrad and RAdam, line by line.

Each ``scale_by_*`` is the algorithm in the order of its links, and the optimizer below it adds a learning
rate. Where optax has the function, arguments and defaults are optax's.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jax
import jax.core
import jax.numpy as jnp
import optax
from optax import identity

from radam_optax import _numerics
from radam_optax._combine import scale_by_adaptive_rate
from radam_optax._core.calls import validated
from radam_optax._core.chains import chain
from radam_optax._core.domains import (
    AnyDType,
    Count,
    Decay,
    FixedDecay,
    Flag,
    Forgetting,
    LearningRate,
    Mask,
    NonNegative,
    OneRate,
    Positive,
    Rate,
    RealDType,
    Weight,
    number_in,
    one_of,
    pair,
    schedulable,
)
from radam_optax._core.leaves import map_leaves, times
from radam_optax._core.values import Optimizer, Scalar, ScalarOrSchedule, as_scalar, value_at
from radam_optax._moments import (
    amsgrad_max,
    belief_moment,
    debias,
    first_moment,
    nesterov_moment,
    second_moment,
)
from radam_optax._rates import atan2_rate, ceiling, inverse_root, power, update_clipping
from radam_optax._schedule_free import schedule_free
from radam_optax._schedules import from_first, progress, update_number
from radam_optax._signals import clip, difference, mixture, sign, signal, square, with_signal
from radam_optax._transforms import scale_by_rms
from radam_optax._updates import add_decayed_weights, scale, scale_by_learning_rate

Shares = Annotated[tuple[float, float], pair(number_in("(-inf, inf)"))]
Partial = Annotated[float, number_in("[0, 0.5]")]
LionMode = Annotated[Literal["hard", "smooth", "refined"], one_of("hard", "smooth", "refined")]
BaseRate = Annotated[Scalar, number_in("[1e-30, inf)")]  # What is divided by it must be finite in float32.
BoundOfStep = Annotated[ScalarOrSchedule, schedulable(number_in("[0, inf)"))]


@validated
def scale_by_laprop(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-8,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """LaProp without a learning rate: the momentum of scaled gradients, not the scaled momentum.

    ::

        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        u  = g / (sqrt(nu_hat) + eps)
        mu = b1 mu + (1 - b1) u
        d  = mu / (1 - b1^t)
        out = d

    A gradient keeps the scale of its own step in the momentum; in Adam it is scaled anew at every step. So b1
    and b2 can be chosen freely of each other.

    Args:
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-8.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_laprop(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 1. -1.]

    References:
      Ziyin et al. (2020), LaProp: Separating Momentum and Adaptivity in Adam, Algorithm 1.
      https://arxiv.org/abs/2002.04839
    """
    return scale_by_adaptive_rate(
        momentum=chain(
            scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True, nu_dtype=nu_dtype),
            first_moment(b1, dtype=mu_dtype),
        )
    )


@validated
def laprop(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-8,
    weight_decay: Rate = 0.0,
    mask: Mask | None = None,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """LaProp: Adam with its two halves exchanged, the momentum of scaled gradients.

    ::

        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        u  = g / (sqrt(nu_hat) + eps)
        mu = b1 mu + (1 - b1) u
        d  = mu / (1 - b1^t)
        p  = p - learning_rate (d + weight_decay p)

    A gradient keeps the scale of its own step in the momentum; in Adam it is scaled anew at every step. So b1
    and b2 can be chosen freely of each other.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-8.
      weight_decay: Decoupled weight decay: an update takes ``learning_rate * weight_decay * p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number, a schedule of the count of past updates,
        or an array that broadcasts against the parameters. Default: 0.0.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is outside
        its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.laprop(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9 -1.9]

    References:
      Ziyin et al. (2020), LaProp: Separating Momentum and Adaptivity in Adam, Algorithm 1.
      https://arxiv.org/abs/2002.04839
    """
    return chain(
        scale_by_laprop(b1, b2, eps, mu_dtype=mu_dtype, nu_dtype=nu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


def _fourth_root(count):
    """``(t - 1)^(1/4)``, the bound of ADOPT's authors; 0 at the first update."""
    return (update_number(count) - 1) ** 0.25


@validated
def scale_by_adopt(
    b1: Decay = 0.9,
    b2: Decay = 0.9999,
    eps: NonNegative = 1e-6,
    mu_dtype: AnyDType = None,
    *,
    nesterov: Flag = False,
    use_clipping: Flag = True,
    clip_value_fn: BoundOfStep | None = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """ADOPT without a learning rate: LaProp whose rate has not seen the gradient that it scales.

    ::

        u  = g / max(sqrt(nu), eps)                  nu of the step before; no step at t = 1
        u  = min(max(u, -c), c)                      c = clip_value_fn(t - 1); use_clipping=False: no bound
        mu = b1 mu + (1 - b1) u
        nu = b2 nu + (1 - b2) |g|^2                  nu = |g|^2 at t = 1
        out = mu

    It is LaProp with a delay: what a gradient is divided by has not seen it, which makes it converge for
    every b2. The bound on u is that of the authors' code.

    Args:
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.9999.
      eps: Least denominator, in gradient units, >= 0. Default: 1e-6.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nesterov: Whether the first moment is looked at one step ahead, as in NAdam. Default: False.
      use_clipping: Whether scaled gradients are kept within ``clip_value_fn``. Default: True.
      clip_value_fn: Largest scaled gradient, dimensionless, >= 0: a number, or a schedule of the count of
        past updates. None: ``count ** 0.25``, the bound of the authors. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``clip_value_fn`` comes without ``use_clipping``; or an argument is outside its domain, or
        updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_adopt(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> updates, state = link.update(gradient, state)  # There is no step before there is a nu.
      >>> print(np.asarray(updates).round(4))
      [ 0.1 -0.1]

    References:
      Taniguchi et al. (2024), ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal Rate,
      Algorithm 2. https://arxiv.org/abs/2411.02853
    """
    moment = nesterov_moment if nesterov else first_moment
    nu_before = second_moment(from_first(b2), debias=False, delayed=0.0, dtype=nu_dtype)

    if not (use_clipping or clip_value_fn is None):
        raise ValueError("`clip_value_fn` needs `use_clipping`; it is False.")
    largest = _fourth_root if clip_value_fn is None else clip_value_fn

    def bound(count):
        return jnp.where(count == 0, 0, value_at(largest, count) if use_clipping else jnp.inf)

    return scale_by_adaptive_rate(
        momentum=chain(
            scale_by_adaptive_rate(rate=chain(nu_before, inverse_root(floor=eps))),
            clip(bound),
            moment(b1, debias=False, dtype=mu_dtype),
        )
    )


@validated
def adopt(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.9999,
    eps: NonNegative = 1e-6,
    mu_dtype: AnyDType = None,
    *,
    nesterov: Flag = False,
    use_clipping: Flag = True,
    clip_value_fn: BoundOfStep | None = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """ADOPT: Adam that converges for every b2, since no gradient is divided by itself.

    ::

        u  = g / max(sqrt(nu), eps)                  nu of the step before; no step at t = 1
        u  = min(max(u, -c), c)                      c = clip_value_fn(t - 1); use_clipping=False: no bound
        mu = b1 mu + (1 - b1) u
        nu = b2 nu + (1 - b2) |g|^2                  nu = |g|^2 at t = 1
        p  = p - learning_rate mu

    It is LaProp with a delay: what a gradient is divided by has not seen it, which makes it converge for
    every b2. The bound on u is that of the authors' code.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.9999.
      eps: Least denominator, in gradient units, >= 0. Default: 1e-6.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nesterov: Whether the first moment is looked at one step ahead, as in NAdam. Default: False.
      use_clipping: Whether scaled gradients are kept within ``clip_value_fn``. Default: True.
      clip_value_fn: Largest scaled gradient, dimensionless, >= 0: a number, or a schedule of the count of
        past updates. None: ``count ** 0.25``, the bound of the authors. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``clip_value_fn`` comes without ``use_clipping``; or an argument is outside its domain, or
        updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.adopt(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 1. -2.]
      >>> updates, state = optimizer.update(params, state, params)  # There is no step before there is a nu.
      >>> print(np.asarray(updates).round(4))
      [-0.01  0.01]

    References:
      Taniguchi et al. (2024), ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal Rate,
      Algorithm 2. https://arxiv.org/abs/2411.02853
    """
    return chain(
        scale_by_adopt(
            b1, b2, eps, mu_dtype,
            nesterov=nesterov, use_clipping=use_clipping, clip_value_fn=clip_value_fn, nu_dtype=nu_dtype,
        ),
        scale_by_learning_rate(learning_rate),
    )  # fmt: skip


@validated
def adoptw(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.9999,
    eps: NonNegative = 1e-6,
    mu_dtype: AnyDType = None,
    weight_decay: Rate = 1e-4,
    mask: Mask | None = None,
    *,
    nesterov: Flag = False,
    use_clipping: Flag = True,
    clip_value_fn: BoundOfStep | None = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """ADOPT with decoupled weight decay.

    ::

        u  = g / max(sqrt(nu), eps)                  nu of the step before; no step at t = 1
        u  = min(max(u, -c), c)                      c = clip_value_fn(t - 1); use_clipping=False: no bound
        mu = b1 mu + (1 - b1) u
        nu = b2 nu + (1 - b2) |g|^2                  nu = |g|^2 at t = 1
        p  = p - learning_rate (mu + weight_decay p)

    It is LaProp with a delay: what a gradient is divided by has not seen it, which makes it converge for
    every b2. The bound on u is that of the authors' code.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.9999.
      eps: Least denominator, in gradient units, >= 0. Default: 1e-6.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      weight_decay: Decoupled weight decay: an update takes ``learning_rate * weight_decay * p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number, a schedule of the count of past updates,
        or an array that broadcasts against the parameters. Default: 1e-4.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
      nesterov: Whether the first moment is looked at one step ahead, as in NAdam. Default: False.
      use_clipping: Whether scaled gradients are kept within ``clip_value_fn``. Default: True.
      clip_value_fn: Largest scaled gradient, dimensionless, >= 0: a number, or a schedule of the count of
        past updates. None: ``count ** 0.25``, the bound of the authors. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``clip_value_fn`` comes without ``use_clipping``; or ``update`` is called without
        ``params``, which weight decay needs; or an argument is outside its domain, or updates do not match
        the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.adoptw(0.1, weight_decay=0.01), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.999 -1.998]

    References:
      Taniguchi et al. (2024), ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal Rate,
      Algorithm 2, and the authors' code. https://arxiv.org/abs/2411.02853

      Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization, Algorithm 2.
      https://arxiv.org/abs/1711.05101
    """
    return chain(
        scale_by_adopt(
            b1, b2, eps, mu_dtype,
            nesterov=nesterov, use_clipping=use_clipping, clip_value_fn=clip_value_fn, nu_dtype=nu_dtype,
        ),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )  # fmt: skip


@validated
def scale_by_acprop(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-16,
    eps_root: NonNegative = 1e-16,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """ACProp without a learning rate: gradients over their spread about the average, one step late.

    ::

        d  = g / (sqrt(nu_hat) + eps)                        nu_hat of the step before; 1 at t = 1
        nu = b2 nu + (1 - b2) |g - mu|^2 + eps_root          mu of the step before; nu_hat = nu / (1 - b2^t)
        mu = b1 mu + (1 - b1) g
        out = d

    The distance is taken from the average of the step before, as in optax's code; optax's text has that of
    the step itself.

    Args:
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-16.
      eps_root: Added to the average of squares at every step, in gradient units squared, >= 0.
        Default: 1e-16.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_acprop(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 1. -2.]

    References:
      Zhuang et al. (2021), Momentum Centering and Asynchronous Update for Adaptive Gradient Methods,
      Algorithm 2. https://arxiv.org/abs/2110.05454
    """
    mu_before = first_moment(b1, debias=False, delayed=0.0, dtype=mu_dtype)
    return scale_by_adaptive_rate(
        rate=chain(
            belief_moment(b2, eps=eps_root, centre=mu_before, delayed=1.0, dtype=nu_dtype),
            inverse_root(eps),
        )
    )


@validated
def acprop(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-16,
    eps_root: NonNegative = 1e-16,
    weight_decay: Rate = 0.0,
    mask: Mask | None = None,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """ACProp: steps divided by the spread of the gradients before, which has not seen the one at hand.

    ::

        d  = g / (sqrt(nu_hat) + eps)                        nu_hat of the step before; 1 at t = 1
        nu = b2 nu + (1 - b2) |g - mu|^2 + eps_root          mu of the step before; nu_hat = nu / (1 - b2^t)
        mu = b1 mu + (1 - b1) g
        p  = p - learning_rate (d + weight_decay p)

    The distance is taken from the average of the step before, as in optax's code; optax's text has that of
    the step itself.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-16.
      eps_root: Added to the average of squares at every step, in gradient units squared, >= 0.
        Default: 1e-16.
      weight_decay: Decoupled weight decay: an update takes ``learning_rate * weight_decay * p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number, a schedule of the count of past updates,
        or an array that broadcasts against the parameters. Default: 0.0.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is outside
        its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.acprop(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9 -1.8]

    References:
      Zhuang et al. (2021), Momentum Centering and Asynchronous Update for Adaptive Gradient Methods,
      Algorithm 2. https://arxiv.org/abs/2110.05454
    """
    return chain(
        scale_by_acprop(b1, b2, eps, eps_root, mu_dtype=mu_dtype, nu_dtype=nu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@validated
def scale_by_ademamix(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    b3: Decay = 0.9999,
    alpha: Weight = 6.0,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative = 0.0,
    mu_dtype: AnyDType = None,
    *,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """AdEMAMix without a learning rate: Adam with a second, slow average of the gradient.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        mu_slow = b3 mu_slow + (1 - b3) g
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        d  = (mu_hat + alpha mu_slow) / (sqrt(nu_hat + eps_root) + eps)
        out = d

    The slow average remembers tens of thousands of gradients; it is not corrected, so that it sets in slowly.
    In long runs the paper lets b3 and alpha rise: :func:`ademamix_b3`, :func:`ademamix_alpha`. The default of
    alpha is optax's, 6.0 in the direction and 5.0 in the optimizer.

    Args:
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      b3: Decay of the slow average of the gradients, which is not corrected; dimensionless, in [0, 1). A
        number, or a schedule of the count of past updates; in long runs :func:`ademamix_b3`. Default: 0.9999.
      alpha: Weight of the slow average, dimensionless. A number, or a schedule of the count of past updates;
        in long runs :func:`ademamix_alpha`. Default: 6.0.
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-8.
      eps_root: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts
        like an ``eps`` of 1e-3 where gradients are small. Default: 0.0.
      mu_dtype: Dtype of both averages of the gradient, floating or complex. None: that of the parameter, but
        at least float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``count``, ``nu`` and ``mu``, that of b1; ``momentum.parts[1].mu`` is the
      slow one.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_ademamix(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 1.0006 -1.0006]

    References:
      Pagliardini et al. (2024), The AdEMAMix Optimizer: Better, Faster, Older, section 3.
      https://arxiv.org/abs/2409.03137
    """
    fast, slow = first_moment(b1, dtype=mu_dtype), first_moment(b3, debias=False, dtype=mu_dtype)
    return scale_by_adaptive_rate(
        momentum=mixture((1.0, fast), (alpha, slow)),
        rate=chain(second_moment(b2, dtype=nu_dtype), inverse_root(eps, eps_root)),
    )


@validated
def ademamix(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    b3: Decay = 0.9999,
    alpha: Weight = 5.0,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative = 0.0,
    mu_dtype: AnyDType = None,
    weight_decay: Rate = 0.0,
    mask: Mask | None = None,
    *,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """AdEMAMix: Adam with a second, slow average of the gradient.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        mu_slow = b3 mu_slow + (1 - b3) g
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        d  = (mu_hat + alpha mu_slow) / (sqrt(nu_hat + eps_root) + eps)
        p  = p - learning_rate (d + weight_decay p)

    The slow average remembers tens of thousands of gradients; it is not corrected, so that it sets in slowly.
    In long runs the paper lets b3 and alpha rise: :func:`ademamix_b3`, :func:`ademamix_alpha`. The default of
    alpha is optax's, 6.0 in the direction and 5.0 in the optimizer.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      b3: Decay of the slow average of the gradients, which is not corrected; dimensionless, in [0, 1). A
        number, or a schedule of the count of past updates; in long runs :func:`ademamix_b3`. Default: 0.9999.
      alpha: Weight of the slow average, dimensionless. A number, or a schedule of the count of past updates;
        in long runs :func:`ademamix_alpha`. Default: 5.0.
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-8.
      eps_root: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts
        like an ``eps`` of 1e-3 where gradients are small. Default: 0.0.
      mu_dtype: Dtype of both averages of the gradient, floating or complex. None: that of the parameter, but
        at least float32. Default: None.
      weight_decay: Decoupled weight decay: an update takes ``learning_rate * weight_decay * p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number, a schedule of the count of past updates,
        or an array that broadcasts against the parameters. Default: 0.0.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``nu`` and ``mu``, that of b1; ``momentum.parts[1].mu`` is the slow one.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is outside
        its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.ademamix(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9 -1.9]

    References:
      Pagliardini et al. (2024), The AdEMAMix Optimizer: Better, Faster, Older, section 3.
      https://arxiv.org/abs/2409.03137
    """
    return chain(
        scale_by_ademamix(b1, b2, b3, alpha, eps, eps_root, mu_dtype, nu_dtype=nu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@validated
def scale_by_adan(
    b1: Decay = 0.98,
    b2: Decay = 0.92,
    b3: Decay = 0.99,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative = 0.0,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """Adan without a learning rate: Adam of gradients that are looked at one step ahead.

    ::

        c  = g - (g of the step before)              c = 0 at t = 1
        mu = b1 mu + (1 - b1) g                      mu_hat = mu / (1 - b1^t)
        v  = b2 v + (1 - b2) c                       v_hat = v / (1 - b2^t)
        nu = b3 nu + (1 - b3) |g + b2 c|^2           nu_hat = nu / (1 - b3^t)
        d  = (mu_hat + b2 v_hat) / (sqrt(nu_hat + eps_root) + eps)
        out = d

    The paper's beta is 1 - b here. optax's weighs the change by 1 - b2 in the place of b2 (its issue 1715),
    so that 0.92 has the effect of 0.08.

    Args:
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.98.
      b2: Decay of the average change of the gradient, and the weight of that change in the direction;
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.92.
      b3: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.99.
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-8.
      eps_root: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts
        like an ``eps`` of 1e-3 where gradients are small. Default: 0.0.
      mu_dtype: Dtype of the averages and of the last gradient, floating or complex. None: that of the
        parameter, but at least float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``count``. ``inner.mu`` and ``inner.nu`` are the averages.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_adan(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 1. -1.]

    References:
      Xie et al. (2022), Adan: Adaptive Nesterov Momentum Algorithm, Algorithm 1.
      https://arxiv.org/abs/2208.06677
    """
    change = signal("change")
    ahead = mixture((1.0, identity()), (b2, change))
    return with_signal(
        "change",
        difference(dtype=mu_dtype),
        scale_by_adaptive_rate(
            momentum=mixture(
                (1.0, first_moment(b1, dtype=mu_dtype)),
                (b2, chain(change, first_moment(b2, dtype=mu_dtype))),
            ),
            rate=chain(ahead, second_moment(b3, dtype=nu_dtype), inverse_root(eps, eps_root)),
        ),
    )


@validated
def adan(
    learning_rate: LearningRate,
    b1: Decay = 0.98,
    b2: Decay = 0.92,
    b3: Decay = 0.99,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative = 1e-8,
    weight_decay: Rate = 0.0,
    mask: Mask | None = None,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """Adan: Adam of gradients that are looked at one step ahead, by their change since the last one.

    ::

        c  = g - (g of the step before)              c = 0 at t = 1
        mu = b1 mu + (1 - b1) g                      mu_hat = mu / (1 - b1^t)
        v  = b2 v + (1 - b2) c                       v_hat = v / (1 - b2^t)
        nu = b3 nu + (1 - b3) |g + b2 c|^2           nu_hat = nu / (1 - b3^t)
        d  = (mu_hat + b2 v_hat) / (sqrt(nu_hat + eps_root) + eps)
        p  = p - learning_rate (d + weight_decay p)

    The paper's beta is 1 - b here. optax's weighs the change by 1 - b2 in the place of b2 (its issue 1715),
    so that 0.92 has the effect of 0.08. The paper divides the parameters by 1 + learning_rate weight_decay;
    here decay is as in :func:`adamw`, and as in optax.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.98.
      b2: Decay of the average change of the gradient, and the weight of that change in the direction;
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.92.
      b3: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.99.
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-8.
      eps_root: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts
        like an ``eps`` of 1e-3 where gradients are small. Default: 1e-8.
      weight_decay: Decoupled weight decay: an update takes ``learning_rate * weight_decay * p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number, a schedule of the count of past updates,
        or an array that broadcasts against the parameters. Default: 0.0.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
      mu_dtype: Dtype of the averages and of the last gradient, floating or complex. None: that of the
        parameter, but at least float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``. ``state[0].inner.mu`` and ``state[0].inner.nu`` are the averages.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is outside
        its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.adan(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9 -1.9]

    References:
      Xie et al. (2022), Adan: Adaptive Nesterov Momentum Algorithm, Algorithm 1.
      https://arxiv.org/abs/2208.06677
    """
    return chain(
        scale_by_adan(b1, b2, b3, eps, eps_root, mu_dtype=mu_dtype, nu_dtype=nu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@validated
def scale_by_lion(
    b1: Decay = 0.9,
    b2: Decay = 0.99,
    mu_dtype: AnyDType = None,
    *,
    mode: LionMode = "hard",
    smooth_beta: NonNegative = 1.0,
) -> Optimizer:
    """Lion without a learning rate: the sign of the gradient mixed with its average.

    ::

        x  = b1 mu + (1 - b1) g
        mu = b2 mu + (1 - b2) g
        out = sign(x)                                mode="hard"

    The other modes are optax's: they make steps that shrink with x.

    Args:
      b1: Weight of the average in the sign that is taken, beside 1 - b1 of the gradient; dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the average of gradients, dimensionless, in [0, 1). A number, or a schedule of the count of
        past updates. Default: 0.99.
      mu_dtype: Dtype of the average of gradients, floating or complex. None: that of the parameter, but at
        least float32. Default: None.
      mode: Which function takes the place of the sign: "hard", the sign; "smooth", ``tanh(smooth_beta * x)``;
        "refined", x kept within [-1, 1]. Default: "hard".
      smooth_beta: Steepness of the tanh, in inverse gradient units, >= 0; of "smooth" only. Default: 1.0.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``count`` and ``mu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_lion(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 1. -1.]

    References:
      Chen et al. (2023), Symbolic Discovery of Optimization Algorithms, Algorithm 2.
      https://arxiv.org/abs/2302.06675
    """
    mu_before = first_moment(b2, debias=False, delayed=0.0, dtype=mu_dtype)
    mixed = mixture((b1, mu_before), (_rest_of(b1), identity()))
    finish = {"hard": sign(), "smooth": _tanh(smooth_beta), "refined": clip(1.0)}[mode]
    return scale_by_adaptive_rate(momentum=chain(mixed, finish))


def _tanh(factor):
    def update(updates, state, params=None):
        del params
        return map_leaves(_saturated, (updates,), (), (factor,)), state

    return optax.GradientTransformation(optax.init_empty_state, update)


def _saturated(x, factor):
    return jnp.tanh(times(x, factor))


@validated
def lion(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.99,
    mu_dtype: AnyDType = None,
    weight_decay: Rate = 1e-3,
    mask: Mask | None = None,
) -> Optimizer:
    """Lion: steps of one size, along the sign of the gradient mixed with its average.

    ::

        x  = b1 mu + (1 - b1) g
        mu = b2 mu + (1 - b2) g
        p  = p - learning_rate (sign(x) + weight_decay p)

    It has one average and no second moment. Its authors take a learning rate 3 to 10 times smaller than
    Adam's, and a weight decay as much larger.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      b1: Weight of the average in the sign that is taken, beside 1 - b1 of the gradient; dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the average of gradients, dimensionless, in [0, 1). A number, or a schedule of the count of
        past updates. Default: 0.99.
      mu_dtype: Dtype of the average of gradients, floating or complex. None: that of the parameter, but at
        least float32. Default: None.
      weight_decay: Decoupled weight decay: an update takes ``learning_rate * weight_decay * p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number, a schedule of the count of past updates,
        or an array that broadcasts against the parameters. Default: 1e-3.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count`` and ``mu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is outside
        its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.lion(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.8999 -1.8998]

    References:
      Chen et al. (2023), Symbolic Discovery of Optimization Algorithms, Algorithm 2 and section 5.
      https://arxiv.org/abs/2302.06675
    """
    return chain(
        scale_by_lion(b1, b2, mu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@validated
def scale_by_adam_atan2(
    b1: Decay = 0.9,
    b2: Decay = 0.99,
    a: NonNegative = 1.27,
    b: NonNegative = 1.0,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """Adam-atan2 without a learning rate: Adam whose quotient is an arc tangent, without an eps.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        d  = a atan2(mu_hat, b sqrt(nu_hat))
        out = d

    Steps are the same when all gradients are scaled, however small they are. The defaults are those of the
    adam-atan2-pytorch package.

    Args:
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.99.
      a: Factor of the arc tangent, dimensionless, >= 0: no step is larger than a pi/2 learning rates.
        Default: 1.27.
      b: Factor of the root, dimensionless, >= 0: where the momentum is small beside the root, the step is a/b
        of Adam's. Default: 1.0.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_adam_atan2(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 0.9975 -0.9975]

    References:
      Everett et al. (2024), Scaling Exponents Across Parameterizations and Optimizers, section 5.
      https://arxiv.org/abs/2407.05872
    """
    return scale_by_adaptive_rate(
        momentum=first_moment(b1, dtype=mu_dtype),
        rate=chain(second_moment(b2, dtype=nu_dtype), atan2_rate(a, b)),
    )


@validated
def adam_atan2(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.99,
    a: NonNegative = 1.27,
    b: NonNegative = 1.0,
    weight_decay: Rate = 0.0,
    mask: Mask | None = None,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """Adam-atan2: Adam whose quotient is an arc tangent, bounded and without an eps.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        d  = a atan2(mu_hat, b sqrt(nu_hat))
        p  = p - learning_rate (d + weight_decay p)

    Steps are the same when all gradients are scaled, however small they are. The defaults are those of the
    adam-atan2-pytorch package.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.99.
      a: Factor of the arc tangent, dimensionless, >= 0: no step is larger than a pi/2 learning rates.
        Default: 1.27.
      b: Factor of the root, dimensionless, >= 0: where the momentum is small beside the root, the step is a/b
        of Adam's. Default: 1.0.
      weight_decay: Decoupled weight decay: an update takes ``learning_rate * weight_decay * p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number, a schedule of the count of past updates,
        or an array that broadcasts against the parameters. Default: 0.0.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is outside
        its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.adam_atan2(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9003 -1.9003]

    References:
      Everett et al. (2024), Scaling Exponents Across Parameterizations and Optimizers, section 5.
      https://arxiv.org/abs/2407.05872
    """
    return chain(
        scale_by_adam_atan2(b1, b2, a, b, mu_dtype=mu_dtype, nu_dtype=nu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@validated
def scale_by_padam(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-8,
    partial: Partial = 0.25,
    *,
    amsgrad: Flag = False,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """Padam without a learning rate: Adam with a power of its rate.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      amsgrad: its running maximum in the following
        d  = mu_hat sqrt(1 - b2^t) / (sqrt(nu) + eps)^(2 partial)
        out = d

    The paper takes the maximum of nu, ``amsgrad=True``, which the default leaves out; eps and the corrections
    are those of the pytorch_optimizer package.

    Args:
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      eps: Added to the uncorrected root of the second moment, in gradient units, >= 0. Gradients that are
        small beside it make small steps. Default: 1e-8.
      partial: Power of the second moment that is divided by, dimensionless, in [0, 0.5]: a dial from momentum
        SGD at 0 to Adam at 0.5. Default: 0.25.
      amsgrad: Whether to divide by the root of the running maximum of the second moment in the place of its
        own. Default: False.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment and of its maximum, real. None: that of the parameter, but at least
        float32; in bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``count``, ``mu`` and ``nu``, with ``amsgrad`` ``nu_max``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_padam(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 0.1778 -0.2515]

    References:
      Chen et al. (2020), Closing the Generalization Gap of Adaptive Gradient Methods, Algorithm 1.
      https://arxiv.org/abs/1806.06763
    """
    nu = [second_moment(b2, debias=False, dtype=nu_dtype)] + [amsgrad_max(dtype=nu_dtype)] * amsgrad
    return scale_by_adaptive_rate(
        momentum=first_moment(b1, dtype=mu_dtype),
        rate=chain(*nu, inverse_root(eps), power(2 * partial), debias(b2, power=-0.5)),
    )


@validated
def padam(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-8,
    partial: Partial = 0.25,
    weight_decay: Rate = 0.0,
    mask: Mask | None = None,
    *,
    amsgrad: Flag = False,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """Padam: Adam with a power of its rate, a dial from momentum SGD to Adam.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      amsgrad: its running maximum in the following
        d  = mu_hat sqrt(1 - b2^t) / (sqrt(nu) + eps)^(2 partial)
        p  = p - learning_rate (d + weight_decay p)

    The paper takes the maximum of nu, ``amsgrad=True``, which the default leaves out; eps and the corrections
    are those of the pytorch_optimizer package.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      eps: Added to the uncorrected root of the second moment, in gradient units, >= 0. Gradients that are
        small beside it make small steps. Default: 1e-8.
      partial: Power of the second moment that is divided by, dimensionless, in [0, 0.5]: a dial from momentum
        SGD at 0 to Adam at 0.5. Default: 0.25.
      weight_decay: Decoupled weight decay: an update takes ``learning_rate * weight_decay * p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number, a schedule of the count of past updates,
        or an array that broadcasts against the parameters. Default: 0.0.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
      amsgrad: Whether to divide by the root of the running maximum of the second moment in the place of its
        own. Default: False.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment and of its maximum, real. None: that of the parameter, but at least
        float32; in bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``, with ``amsgrad`` ``nu_max``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is outside
        its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.padam(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9822 -1.9749]

    References:
      Chen et al. (2020), Closing the Generalization Gap of Adaptive Gradient Methods, Algorithm 1.
      https://arxiv.org/abs/1806.06763
    """
    return chain(
        scale_by_padam(b1, b2, eps, partial, amsgrad=amsgrad, mu_dtype=mu_dtype, nu_dtype=nu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@validated
def adabound(
    learning_rate: OneRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    final_lr: NonNegative = 0.1,
    gamma: Positive = 1e-3,
    eps: NonNegative = 1e-8,
    amsbound: Flag = False,
    *,
    base_lr: BaseRate | None = None,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """AdaBound: Adam whose step sizes are kept between bounds that close in on those of SGD.

    ::

        mu = b1 mu + (1 - b1) g
        nu = b2 nu + (1 - b2) |g|^2                  amsbound: its running maximum in the following
        l  = learning_rate sqrt(1 - b2^t) / ((1 - b1^t) (sqrt(nu) + eps))
        f  = final_lr learning_rate / base_lr
        p  = p - min(max(l, f (1 - 1 / (gamma t + 1))), f (1 + 1 / (gamma t))) mu

    Both moments are corrected as in the authors' code; the paper corrects neither.

    Args:
      learning_rate: Step size of all coordinates alike, >= 0: a number, or a schedule of the count of past
        updates (0 at the first).
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      final_lr: Step size that all coordinates go to while the learning rate is ``base_lr``, >= 0, in
        parameter units per gradient unit. Both bounds follow a schedule. Default: 0.1.
      gamma: Speed at which the bounds close in, per update, > 0. Default: 1e-3.
      eps: Added to the uncorrected root of the second moment, in gradient units, >= 0. Gradients that are
        small beside it make small steps. Default: 1e-8.
      amsbound: Whether to divide by the root of the running maximum of nu (AMSBound). Default: False.
      base_lr: Learning rate that ``final_lr`` belongs to, >= 1e-30. None: the learning rate itself, or a
        schedule's first value. Default: None.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment and of its maximum, real. None: that of the parameter, but at least
        float32; in bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``, with ``amsbound`` ``nu_max``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: A schedule begins at 0 and there is no ``base_lr``; or an argument is outside its domain, or
        updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.adabound(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9 -1.9]

    References:
      Luo et al. (2019), Adaptive Gradient Methods with Dynamic Bound of Learning Rate, Algorithms 2 and 3,
      and the authors' code. https://arxiv.org/abs/1902.09843
    """
    share = final_lr / (_first(learning_rate) if base_lr is None else base_lr)
    nu = [second_moment(b2, debias=False, dtype=nu_dtype)] + [amsgrad_max(dtype=nu_dtype)] * amsbound
    rate = chain(
        *nu,
        inverse_root(eps),
        debias(b2, power=-0.5),
        debias(b1),
        clip(
            lambda count: share * (1 + 1 / (gamma * update_number(count))),
            lambda count: share * (1 - 1 / (gamma * update_number(count) + 1)),
        ),
    )
    return chain(
        scale_by_adaptive_rate(momentum=first_moment(b1, debias=False, dtype=mu_dtype), rate=rate),
        scale_by_learning_rate(learning_rate),
    )


def _first(learning_rate):
    rate = value_at(learning_rate, jnp.zeros([], jnp.int32))
    zero = not isinstance(rate, jax.core.Tracer) and bool(rate < 1e-30)
    if zero and callable(learning_rate):
        raise ValueError(
            "`base_lr` must be given where `learning_rate` begins at 0: the bounds are relative to it."
        )
    return float(zero) if zero else rate  # At a rate of 0 nothing moves, whatever the bounds are.


@validated
def adamod(
    learning_rate: Rate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    b3: Decay = 0.999,
    eps: NonNegative = 1e-8,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """AdaMod: Adam whose step sizes stay under their own average, which starts at 0: a learned warmup.

    ::

        mu = b1 mu + (1 - b1) g
        nu = b2 nu + (1 - b2) |g|^2
        l  = learning_rate sqrt(1 - b2^t) / ((1 - b1^t) (sqrt(nu) + eps))
        a  = b3 a + (1 - b3) l
        p  = p - min(l, a) mu

    It learns, coordinate by coordinate, the warmup that RAdam derives.

    Args:
      learning_rate: Step size before the average of past ones holds it down, >= 0: a number, a schedule of
        the count of past updates (0 at the first), or an array that broadcasts against the parameters.
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      b3: Decay of the average of past rates, dimensionless, in [0, 1). A number, or a schedule of the count
        of past updates. Default: 0.999.
      eps: Added to the uncorrected root of the second moment, in gradient units, >= 0. Gradients that are
        small beside it make small steps. Default: 1e-8.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment and of the average of past rates, real. None: that of the
        parameter, but at least float32; in bfloat16 an average with a decay of 0.999 would never move.
        Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``. ``state[0].rate[-1].average`` is a.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.adamod(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9999 -1.9999]

    References:
      Ding et al. (2019), An Adaptive and Momental Bound Method for Stochastic Learning, Algorithm 1.
      https://arxiv.org/abs/1910.12249
    """
    rate = chain(
        second_moment(b2, debias=False, dtype=nu_dtype),
        inverse_root(eps),
        debias(b2, power=-0.5),
        debias(b1),
        scale_by_learning_rate(learning_rate, flip_sign=False),
        ceiling(b3, dtype=nu_dtype),
    )
    return chain(
        scale_by_adaptive_rate(momentum=first_moment(b1, debias=False, dtype=mu_dtype), rate=rate),
        scale(-1.0),
    )


@validated
def scale_by_qhadam(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    nus: Shares = (1.0, 1.0),
    eps: NonNegative = 1e-8,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """QHAdam without a learning rate: Adam whose averages are mixed with the gradient at hand.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        d  = ((1 - nus[0]) g + nus[0] mu_hat) / (sqrt((1 - nus[1]) |g|^2 + nus[1] nu_hat) + eps)
        out = d

    The default (1, 1) is Adam.

    Args:
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      nus: Shares of the averages of gradients and of squared gradients, beside the gradient and its square at
        hand; dimensionless. (1, 1) is Adam, (0, 0) the sign of the gradient; the authors recommend (0.7,
        1.0). Default: (1.0, 1.0).
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-8.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_qhadam(nus=(0.7, 1.0)), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 1. -1.]

    References:
      Ma & Yarats (2019), Quasi-hyperbolic momentum and Adam for deep learning, Algorithm 4.
      https://arxiv.org/abs/1810.06801
    """
    nu1, nu2 = nus
    mu = mixture((nu1, first_moment(b1, dtype=mu_dtype)), (1 - nu1, identity()))
    nu = mixture((nu2, second_moment(b2, dtype=nu_dtype)), (1 - nu2, square()))
    return scale_by_adaptive_rate(momentum=mu, rate=chain(nu, inverse_root(eps)))


@validated
def qhadam(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    nus: Shares = (1.0, 1.0),
    eps: NonNegative = 1e-8,
    weight_decay: Rate = 0.0,
    mask: Mask | None = None,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """QHAdam: Adam whose averages are mixed with the gradient, and its square, at hand.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        d  = ((1 - nus[0]) g + nus[0] mu_hat) / (sqrt((1 - nus[1]) |g|^2 + nus[1] nu_hat) + eps)
        p  = p - learning_rate (d + weight_decay p)

    The default (1, 1) is Adam.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      nus: Shares of the averages of gradients and of squared gradients, beside the gradient and its square at
        hand; dimensionless. (1, 1) is Adam, (0, 0) the sign of the gradient; the authors recommend (0.7,
        1.0). Default: (1.0, 1.0).
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-8.
      weight_decay: Decoupled weight decay: an update takes ``learning_rate * weight_decay * p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number, a schedule of the count of past updates,
        or an array that broadcasts against the parameters. Default: 0.0.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is outside
        its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.qhadam(0.1, nus=(0.7, 1.0)), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9 -1.9]

    References:
      Ma & Yarats (2019), Quasi-hyperbolic momentum and Adam for deep learning, Algorithm 4.
      https://arxiv.org/abs/1810.06801
    """
    return chain(
        scale_by_qhadam(b1, b2, nus, eps, mu_dtype=mu_dtype, nu_dtype=nu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@validated
def scale_by_stable_adamw(
    b1: Decay = 0.9,
    b2: Decay = 0.99,
    eps: NonNegative = 1e-8,
    weight_decay: Rate = 1e-2,
    mask: Mask | None = None,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """StableAdamW without a learning rate: AdamW with a brake on each leaf.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        d  = mu_hat / (sqrt(nu_hat) + eps) + weight_decay p
        d  = d / max(1, rms(g / max(sqrt(nu_hat), eps)))       one root mean square for each leaf
        out = d

    The brake acts where nu has not seen gradients as large as this one; it holds weight decay back as well.
    Both moments are corrected, as in the pytorch_optimizer package. Of a leaf that is divided over devices
    the root mean square is that of the whole leaf; inside ``shard_map`` it is that of the device's part.

    Args:
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.99.
      eps: Added to the root of the second moment in Adam, and the least denominator of the brake; in gradient
        units, >= 0. Default: 1e-8.
      weight_decay: Weight decay under the brake: ``weight_decay * p`` is added to the direction before the
        brake, which holds it back as well. Dimensionless, >= 0; a number, a schedule of the count of past
        updates, or an array that broadcasts against the parameters. Default: 1e-2.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``count``. ``inner.mu`` is the first moment, ``signal.nu`` the second.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is outside
        its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, params = rx.scale_by_stable_adamw(), jnp.array([1.0, -2.0])
      >>> updates, state = link.update(params, link.init(params), params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(updates).round(4))
      [ 1.01 -1.02]

    References:
      Wortsman et al. (2023), Stable and low-precision training for large-scale vision-language models,
      Algorithm 2. https://arxiv.org/abs/2304.13013
    """
    nu = signal("nu")
    adam = scale_by_adaptive_rate(
        momentum=first_moment(b1, dtype=mu_dtype),
        rate=chain(nu, inverse_root(eps)),
    )
    return with_signal(
        "nu",
        second_moment(b2, dtype=nu_dtype),
        scale_by_adaptive_rate(
            momentum=chain(adam, add_decayed_weights(weight_decay, mask)),
            rate=chain(nu, update_clipping(eps)),
        ),
    )


@validated
def stable_adamw(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.99,
    eps: NonNegative = 1e-8,
    weight_decay: Rate = 1e-2,
    mask: Mask | None = None,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """StableAdamW: AdamW with a brake on each leaf, in place of the clipping of gradients.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        d  = mu_hat / (sqrt(nu_hat) + eps) + weight_decay p
        d  = d / max(1, rms(g / max(sqrt(nu_hat), eps)))       one root mean square for each leaf
        p  = p - learning_rate d

    The brake acts where nu has not seen gradients as large as this one; it holds weight decay back as well.
    Both moments are corrected, as in the pytorch_optimizer package. Of a leaf that is divided over devices
    the root mean square is that of the whole leaf; inside ``shard_map`` it is that of the device's part.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.99.
      eps: Added to the root of the second moment in Adam, and the least denominator of the brake; in gradient
        units, >= 0. Default: 1e-8.
      weight_decay: Weight decay under the brake: ``weight_decay * p`` is added to the direction before the
        brake, which holds it back as well. Dimensionless, >= 0; a number, a schedule of the count of past
        updates, or an array that broadcasts against the parameters. Default: 1e-2.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``. ``state[0].inner.mu`` is the first moment, ``state[0].signal.nu`` the
      second.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is outside
        its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.stable_adamw(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.899 -1.898]

    References:
      Wortsman et al. (2023), Stable and low-precision training for large-scale vision-language models,
      Algorithm 2. https://arxiv.org/abs/2304.13013
    """
    return chain(
        scale_by_stable_adamw(b1, b2, eps, weight_decay, mask, mu_dtype=mu_dtype, nu_dtype=nu_dtype),
        scale_by_learning_rate(learning_rate),
    )


@validated
def schedule_free_sgd(
    learning_rate: OneRate = 1.0,
    warmup_steps: Count | None = None,
    b1: Forgetting = 0.9,
    weight_decay: Rate | None = None,
    weight_lr_power: NonNegative = 2.0,
    state_dtype: AnyDType = None,
    *,
    r: NonNegative = 0.0,
) -> Optimizer:
    """SGD without a schedule's end: the gradient is taken between an iterate and its average.

    ::

        d  = g + weight_decay y
        lr = learning_rate min(1, t / warmup_steps)
        w  = t^r max(lr so far)^weight_lr_power      c = w / (sum of w so far)
        y  = (1 - c) y + c z + lr (b1 (1 - c) - 1) d
        z  = z - lr d

    The parameters that are trained are y. Evaluate and publish the average x = y + (1 - 1/b1) (z - y), which
    :func:`schedule_free_eval_params` gives. optax's warmup begins a step later, and its weights read the
    learning rate a step later than its updates do.

    Args:
      learning_rate: Step size of z, >= 0: a number, or a schedule of the count of past updates (0 at the
        first), which may warm up and need not decay. Default: 1.0.
      warmup_steps: Number of updates over which the learning rate rises,
        ``learning_rate * min(1, t / warmup_steps)``; a whole number >= 0. None: no warmup. Default: None.
      b1: Place of the parameters y between the iterate z, at 0, and its average x, at 1; dimensionless, in
        (0, 1]. It takes the place of momentum. Default: 0.9.
      weight_decay: Weight decay at y if there is any: ``weight_decay * y`` is added to the direction, before
        the learning rate. Dimensionless, >= 0; a number, a schedule of the count of past updates, or an array
        that broadcasts against the parameters. None is 0. Default: None.
      weight_lr_power: Power of the largest learning rate so far in the weights of the average, dimensionless,
        >= 0. Default: 2.0.
      state_dtype: Dtype of z, floating or complex. None: that of the parameter, but at least float32.
        Default: None.
      r: Power of t in the weights of the average, dimensionless, >= 0. Default: 0.0.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters. Its
      state is a :class:`ScheduleFreeState`, with ``count`` and ``z``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``; or an argument is outside its domain, or updates do
        not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.schedule_free_sgd(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> params = optax.apply_updates(params, updates)
      >>> print(np.asarray(rx.schedule_free_eval_params(state, params)).round(4))
      [ 0.9 -1.8]

    References:
      Defazio et al. (2024), The Road Less Scheduled, Algorithm 1. https://arxiv.org/abs/2405.15682
    """
    return schedule_free(
        add_decayed_weights(0.0 if weight_decay is None else weight_decay),
        _warmed_up(learning_rate, warmup_steps), b1, r, weight_lr_power, state_dtype=state_dtype,
    )  # fmt: skip


@validated
def schedule_free_adamw(
    learning_rate: OneRate = 0.0025,
    warmup_steps: Count | None = None,
    b1: Forgetting = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-8,
    weight_decay: Rate = 0.0,
    weight_lr_power: NonNegative = 2.0,
    state_dtype: AnyDType = None,
    *,
    r: NonNegative = 0.0,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """AdamW without a schedule's end: its direction is taken between an iterate and its average.

    ::

        nu = b2 nu + (1 - b2) |g|^2
        d  = g / (sqrt(nu / (1 - b2^t)) + eps) + weight_decay y
        lr = learning_rate min(1, t / warmup_steps)
        w  = t^r max(lr so far)^weight_lr_power      c = w / (sum of w so far)
        y  = (1 - c) y + c z + lr (b1 (1 - c) - 1) d
        z  = z - lr d

    The parameters that are trained are y. Evaluate and publish the average x = y + (1 - 1/b1) (z - y), which
    :func:`schedule_free_eval_params` gives. optax's warmup begins a step later, and its weights read the
    learning rate a step later than its updates do.

    Args:
      learning_rate: Step size of z, >= 0: a number, or a schedule of the count of past updates (0 at the
        first), which may warm up and need not decay. Default: 0.0025.
      warmup_steps: Number of updates over which the learning rate rises,
        ``learning_rate * min(1, t / warmup_steps)``; a whole number >= 0. None: no warmup. Default: None.
      b1: Place of the parameters y between the iterate z, at 0, and its average x, at 1; dimensionless, in
        (0, 1]. It takes the place of momentum. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-8.
      weight_decay: Weight decay at y: ``weight_decay * y`` is added to the direction, before the learning
        rate. Dimensionless, >= 0; a number, a schedule of the count of past updates, or an array that
        broadcasts against the parameters. Default: 0.0.
      weight_lr_power: Power of the largest learning rate so far in the weights of the average, dimensionless,
        >= 0. Default: 2.0.
      state_dtype: Dtype of z, floating or complex. None: that of the parameter, but at least float32.
        Default: None.
      r: Power of t in the weights of the average, dimensionless, >= 0. Default: 0.0.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters. Its
      state is a :class:`ScheduleFreeState`, with ``count`` and ``z``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``; or an argument is outside its domain, or updates do
        not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.schedule_free_adamw(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> params = optax.apply_updates(params, updates)
      >>> print(np.asarray(rx.schedule_free_eval_params(state, params)).round(4))
      [ 0.9 -1.9]

    References:
      Defazio et al. (2024), The Road Less Scheduled, Algorithm 1. https://arxiv.org/abs/2405.15682
    """
    return schedule_free(
        chain(
            scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True, nu_dtype=nu_dtype),
            add_decayed_weights(weight_decay),
        ),
        _warmed_up(learning_rate, warmup_steps), b1, r, weight_lr_power, state_dtype=state_dtype,
    )  # fmt: skip


@validated
def schedule_free_radam(
    learning_rate: OneRate = 0.0025,
    b1: Forgetting = 0.9,
    b2: FixedDecay = 0.999,
    eps: NonNegative = 1e-8,
    weight_decay: Rate = 0.0,
    r: NonNegative = 0.0,
    weight_lr_power: NonNegative = 2.0,
    silent_sgd_phase: Flag = True,
    *,
    state_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """RAdam without a schedule: the rectifier is the warmup, and so the weight of the average.

    ::

        nu = b2 nu + (1 - b2) |g|^2
        d  = g / (sqrt(nu / (1 - b2^t)) + eps) + weight_decay y
        d  = g + weight_decay y                      silent_sgd_phase=False, while rho_t <= 4
        lr = learning_rate r_t                       0 while rho_t <= 4
        lr = learning_rate                           silent_sgd_phase=False, while rho_t <= 4
        w  = t^r max(lr so far)^weight_lr_power      c = w / (sum of w so far)
        y  = (1 - c) y + c z + lr (b1 (1 - c) - 1) d
        z  = z - lr d

    The parameters that are trained are y. Evaluate and publish the average x = y + (1 - 1/b1) (z - y), which
    :func:`schedule_free_eval_params` gives. rho_t and r_t are RAdam's, with the paper's threshold 4: as in
    RAdamScheduleFree of the schedulefree package 1.4, step for step.

    Args:
      learning_rate: Step size of z, >= 0: a number, or a schedule of the count of past updates (0 at the
        first), which may warm up and need not decay. Default: 0.0025.
      b1: Place of the parameters y between the iterate z, at 0, and its average x, at 1; dimensionless, in
        (0, 1]. It takes the place of momentum. Default: 0.9.
      b2: Constant decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, no schedule. Default: 0.999.
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-8.
      weight_decay: Weight decay at y: ``weight_decay * y`` is added to the direction, before the learning
        rate. Dimensionless, >= 0; a number, a schedule of the count of past updates, or an array that
        broadcasts against the parameters. Default: 0.0.
      r: Power of t in the weights of the average, dimensionless, >= 0. Default: 0.0.
      weight_lr_power: Power of the largest learning rate so far in the weights of the average, dimensionless,
        >= 0. Default: 2.0.
      silent_sgd_phase: Whether nothing moves until rho_t > 4; False: until then it is SGD. Default: True.
      state_dtype: Dtype of z, floating or complex. None: that of the parameter, but at least float32.
        Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters. Its
      state is a :class:`ScheduleFreeState`, with ``count`` and ``z``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``; or an argument is outside its domain, or updates do
        not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.schedule_free_radam(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> params = optax.apply_updates(params, updates)
      >>> print(np.asarray(rx.schedule_free_eval_params(state, params)).round(4))
      [ 1. -2.]

    References:
      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond, Algorithm 2.
      https://arxiv.org/abs/1908.03265

      Defazio et al. (2024), The Road Less Scheduled, Algorithm 1. https://arxiv.org/abs/2405.15682
    """

    def rectifier(count):
        return _numerics.rectification(b2, count + 1).r

    def adaptive(count):
        return (rectifier(count) > 0).astype(jnp.result_type(float))

    def warmup(count):
        before = 0 if silent_sgd_phase else 1 - adaptive(count)
        return as_scalar(value_at(learning_rate, count)) * (rectifier(count) + before)

    scaled = scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True, nu_dtype=nu_dtype)
    if not silent_sgd_phase:
        scaled = mixture((adaptive, scaled), (lambda count: 1 - adaptive(count), identity()))
    return schedule_free(
        chain(scaled, add_decayed_weights(weight_decay)),
        warmup, b1, r, weight_lr_power, state_dtype=state_dtype,
    )  # fmt: skip


def _warmed_up(learning_rate: Any, steps: Any) -> Any:
    if steps is None:
        return learning_rate
    return lambda count: as_scalar(value_at(learning_rate, count)) * progress(count, steps)


def _rest_of(decay: ScalarOrSchedule) -> Any:
    return 1 - decay if not callable(decay) else lambda count: 1 - value_at(decay, count)
