"""State that moves: parameters and optimizer state from and to PyTorch and optax, in the middle of a run.

The step after a move is the step that would have come without it. What would silently change its meaning is
refused, with what differs and how to go on; to change a hyperparameter on purpose, move with equal ones, then
:func:`hand_over` the state to the changed optimizer. The learning rate may differ freely: schedules are moved
by the number of updates. What is moved is copied, and stays what it is.

PyTorch is imported only to make tensors or to read its files.
"""

from radam_optax.migrate._files import load_torch
from radam_optax.migrate._names import flax_names, same_names
from radam_optax.migrate._optax import from_optax, hand_over, to_optax
from radam_optax.migrate._torch import from_torch, params_from_torch, params_to_torch, to_torch

__all__ = [
    "flax_names",
    "from_optax",
    "from_torch",
    "hand_over",
    "load_torch",
    "params_from_torch",
    "params_to_torch",
    "same_names",
    "to_optax",
    "to_torch",
]


def __dir__() -> list[str]:
    """What completion shows."""
    return __all__
