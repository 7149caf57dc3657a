"""The presets: compositions of links, by framework."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
import optax
from jax.typing import ArrayLike
from optax import chain

from radam_optax import _numerics
from radam_optax._combine import scale_by_adaptive_rate
from radam_optax._core.calls import validated
from radam_optax._core.domains import Count, FixedDecay, Flag, NonNegative, Rate, Real, Share, number_in, pair
from radam_optax._core.values import (
    Optimizer,
    Scalar,
    ScalarOrSchedule,
    Schedule,
    as_scalar,
    is_static,
    value_at,
)
from radam_optax._moments import (
    amsgrad_max,
    centered_second_moment,
    debias,
    first_moment,
    nesterov_moment,
    second_moment,
    sum_of_squares,
)
from radam_optax._rates import inverse_root, scale_by_rectification
from radam_optax._schedules import update_number
from radam_optax._updates import add_decayed_weights, scale, scale_by_learning_rate, scale_params, trace

Betas = Annotated[tuple[Scalar, Scalar], pair(number_in("[0, 1)"))]


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
    if nesterov and (_is_zero(momentum) or dampens):
        raise ValueError(
            f"`nesterov` needs a `momentum` and no `dampening`; got {momentum!r} and {dampening!r}."
        )
    dampened = optax.identity() if _is_zero(dampening) else scale(_from_the_second(1 - dampening))
    heavy_ball = optax.identity() if _is_zero(momentum) else chain(dampened, trace(momentum, nesterov))
    return _descend(lr, heavy_ball, l2=weight_decay, maximize=maximize)


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
    return _descend(_over_time(lr, lr_decay), adagrad, l2=weight_decay, maximize=maximize)


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
    return _descend(
        lr,
        scale_by_adaptive_rate(chain(moment(alpha, debias=False), inverse_root(eps))),
        optax.identity() if _is_zero(momentum) else trace(momentum),
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
    return _descend(lr, adam, **_torch_decay(lr, weight_decay, decoupled_weight_decay), maximize=maximize)


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
    return _descend(lr, nadam, **_torch_decay(lr, weight_decay, decoupled_weight_decay), maximize=maximize)


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
    radam = _radam_eps_at_the_raw_root(*betas, eps, fallback=1.0)
    return _descend(lr, radam, **_torch_decay(lr, weight_decay, decoupled_weight_decay), maximize=maximize)


@validated
def official_radam(
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: NonNegative = 1e-8,
    weight_decay: NonNegative = 0.0,
    degenerated_to_sgd: Flag = False,
) -> Optimizer:
    """The RAdam of its authors: until rho_t >= 5 it skips the update, weight decay included.

    Weight decay is decoupled, and not scaled by r_t. The authors compute in float32 whatever the dtype.

    Args:
      degenerated_to_sgd: step along the momentum instead of skipping.
    """
    _, b2 = betas
    radam = _radam_eps_at_the_raw_root(*betas, eps, fallback=float(degenerated_to_sgd))
    decay = (
        weight_decay if degenerated_to_sgd or _is_zero(weight_decay) else _once_rectified(weight_decay, b2)
    )
    return _descend(lr, radam, decoupled=decay)


@validated
def tfa_radam(
    learning_rate: Rate = 1e-3,
    beta_1: FixedDecay = 0.9,
    beta_2: FixedDecay = 0.999,
    epsilon: NonNegative = 1e-7,
    weight_decay: Rate = 0.0,
    amsgrad: Flag = False,
    sma_threshold: Annotated[Scalar, number_in("[4, inf)")] = 5.0,
    total_steps: Count = 0,
    warmup_proportion: Share = 0.1,
    min_lr: NonNegative = 0.0,
) -> Optimizer:
    """``tensorflow_addons.optimizers.RectifiedAdam``: eps beside the corrected root, decoupled decay.

    There Python numbers but epsilon are rounded to float32, and an epsilon of 0 means 1e-7; not here.

    Args:
      amsgrad: divide by the maximum of the uncorrected second moment.
      sma_threshold: dimensionless, >= 4; momentum SGD until rho_t reaches it.
      total_steps: if not 0, the learning rate rises linearly over ``warmup_proportion * total_steps``
        updates, then falls linearly to ``min_lr``, where it stays.
      warmup_proportion: dimensionless, in [0, 1].
      min_lr: as learning_rate.
    """
    radam = scale_by_adaptive_rate(
        momentum=first_moment(beta_1),
        rate=chain(
            second_moment(beta_2, debias=False),
            *[amsgrad_max()] * amsgrad,
            debias(beta_2),
            inverse_root(epsilon),
            scale_by_rectification(beta_2, threshold=sma_threshold),
        ),
    )
    if not _is_zero(total_steps):
        learning_rate = _up_and_down(learning_rate, total_steps, warmup_proportion, min_lr)
    return _descend(learning_rate, radam, decoupled=weight_decay)


@validated
def keras_adam(
    learning_rate: Rate = 1e-3,
    beta_1: FixedDecay = 0.9,
    beta_2: FixedDecay = 0.999,
    epsilon: NonNegative = 1e-7,
    amsgrad: Flag = False,
    weight_decay: Rate | None = None,
) -> Optimizer:
    """``keras.optimizers.Adam``: eps beside the uncorrected root, decoupled decay."""
    adam = scale_by_adaptive_rate(
        momentum=first_moment(beta_1),
        rate=chain(
            second_moment(beta_2, debias=False),
            *[amsgrad_max()] * amsgrad,
            inverse_root(epsilon),
            debias(beta_2, power=-0.5),
        ),
    )
    return _descend(learning_rate, adam, decoupled=0.0 if weight_decay is None else weight_decay)


def _descend(
    lr: ScalarOrSchedule,
    *direction: optax.GradientTransformation,
    l2: ScalarOrSchedule = 0.0,
    decoupled: ScalarOrSchedule = 0.0,
    factor: ScalarOrSchedule = 1.0,
    maximize: bool = False,
) -> Optimizer:
    return chain(
        *[scale(-1.0)] * maximize,
        add_decayed_weights(l2),
        *direction,
        add_decayed_weights(decoupled),
        scale_by_learning_rate(lr),
        scale_params(factor),
    )


def _torch_decay(lr: ScalarOrSchedule, weight_decay: ScalarOrSchedule, decoupled: bool) -> dict[str, Any]:
    """PyTorch's two weight decays; the decoupled one is ``p *= 1 - lr weight_decay``."""
    if not decoupled or _is_zero(weight_decay):
        return {"l2": weight_decay}
    if not (callable(lr) or callable(weight_decay)):
        return {"factor": 1 - lr * weight_decay}
    return {"factor": lambda count: 1 - value_at(lr, count) * value_at(weight_decay, count)}


