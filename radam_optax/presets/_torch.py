"""PyTorch's optimizers, ``torch.optim``."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import optax
from optax import chain

from radam_optax._combine import scale_by_adaptive_rate
from radam_optax._core.calls import validated
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
    """``torch.optim.SGD``: ``v = momentum v + (1 - dampening) g``, but ``v = g`` at the first update.

    Args:
      momentum: dimensionless, in [0, 1].
      dampening: dimensionless; 0 with nesterov.
      nesterov: step along ``g + momentum v``.

    Raises:
      ValueError: nesterov without momentum, or with dampening, as in PyTorch.
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
    """``torch.optim.Adagrad``: ``p -= lr / (1 + (t - 1) lr_decay) g / (sqrt(sum) + eps)``.

    Args:
      lr_decay: per update, >= 0.
      initial_accumulator_value: what the sum of squares starts from, in gradient units squared.
    """
    adagrad = scale_by_adaptive_rate(chain(sum_of_squares(initial_accumulator_value), inverse_root(eps)))
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
    """``torch.optim.RMSprop``: ``v = momentum v + g / (sqrt(nu) + eps); p -= lr v``.

    Args:
      momentum: dimensionless, in [0, 1].
      centered: take nu about the mean. Steady gradients make PyTorch's NaN, since its nu rounds to a
        negative number; here it is clamped at 0.
    """
    moment = centered_second_moment if centered else second_moment
    return descend(
        lr,
        scale_by_adaptive_rate(chain(moment(alpha, debias=False), inverse_root(eps))),
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
    """``torch.optim.Adam``; with ``amsgrad`` the maximum is taken before the bias correction."""
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
    """``torch.optim.AdamW``: :func:`torch_adam` with decoupled weight decay."""
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
    """``torch.optim.Adamax``: ``nu = max(beta2 nu, |g| + eps)`` in the place of the root."""
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
    """``torch.optim.NAdam``: averages with b1, looks ahead with ``b1 (1 - 0.96^(t momentum_decay) / 2)``.

    PyTorch keeps the product of the latter in its default dtype, float32 unless told otherwise.

    Args:
      momentum_decay: per update, >= 0.
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
    """``torch.optim.RAdam``: eps beside the uncorrected root; momentum SGD until rho_t > 5."""
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
