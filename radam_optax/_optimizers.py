"""The catalogue: complete optimizers, each a composition of links and a learning rate.

Where optax has the function, arguments and defaults are optax's, and the keyword arguments behind them are
this package's.
"""

from __future__ import annotations

from typing import Any

import optax

from radam_optax._combine import freeze_until, scale_by_adaptive_rate
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
    LengthChoice,
    Mask,
    MaxOrder,
    NonNegative,
    Rate,
    RealDType,
    Share,
    Threshold,
    Tree,
    VarianceChoice,
)
from radam_optax._core.leaves import map_leaves, times
from radam_optax._core.states import state_of
from radam_optax._core.values import Optimizer, Scalar
from radam_optax._moments import debias, first_moment, second_moment
from radam_optax._rates import inverse_root
from radam_optax._schedules import update_number
from radam_optax._transforms import (
    scale_by_adadelta,
    scale_by_adagrad,
    scale_by_adam,
    scale_by_adamax,
    scale_by_amsgrad,
    scale_by_belief,
    scale_by_radam,
    scale_by_rms,
    scale_by_yogi,
)
from radam_optax._updates import (
    add_decayed_weights,
    scale_by_learning_rate,
    trace,
)


@validated
def sgd(
    learning_rate: LearningRate,
    momentum: Share | None = None,
    nesterov: Flag = False,
    accumulator_dtype: AnyDType = None,
) -> Optimizer:
    """Stochastic gradient descent, with heavy-ball or Nesterov momentum if ``momentum`` is given.

    ::

        v = g + momentum v
        p = p - learning_rate v                      nesterov: p - learning_rate (g + momentum v)

    As in optax and PyTorch the learning rate stands outside v: a schedule scales the whole step at once.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      momentum: Weight of the past in the momentum if there is one, dimensionless, in [0, 1]. None: no
        momentum, and no state for it. Default: None.
      nesterov: Whether to look at the momentum one step ahead, ``g + momentum * v`` with the new v; needs a
        ``momentum``. Default: False.
      accumulator_dtype: Dtype of the momentum, floating or complex. None: that of the parameter, be it one of
        16 bits, as in optax. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters. With
      a momentum ``state[0].trace`` is v.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``nesterov`` comes without ``momentum``; or an argument is outside its domain, or updates do
        not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.sgd(0.1, momentum=0.9), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9 -1.8]

    References:
      Robbins & Monro (1951), A Stochastic Approximation Method. https://doi.org/10.1214/aoms/1177729586

      Polyak (1964), Some methods of speeding up the convergence of iteration methods.
      https://doi.org/10.1016/0041-5553(64)90137-5

      Sutskever et al. (2013), On the importance of initialization and momentum in deep learning, eq. 1.
      https://proceedings.mlr.press/v28/sutskever13.html
    """
    heavy_ball = _heavy_ball(momentum, nesterov, accumulator_dtype)
    return chain(heavy_ball, scale_by_learning_rate(learning_rate))


def _heavy_ball(momentum: Scalar | None, nesterov: bool, dtype: Any = None) -> optax.GradientTransformation:
    """The momentum, if there is one."""
    if momentum is None and nesterov:
        raise ValueError("`nesterov` needs a `momentum`; it is None.")
    return optax.identity() if momentum is None else trace(momentum, nesterov, dtype)


@validated
def momentum(
    learning_rate: LearningRate,
    momentum: Share = 0.9,
    accumulator_dtype: AnyDType = None,
) -> Optimizer:
    """Gradient descent with heavy-ball momentum.

    ::

        v = g + momentum v
        p = p - learning_rate v

    It is :func:`sgd` with a momentum that has a default.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      momentum: Weight of the past in the momentum, dimensionless, in [0, 1]. Default: 0.9.
      accumulator_dtype: Dtype of the momentum, floating or complex. None: that of the parameter, be it one of
        16 bits, as in optax. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0].trace`` is v.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.momentum(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9 -1.8]

    References:
      Polyak (1964), Some methods of speeding up the convergence of iteration methods.
      https://doi.org/10.1016/0041-5553(64)90137-5
    """
    return chain(trace(momentum, accumulator_dtype=accumulator_dtype), scale_by_learning_rate(learning_rate))


