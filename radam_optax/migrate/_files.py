"""Files of PyTorch and of safetensors."""

import os
import zipfile
from typing import Any

from radam_optax.migrate._tensors import imported


def load_torch(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a file of PyTorch, or of safetensors (by its suffix), without running any code of it.

    Raises:
      ValueError: it is damaged, or holds more than tensors, numbers, text and containers.
      OSError: it cannot be read.
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
