"""RAdam as its authors published it."""

from __future__ import annotations

import jax.numpy as jnp
import optax

from radam_optax import _numerics
from radam_optax._core.calls import validated
from radam_optax._core.domains import Flag, NonNegative, Rate
from radam_optax._core.values import Optimizer, Scalar, Schedule
from radam_optax.presets._parts import Betas, descend, is_zero, radam_eps_at_the_raw_root


@validated
def official_radam(
    lr: Rate = 1e-3,
    betas: Betas = (0.9, 0.999),
    eps: NonNegative = 1e-8,
    weight_decay: NonNegative = 0.0,
    degenerated_to_sgd: Flag = False,
) -> Optimizer:
    """RAdam as its authors published it, without updates until rho_t >= 5.

    ::

        m   = b1 m + (1 - b1) g
        nu  = b2 nu + (1 - b2) g^2
        rho_inf = 2 / (1 - b2) - 1
        rho_t   = rho_inf - 2 t b2^t / (1 - b2^t)
        r_t     = sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t))
        p  -= lr weight_decay p                                                             while rho_t >= 5
        p  -= lr r_t m / (1 - b1^t) sqrt(1 - b2^t) / (sqrt(nu) + eps)                       while rho_t >= 5

    While rho_t < 5, the first five updates with b2 = 0.999, nothing moves; with ``degenerated_to_sgd``
    weights decay and ``p -= lr m / (1 - b1^t)``.

    ``radam_optax.radamw`` steps along the momentum in the first updates, and has eps beside the corrected
    root, ``sqrt(nu / (1 - b2^t)) + eps``. The paper has no eps, no weight decay, and begins at rho_t > 4.

    Compared over 60 updates with numbers recorded from the authors' class ``RAdam``, commit 5fad7b1: the same
    to a relative error of 1e-12 where it computes in float64. As published it computes in float32, whatever
    the dtype of the parameters: 2e-6.

    Args:
      lr: Learning rate, >= 0: a number, a schedule of the count of past updates (0 at the first), or an array
        that broadcasts against the parameters. Default: 1e-3.
      betas: Decays of the averages of the gradient and of its square, a pair (b1, b2) of dimensionless
        numbers in [0, 1). Default: (0.9, 0.999).
      eps: Added to the uncorrected root of the second moment, in gradient units, >= 0. Gradients that are
        small beside it make small steps. Default: 1e-8.
      weight_decay: Decoupled weight decay of what is not skipped: an update takes ``lr weight_decay p`` off a
        parameter p, besides the step. Dimensionless, >= 0; a number. Default: 0.0.
      degenerated_to_sgd: Whether, until rho_t is above the threshold, updates are those of momentum SGD, as
        in the paper; False: until then there are none, as in the authors' package. Default: False.

    Returns:
      An :class:`optax.GradientTransformationExtraArgs` whose updates are to be added to the parameters.

    Raises:
      TypeError: An argument is of the wrong kind, or a gradient is no floating or complex array.
      ValueError: ``update`` is called without ``params``, which weight decay needs; or an argument is
        outside its domain, or updates do not match the state in structure or shape.

    Example:
      >>> import jax.numpy as jnp
      >>> from radam_optax import presets
      >>> params, gradient = jnp.ones(2), jnp.array([1.0, -2.0])
      >>> optimizer = presets.official_radam(lr=0.1, weight_decay=0.1)
      >>> state = optimizer.init(params)
      >>> for _ in range(5):
      ...     updates, state = optimizer.update(gradient, state, params)
      >>> bool((updates == 0).all())  # The first five updates are skipped, with their weight decay.
      True
      >>> updates, state = optimizer.update(gradient, state, params)
      >>> bool((updates != 0).all())
      True

    References:
      Liu et al. (2020), On the Variance of the Adaptive Learning Rate and Beyond.
      https://arxiv.org/abs/1908.03265

      The authors' package. https://github.com/LiyuanLucasLiu/RAdam
    """
    _, b2 = betas
    radam = radam_eps_at_the_raw_root(*betas, eps, fallback=float(degenerated_to_sgd))
    decay = weight_decay if degenerated_to_sgd or is_zero(weight_decay) else _once_rectified(weight_decay, b2)
    return descend(lr, radam, decoupled=decay)


def _once_rectified(weight_decay: Scalar, b2: Scalar) -> Schedule:
    def schedule(count):
        length = _numerics.moving_length(b2, optax.safe_increment(count), "centre_of_mass")
        return jnp.where(length.above(5.0) > 0, weight_decay, 0.0)

    return schedule
