"""The catalogue: complete optimizers, each a composition of links and a learning rate.

``learning_rate`` is a number >= 0 or a schedule of the count of past updates. ``weight_decay`` is
decoupled from the gradient, ``p -= learning_rate * weight_decay * p`` (dimensionless, >= 0, or a
schedule), and ``mask`` chooses the leaves that decay. The other arguments, their units and the
errors are those of the transformation that a recipe names, in :mod:`._transforms`. Where optax has
the function, arguments and defaults are optax's. All return a
:class:`optax.GradientTransformationExtraArgs`.
"""

from __future__ import annotations

from typing import Any

import optax
from optax import chain

from radam_optax._combine import freeze_until, scale_by_adaptive_rate
from radam_optax._core.calls import validated
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
from radam_optax._core.values import Optimizer
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

    ``v = g + momentum v; p -= learning_rate v`` (nesterov: ``g + momentum v`` once more).

    Source: Robbins & Monro (1951); Polyak (1964); Sutskever et al. (2013).
    """
    link = optax.identity() if momentum is None else trace(momentum, nesterov, accumulator_dtype)
    return chain(link, scale_by_learning_rate(learning_rate))


@validated
def momentum(
    learning_rate: LearningRate,
    momentum: Share = 0.9,
    accumulator_dtype: AnyDType = None,
) -> Optimizer:
    """:func:`sgd` with heavy-ball momentum. Source: Polyak (1964)."""
    return chain(trace(momentum, accumulator_dtype=accumulator_dtype), scale_by_learning_rate(learning_rate))


@validated
def nesterov(
    learning_rate: LearningRate,
    momentum: Share = 0.9,
    accumulator_dtype: AnyDType = None,
) -> Optimizer:
    """:func:`sgd` with Nesterov momentum. Source: Nesterov (1983); Sutskever et al. (2013)."""
    return chain(trace(momentum, True, accumulator_dtype), scale_by_learning_rate(learning_rate))


@validated
def adagrad(
    learning_rate: LearningRate,
    initial_accumulator_value: NonNegative = 0.1,
    eps: NonNegative = 1e-7,
) -> Optimizer:
    """AdaGrad, :func:`scale_by_adagrad`. Source: Duchi et al. (2011)."""
    return chain(scale_by_adagrad(initial_accumulator_value, eps), scale_by_learning_rate(learning_rate))


@validated
def adadelta(
    learning_rate: LearningRate = None,
    rho: FixedDecay = 0.9,
    eps: NonNegative = 1e-6,
    weight_decay: Rate = 0.0,
    weight_decay_mask: Mask | None = None,
) -> Optimizer:
    """AdaDelta, :func:`scale_by_adadelta`.

    Weight decay is coupled: it is added to the gradient, as in optax. So is the meaning of None: no
    learning rate and no change of sign, updates that are to be subtracted.

    Source: Zeiler (2012), Algorithm 1, which is ``learning_rate=1.0``.
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
    """RMSProp, :func:`scale_by_rms`; momentum accumulates finished steps, learning rate inside.

    Source: Hinton (2012), lecture 6e; Graves (2013) for ``centered``.
    """
    return chain(
        scale_by_rms(
            decay, eps, initial_scale, eps_in_sqrt, bias_correction,
            centered=centered, nu_dtype=nu_dtype,
        ),
        scale_by_learning_rate(learning_rate),
        optax.identity() if momentum is None else trace(momentum, nesterov),
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
    """RMSProp with Nesterov momentum: the gradient is taken at the look-ahead point.

    The parameters that are trained are that point, ``phi = theta + momentum v``; so the gradient is
    simply the gradient, and ``phi += momentum v_t - learning_rate g / sqrt(nu + eps)``.
    :func:`without_lookahead` recovers theta, the book's parameters.

    Source: Goodfellow et al. (2016), Algorithm 8.6; it prints no eps, which is added here.
    """
    return chain(
        scale_by_rms(decay, eps, nu_dtype=nu_dtype),
        scale_by_learning_rate(learning_rate),
        trace(momentum, nesterov=True),
    )


@validated
def without_lookahead(params: Tree, state: Tree, momentum: Share) -> Any:
    """The book's ``theta = phi - momentum v`` from the parameters of :func:`rmsprop_nesterov`.

    Args:
      params: phi, what the optimizer trains. state: its state, which holds v as ``trace``.
      momentum: the optimizer's, dimensionless, in [0, 1].

    Returns:
      A tree like ``params``: the parameters to evaluate or to compare with the book's.

    Raises:
      ValueError: the state holds no ``trace``, or several.
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
    """Adam, :func:`scale_by_adam`. Source: Kingma & Ba (2015), Algorithm 1."""
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
    """Adam with decoupled weight decay. Source: Loshchilov & Hutter (2019), Algorithm 2."""
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
    """Adam with Nesterov momentum; False, which optax allows, is Adam. Source: Dozat (2016), Algorithm 2."""
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
    """:func:`nadam` with decoupled weight decay. Source: Dozat (2016); Loshchilov & Hutter (2019)."""
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
    """AdaMax, :func:`scale_by_adamax`. Source: Kingma & Ba (2015), Algorithm 2."""
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
    """AdaMax with decoupled weight decay. Source: Kingma & Ba (2015); Loshchilov & Hutter (2019)."""
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

    Source: Liu et al. (2020), section 3.1. As there, the momentum starts fresh when it is released;
    in the authors' repository its bias correction runs on, so the first live step is (1 - b1) of it.
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
    """Adam-eps: a large eps beside the uncorrected root, ``sqrt(1 - b2^t) / (sqrt(nu) + eps)``.

    Source: Liu et al. (2020), section 3.1.
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
    """AMSGrad, :func:`scale_by_amsgrad`. Source: Reddi et al. (2018), Algorithm 2."""
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
    """AdamNC with ``b2_t = 1 - 1/t``: nu is the mean of all squares, AdaGrad with momentum.

    Its regret bound wants ``learning_rate=inverse_sqrt_decay(alpha)``.

    Source: Reddi et al. (2018), Algorithm 3 and Corollary 2; eps is added here.
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
    """Rectified Adam, :func:`scale_by_radam`. Source: Liu et al. (2020), Algorithm 2."""
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
    """:func:`radam` with decoupled weight decay, which the rectifier does not scale.

    Source: Liu et al. (2020), the authors' code; Loshchilov & Hutter (2019).
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
    """AdaBelief, :func:`scale_by_belief`. Source: Zhuang et al. (2020), Algorithm 2."""
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
    """Yogi, :func:`scale_by_yogi`. Source: Zaheer et al. (2018), Algorithm 2."""
    return chain(
        scale_by_yogi(b1, b2, eps, mu_dtype=mu_dtype, nu_dtype=nu_dtype),
        scale_by_learning_rate(learning_rate),
    )
