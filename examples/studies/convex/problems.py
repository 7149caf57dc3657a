"""What AMSGrad's paper trains, and with which optimizers."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import radam_optax as rx


class Problem(NamedTuple):
    """What the paper trains, and with what learning rate."""

    hidden: tuple[int, ...]  # Sizes of the hidden layers.
    schedule: Callable[[Any], Any]  # Of alpha, traced.
    title: str


PROBLEMS = {
    "logistic regression": Problem(
        (), rx.inverse_sqrt_decay, r"logistic regression, $\alpha_t = \alpha/\sqrt{t}$"
    ),
    "100-unit MLP": Problem((100,), lambda alpha: alpha, r"100 hidden units, constant $\alpha$"),
}
# Algorithms 1 and 2 of Reddi et al. (2018), whose eps is 0: this one is far below the gradients' scale.
OPTIMIZERS = {
    "Adam": partial(rx.adam, b1=0.9, eps=1e-8, bias_correction=False),
    "AMSGrad": partial(rx.amsgrad, b1=0.9, eps=1e-8, bias_correction="none"),
}