def _radam_eps_at_the_raw_root(b1: Scalar, b2: Scalar, eps: Scalar, fallback: float) -> Optimizer:
    return scale_by_adaptive_rate(
        momentum=first_moment(b1),
        rate=chain(
            second_moment(b2, debias=False),
            inverse_root(eps),
            debias(b2, power=-0.5),
            scale_by_rectification(b2, fallback=fallback),
        ),
    )


def _is_zero(value: ScalarOrSchedule) -> bool:
    return isinstance(value, int | float) and value == 0


def _from_the_second(factor: Scalar) -> Schedule:
    return lambda count: jnp.where(count == 0, 1.0, factor)


def _over_time(lr: ScalarOrSchedule, lr_decay: Scalar) -> ScalarOrSchedule:
    if _is_zero(lr_decay):
        return lr
    return lambda count: value_at(lr, count) / (1 + (update_number(count) - 1) * lr_decay)


def _rising_momentum(b1: Scalar, momentum_decay: Scalar) -> Schedule:
    return lambda count: b1 * (1 - 0.5 * 0.96 ** (update_number(count) * momentum_decay))


def _once_rectified(weight_decay: Scalar, b2: Scalar) -> Schedule:
    def schedule(count):
        length = _numerics.moving_length(b2, optax.safe_increment(count), "centre_of_mass")
        return jnp.where(length.above(5.0) > 0, weight_decay, 0.0)

    return schedule


def _up_and_down(lr: ScalarOrSchedule, total: ArrayLike, proportion: Scalar, min_lr: Scalar) -> Schedule:
    def schedule(count):
        t, steps, top = update_number(count), as_scalar(total), value_at(lr, count)
        rising = steps * proportion
        falling = jnp.maximum(steps - rising, 1)
        down = top + (min_lr - top) * jnp.minimum((t - rising) / falling, 1)
        planned = jnp.where(t <= rising, top * t / rising, down)
        return jnp.where(steps == 0, top, planned)

    return schedule
