"""Tensors and numbers of PyTorch as arrays and numbers here, and the way back."""

import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def array_of(what: str, x: Any) -> np.ndarray | jax.Array:
    """An array from a tensor on any device, or from a number; bfloat16 goes through float32, which holds it.

    Raises ValueError if it holds anything but numbers.
    """
    if hasattr(x, "full_tensor") or hasattr(x, "local_shards"):
        raise ValueError(
            f"{what} is one process's part of a tensor: make the state_dict whole, with "
            "torch.distributed.checkpoint.state_dict's StateDictOptions(full_state_dict=True)."
        )
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.float().numpy().astype(jnp.bfloat16) if str(x.dtype) == "torch.bfloat16" else x.numpy()
    if isinstance(x, float | complex) or (isinstance(x, int) and abs(x) < 2**63):
        x = np.asarray(x)
    if not (isinstance(x, np.ndarray | np.generic | jax.Array) and jnp.issubdtype(x.dtype, jnp.number)):
        raise ValueError(f"{what} must hold numbers; got {x!r}.")
    return x if isinstance(x, jax.Array) else np.asarray(x)


def imported(module: str) -> Any:
    """A module of an optional package; raises ModuleNotFoundError that says how to get it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        message = f"This needs {module.partition('.')[0]}: pip install 'radam-optax[parity]'"
        raise ModuleNotFoundError(message, name=error.name) from None


def number_of(what: str, value: Any) -> float:
    """A Python number, or one in a tensor or an array; raises ValueError if it is none."""
    array = array_of(what, value)
    if array.shape or np.iscomplexobj(array):
        raise ValueError(f"{what} must be a number; got {value!r}.")
    return float(array)


def whole(what: str, number: float) -> int:
    """A number of updates; raises ValueError if it is none."""
    if not (number.is_integer() and 0 <= number < 2**31):
        raise ValueError(
            f"{what} must be a whole number in [0, 2**31); got {number}. The state_dict is damaged."
        )
    return int(number)


def to_tensor(array: np.ndarray) -> Any:
    """A tensor that shares nothing with the array."""
    torch = imported("torch")
    if array.dtype == jnp.bfloat16:
        return torch.tensor(array.astype("float32")).bfloat16()
    return torch.tensor(np.ascontiguousarray(array).reshape(array.shape))
