"""Named compositions without a learning rate: each body is the algorithm, in the order of its links.

Shared parameters are explained on the links: ``b1``, ``b2`` and the dtypes on :mod:`._moments`,
``eps`` and ``eps_root`` on :func:`inverse_root`, the rectification on :func:`scale_by_rectification`.
Defaults are optax's. All return a :class:`optax.GradientTransformationExtraArgs`.
"""

from __future__ import annotations

import optax
from optax import chain

from radam_optax._combine import scale_by_adaptive_rate
from radam_optax._core.calls import validated
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
    """RMSProp: ``g / sqrt(nu + eps)``, or ``g / (sqrt(nu) + eps)`` without ``eps_in_sqrt``.

    Args:
      decay: of the second moment. eps, initial_scale: see :func:`inverse_root`, :func:`second_moment`.
      eps_in_sqrt: where eps stands. bias_correction: divide nu by ``1 - decay^t``.
      centered: take nu about the mean, :func:`centered_second_moment`.

    Source: Hinton (2012), lecture 6e; Goodfellow et al. (2016), Algorithm 8.5 (eps inside).
    """
    moment = centered_second_moment if centered else second_moment
    nu = moment(decay, debias=bias_correction, initial=initial_scale, dtype=nu_dtype)
    return scale_by_adaptive_rate(chain(nu, inverse_root(*((0.0, eps) if eps_in_sqrt else (eps,)))))


@validated
def scale_by_adagrad(initial_accumulator_value: NonNegative = 0.1, eps: NonNegative = 1e-7) -> Optimizer:
    """AdaGrad: ``g / sqrt(initial_accumulator_value + g_1^2 + ... + g_t^2 + eps)``.

    Source: Duchi et al. (2011), Figure 1; eps inside the root and the start above 0 are optax's.
    """
    return scale_by_adaptive_rate(chain(sum_of_squares(initial_accumulator_value), inverse_root(0.0, eps)))


@validated
def scale_by_adadelta(rho: FixedDecay = 0.9, eps: NonNegative = 1e-6) -> optax.GradientTransformation:
    """AdaDelta: RMSProp times the root mean square of its own past steps.

    Source: Zeiler (2012), Algorithm 1.
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
    """Adam: ``mu_hat / (sqrt(nu_hat + eps_root) + eps)``.

    Args: see the head of this module. nesterov: NAdam. bias_correction: False leaves out the hats,
      as the AMSGrad paper does when it speaks of Adam.

    Source: Kingma & Ba (2015), Algorithm 1; Dozat (2016), Algorithm 2, without its factor b2 on nu.
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
    """AdaMax: ``mu_hat / nu``, nu the largest recent ``|g| + eps``, see :func:`infinity_moment`.

    Source: Kingma & Ba (2015), Algorithm 2; eps is optax's and PyTorch's.
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
    """AMSGrad: ``mu_hat / (sqrt(nu_max + eps_root) + eps)``, in three orders.

    Args: see the head of this module.
      bias_correction: where it stands to the maximum: "before_max" (optax), "after_max" (PyTorch,
        Keras), "none" (the paper, for both moments).
      bias_correction_mu, bias_correction_nu: False switches off that of one moment, as in optax.
      max_decay: below 1 the maximum slowly forgets, :func:`amsgrad_max`.

    Source: Reddi et al. (2018), Algorithm 2, which is "none" with eps = 0.
    """
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
    """RAdam: ``r_t mu_hat / (sqrt(nu_hat + eps_root) + eps)`` once rho_t > threshold, else ``mu_hat``.

    Args: see the head of this module; threshold, variance, length: :func:`scale_by_rectification`.
      degenerated_to_sgd: False (the authors' package) skips the update until then instead.
      amsgrad: divide by the running maximum of nu_hat.
      nesterov: NAdam's momentum.

    Source: Liu et al. (2020), Algorithm 2; eps stands beside the corrected root, as in optax.
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
    """AdaBelief: ``mu_hat / (sqrt(nu_hat) + eps)``, nu the average of ``|g - mu|^2 + eps_root``.

    nu is measured from the uncorrected mu, so the correction of mu stands at the end of the rate.
    nesterov needs both averages, and keeps a second mu for it.

    Source: Zhuang et al. (2020), Algorithm 2; defaults of eps are optax's.
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
    """Yogi: ``mu_hat / (sqrt(nu_hat + eps_root) + eps)`` with :func:`yogi_moment`.

    Source: Zaheer et al. (2018), Algorithm 2. That both moments start at initial_accumulator_value
    and are then corrected as if from zero is optax's; the paper does neither.
    """
    start = initial_accumulator_value
    return scale_by_adaptive_rate(
        momentum=first_moment(b1, initial=start, dtype=mu_dtype),
        rate=chain(yogi_moment(b2, initial=start, dtype=nu_dtype), inverse_root(eps, eps_root)),
    )
