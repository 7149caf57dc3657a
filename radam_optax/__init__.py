"""RAdam, AMSGrad, RMSProp, Adam and their relatives as one algebra of optax links.

One combinator, :func:`scale_by_adaptive_rate`, multiplies a momentum by an adaptive learning rate;
both are chains of links, and every optimizer of the catalogue is one such line.
"""

from radam_optax import codecs, migrate, presets, sharding
from radam_optax._combine import freeze_until, project, scale_by_adaptive_rate
from radam_optax._moments import (
    amsgrad_max,
    belief_moment,
    centered_second_moment,
    debias,
    first_moment,
    nesterov_moment,
    second_moment,
    sum_of_squares,
    yogi_moment,
)
from radam_optax._monitor import effective_rate, rectification_stats, step_count
from radam_optax._numerics import Rectification, adaptive_rate_variance, bias_correction, rectification
from radam_optax._optimizers import (
    adabelief,
    adadelta,
    adagrad,
    adam,
    adam_2k,
    adam_eps,
    adamnc,
    adamw,
    amsgrad,
    momentum,
    nadam,
    nesterov,
    radam,
    radamw,
    rmsprop,
    rmsprop_nesterov,
    sgd,
    without_lookahead,
    yogi,
)
from radam_optax._rates import inverse_root, scale_by_rectification
from radam_optax._schedules import inverse_sqrt_decay, untuned_exponential_warmup, untuned_linear_warmup
from radam_optax._transforms import (
    scale_by_adagrad,
    scale_by_adam,
    scale_by_amsgrad,
    scale_by_belief,
    scale_by_radam,
    scale_by_rms,
    scale_by_yogi,
)
from radam_optax.codecs._compress import compress_state, decompress_state

__version__ = "0.1.0"
__all__ = [
    "Rectification",
    "adabelief",
    "adadelta",
    "adagrad",
    "adam",
    "adam_2k",
    "adam_eps",
    "adamnc",
    "adamw",
    "adaptive_rate_variance",
    "amsgrad",
    "amsgrad_max",
    "belief_moment",
    "bias_correction",
    "centered_second_moment",
    "codecs",
    "compress_state",
    "debias",
    "decompress_state",
    "effective_rate",
    "first_moment",
    "freeze_until",
    "inverse_root",
    "inverse_sqrt_decay",
    "migrate",
    "momentum",
    "nadam",
    "nesterov",
    "nesterov_moment",
    "presets",
    "project",
    "radam",
    "radamw",
    "rectification",
    "rectification_stats",
    "rmsprop",
    "rmsprop_nesterov",
    "scale_by_adagrad",
    "scale_by_adam",
    "scale_by_adaptive_rate",
    "scale_by_amsgrad",
    "scale_by_belief",
    "scale_by_radam",
    "scale_by_rectification",
    "scale_by_rms",
    "scale_by_yogi",
    "second_moment",
    "sgd",
    "sharding",
    "step_count",
    "sum_of_squares",
    "untuned_exponential_warmup",
    "untuned_linear_warmup",
    "without_lookahead",
    "yogi",
    "yogi_moment",
]
