"""State that moves: parameters and optimizer state from and to PyTorch and optax, in the middle of a run.

The step after a move is the step that would have come without it. What would silently change its
meaning is refused, with what differs and how to go on; to change a hyperparameter on purpose, move
with equal ones, then :func:`hand_over` the state to the changed optimizer. The learning rate may differ
freely: schedules are moved by the number of updates. What is moved is copied, and stays what it is.

Shared arguments:

``optimizer``
    The one to go on with (``from_...``), or the one that made the state (``to_...``). For PyTorch it
    must be made by one function of this package: one of :mod:`.presets`, or one of the catalogue that
    computes the same, as the recipes ``schedule_free_...`` do for the schedulefree package. Put it into an
    :func:`optax.chain` with others afterwards.
``names``
    Maps a leaf of the parameters to PyTorch's: a function of its path, joined by dots, and its shape,
    that returns the name in PyTorch and the permutation of axes, as in ``numpy.transpose``, that makes
    the leaf out of PyTorch's tensor (None: as it is). :func:`same_names`, :func:`flax_names`, or yours.
``order``
    The names of the parameters that PyTorch's optimizer holds, in its order:
    ``[name for name, _ in module.named_parameters()]``. A state_dict that is keyed by names, or whose
    optimizer was given ``named_parameters()``, holds them itself.
``count``
    The number of updates so far, for states that do not hold it: those of SGD and AdaGrad, and of RMSProp,
    where PyTorch counts them too but computes nothing with the count: without it, it goes on from 1.

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