@validated
def nesterov(
    learning_rate: LearningRate,
    momentum: Share = 0.9,
    accumulator_dtype: AnyDType = None,
) -> Optimizer:
    """Gradient descent with Nesterov momentum.

    ::

        v = g + momentum v
        p = p - learning_rate (g + momentum v)

    The parameters that are trained are the point at which the gradient is taken, as in optax and PyTorch.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      momentum: Weight of the past in the momentum, dimensionless, in [0, 1]. Default: 0.9.
      accumulator_dtype: Dtype of the momentum, floating or complex. None: that of the parameter, be it one of
        16 bits, as in optax. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0].trace`` is v.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.nesterov(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.81 -1.62]

    References:
      Nesterov (1983), A method of solving a convex programming problem with convergence rate O(1/k^2).
      https://www.mathnet.ru/eng/dan46009

      Sutskever et al. (2013), On the importance of initialization and momentum in deep learning, section 2.
      https://proceedings.mlr.press/v28/sutskever13.html
    """
    return chain(trace(momentum, True, accumulator_dtype), scale_by_learning_rate(learning_rate))


@validated
def adagrad(
    learning_rate: LearningRate,
    initial_accumulator_value: NonNegative = 0.1,
    eps: NonNegative = 1e-7,
) -> Optimizer:
    """AdaGrad: steps divided by the root of the sum of all squared gradients.

    ::

        s = s + |g|^2                                s_0 = initial_accumulator_value
        p = p - learning_rate g / sqrt(s + eps)

    That the sum starts above 0 and that eps stands under the root is optax's; the paper adds a number to the
    root.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      initial_accumulator_value: What the sum of squares starts from, in gradient units squared, >= 0.
        Default: 0.1.
      eps: Added under the root of the sum of squares, in gradient units squared, >= 0. Default: 1e-7.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``sum_of_squares``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.adagrad(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9047 -1.9012]

    References:
      Duchi et al. (2011), Adaptive Subgradient Methods for Online Learning and Stochastic Optimization,
      Figure 1. https://jmlr.org/papers/v12/duchi11a.html
    """
    return chain(scale_by_adagrad(initial_accumulator_value, eps), scale_by_learning_rate(learning_rate))


@validated
def adadelta(
    learning_rate: LearningRate = None,
    rho: FixedDecay = 0.9,
    eps: NonNegative = 1e-6,
    weight_decay: Rate = 0.0,
    weight_decay_mask: Mask | None = None,
) -> Optimizer:
    """AdaDelta: RMSProp whose steps have the size of its own past steps, in place of a learning rate.

    ::

        nu  = rho nu + (1 - rho) |g|^2
        u   = sqrt(e_x + eps) g / sqrt(nu + eps)
        e_x = rho e_x + (1 - rho) |u|^2
        p   = p - learning_rate u

    The paper has no learning rate, ``learning_rate=1.0``. Its default here, None, is optax's: updates come
    back not negated. Weight decay is coupled, as in optax.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted. Default: None.
      rho: Decay of both averages, of squared gradients and of squared updates; dimensionless, in [0, 1). A
        number, no schedule. Default: 0.9.
      eps: Added under both roots, in gradient units squared and in update units squared, >= 0. It is what the
        first steps live from: with 0 there are none. Default: 1e-6.
      weight_decay: Coupled weight decay: ``weight_decay * p`` is added to the gradient. Dimensionless, >= 0;
        a number, a schedule of the count of past updates, or an array that broadcasts against the parameters.
        Default: 0.0.
      weight_decay_mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a
        function of the parameters that gives it. None: all. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[1][0].nu`` and ``state[1][1].e_x`` are the averages.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is outside
        its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.adadelta(1.0), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9968 -1.9968]

    References:
      Zeiler (2012), ADADELTA: An Adaptive Learning Rate Method, Algorithm 1. https://arxiv.org/abs/1212.5701
    """
    return chain(
        add_decayed_weights(weight_decay, weight_decay_mask),
        scale_by_adadelta(rho, eps),
        scale_by_learning_rate(learning_rate),
    )


