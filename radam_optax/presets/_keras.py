"""Keras' optimizers, ``keras.optimizers``."""

from __future__ import annotations

from radam_optax._combine import scale_by_adaptive_rate
from radam_optax._core.calls import validated
from radam_optax._core.chains import chain
from radam_optax._core.domains import FixedDecay, Flag, NonNegative, Rate
from radam_optax._core.values import Optimizer
from radam_optax._moments import amsgrad_max, debias, first_moment, second_moment
from radam_optax._rates import inverse_root
from radam_optax.presets._parts import descend


@validated
def keras_adam(
    learning_rate: Rate = 1e-3,
    beta_1: FixedDecay = 0.9,
    beta_2: FixedDecay = 0.999,
    epsilon: NonNegative = 1e-7,
    amsgrad: Flag = False,
    weight_decay: Rate | None = None,
) -> Optimizer:
    """Adam as Keras computes it, ``keras.optimizers.Adam``: epsilon stands beside the uncorrected root.

    ::

        m   = beta_1 m + (1 - beta_1) g
        nu  = beta_2 nu + (1 - beta_2) g^2
        p  -= learning_rate weight_decay p
        p  -= learning_rate m / (1 - beta_1^t) sqrt(1 - beta_2^t) / (sqrt(nu) + epsilon)

    With ``amsgrad`` the largest nu so far takes the place of nu. ``radam_optax.adam``, optax and PyTorch have
    epsilon beside the corrected root, ``sqrt(nu / (1 - beta_2^t)) + epsilon``, where it weighs less at first:
    Keras's is that one times 1 / sqrt(1 - beta_2^t), 32 times as much in the first update with beta_2 =
    0.999. Keras's ``global_clipnorm``, ``clipvalue`` and ``gradient_accumulation_steps`` are
    ``optax.clip_by_global_norm`` and ``optax.clip`` in front of it and ``optax.MultiSteps`` around it.

    Compared with Keras 3.15 over 1000 updates from parameters of size 0.1: the same to 1.1e-14 of the
    largest value of a parameter in float64, to 1.8e-6 in float32; at beta_2 = 0.9999, which Keras rounds, to
    2.9e-6.

    Args:
      learning_rate: Learning rate, >= 0: a number, a schedule of the count of past updates (0 at the first),
        or an array that broadcasts against the parameters. Default: 1e-3.
      beta_1: Decay of the average of the gradient, dimensionless, in [0, 1). Default: 0.9.
      beta_2: Decay of the average of the gradient's square, dimensionless, in [0, 1). Default: 0.999.
      epsilon: Added to the uncorrected root of the second moment, in gradient units, >= 0. Gradients that are
        small beside it make small steps. Default: 1e-7.
      amsgrad: Whether to divide by the root of the running maximum of the second moment in the place of its
        own. Default: False.
      weight_decay: Decoupled weight decay if there is any: an update takes
        ``learning_rate * weight_decay * p`` off a parameter p, besides the step. Dimensionless, >= 0; a
        number, a schedule of the count of past updates, or an array that broadcasts against the parameters.
        None is 0. Default: None.

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
      >>> optimizer = presets.keras_adam(learning_rate=0.1)
      >>> state = optimizer.init(params)
      >>> updates, state = optimizer.update(jnp.array([3.0, 0.01]), state, params)
      >>> print((params + updates).round(4))
      [ 0.9 -1.1]

    References:
      Keras, Adam. https://keras.io/api/optimizers/adam/

      Kingma & Ba (2015), Adam: A Method for Stochastic Optimization, before section 2.1.
      https://arxiv.org/abs/1412.6980
    """
    adam = scale_by_adaptive_rate(
        momentum=first_moment(beta_1),
        rate=chain(
            second_moment(beta_2, debias=False),
            *[amsgrad_max()] * amsgrad,
            inverse_root(epsilon),
            debias(beta_2, power=-0.5),
        ),
    )
    return descend(learning_rate, adam, decoupled=0.0 if weight_decay is None else weight_decay)
