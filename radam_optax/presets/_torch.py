"""PyTorch's optimizers, ``torch.optim``."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import optax

from radam_optax._combine import scale_by_adaptive_rate
from radam_optax._core.calls import validated
from radam_optax._core.chains import chain
from radam_optax._core.domains import FixedDecay, Flag, NonNegative, Rate, Real, Share
from radam_optax._core.values import Optimizer, Scalar, ScalarOrSchedule, Schedule, is_static, value_at
from radam_optax._moments import (
    amsgrad_max,
    centered_second_moment,
    debias,
    first_moment,
    nesterov_moment,
    second_moment,
    sum_of_squares,
)
from radam_optax._rates import inverse_root
from radam_optax._schedules import update_number
from radam_optax._transforms import scale_by_adamax
from radam_optax._updates import scale, trace
from radam_optax.presets._parts import Betas, descend, is_zero, radam_eps_at_the_raw_root


@validated
def torch_sgd(
    lr: Rate = 1e-3,
    momentum: Share = 0.0,
    dampening: Real = 0.0,
    weight_decay: Rate = 0.0,
    nesterov: Flag = False,
    *,
    maximize: Flag = False,
) -> Optimizer:
    """SGD as PyTorch computes it, ``torch.optim.SGD``: with momentum whose first gradient is not dampened.

    ::

        g  += weight_decay p
        v   = g                                        first update
        v   = momentum v + (1 - dampening) g           later
        p  -= lr v                                     p -= lr (g + momentum v) with nesterov
        p  -= lr g                                     without momentum

    ``radam_optax.sgd`` and optax have neither dampening nor weight decay; without these the three are the
    same.

    Compared with PyTorch 2.13 over 1000 updates from parameters of size 0.1: the same to 7e-15 of the largest
    value of a parameter in float64, to 5e-7 in float32.

    Args:
      lr: Learning rate, >= 0: a number, a schedule of the count of past updates (0 at the first), or an array
        that broadcasts against the parameters. Default: 1e-3.
      momentum: Weight of the past in the momentum v, dimensionless, in [0, 1]. With 0 there is no v.
        Default: 0.0.
      dampening: What is taken off the gradients that enter ``v``, dimensionless, any number; 0 with
        ``nesterov``. Default: 0.0.
      weight_decay: Coupled weight decay: ``weight_decay * p`` is added to the gradient. Dimensionless, >= 0;
        a number, a schedule of the count of past updates, or an array that broadcasts against the parameters.
        Default: 0.0.
      nesterov: Whether to step along ``g + momentum v``, which needs a ``momentum`` and no ``dampening``.
        Default: False.
      maximize: Whether to ascend: the gradient's negative takes its place. Default: False.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``nesterov`` comes without ``momentum``, or with ``dampening``, as in PyTorch; or
        ``update`` is called without ``params``, which weight decay needs; or an argument is outside its
        domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import presets
      >>> params, gradient = jnp.zeros(1), jnp.ones(1)
      >>> optimizer = presets.torch_sgd(lr=1.0, momentum=0.9, dampening=0.5)
      >>> state = optimizer.init(params)
      >>> for _ in range(2):  # -1, then -(0.9 + 0.5).
      ...     updates, state = optimizer.update(gradient, state, params)
      ...     print(updates)
      [-1.]
      [-1.4]

    References:
      PyTorch, SGD. https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html

      Sutskever et al. (2013), On the importance of initialization and momentum in deep learning.
      https://proceedings.mlr.press/v28/sutskever13.html
    """
    dampens = is_static(dampening) and dampening != 0
    if nesterov and (is_zero(momentum) or dampens):
        raise ValueError(
            f"`nesterov` needs a `momentum` and no `dampening`; got {momentum!r} and {dampening!r}."
        )
    if not is_static(momentum):  # Without momentum PyTorch does not dampen.
        dampening = jnp.where(momentum == 0, 0, dampening)
    dampened = optax.identity() if is_zero(dampening) else scale(_from_the_second(1 - dampening))
    heavy_ball = optax.identity() if is_zero(momentum) else chain(dampened, trace(momentum, nesterov))
    return descend(lr, heavy_ball, l2=weight_decay, maximize=maximize)


@validated
def torch_adagrad(
    lr: Rate = 1e-2,
    lr_decay: NonNegative = 0.0,
    weight_decay: Rate = 0.0,
    initial_accumulator_value: NonNegative = 0.0,
    eps: NonNegative = 1e-10,
    *,
    maximize: Flag = False,
) -> Optimizer:
    """AdaGrad as PyTorch computes it, ``torch.optim.Adagrad``: eps stands beside the root.

    ::

        g   += weight_decay p
        sum += g^2                                                      from initial_accumulator_value
        p   -= lr / (1 + (t - 1) lr_decay) g / (sqrt(sum) + eps)

    ``radam_optax.adagrad`` and optax have eps within the root, 1e-7, start the sum at 0.1, and leave the
    decay of the learning rate to a schedule.

    Compared with PyTorch 2.13 over 1000 updates from parameters of size 0.1: the same to 7e-15 of the largest
    value of a parameter in float64, to 5e-7 in float32.

    Args:
      lr: Learning rate, >= 0: a number, a schedule of the count of past updates (0 at the first), or an array
        that broadcasts against the parameters. Default: 1e-2.
      lr_decay: How fast the learning rate falls, per update, a number >= 0. Default: 0.0.
      weight_decay: Coupled weight decay: ``weight_decay * p`` is added to the gradient. Dimensionless, >= 0;
        a number, a schedule of the count of past updates, or an array that broadcasts against the parameters.
        Default: 0.0.
      initial_accumulator_value: What the sum of squares starts from, in gradient units squared, >= 0.
        Default: 0.0.
      eps: Added to the root of the sum of squares, in gradient units, >= 0. Default: 1e-10.
      maximize: Whether to ascend: the gradient's negative takes its place. Default: False.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is
        outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import presets
      >>> params, gradient = jnp.zeros(1), jnp.full(1, 3.0)
      >>> optimizer = presets.torch_adagrad(lr=1.0)
      >>> state = optimizer.init(params)
      >>> for _ in range(2):  # -3 / sqrt(9), then -3 / sqrt(18).
      ...     updates, state = optimizer.update(gradient, state, params)
      ...     print(updates.round(4))
      [-1.]
      [-0.7071]

    References:
      PyTorch, Adagrad. https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html

      Duchi et al. (2011), Adaptive Subgradient Methods for Online Learning and Stochastic Optimization.
      https://jmlr.org/papers/v12/duchi11a.html
    """
    adagrad = scale_by_adaptive_rate(rate=chain(sum_of_squares(initial_accumulator_value), inverse_root(eps)))
    return descend(_over_time(lr, lr_decay), adagrad, l2=weight_decay, maximize=maximize)


@validated
def torch_rmsprop(
    lr: Rate = 1e-2,
    alpha: FixedDecay = 0.99,
    eps: NonNegative = 1e-8,
    weight_decay: Rate = 0.0,
    momentum: Share = 0.0,
    centered: Flag = False,
    *,
    maximize: Flag = False,
) -> Optimizer:
    """RMSProp as PyTorch computes it, ``torch.optim.RMSprop``: eps stands beside the root.

    ::

        g   += weight_decay p
        nu   = alpha nu + (1 - alpha) g^2
        avg  = alpha avg + (1 - alpha) g                          only with centered
        v    = momentum v + g / (sqrt(nu - avg^2) + eps)          sqrt(nu) if not centered
        p   -= lr v

    ``radam_optax.rmsprop`` and optax have eps within the root by default, decay 0.9, and momentum that
    accumulates finished steps, so that a change of the learning rate takes time to arrive.

    Compared with PyTorch 2.13 over 1000 updates from parameters of size 0.1: the same to 7e-15 of the largest
    value of a parameter in float64, to 5e-7 in float32. Centered, ``nu - avg^2`` cancels: in float32 it is as
    near to the exact path as PyTorch's is. Steady gradients make PyTorch's NaN, since the difference rounds
    to a negative number; here it is clamped at 0.

    Args:
      lr: Learning rate, >= 0: a number, a schedule of the count of past updates (0 at the first), or an array
        that broadcasts against the parameters. Default: 1e-2.
      alpha: Decay of the averages of the gradient and of its square, which are not corrected; dimensionless,
        in [0, 1). Default: 0.99.
      eps: Added to the uncorrected root of the second moment, in gradient units, >= 0. Gradients that are
        small beside it make small steps. Default: 1e-8.
      weight_decay: Coupled weight decay: ``weight_decay * p`` is added to the gradient. Dimensionless, >= 0;
        a number, a schedule of the count of past updates, or an array that broadcasts against the parameters.
        Default: 0.0.
      momentum: Weight of the past in the momentum v, dimensionless, in [0, 1]. With 0 there is no v.
        Default: 0.0.
      centered: Whether the second moment is taken about the mean: the variance of the gradient.
        Default: False.
      maximize: Whether to ascend: the gradient's negative takes its place. Default: False.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is
        outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import presets
      >>> params = jnp.zeros(2)
      >>> optimizer = presets.torch_rmsprop(lr=0.1)
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(jnp.array([3.0, -0.01]), state, params)
      >>> print(updates.round(4))  # The first step is 1 / sqrt(1 - alpha) = 10 times the learning rate.
      [-1.  1.]

    References:
      PyTorch, RMSprop. https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html

      Tieleman & Hinton (2012), Lecture 6e, rmsprop: Divide the gradient by a running average of its recent
      magnitude. https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf

      Graves (2013), Generating Sequences With Recurrent Neural Networks, for ``centered``.
      https://arxiv.org/abs/1308.0850
    """
    moment = centered_second_moment if centered else second_moment
    return descend(
        lr,
        scale_by_adaptive_rate(rate=chain(moment(alpha, debias=False), inverse_root(eps))),
        optax.identity() if is_zero(momentum) else trace(momentum),
        l2=weight_decay,
        maximize=maximize,
    )


@validated
def torch_adam(
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: NonNegative = 1e-8,
    weight_decay: Rate = 0.0,
    amsgrad: Flag = False,
    *,
    maximize: Flag = False,
    decoupled_weight_decay: Flag = False,
) -> Optimizer:
    """Adam as PyTorch computes it, ``torch.optim.Adam``, with PyTorch's AMSGrad and two weight decays.

    ::

        g  += weight_decay p                                   p *= 1 - lr weight_decay if decoupled
        m   = b1 m + (1 - b1) g
        nu  = b2 nu + (1 - b2) g^2
        p  -= lr m / (1 - b1^t) / (sqrt(nu / (1 - b2^t)) + eps)

    With ``amsgrad`` the largest nu so far takes the place of nu: the maximum comes before the bias
    correction. In ``radam_optax.amsgrad`` and optax it comes after by default, in the paper there is no
    correction. Without weight decay and AMSGrad it is ``radam_optax.adam`` with the same arguments.

    Compared with PyTorch 2.13 over 1000 updates from parameters of size 0.1: the same to 7e-15 of the largest
    value of a parameter in float64, to 5e-7 in float32.

    Args:
      lr: Learning rate, >= 0: a number, a schedule of the count of past updates (0 at the first), or an array
        that broadcasts against the parameters. Default: 1e-3.
      betas: Decays of the averages of the gradient and of its square, a pair (b1, b2) of dimensionless
        numbers in [0, 1). Default: (0.9, 0.999).
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-8.
      weight_decay: Weight decay that is coupled unless ``decoupled_weight_decay``: ``weight_decay p`` is
        added to the gradient. >= 0; a number, a schedule of the count of past updates, or an array that
        broadcasts against the parameters. Default: 0.0.
      amsgrad: Whether to divide by the root of the running maximum of the second moment in the place of its
        own. Default: False.
      maximize: Whether to ascend: the gradient's negative takes its place. Default: False.
      decoupled_weight_decay: Whether parameters are multiplied by ``1 - lr weight_decay``, as in AdamW, in
        the place of ``weight_decay p`` in the gradient. Default: False.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is
        outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import presets
      >>> params = jnp.array([1.0, -1.0])
      >>> optimizer = presets.torch_adam(lr=0.1, amsgrad=True)
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(jnp.array([3.0, 0.01]), state, params)
      >>> print((params + updates).round(4))
      [ 0.9 -1.1]

    References:
      PyTorch, Adam. https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html

      Kingma & Ba (2015), Adam: A Method for Stochastic Optimization. https://arxiv.org/abs/1412.6980

      Reddi et al. (2018), On the Convergence of Adam and Beyond. https://arxiv.org/abs/1904.09237
    """
    b1, b2 = betas
    adam = scale_by_adaptive_rate(
        momentum=first_moment(b1),
        rate=chain(
            second_moment(b2, debias=False), *[amsgrad_max()] * amsgrad, debias(b2), inverse_root(eps)
        ),
    )
    return descend(lr, adam, **_torch_decay(lr, weight_decay, decoupled_weight_decay), maximize=maximize)


@validated
def torch_adamw(
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: NonNegative = 1e-8,
    weight_decay: Rate = 1e-2,
    amsgrad: Flag = False,
    *,
    maximize: Flag = False,
) -> Optimizer:
    """AdamW as PyTorch computes it, ``torch.optim.AdamW``: Adam with decoupled weight decay.

    ::

        p  *= 1 - lr weight_decay
        m   = b1 m + (1 - b1) g
        nu  = b2 nu + (1 - b2) g^2
        p  -= lr m / (1 - b1^t) / (sqrt(nu / (1 - b2^t)) + eps)

    With ``amsgrad`` the largest nu so far takes the place of nu. ``radam_optax.adamw`` and optax compute the
    same but for rounding, with a weight decay of 1e-4 by default, where PyTorch has 1e-2. The paper scales
    the decay by a schedule alone, not by the learning rate.

    Compared with PyTorch 2.13 over 1000 updates from parameters of size 0.1: the same to 7e-15 of the largest
    value of a parameter in float64, to 5e-7 in float32.

    Args:
      lr: Learning rate, >= 0: a number, a schedule of the count of past updates (0 at the first), or an array
        that broadcasts against the parameters. Default: 1e-3.
      betas: Decays of the averages of the gradient and of its square, a pair (b1, b2) of dimensionless
        numbers in [0, 1). Default: (0.9, 0.999).
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-8.
      weight_decay: Decoupled weight decay by a factor: parameters are multiplied by ``1 - lr weight_decay``.
        Dimensionless, >= 0; a number, a schedule of the count of past updates, or an array that broadcasts
        against the parameters. Default: 1e-2.
      amsgrad: Whether to divide by the root of the running maximum of the second moment in the place of its
        own. Default: False.
      maximize: Whether to ascend: the gradient's negative takes its place. Default: False.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is
        outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import presets
      >>> params = jnp.array([1.0, -1.0])
      >>> optimizer = presets.torch_adamw(lr=0.1, weight_decay=0.5)
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(jnp.zeros(2), state, params)
      >>> print((params + updates).round(4))  # Without a gradient only the weights decay.
      [ 0.95 -0.95]

    References:
      PyTorch, AdamW. https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html

      Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization, Algorithm 2.
      https://arxiv.org/abs/1711.05101
    """
    return torch_adam(lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


@validated
def torch_adamax(
    lr: Rate = 2e-3,
    betas: Betas = (0.9, 0.999),
    eps: NonNegative = 1e-8,
    weight_decay: Rate = 0.0,
    *,
    maximize: Flag = False,
) -> Optimizer:
    """AdaMax as PyTorch computes it, ``torch.optim.Adamax``: Adam by the maximum norm.

    ::

        g  += weight_decay p
        m   = b1 m + (1 - b1) g
        nu  = max(b2 nu, |g| + eps)
        p  -= lr m / (1 - b1^t) / nu

    ``radam_optax.adamax`` and optax compute the same without weight decay. The paper has no eps.

    Compared with PyTorch 2.13 over 1000 updates from parameters of size 0.1: the same to 7e-15 of the largest
    value of a parameter in float64, to 5e-7 in float32.

    Args:
      lr: Learning rate, >= 0: a number, a schedule of the count of past updates (0 at the first), or an array
        that broadcasts against the parameters. Default: 2e-3.
      betas: Decays of the average of the gradient and of the maximum of its size, a pair (b1, b2) of
        dimensionless numbers in [0, 1). Default: (0.9, 0.999).
      eps: Added to the size of each gradient, in gradient units, >= 0. Default: 1e-8.
      weight_decay: Coupled weight decay: ``weight_decay * p`` is added to the gradient. Dimensionless, >= 0;
        a number, a schedule of the count of past updates, or an array that broadcasts against the parameters.
        Default: 0.0.
      maximize: Whether to ascend: the gradient's negative takes its place. Default: False.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is
        outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import presets
      >>> params = jnp.array([1.0, -1.0])
      >>> optimizer = presets.torch_adamax(lr=0.1)
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(jnp.array([3.0, 0.01]), state, params)
      >>> print((params + updates).round(4))
      [ 0.9 -1.1]

    References:
      PyTorch, Adamax. https://docs.pytorch.org/docs/stable/generated/torch.optim.Adamax.html

      Kingma & Ba (2015), Adam: A Method for Stochastic Optimization, Algorithm 2.
      https://arxiv.org/abs/1412.6980
    """
    return descend(lr, scale_by_adamax(*betas, eps), l2=weight_decay, maximize=maximize)


@validated
def torch_nadam(
    lr: Rate = 2e-3,
    betas: Betas = (0.9, 0.999),
    eps: NonNegative = 1e-8,
    weight_decay: Rate = 0.0,
    momentum_decay: NonNegative = 4e-3,
    decoupled_weight_decay: Flag = False,
    *,
    maximize: Flag = False,
) -> Optimizer:
    """NAdam as PyTorch computes it, ``torch.optim.NAdam``: with a momentum that rises to b1.

    ::

        mu_t = b1 (1 - 0.96^(t momentum_decay) / 2)
        g   += weight_decay p                                  p *= 1 - lr weight_decay if decoupled
        m    = b1 m + (1 - b1) g
        nu   = b2 nu + (1 - b2) g^2
        d    = mu_{t+1} m / (1 - mu_1 ... mu_{t+1}) + (1 - mu_t) g / (1 - mu_1 ... mu_t)
        p   -= lr d / (sqrt(nu / (1 - b2^t)) + eps)

    ``radam_optax.nadam`` and optax have the constant mu_t = b1, and a learning rate without default.

    Compared with PyTorch 2.13 over 1000 updates from parameters of size 0.1: the same to 7e-15 of the largest
    value of a parameter in float64, to 5e-7 in float32. PyTorch keeps the product of the mu_t in its default
    dtype, float32 unless told otherwise; the comparison in float64 tells it so. Here the product is kept as a
    sum of logarithms, in float32, or float64 in x64 mode.

    Args:
      lr: Learning rate, >= 0: a number, a schedule of the count of past updates (0 at the first), or an array
        that broadcasts against the parameters. Default: 2e-3.
      betas: Decays of the averages of the gradient and of its square, a pair (b1, b2) of dimensionless
        numbers in [0, 1). Default: (0.9, 0.999).
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-8.
      weight_decay: Weight decay that is coupled unless ``decoupled_weight_decay``: ``weight_decay p`` is
        added to the gradient. >= 0; a number, a schedule of the count of past updates, or an array that
        broadcasts against the parameters. Default: 0.0.
      momentum_decay: How fast mu_t rises from b1 / 2 to b1, per update, a number >= 0. Default: 4e-3.
      decoupled_weight_decay: Whether parameters are multiplied by ``1 - lr weight_decay``, as in AdamW, in
        the place of ``weight_decay p`` in the gradient. Default: False.
      maximize: Whether to ascend: the gradient's negative takes its place. Default: False.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is
        outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import presets
      >>> params = jnp.zeros(1)
      >>> optimizer = presets.torch_nadam(lr=1.0)
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(jnp.ones(1), state, params)
      >>> print(updates.round(3))  # mu_1 = mu_2 = 0.45: -0.45 / 10 / (1 - 0.45^2) - 1.
      [-1.056]

    References:
      PyTorch, NAdam. https://docs.pytorch.org/docs/stable/generated/torch.optim.NAdam.html

      Dozat (2016), Incorporating Nesterov Momentum into Adam.
      https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ
    """
    b1, b2 = betas
    nadam = scale_by_adaptive_rate(
        momentum=nesterov_moment(b1, ahead=_rising_momentum(b1, momentum_decay)),
        rate=chain(second_moment(b2), inverse_root(eps)),
    )
    return descend(lr, nadam, **_torch_decay(lr, weight_decay, decoupled_weight_decay), maximize=maximize)


@validated
def torch_radam(
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: NonNegative = 1e-8,
    weight_decay: Rate = 0.0,
    decoupled_weight_decay: Flag = False,
    *,
    maximize: Flag = False,
) -> Optimizer:
    """RAdam as PyTorch computes it, ``torch.optim.RAdam``: momentum SGD until rho_t > 5.

    ::

        g  += weight_decay p                                   p *= 1 - lr weight_decay if decoupled
        m   = b1 m + (1 - b1) g
        nu  = b2 nu + (1 - b2) g^2
        rho_inf = 2 / (1 - b2) - 1
        rho_t   = rho_inf - 2 t b2^t / (1 - b2^t)
        r_t     = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t))
        p  -= lr r_t m / (1 - b1^t) sqrt(1 - b2^t) / (sqrt(nu) + eps)                       while rho_t > 5
        p  -= lr m / (1 - b1^t)                                                             before

    ``radam_optax.radam`` and optax have eps beside the corrected root, ``sqrt(nu / (1 - b2^t)) + eps``; with
    ``eps=0`` and without weight decay the rules are one. r_t and rho_t are exact here; PyTorch rounds both,
    by 1e-9 of r_t at worst in float64.

    Compared with PyTorch 2.13 over 1000 updates from parameters of size 0.1: the same to 7e-15 of the largest
    value of a parameter in float64, to 5e-7 in float32.

    Args:
      lr: Learning rate, >= 0: a number, a schedule of the count of past updates (0 at the first), or an array
        that broadcasts against the parameters. Default: 1e-3.
      betas: Decays of the averages of the gradient and of its square, a pair (b1, b2) of dimensionless
        numbers in [0, 1). Default: (0.9, 0.999).
      eps: Added to the uncorrected root of the second moment, in gradient units, >= 0. Gradients that are
        small beside it make small steps. Default: 1e-8.
      weight_decay: Weight decay that is coupled unless ``decoupled_weight_decay``: ``weight_decay p`` is
        added to the gradient. >= 0; a number, a schedule of the count of past updates, or an array that
        broadcasts against the parameters. Default: 0.0.
      decoupled_weight_decay: Whether parameters are multiplied by ``1 - lr weight_decay``, as in AdamW, in
        the place of ``weight_decay p`` in the gradient. Default: False.
      maximize: Whether to ascend: the gradient's negative takes its place. Default: False.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is
        outside its domain, or updates do not match the state in structure or shape.

    Warns:
      UserWarning: b2 is so small, 2/3 or less, that rho_t never exceeds 5.

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import presets
      >>> params, gradient = jnp.zeros(1), jnp.full(1, 3.0)
      >>> optimizer = presets.torch_radam(lr=0.1)
      >>> state = optimizer.init(params)
      >>> for _ in range(6):  # Five updates along the momentum, then the first rectified one.
      ...     updates, state = optimizer.update(gradient, state, params)
      ...     print([round(float(u), 4) for u in updates])
      [-0.3]
      [-0.3]
      [-0.3]
      [-0.3]
      [-0.3]
      [-0.0026]

    References:
      PyTorch, RAdam. https://docs.pytorch.org/docs/stable/generated/torch.optim.RAdam.html

      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond, Algorithm 2.
      https://arxiv.org/abs/1908.03265
    """
    radam = radam_eps_at_the_raw_root(*betas, eps, fallback=1.0)
    return descend(lr, radam, **_torch_decay(lr, weight_decay, decoupled_weight_decay), maximize=maximize)


def _torch_decay(lr: ScalarOrSchedule, weight_decay: ScalarOrSchedule, decoupled: bool) -> dict[str, Any]:
    """PyTorch's two weight decays; the decoupled one is ``p *= 1 - lr weight_decay``."""
    if not decoupled or is_zero(weight_decay):
        return {"l2": weight_decay}
    if not (callable(lr) or callable(weight_decay)):
        return {"factor": 1 - lr * weight_decay}
    return {"factor": lambda count: 1 - value_at(lr, count) * value_at(weight_decay, count)}


def _from_the_second(factor: Scalar) -> Schedule:
    return lambda count: jnp.where(count == 0, 1.0, factor)


def _over_time(lr: ScalarOrSchedule, lr_decay: Scalar) -> ScalarOrSchedule:
    if is_zero(lr_decay):
        return lr
    return lambda count: value_at(lr, count) / (1 + (update_number(count) - 1) * lr_decay)


def _rising_momentum(b1: Scalar, momentum_decay: Scalar) -> Schedule:
    return lambda count: b1 * (1 - 0.5 * 0.96 ** (update_number(count) * momentum_decay))
