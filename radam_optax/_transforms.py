"""Named compositions without a learning rate: each body is the algorithm, in the order of its links.

Where optax has the function, arguments and defaults are optax's.
"""

from __future__ import annotations

import optax

from radam_optax._combine import scale_by_adaptive_rate
from radam_optax._core.calls import validated
from radam_optax._core.chains import chain
from radam_optax._core.domains import (
    AnyDType,
    Decay,
    FixedDecay,
    Flag,
    Forgetting,
    LengthChoice,
    MaxOrder,
    NonNegative,
    RealDType,
    Threshold,
    VarianceChoice,
)
from radam_optax._core.values import Optimizer
from radam_optax._moments import (
    amsgrad_max,
    belief_moment,
    centered_second_moment,
    debias,
    first_moment,
    infinity_moment,
    nesterov_moment,
    second_moment,
    sum_of_squares,
    yogi_moment,
)
from radam_optax._rates import inverse_root, power, scale_by_rectification
from radam_optax._updates import scale_by_past_updates


@validated
def scale_by_rms(
    decay: Decay = 0.9,
    eps: NonNegative = 1e-8,
    initial_scale: NonNegative = 0.0,
    eps_in_sqrt: Flag = True,
    bias_correction: Flag = False,
    *,
    centered: Flag = False,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """RMSProp without a learning rate: gradients divided by the root of their average square.

    ::

        nu  = decay nu + (1 - decay) |g|^2           nu_0 = initial_scale
        out = g / sqrt(nu + eps)                     eps_in_sqrt=False: g / (sqrt(nu) + eps)

    With ``centered`` nu is the variance, clamped at 0, where rounding could make its root NaN.

    Args:
      decay: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      eps: Added under the root, in gradient units squared, or with ``eps_in_sqrt=False`` to the root, in
        gradient units; >= 0. Default: 1e-8.
      initial_scale: What the second moment starts from, in gradient units squared, >= 0. Default: 0.0.
      eps_in_sqrt: Whether ``eps`` stands under the root; False adds it to the root. Default: True.
      bias_correction: Whether to divide the second moment by the sum of its weights, ``1 - decay^t``, since
        it starts at zero. Default: False.
      centered: Whether the second moment is taken about the mean: the variance of the gradient.
        Default: False.
      nu_dtype: Dtype of the second moment, real. None: that of the parameter, but at least float32; in
        bfloat16 an average with a decay of 0.999 would never move. Default: None.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_rms(bias_correction=True), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 1. -1.]

    References:
      Hinton (2012), Neural Networks for Machine Learning, lecture 6e.
      https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf

      Goodfellow et al. (2016), Deep Learning, Algorithm 8.5, for eps under the root.
      https://www.deeplearningbook.org/contents/optimization.html

      Graves (2013), Generating Sequences With Recurrent Neural Networks, eqs. 38-40, for ``centered``.
      https://arxiv.org/abs/1308.0850
    """
    moment = centered_second_moment if centered else second_moment
    nu = moment(decay, debias=bias_correction, initial=initial_scale, dtype=nu_dtype)
    return scale_by_adaptive_rate(rate=chain(nu, inverse_root(*((0.0, eps) if eps_in_sqrt else (eps,)))))


@validated
def scale_by_adagrad(initial_accumulator_value: NonNegative = 0.1, eps: NonNegative = 1e-7) -> Optimizer:
    """AdaGrad without a learning rate: gradients divided by the root of the sum of their squares.

    ::

        s   = s + |g|^2                              s_0 = initial_accumulator_value
        out = g / sqrt(s + eps)

    That the sum starts above 0 and that eps stands under the root is optax's.

    Args:
      initial_accumulator_value: What the sum of squares starts from, in gradient units squared, >= 0.
        Default: 0.1.
      eps: Added under the root of the sum of squares, in gradient units squared, >= 0. Default: 1e-7.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``sum_of_squares``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_adagrad(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 0.9535 -0.9877]

    References:
      Duchi et al. (2011), Adaptive Subgradient Methods for Online Learning and Stochastic Optimization,
      Figure 1. https://jmlr.org/papers/v12/duchi11a.html
    """
    return scale_by_adaptive_rate(
        rate=chain(sum_of_squares(initial_accumulator_value), inverse_root(0.0, eps))
    )


@validated
def scale_by_adadelta(rho: FixedDecay = 0.9, eps: NonNegative = 1e-6) -> optax.GradientTransformation:
    """AdaDelta: RMSProp times the root mean square of its own past outputs.

    ::

        nu  = rho nu + (1 - rho) |g|^2
        out = sqrt(e_x + eps) g / sqrt(nu + eps)
        e_x = rho e_x + (1 - rho) |out|^2

    Args:
      rho: Decay of both averages, of squared gradients and of squared updates; dimensionless, in [0, 1). A
        number, no schedule. Default: 0.9.
      eps: Added under both roots, in gradient units squared and in update units squared, >= 0. It is what the
        first steps live from: with 0 there are none. Default: 1e-6.

    Returns:
      An :class:`optax.GradientTransformation` whose updates are a direction of ascent, before a learning
      rate. ``state[0].nu`` and ``state[1].e_x`` are the averages.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_adadelta(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 0.0032 -0.0032]

    References:
      Zeiler (2012), ADADELTA: An Adaptive Learning Rate Method, Algorithm 1. https://arxiv.org/abs/1212.5701
    """
    return chain(scale_by_rms(rho, eps), scale_by_past_updates(rho, eps))


@validated
def scale_by_adam(
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
    """Adam without a learning rate.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        out = mu_hat / (sqrt(nu_hat + eps_root) + eps)

    With ``nesterov`` mu_hat is looked at one step ahead (NAdam), as in optax without the factor b2 that the
    paper has on nu. ``bias_correction=False`` leaves out both hats, as the AMSGrad paper does when it speaks
    of Adam.

    Args:
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
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_adam(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 1. -1.]

    References:
      Kingma & Ba (2015), Adam: A Method for Stochastic Optimization, Algorithm 1.
      https://arxiv.org/abs/1412.6980

      Dozat (2016), Incorporating Nesterov Momentum into Adam, Algorithm 2.
      https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ
    """
    moment = nesterov_moment if nesterov else first_moment
    return scale_by_adaptive_rate(
        momentum=moment(b1, debias=bias_correction, dtype=mu_dtype),
        rate=chain(second_moment(b2, debias=bias_correction, dtype=nu_dtype), inverse_root(eps, eps_root)),
    )


@validated
def scale_by_adamax(
    b1: Decay = 0.9,
    b2: FixedDecay = 0.999,
    eps: NonNegative = 1e-8,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """AdaMax without a learning rate: averaged gradients, divided by the largest recent gradient.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = max(b2 nu, |g| + eps)
        out = mu_hat / nu

    The paper has no eps; it stands where optax and PyTorch have it.

    Args:
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the maximum: what is left of it after a step, dimensionless, in [0, 1). A number, no
        schedule. Default: 0.999.
      eps: Added to the size of each gradient, in gradient units, >= 0. Default: 1e-8.
      mu_dtype: Dtype of the first moment, floating or complex. None: that of the parameter, but at least
        float32. Default: None.
      nu_dtype: Dtype of the maximum, real. None: that of the parameter, but at least float32. Default: None.

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
      >>> link, gradient = rx.scale_by_adamax(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 1. -1.]

    References:
      Kingma & Ba (2015), Adam: A Method for Stochastic Optimization, Algorithm 2.
      https://arxiv.org/abs/1412.6980
    """
    return scale_by_adaptive_rate(
        momentum=first_moment(b1, dtype=mu_dtype),
        rate=chain(infinity_moment(b2, eps, dtype=nu_dtype), power(-1.0)),
    )


@validated
def scale_by_amsgrad(
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
    """AMSGrad without a learning rate: Adam that divides by the maximum of its second moment.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        nu_max = max(max_decay nu_max, nu_hat)                             "before_max"
        out    = mu_hat / (sqrt(nu_max + eps_root) + eps)

    The paper, optax and PyTorch differ in where the correction of nu stands: "before_max" is the maximum of
    nu_hat (optax); "after_max" divides the maximum of nu by 1 - b2^t (PyTorch, Keras); "none" corrects
    neither moment (the paper, whose eps is 0). A maximum that forgets, ``max_decay < 1``, is an extension.

    Args:
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
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``count``, ``mu``, ``nu`` and ``nu_max``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: "after_max" comes without ``bias_correction_nu``; or an argument is outside its domain, or
        updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_amsgrad(bias_correction="after_max"), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 1. -1.]

    References:
      Reddi et al. (2018), On the Convergence of Adam and Beyond, Algorithm 2.
      https://arxiv.org/abs/1904.09237
    """
    if bias_correction == "after_max" and not bias_correction_nu:
        raise ValueError("`bias_correction`='after_max' needs `bias_correction_nu`; it is False.")
    order = bias_correction if bias_correction_nu else "none"
    nu = second_moment(b2, debias=order == "before_max", dtype=nu_dtype)
    nu_max = amsgrad_max(max_decay, dtype=nu_dtype)
    corrected = bias_correction_mu and bias_correction != "none"  # The paper corrects neither moment.
    return scale_by_adaptive_rate(
        momentum=first_moment(b1, debias=corrected, dtype=mu_dtype),
        rate=chain(nu, nu_max, *[debias(b2)] * (order == "after_max"), inverse_root(eps, eps_root)),
    )


@validated
def scale_by_radam(
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
    """RAdam without a learning rate: Adam whose rate is rectified.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g|^2      nu_hat = nu / (1 - b2^t)
        rho_inf = 2 / (1 - b2) - 1       rho_t = rho_inf - 2 t b2^t / (1 - b2^t)
        r_t = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t))

        out = r_t mu_hat / (sqrt(nu_hat + eps_root) + eps)     where rho_t > threshold
        out = mu_hat                                           otherwise; 0 with degenerated_to_sgd=False

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
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``count``, ``mu`` and ``nu``, with ``amsgrad`` ``nu_max``.
      :func:`rectification_stats` reads rho_t and r_t.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.
      UserWarning: b2 is so small that rho_t never exceeds the threshold: the rate is never adaptive.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import optax
      >>> import radam_optax as rx
      >>> optimizer = optax.chain(rx.scale_by_radam(b2=0.99), rx.scale_by_learning_rate(1e-3))
      >>> gradient = jnp.array([1.0, -2.0])
      >>> updates, state = optimizer.update(gradient, optimizer.init(gradient))
      >>> print(np.asarray(updates).round(4))  # The first steps are those of momentum SGD.
      [-0.001  0.002]

    References:
      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond, Algorithm 2.
      https://arxiv.org/abs/1908.03265
    """
    moment = nesterov_moment if nesterov else first_moment
    nu = [second_moment(b2, dtype=nu_dtype)] + [amsgrad_max(dtype=nu_dtype)] * amsgrad
    rectification = scale_by_rectification(
        b2, threshold=threshold, fallback=float(degenerated_to_sgd), variance=variance, length=length
    )
    return scale_by_adaptive_rate(
        momentum=moment(b1, dtype=mu_dtype),
        rate=chain(*nu, inverse_root(eps, eps_root), rectification),
    )


@validated
def scale_by_belief(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-16,
    eps_root: NonNegative = 1e-16,
    *,
    nesterov: Flag = False,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """AdaBelief without a learning rate: Adam that divides by the gradient's distance from its average.

    ::

        mu = b1 mu + (1 - b1) g                           mu_hat = mu / (1 - b1^t)
        nu = b2 nu + (1 - b2) |g - mu|^2 + eps_root       nu_hat = nu / (1 - b2^t)
        out = mu_hat / (sqrt(nu_hat) + eps)

    nu is measured from the uncorrected mu. The defaults of ``eps`` and ``eps_root`` are optax's. With
    ``nesterov`` the state has a second average of the gradient.

    Args:
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
      An :class:`optax.GradientTransformationExtraArgs` whose updates are a direction of ascent, before a
      learning rate. Its state has ``count``, ``mu`` and ``nu``.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: An argument is outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> import numpy as np
      >>> import radam_optax as rx
      >>> link, gradient = rx.scale_by_belief(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 1.1111 -1.1111]

    References:
      Zhuang et al. (2020), AdaBelief Optimizer, Algorithm 2. https://arxiv.org/abs/2010.07468
    """
    mu = first_moment(b1, debias=False, dtype=mu_dtype)
    if nesterov:
        return scale_by_adaptive_rate(
            momentum=nesterov_moment(b1, dtype=mu_dtype),
            rate=chain(belief_moment(b2, eps=eps_root, centre=mu, dtype=nu_dtype), inverse_root(eps)),
        )
    return scale_by_adaptive_rate(
        momentum=mu,
        rate=chain(belief_moment(b2, eps=eps_root, dtype=nu_dtype), inverse_root(eps), debias(b1)),
    )


@validated
def scale_by_yogi(
    b1: Decay = 0.9,
    b2: Decay = 0.999,
    eps: NonNegative = 1e-3,
    eps_root: NonNegative = 0.0,
    initial_accumulator_value: NonNegative = 1e-6,
    *,
    mu_dtype: AnyDType = None,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """Yogi without a learning rate: Adam whose second moment changes by little in a step.

    ::

        mu = b1 mu + (1 - b1) g          mu_hat = mu / (1 - b1^t)
        nu = nu - (1 - b2) sign(nu - |g|^2) |g|^2            nu_hat = nu / (1 - b2^t)
        out = mu_hat / (sqrt(nu_hat + eps_root) + eps)

    That both moments start at ``initial_accumulator_value`` and are then corrected as if from zero is
    optax's; the paper does neither.

    Args:
      b1: Decay of the first moment: the weight of the past in the average of the gradients, dimensionless, in
        [0, 1). A number, or a schedule of the count of past updates. Default: 0.9.
      b2: Decay of the second moment: the weight of the past in the average of squared gradients,
        dimensionless, in [0, 1). A number, or a schedule of the count of past updates. Default: 0.999.
      eps: Added to the root of the second moment, in gradient units, >= 0. Gradients that are small beside it
        make small steps. Default: 1e-3.
      eps_root: Added under the root of the second moment, in gradient units squared, >= 0. 1e-6 there acts
        like an ``eps`` of 1e-3 where gradients are small. Default: 0.0.
      initial_accumulator_value: What both moments start from, the first in gradient units, the second in
        gradient units squared, >= 0. Default: 1e-6.
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
      >>> link, gradient = rx.scale_by_yogi(), jnp.array([1.0, -2.0])
      >>> state = link.init(gradient)
      >>> updates, state = link.update(gradient, state)
      >>> print(np.asarray(updates).round(4))
      [ 0.9985 -0.9994]

    References:
      Zaheer et al. (2018), Adaptive Methods for Nonconvex Optimization, Algorithm 2.
      https://proceedings.neurips.cc/paper/2018/hash/90365351ccc7437a1309dc64e4db32a3-Abstract.html
    """
    start = initial_accumulator_value
    return scale_by_adaptive_rate(
        momentum=first_moment(b1, initial=start, dtype=mu_dtype),
        rate=chain(yogi_moment(b2, initial=start, dtype=nu_dtype), inverse_root(eps, eps_root)),
    )