@validated
def rmsprop(
    learning_rate: LearningRate,
    decay: Decay = 0.9,
    eps: NonNegative = 1e-8,
    initial_scale: NonNegative = 0.0,
    eps_in_sqrt: Flag = True,
    centered: Flag = False,
    momentum: Share | None = None,
    nesterov: Flag = False,
    bias_correction: Flag = False,
    *,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """RMSProp: steps divided by the root of an average of squared gradients.

    ::

        nu = decay nu + (1 - decay) |g|^2            nu_0 = initial_scale
        u  = learning_rate g / sqrt(nu + eps)        eps_in_sqrt=False: learning_rate g / (sqrt(nu) + eps)
        v  = u + momentum v                          momentum=None: v = u
        p  = p - v

    The learning rate stands inside the momentum, as in optax; PyTorch, which has it outside, is
    :func:`radam_optax.presets.torch_rmsprop`. With ``centered`` nu is the variance, clamped at 0, where
    rounding could make its root NaN.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      decay: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      eps: Added under the root, in gradient units squared, or with ``eps_in_sqrt=False`` to the root, in
        gradient units; >= 0. Default: 1e-8.
      initial_scale: What the second moment starts from, in gradient units squared, >= 0. Default: 0.0.
      eps_in_sqrt: Whether ``eps`` stands under the root; False adds it to the root. Default: True.
      centered: Whether the second moment is taken about the mean: the variance of the gradient.
        Default: False.
      momentum: Weight of the past in the momentum if there is one, dimensionless, in [0, 1]. None: no
        momentum, and no state for it. Default: None.
      nesterov: Whether to look at the momentum one step ahead, ``g + momentum * v`` with the new v; needs a
        ``momentum``. Default: False.
      bias_correction: Whether to divide the second moment by the sum of its weights, ``1 - decay^t``, since
        it starts at zero. Default: False.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``nu``. With a momentum ``state[2].trace`` is v.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``nesterov`` comes without ``momentum``; or an argument is outside its domain, or updates do
        not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.rmsprop(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.6838 -1.6838]

    References:
      Hinton (2012), Neural Networks for Machine Learning, lecture 6e.
      https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf

      Graves (2013), Generating Sequences With Recurrent Neural Networks, eqs. 38-40, for ``centered``.
      https://arxiv.org/abs/1308.0850
    """
    return chain(
        scale_by_rms(
            decay, eps, initial_scale, eps_in_sqrt, bias_correction,
            centered=centered, nu_dtype=nu_dtype,
        ),
        scale_by_learning_rate(learning_rate),
        _heavy_ball(momentum, nesterov),
    )  # fmt: skip


@validated
def rmsprop_nesterov(
    learning_rate: LearningRate,
    decay: Decay = 0.9,
    momentum: Share = 0.9,
    eps: NonNegative = 1e-6,
    *,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """RMSProp with Nesterov momentum: the gradient is taken at the point where the momentum leads.

    ::

        nu  = decay nu + (1 - decay) |g|^2           g at phi
        v   = momentum v - learning_rate g / sqrt(nu + eps)
        phi = phi + momentum v - learning_rate g / sqrt(nu + eps)

    The parameters that are trained are the book's look-ahead point, phi = theta + momentum v, so that the
    gradient is simply theirs. :func:`without_lookahead` gives theta. The book prints no eps; it is added
    here.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      decay: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      momentum: Weight of the past in the momentum, dimensionless, in [0, 1]. Default: 0.9.
      eps: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts like
        1e-3 beside the root where gradients are small. Default: 1e-6.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``nu``. ``state[2].trace`` is v.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.rmsprop_nesterov(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.3992 -1.3992]

    References:
      Goodfellow et al. (2016), Deep Learning, Algorithm 8.6.
      https://www.deeplearningbook.org/contents/optimization.html
    """
    return chain(
        scale_by_rms(decay, eps, nu_dtype=nu_dtype),
        scale_by_learning_rate(learning_rate),
        trace(momentum, nesterov=True),
    )


@validated
def without_lookahead(params: Tree, state: Tree, momentum: Share) -> Any:
    """The parameters theta of Nesterov's method, from those that :func:`rmsprop_nesterov` trains.

    ::

        theta = phi - momentum v

    Args:
      params: Parameters phi that the optimizer trains.
      state: State of the optimizer, which holds v as ``trace``.
      momentum: Weight of the past in the momentum, dimensionless, in [0, 1].

    Returns:
      A tree like ``params``: the parameters to evaluate, or to compare with the book's.

    Raises:
      ValueError: The state holds no ``trace``, or several.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.rmsprop_nesterov(0.1, momentum=0.9), jnp.array([1.0, -2.0])
      >>> updates, state = optimizer.update(params, optimizer.init(params))
      >>> params = optax.apply_updates(params, updates)
      >>> print(np.asarray(rx.without_lookahead(params, state, momentum=0.9)).round(4))
      [ 0.6838 -1.6838]

    References:
      Goodfellow et al. (2016), Deep Learning, Algorithm 8.6.
      https://www.deeplearningbook.org/contents/optimization.html
    """
    v = state_of(optax.TraceState, state).trace
    return map_leaves(_step_back, (params, v), (), (momentum,), like=params)


def _step_back(phi, v, momentum):
    return phi - times(v, momentum)


@validated
def adam(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative = 0.0,
    mu_dtype: AnyDType = None,
    *,
    nesterov: Flag = False,
    bias_correction: Flag = True,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """Adam: averaged gradients, divided by the root of averaged squared gradients.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)

        p  = p - learning_rate mu_hat / (sqrt(nu_hat + eps_root) + eps)

    With ``nesterov`` mu_hat is looked at one step ahead (NAdam). ``bias_correction=False`` leaves out both
    hats, as the AMSGrad paper does when it speaks of Adam. The corrections are exact in float32 at every step
    and decay.

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
      eps_root: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts
        like an ``eps`` of 1e-3 where gradients are small. Default: 0.0.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nesterov: Whether the first moment is looked at one step ahead, as in NAdam. Default: False.
      bias_correction: Whether to divide each moment by the sum of its weights, ``1 - b^t``, since it starts
        at zero. Default: True.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.adam(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9 -1.9]

    References:
      Kingma & Ba (2015), Adam: A Method for Stochastic Optimization, Algorithm 1.
      https://arxiv.org/abs/1412.6980
    """
    return chain(
        scale_by_adam(
            b1, b2, eps, eps_root, mu_dtype,
            nesterov=nesterov, bias_correction=bias_correction, nu_dtype=nu_dtype,
        ),
        scale_by_learning_rate(learning_rate),
    )  # fmt: skip


@validated
def adamw(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative = 0.0,
    mu_dtype: AnyDType = None,
    weight_decay: Rate = 1e-4,
    mask: Mask | None = None,
    *,
    nesterov: Flag = False,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """Adam with decoupled weight decay.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)

        p  = p - learning_rate (mu_hat / (sqrt(nu_hat + eps_root) + eps) + weight_decay p)

    The paper multiplies the decay by the schedule alone; here, as in optax and PyTorch, by the whole learning
    rate.

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
      eps_root: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts
        like an ``eps`` of 1e-3 where gradients are small. Default: 0.0.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      weight_decay: Decoupled weight decay: an update takes ``learning_rate * weight_decay * p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number, a schedule of the count of past updates,
        or an array that broadcasts against the parameters. Default: 1e-4.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
      nesterov: Whether the first moment is looked at one step ahead, as in NAdam. Default: False.
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
      >>> optimizer, params = rx.adamw(0.1, weight_decay=0.01), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.899 -1.898]

    References:
      Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization, Algorithm 2.
      https://arxiv.org/abs/1711.05101
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov, nu_dtype=nu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@validated
def nadam(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative = 0.0,
    mu_dtype: AnyDType = None,
    *,
    nesterov: Flag = True,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """NAdam: Adam whose momentum is looked at one step ahead.

    ::

        mu = b1 mu + (1 - b1) g
        m  = b1 mu / (1 - b1^(t+1)) + (1 - b1) g / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)

        p  = p - learning_rate m / (sqrt(nu_hat + eps_root) + eps)

    As in optax, without the factor b2 that the paper's algorithm has on nu, and with a constant b1 in place
    of a rising one; PyTorch's, which rises, is :func:`radam_optax.presets.torch_nadam`. ``nesterov=False``,
    which optax allows, is Adam.

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
      eps_root: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts
        like an ``eps`` of 1e-3 where gradients are small. Default: 0.0.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nesterov: Whether the first moment is looked at one step ahead, as in NAdam. Default: True.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.nadam(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.8526 -1.8526]

    References:
      Dozat (2016), Incorporating Nesterov Momentum into Adam, Algorithm 2.
      https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov, nu_dtype=nu_dtype),
        scale_by_learning_rate(learning_rate),
    )


@validated
def nadamw(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative = 0.0,
    mu_dtype: AnyDType = None,
    weight_decay: Rate = 1e-4,
    mask: Mask | None = None,
    *,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """NAdam with decoupled weight decay.

    ::

        mu = b1 mu + (1 - b1) g
        m  = b1 mu / (1 - b1^(t+1)) + (1 - b1) g / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)

        p  = p - learning_rate (m / (sqrt(nu_hat + eps_root) + eps) + weight_decay p)

    As in optax, without the factor b2 that NAdam's paper has on nu, and with a constant b1.

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
      eps_root: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts
        like an ``eps`` of 1e-3 where gradients are small. Default: 0.0.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      weight_decay: Decoupled weight decay: an update takes ``learning_rate * weight_decay * p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number, a schedule of the count of past updates,
        or an array that broadcasts against the parameters. Default: 1e-4.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
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
      >>> optimizer, params = rx.nadamw(0.1, weight_decay=0.01), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.8516 -1.8506]

    References:
      Dozat (2016), Incorporating Nesterov Momentum into Adam, Algorithm 2.
      https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ

      Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization, Algorithm 2.
      https://arxiv.org/abs/1711.05101
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=True, nu_dtype=nu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@validated
def adamax(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: FixedDecay = 0.999,
    eps: NonNegative = 1e-8,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """AdaMax: averaged gradients, divided by the largest recent gradient.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = max(b2 nu, |g| + eps)
        p  = p - learning_rate mu_hat / nu

    The paper has no eps; it stands where optax and PyTorch have it.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the maximum: what is left of it after a step, dimensionless, in [0, 1). A number, no
        schedule. Default: 0.999.
      eps: Added to the size of each gradient, in gradient units, >= 0. Default: 1e-8.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the maximum, real. None: that of the parameter, but at least float32. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.adamax(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9 -1.9]

    References:
      Kingma & Ba (2015), Adam: A Method for Stochastic Optimization, Algorithm 2.
      https://arxiv.org/abs/1412.6980
    """
    return chain(
        scale_by_adamax(b1, b2, eps, mu_dtype=mu_dtype, nu_dtype=nu_dtype),
        scale_by_learning_rate(learning_rate),
    )


@validated
def adamaxw(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: FixedDecay = 0.999,
    eps: NonNegative = 1e-8,
    weight_decay: Rate = 1e-4,
    mask: Mask | None = None,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """AdaMax with decoupled weight decay.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = max(b2 nu, |g| + eps)
        p  = p - learning_rate (mu_hat / nu + weight_decay p)

    The paper has no eps; it stands where optax and PyTorch have it.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the maximum: what is left of it after a step, dimensionless, in [0, 1). A number, no
        schedule. Default: 0.999.
      eps: Added to the size of each gradient, in gradient units, >= 0. Default: 1e-8.
      weight_decay: Decoupled weight decay: an update takes ``learning_rate * weight_decay * p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number, a schedule of the count of past updates,
        or an array that broadcasts against the parameters. Default: 1e-4.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the maximum, real. None: that of the parameter, but at least float32. Default: None.

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
      >>> optimizer, params = rx.adamaxw(0.1, weight_decay=0.01), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.899 -1.898]

    References:
      Kingma & Ba (2015), Adam: A Method for Stochastic Optimization, Algorithm 2.
      https://arxiv.org/abs/1412.6980

      Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization, Algorithm 2.
      https://arxiv.org/abs/1711.05101
    """
    return chain(
        scale_by_adamax(b1, b2, eps, mu_dtype=mu_dtype, nu_dtype=nu_dtype),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@validated
def adam_2k(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative = 0.0,
    steps: Count = 2000,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """Adam-2k: for the first ``steps`` updates only the second moment learns; then Adam.

    ::

        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        t <= steps:  p stays
        t >  steps:  Adam, its momentum started at step ``steps``

    It is the RAdam paper's evidence that Adam's first steps are bad because nu has seen too little. As in the
    paper, the momentum is fresh when it is released; in the authors' repository its bias correction runs on,
    so that the first live step is (1 - b1) times this one.

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
      eps_root: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts
        like an ``eps`` of 1e-3 where gradients are small. Default: 0.0.
      steps: Number of updates to hold back, a whole number >= 0. Default: 2000.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count`` and ``nu``, and ``mu``, which stays 0 until then.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.adam_2k(0.1, steps=2), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 1. -2.]
      >>> int(state[0].count)
      1

    References:
      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond, section 3.1.
      https://arxiv.org/abs/1908.03265
    """
    return chain(
        scale_by_adaptive_rate(
            momentum=freeze_until(first_moment(b1, dtype=mu_dtype), steps),
            rate=chain(second_moment(b2, dtype=nu_dtype), inverse_root(eps, eps_root)),
        ),
        scale_by_learning_rate(learning_rate),
    )


@validated
def adam_eps(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-4,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """Adam-eps: Adam with a large eps beside the uncorrected root.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2
        p  = p - learning_rate mu_hat sqrt(1 - b2^t) / (sqrt(nu) + eps)

    It is the RAdam paper's other remedy: the large eps bounds the rate, and so its variance.

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
        small beside it make small steps. Default: 1e-4.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.adam_eps(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9003 -1.9002]

    References:
      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond, section 3.1.
      https://arxiv.org/abs/1908.03265
    """
    return chain(
        scale_by_adaptive_rate(
            momentum=first_moment(b1, dtype=mu_dtype),
            rate=chain(
                second_moment(b2, debias=False, dtype=nu_dtype),
                inverse_root(eps),
                debias(b2, power=-0.5),
            ),
        ),
        scale_by_learning_rate(learning_rate),
    )


@validated
def amsgrad(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative = 0.0,
    mu_dtype: AnyDType = None,
    bias_correction_mu: Flag = True,
    bias_correction_nu: Flag = True,
    *,
    bias_correction: MaxOrder = "before_max",
    max_decay: Forgetting = 1.0,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """AMSGrad: Adam that divides by the running maximum of its second moment, so that rates never grow.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        nu_max = max(max_decay nu_max, nu_hat)                             "before_max"
        p      = p - learning_rate mu_hat / (sqrt(nu_max + eps_root) + eps)

    The paper, optax and PyTorch differ in where the correction of nu stands: "before_max" is the maximum of
    nu_hat (optax); "after_max" divides the maximum of nu by 1 - b2^t (PyTorch, Keras); "none" corrects
    neither moment (the paper, whose eps is 0). A maximum that forgets, ``max_decay < 1``, is an extension.

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
      eps_root: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts
        like an ``eps`` of 1e-3 where gradients are small. Default: 0.0.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      bias_correction_mu: Whether the first moment is corrected, as in optax. Default: True.
      bias_correction_nu: Whether the second moment is corrected, as in optax; for "after_max" it must be.
        Default: True.
      bias_correction: Where the correction of the second moment stands: "before_max" (optax), "after_max"
        (PyTorch, Keras), or "none" (the paper, for both moments). Default: "before_max".
      max_decay: What is left of the maximum after a step, dimensionless, in (0, 1]. 1 never forgets, as in
        the paper; below 1 one spike does not slow the training down for ever (an extension). Default: 1.0.
      nu_dtype: Dtype of the second moment and of its maximum, real. None: that of the parameter, but at least
        float32; in bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu``, ``nu`` and ``nu_max``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: "after_max" comes without ``bias_correction_nu``; or an argument is outside its domain, or
        updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.amsgrad(0.1, bias_correction="after_max"), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9 -1.9]

    References:
      Reddi et al. (2018), On the Convergence of Adam and Beyond, Algorithm 2.
      https://arxiv.org/abs/1904.09237
    """
    return chain(
        scale_by_amsgrad(
            b1, b2, eps, eps_root, mu_dtype, bias_correction_mu, bias_correction_nu,
            bias_correction=bias_correction, max_decay=max_decay, nu_dtype=nu_dtype,
        ),
        scale_by_learning_rate(learning_rate),
    )  # fmt: skip


@validated
def adamnc(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    eps: NonNegative = 1e-8,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """AdamNC: Adam whose second moment is the mean of all squared gradients, AdaGrad with momentum.

    ::

        mu = b1 mu + (1 - b1) g
        nu = (1 - 1/t) nu + |g|^2 / t
        p  = p - learning_rate mu / (sqrt(nu) + eps)

    Its regret bound wants ``learning_rate=rx.inverse_sqrt_decay(alpha)``. The paper has no eps. Nothing is
    corrected: nu needs it not, and mu starts small, as in the paper.

    Args:
      learning_rate: Step size, >= 0: a number, a schedule of the count of past updates (0 at the first), or
        an array that broadcasts against the parameters. Where the direction has no unit, as Adam's, it is in
        units of the parameters. None: updates come back unscaled and not negated, as in optax, and are to be
        subtracted.
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-8.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.adamnc(rx.inverse_sqrt_decay(0.1)), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.99 -1.99]

    References:
      Reddi et al. (2018), On the Convergence of Adam and Beyond, Algorithm 3 and Corollary 2.
      https://arxiv.org/abs/1904.09237
    """
    return chain(
        scale_by_adaptive_rate(
            momentum=first_moment(b1, debias=False, dtype=mu_dtype),
            rate=chain(second_moment(_mean_decay, debias=False, dtype=nu_dtype), inverse_root(eps)),
        ),
        scale_by_learning_rate(learning_rate),
    )


def _mean_decay(count):
    """``1 - 1/t`` at t = count + 1: the decay that makes a moving average the mean."""
    return 1 - 1 / update_number(count)


@validated
def radam(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative = 0.0,
    threshold: Threshold = 5.0,
    *,
    nesterov: Flag = False,
    degenerated_to_sgd: Flag = True,
    amsgrad: Flag = False,
    variance: VarianceChoice = "first_order",
    length: LengthChoice = "centre_of_mass",
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """RAdam: Adam whose rate is rectified, so that it takes no large steps before it knows the gradients.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        rho_inf = 2 / (1 - b2) - 1       rho_t = rho_inf - 2 t b2^t / (1 - b2^t)
        r_t = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t))

        d = r_t mu_hat / (sqrt(nu_hat + eps_root) + eps)     where rho_t > threshold
        d = mu_hat                                           otherwise; 0 with degenerated_to_sgd=False
        p = p - learning_rate d

    rho_t is the length of the moving average nu: how many gradients it amounts to. While it is short, the
    variance of Adam's rate is large or infinite, and the rate is left out; afterwards r_t scales the rate to
    the variance that it has in the end. So it needs no warmup of its own. rho_t and r_t are exact in float32
    at every step and b2, where the textbook formula is not: at b2 = 0.9999 optax's r_t is wrong by up to a
    half (``python -m benchmarks numerics``).

    Deviations from the paper: its threshold is 4; 5 is that of the authors' code, optax and PyTorch. eps
    stands beside the corrected root, as in optax; in the authors' code and PyTorch it stands beside the
    uncorrected one (:func:`radam_optax.presets.official_radam`, :func:`radam_optax.presets.torch_radam`).
    Extensions: a schedule as b2, ``amsgrad``, ``nesterov``, the exact variance, the variance's length.

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
      eps_root: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts
        like an ``eps`` of 1e-3 where gradients are small. Default: 0.0.
      threshold: Length rho_t above which the rate is rectified, dimensionless: at least 4 with
        ``variance="first_order"``, at least 2 with "exact", since below them the variance is infinite. The
        paper has 4, the authors' code, optax and PyTorch have 5. Default: 5.0.
      nesterov: Whether the first moment is looked at one step ahead, as in NAdam. Default: False.
      degenerated_to_sgd: Whether, until rho_t is above the threshold, updates are those of momentum SGD, as
        in the paper; False: until then there are none, as in the authors' package. Default: True.
      amsgrad: Whether to divide by the root of the running maximum of the second moment in the place of its
        own. Default: False.
      variance: Which variance of the rate is matched: "first_order", the paper's, finite for rho > 4, or
        "exact", finite for rho > 2 (an extension). Default: "first_order".
      length: Which length the moving average has: "centre_of_mass", the paper's, or "variance", that of the
        simple average with the same variance (an extension). Default: "centre_of_mass".
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment and of its maximum, real. None: that of the parameter, but at least
        float32; in bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``, with ``amsgrad`` ``nu_max``. :func:`rectification_stats`
      reads rho_t and r_t.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.
      UserWarning: b2 is so small that rho_t never exceeds the threshold: the rate is never adaptive.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.radam(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> for _ in range(6):
      ...     updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      ...     params = optax.apply_updates(params, updates)
      >>> bool(rx.rectification_stats(state)["adaptive"])  # From the sixth update on.
      True
      >>> print(np.asarray(params).round(4))
      [ 0.5499 -1.1023]

    References:
      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond, Algorithm 2.
      https://arxiv.org/abs/1908.03265
    """
    return chain(
        scale_by_radam(
            b1, b2, eps, eps_root, threshold,
            nesterov=nesterov, degenerated_to_sgd=degenerated_to_sgd, amsgrad=amsgrad,
            variance=variance, length=length, mu_dtype=mu_dtype, nu_dtype=nu_dtype,
        ),
        scale_by_learning_rate(learning_rate),
    )  # fmt: skip


@validated
def radamw(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative = 0.0,
    threshold: Threshold = 5.0,
    weight_decay: Rate = 1e-4,
    mask: Mask | None = None,
    *,
    nesterov: Flag = False,
    degenerated_to_sgd: Flag = True,
    amsgrad: Flag = False,
    variance: VarianceChoice = "first_order",
    length: LengthChoice = "centre_of_mass",
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """RAdam with decoupled weight decay, which the rectifier does not scale.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        rho_inf = 2 / (1 - b2) - 1       rho_t = rho_inf - 2 t b2^t / (1 - b2^t)
        r_t = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t))

        d = r_t mu_hat / (sqrt(nu_hat + eps_root) + eps)     where rho_t > threshold
        d = mu_hat                                           otherwise; 0 with degenerated_to_sgd=False
        p = p - learning_rate (d + weight_decay p)

    rho_t is the length of the moving average nu: how many gradients it amounts to. While it is short, the
    variance of Adam's rate is large or infinite, and the rate is left out; afterwards r_t scales the rate to
    the variance that it has in the end. So it needs no warmup of its own. rho_t and r_t are exact in float32
    at every step and b2, where the textbook formula is not: at b2 = 0.9999 optax's r_t is wrong by up to a
    half (``python -m benchmarks numerics``).

    Deviations from the paper: its threshold is 4; 5 is that of the authors' code, optax and PyTorch. eps
    stands beside the corrected root, as in optax; in the authors' code and PyTorch it stands beside the
    uncorrected one (:func:`radam_optax.presets.official_radam`, :func:`radam_optax.presets.torch_radam`).
    Extensions: a schedule as b2, ``amsgrad``, ``nesterov``, the exact variance, the variance's length. In the
    authors' package weight decay waits with the updates where these wait.

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
      eps_root: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts
        like an ``eps`` of 1e-3 where gradients are small. Default: 0.0.
      threshold: Length rho_t above which the rate is rectified, dimensionless: at least 4 with
        ``variance="first_order"``, at least 2 with "exact", since below them the variance is infinite. The
        paper has 4, the authors' code, optax and PyTorch have 5. Default: 5.0.
      weight_decay: Decoupled weight decay: an update takes ``learning_rate * weight_decay * p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number, a schedule of the count of past updates,
        or an array that broadcasts against the parameters. Default: 1e-4.
      mask: Which leaves decay: a tree of booleans in the structure of the parameters, or a function of the
        parameters that gives it. None: all. Default: None.
      nesterov: Whether the first moment is looked at one step ahead, as in NAdam. Default: False.
      degenerated_to_sgd: Whether, until rho_t is above the threshold, updates are those of momentum SGD, as
        in the paper; False: until then there are none, as in the authors' package. Default: True.
      amsgrad: Whether to divide by the root of the running maximum of the second moment in the place of its
        own. Default: False.
      variance: Which variance of the rate is matched: "first_order", the paper's, finite for rho > 4, or
        "exact", finite for rho > 2 (an extension). Default: "first_order".
      length: Which length the moving average has: "centre_of_mass", the paper's, or "variance", that of the
        simple average with the same variance (an extension). Default: "centre_of_mass".
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment and of its maximum, real. None: that of the parameter, but at least
        float32; in bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``, with ``amsgrad`` ``nu_max``. :func:`rectification_stats`
      reads rho_t and r_t.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is outside
        its domain, or updates do not match the state in structure or shape.
      UserWarning: b2 is so small that rho_t never exceeds the threshold: the rate is never adaptive.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.radamw(0.1, weight_decay=0.01), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> for _ in range(6):
      ...     updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      ...     params = optax.apply_updates(params, updates)
      >>> bool(rx.rectification_stats(state)["adaptive"])  # From the sixth update on.
      True
      >>> print(np.asarray(params).round(4))
      [ 0.5458 -1.0941]

    References:
      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond, Algorithm 2, and the
      authors' code. https://arxiv.org/abs/1908.03265

      Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization, Algorithm 2.
      https://arxiv.org/abs/1711.05101
    """
    return chain(
        scale_by_radam(
            b1, b2, eps, eps_root, threshold,
            nesterov=nesterov, degenerated_to_sgd=degenerated_to_sgd, amsgrad=amsgrad,
            variance=variance, length=length, mu_dtype=mu_dtype, nu_dtype=nu_dtype,
        ),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )  # fmt: skip


@validated
def adabelief(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-16,
    eps_root: NonNegative = 1e-16,
    *,
    nesterov: Flag = False,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """AdaBelief: Adam that divides by how far the gradient is from what the momentum expected.

    ::

        mu = b1 mu + (1 - b1) g                           mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g - mu|^2 + eps_root       nu_hat = nu / (1 - b2^t)
        p  = p - learning_rate mu_hat / (sqrt(nu_hat) + eps)

    The defaults of ``eps`` and ``eps_root`` are optax's. With ``nesterov`` the state has a second average of
    the gradient.

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
      nesterov: Whether the first moment is looked at one step ahead, as in NAdam. Default: False.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.adabelief(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.8889 -1.8889]

    References:
      Zhuang et al. (2020), AdaBelief Optimizer, Algorithm 2. https://arxiv.org/abs/2010.07468
    """
    return chain(
        scale_by_belief(b1, b2, eps, eps_root, nesterov=nesterov, mu_dtype=mu_dtype, nu_dtype=nu_dtype),
        scale_by_learning_rate(learning_rate),
    )


@validated
def yogi(
    learning_rate: LearningRate,
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-3,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """Yogi: Adam whose second moment changes by no more than a share of the squared gradient.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = nu - (1 - b2) sign(nu - |g|^2) |g|^2            nu_hat = nu / (1 - b2^t)
        p  = p - learning_rate mu_hat / (sqrt(nu_hat) + eps)

    That both moments start at 1e-6 and are then corrected as if from zero is optax's; the paper does neither.
    :func:`scale_by_yogi` has the start as an argument.

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
        make small steps. Default: 1e-3.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.
      ``state[0]`` has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer, params = rx.yogi(0.1), jnp.array([1.0, -2.0])
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(params, state, params)  # The gradient of |p|^2 / 2 is p.
      >>> print(np.asarray(optax.apply_updates(params, updates)).round(4))
      [ 0.9001 -1.9001]

    References:
      Zaheer et al. (2018), Adaptive Methods for Nonconvex Optimization, Algorithm 2.
      https://proceedings.neurips.cc/paper/2018/hash/90365351ccc7437a1309dc64e4db32a3-Abstract.html
    """
    return chain(
        scale_by_yogi(b1, b2, eps, mu_dtype=mu_dtype, nu_dtype=nu_dtype),
        scale_by_learning_rate(learning_rate),
    )
