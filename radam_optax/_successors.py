"""The catalogue goes on: what was published after Adam, AMSGrad and RAdam, line by line.

Each ``scale_by_*`` is the algorithm in the order of its links, and the optimizer below it adds a learning
rate. Shared arguments are those of :mod:`._optimizers`; ``weight_decay`` is decoupled unless the text says
otherwise. Where optax has the function, arguments and defaults are optax's.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jax
import jax.core
import jax.numpy as jnp
import optax
from optax import chain, identity

from radam_optax import _numerics
from radam_optax._combine import scale_by_adaptive_rate
from radam_optax._core.calls import validated
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
    """LaProp: the momentum of the scaled gradients ``g / (sqrt(nu_hat) + eps)``, not the scaled momentum.

    Source: Ziyin et al. (2020), Algorithm 1.
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
    """LaProp, :func:`scale_by_laprop`. Source: Ziyin et al. (2020)."""
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
    clip_value_fn: BoundOfStep = _fourth_root,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """ADOPT: LaProp whose rate has not seen the gradient that it scales.

    ::

        momentum of clip(g_t / max(sqrt(nu_{t-1}), eps)),    nu_1 = |g_1|^2, and no step before there is a nu

    Args:
      eps: the least denominator. use_clipping: keep scaled gradients within ``clip_value_fn``.
      clip_value_fn: a schedule of the count of past updates, or a number >= 0.

    Source: Taniguchi et al. (2024), Algorithm 2 and the authors' code.
    """
    moment = nesterov_moment if nesterov else first_moment
    nu_before = second_moment(from_first(b2), debias=False, delayed=0.0, dtype=nu_dtype)

    def bound(count):
        return jnp.where(count == 0, 0, value_at(clip_value_fn, count) if use_clipping else jnp.inf)

    return scale_by_adaptive_rate(
        momentum=chain(
            scale_by_adaptive_rate(chain(nu_before, inverse_root(floor=eps))),
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
    clip_value_fn: BoundOfStep = _fourth_root,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """ADOPT, :func:`scale_by_adopt`. Source: Taniguchi et al. (2024)."""
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
    clip_value_fn: BoundOfStep = _fourth_root,
    nu_dtype: RealDType = None,
) -> Optimizer:
    """:func:`adopt` with decoupled weight decay. Source: Taniguchi et al. (2024), the authors' code."""
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
    """ACProp: ``g_t / (sqrt(nu_hat_{t-1}) + eps)``, nu the average of ``|g_t - mu_{t-1}|^2 + eps_root``.

    At the first update nu_hat is 1.

    Source: Zhuang et al. (2021), Algorithm 2; with mu_{t-1} as in optax's code, whose text has mu_t.
    """
    mu_before = first_moment(b1, debias=False, delayed=0.0, dtype=mu_dtype)
    return scale_by_adaptive_rate(
        chain(
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
    """ACProp, :func:`scale_by_acprop`. Source: Zhuang et al. (2021)."""
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
    """AdEMAMix: Adam with a second, slow average of the gradient.

    ::

        (mu_hat + alpha mu_slow) / (sqrt(nu_hat + eps_root) + eps)

    Args:
      b3: decay of the slow average, which is not corrected; alpha: its weight. Both may be schedules, and
        should be in long runs: :func:`ademamix_b3`, :func:`ademamix_alpha`.

    Source: Pagliardini et al. (2024), section 3.
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
    """AdEMAMix, :func:`scale_by_ademamix`. Source: Pagliardini et al. (2024)."""
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
    """Adan: Adam of gradients that are looked at one step ahead, ``g + b2 change``, change = g_t - g_{t-1}.

    ::

        (mu_hat + b2 change_hat) / (sqrt(nu_hat + eps_root) + eps)      averages by b1, b2, b3, all corrected

    Source: Xie et al. (2022), Algorithm 1, whose beta is 1 - b here. optax's weighs the change by 1 - b2 in
    the place of b2 (its issue 1715), so that 0.92 has the effect of 0.08.
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
    """Adan, :func:`scale_by_adan`.

    Source: Xie et al. (2022), Algorithm 1. There the parameters are divided by
    1 + learning_rate weight_decay; here decay is as in :func:`adamw`, and as in optax.
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
    """Lion: ``sign(x)``, x = ``b1 mu_{t-1} + (1 - b1) g_t``, mu the average by b2.

    Args:
      mode: "hard" is the paper's; "smooth" takes ``tanh(smooth_beta x)`` in the place of the sign, "refined"
        keeps x within [-1, 1].

    Source: Chen et al. (2023), Algorithm 2; the other modes are optax's.
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
    """Lion, :func:`scale_by_lion`. Source: Chen et al. (2023)."""
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
    """Adam-atan2: ``a atan2(mu_hat, b sqrt(nu_hat))``, which has no eps, see :func:`atan2_rate`.

    Source: Everett et al. (2024), section 5; defaults are those of the adam-atan2-pytorch package.
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
    """Adam-atan2, :func:`scale_by_adam_atan2`. Source: Everett et al. (2024)."""
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
    """Padam: ``mu_hat sqrt(1 - b2^t) / (sqrt(nu) + eps)^(2 partial)``.

    Args:
      partial: a dial from momentum SGD (0) to Adam (1/2), dimensionless.
      amsgrad: divide by the running maximum of nu, as the paper does; the package compared with does not.

    Source: Chen et al. (2020), Algorithm 1; eps and the corrections are those of pytorch_optimizer.
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
    """Padam, :func:`scale_by_padam`. Source: Chen et al. (2020)."""
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

        learning_rate sqrt(1 - b2^t) / ((1 - b1^t) (sqrt(nu) + eps))        times mu
        between final_lr (1 - 1/(gamma t + 1)) and final_lr (1 + 1/(gamma t))

    Args:
      final_lr: what the step sizes go to, >= 0, while the learning rate is ``base_lr``; both bounds follow
        a schedule.
      gamma: how fast, per update, > 0.
      amsbound: divide by the running maximum of nu.
      base_lr: the learning rate that final_lr belongs to, >= 1e-30; None: the learning rate itself, or a
        schedule's first value.

    Raises:
      ValueError: the learning rate begins at 0, and there is no base_lr.

    Source: Luo et al. (2019), Algorithms 2 and 3, and the authors' code, which corrects both moments.
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

    The average is that of ``learning_rate sqrt(1 - b2^t) / ((1 - b1^t) (sqrt(nu) + eps))``.

    Args:
      b3: decay of that average, see :func:`ceiling`.

    Source: Ding et al. (2019), Algorithm 1.
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
    """QHAdam: Adam whose averages are mixed with the gradient, and its square, at hand.

    Args:
      nus: the shares of the two averages, dimensionless: (1, 1) is Adam, (0, 0) the sign of the gradient; the
        authors recommend (0.7, 1.0).

    Source: Ma & Yarats (2019), Algorithm 4.
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
    """QHAdam, :func:`scale_by_qhadam`. Source: Ma & Yarats (2019)."""
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
    """StableAdamW: AdamW with a brake on each leaf, :func:`update_clipping`, which holds decay back as well.

    Source: Wortsman et al. (2023), Algorithm 2; both moments are corrected, as in pytorch_optimizer.
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
    """StableAdamW, :func:`scale_by_stable_adamw`. Source: Wortsman et al. (2023)."""
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
    """SGD, schedule-free: :func:`schedule_free` of the gradient.

    Args:
      warmup_steps: the learning rate rises over as many updates, ``learning_rate min(1, t / warmup_steps)``.

    Source: Defazio et al. (2024), Algorithm 1; optax's begins its warmup a step later.
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
    """AdamW, schedule-free: :func:`schedule_free` of RMSProp with bias correction.

    Args:
      warmup_steps: as for :func:`schedule_free_sgd`.

    Source: Defazio et al. (2024), Algorithm 1; optax's begins its warmup a step later.
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
    """RAdam, schedule-free: the rectifier is a warmup of the learning rate, and so of the average's weights.

    Args:
      silent_sgd_phase: until rho_t > 4 nothing moves; False: until then it is :func:`schedule_free_sgd`.

    Source: RAdamScheduleFree of the schedulefree package 1.4; Liu et al. (2020); Defazio et al. (2024).
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
