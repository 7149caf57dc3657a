"""The optimizers of PyTorch that can be moved, by the preset that does the same, and what each keeps."""

from collections.abc import Mapping
from typing import Any

# What a statistic of PyTorch's is in a state here.
ROLES = {
    "exp_avg": "mu",
    "grad_avg": "mu",
    "exp_avg_sq": "nu",
    "square_avg": "nu",
    "max_exp_avg_sq": "nu_max",
    "sum": "sum_of_squares",
    "momentum_buffer": "trace",
}

# What each keeps of a parameter.
_ADAM = {"step", "exp_avg", "exp_avg_sq"}
KEYS = {
    "torch_sgd": {"momentum_buffer"},
    "torch_adagrad": {"step", "sum"},
    "torch_rmsprop": {"step", "square_avg", "grad_avg", "momentum_buffer"},
    "torch_adam": _ADAM | {"max_exp_avg_sq"},
    "torch_nadam": _ADAM | {"mu_product"},
    "torch_radam": _ADAM,
    "official_radam": _ADAM,
}

# Those that count their updates and compute nothing with the count: here they do not count.
IDLE_COUNTS = {"torch_rmsprop"}

# How messages call each.
LABELS = {
    "torch_sgd": "PyTorch's SGD",
    "torch_adagrad": "PyTorch's Adagrad",
    "torch_rmsprop": "PyTorch's RMSprop",
    "torch_adam": "PyTorch's Adam or AdamW",
    "torch_nadam": "PyTorch's NAdam",
    "torch_radam": "PyTorch's RAdam",
    "official_radam": "the RAdam of its authors (first updates skipped, weight decay decoupled)",
}


def kind_of(settings: Mapping[str, Any]) -> str:
    """Whose param_group it is, by its keys."""
    for key, kind in {
        "buffer": "official_radam",
        "momentum_decay": "torch_nadam",
        "lr_decay": "torch_adagrad",
        "alpha": "torch_rmsprop",
        "dampening": "torch_sgd",
        "amsgrad": "torch_adam",
    }.items():
        if key in settings:
            return kind
    if {"betas", "decoupled_weight_decay"} <= settings.keys():
        return "torch_radam"
    raise ValueError(
        f"The param_group with {sorted(map(str, settings))} is not of an optimizer that can be moved: "
        "torch.optim's SGD, Adagrad, RMSprop, Adam, AdamW, NAdam, RAdam, or the RAdam of its authors. Begin "
        "its state anew, with `optimizer.init(params)`."
    )
