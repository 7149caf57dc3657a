"""The optimizers for PyTorch that can be moved, by the function that does the same, and what each keeps."""

from collections.abc import Mapping
from typing import Any

# What a statistic of PyTorch's is in a state here.
ROLES = {
    "exp_avg": "mu",
    "grad_avg": "mu",
    "exp_avg_sq": "nu",
    "exp_inf": "nu",
    "square_avg": "nu",
    "max_exp_avg_sq": "nu_max",
    "sum": "sum_of_squares",
    "momentum_buffer": "trace",
    "z": "z",
}

# What each keeps of a parameter.
_ADAM = {"step", "exp_avg", "exp_avg_sq"}
KEYS = {
    "torch_sgd": {"momentum_buffer"},
    "torch_adagrad": {"step", "sum"},
    "torch_rmsprop": {"step", "square_avg", "grad_avg", "momentum_buffer"},
    "torch_adam": _ADAM | {"max_exp_avg_sq"},
    "torch_adamax": {"step", "exp_avg", "exp_inf"},
    "torch_nadam": _ADAM | {"mu_product"},
    "torch_radam": _ADAM,
    "official_radam": _ADAM,
    "schedule_free_sgd": {"z"},
    "schedule_free_adamw": {"z", "exp_avg_sq"},
    "schedule_free_radam": {"z", "exp_avg_sq"},
}

# Those that count their updates and compute nothing with the count: here they do not count.
IDLE_COUNTS = {"torch_rmsprop"}

# How messages call each.
LABELS = {
    "torch_sgd": "PyTorch's SGD",
    "torch_adagrad": "PyTorch's Adagrad",
    "torch_rmsprop": "PyTorch's RMSprop",
    "torch_adam": "PyTorch's Adam or AdamW",
    "torch_adamax": "PyTorch's Adamax",
    "torch_nadam": "PyTorch's NAdam",
    "torch_radam": "PyTorch's RAdam",
    "official_radam": "the RAdam of its authors (first updates skipped, weight decay decoupled)",
    "schedule_free_sgd": "schedulefree's SGDScheduleFree",
    "schedule_free_adamw": "schedulefree's AdamWScheduleFree",
    "schedule_free_radam": "schedulefree's RAdamScheduleFree",
}


# Whose a param_group is that has all of the keys: the first that fits.
_SIGNS = {
    ("buffer",): "official_radam",
    ("silent_sgd_phase",): "schedule_free_radam",
    ("weight_lr_power", "betas"): "schedule_free_adamw",
    ("weight_lr_power", "momentum"): "schedule_free_sgd",
    ("momentum_decay",): "torch_nadam",
    ("lr_decay",): "torch_adagrad",
    ("alpha",): "torch_rmsprop",
    ("dampening",): "torch_sgd",
    ("amsgrad",): "torch_adam",
    ("betas", "decoupled_weight_decay"): "torch_radam",
    ("betas", "eps", "weight_decay", "maximize"): "torch_adamax",
}


def kind_of(settings: Mapping[str, Any]) -> str:
    """Whose param_group it is, by its keys."""
    for signs, kind in _SIGNS.items():
        if settings.keys() >= {*signs}:
            return kind
    raise ValueError(
        f"The param_group with {sorted(map(str, settings))} is not of an optimizer that can be moved: "
        "torch.optim's SGD, Adagrad, RMSprop, Adam, AdamW, Adamax, NAdam, RAdam, the RAdam of its authors, "
        "or schedulefree's SGD, AdamW, RAdam. Begin its state anew, with `optimizer.init(params)`."
    )
