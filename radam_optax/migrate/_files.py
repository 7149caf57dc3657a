"""Files of PyTorch and of safetensors."""

from __future__ import annotations

import os
import zipfile
from typing import Any

from radam_optax.migrate._tensors import imported


def load_torch(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a file of PyTorch, or of safetensors by its suffix, without running any code of it.

    A file of PyTorch is read by ``torch.load(..., weights_only=True)``, on the CPU, after the checksums of
    its parts, which PyTorch does not look at.

    Args:
      path: The file; one that ends in ".safetensors" is read as such.

    Returns:
      What is in it: a ``state_dict``, or whatever containers of tensors, numbers and text were saved.

    Raises:
      ModuleNotFoundError: PyTorch, or safetensors, is not installed.
      ValueError: It is damaged, or holds more than tensors, numbers, text and containers.
      OSError: It cannot be read.

    Example:
      >>> import os, tempfile
      >>> import torch
      >>> from radam_optax import migrate
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = os.path.join(folder, "model.pt")
      ...     torch.save(torch.nn.Linear(3, 2).state_dict(), file)
      ...     weights = migrate.load_torch(file)
      >>> {name: tuple(tensor.shape) for name, tensor in weights.items()}
      {'weight': (2, 3), 'bias': (2,)}

    References:
      PyTorch, torch.load. https://docs.pytorch.org/docs/stable/generated/torch.load.html
    """
    path = os.fspath(path)
    with open(path, "rb"):  # A missing file is an OSError, whatever the library makes of it.
        pass
    if path.endswith(".safetensors"):
        safetensors = imported("safetensors.numpy")
        try:
            return safetensors.load_file(path)
        except Exception as error:
            raise ValueError(f"{path!r} is no intact file of safetensors: {error}") from error
    torch = imported("torch")
    try:
        if zipfile.is_zipfile(path) and (damaged := zipfile.ZipFile(path).testzip()):
            raise ValueError(f"the checksum of {damaged!r} is wrong")  # PyTorch does not look at it.
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # An unpickler fed with garbage may raise anything.
        raise ValueError(
            f"{path!r} is damaged, or holds objects whose loading would run code; of such a file save the "
            f"state_dicts alone, in PyTorch. {str(error).partition(chr(10))[0]}"
        ) from error
