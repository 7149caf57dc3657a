"""What parameters are called in PyTorch, and how they lie there: functions to pass as ``names``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Names = Callable[[str, tuple[int, ...]], tuple[str, Sequence[int] | None]]


def same_names(path: str, shape: tuple[int, ...]) -> tuple[str, None]:
    """Names for parameters that are called as in PyTorch and have its shapes: ``{"0": {"weight": ...}}``.

    Args:
      path: Path of a leaf of the parameters, joined by dots.
      shape: Shape of the leaf.

    Returns:
      The path, and None: the axes are those of PyTorch.

    Example:
      >>> from radam_optax import migrate
      >>> migrate.same_names("0.weight", (2, 3))
      ('0.weight', None)
    """
    del shape
    return path, None


def flax_names(path: str, shape: tuple[int, ...]) -> tuple[str, Sequence[int] | None]:
    """Names for Flax modules, NNX or linen, whose attributes are called as in the PyTorch module.

    ``kernel``, ``scale`` and ``embedding`` are PyTorch's ``weight``. A kernel has its input and output axes
    last, PyTorch's weight has them first and the other way round, for dense layers and for convolutions
    alike. Transposed convolutions and attention are laid out differently in the two: for these write a
    function of your own, which calls this one for all others.

    Args:
      path: Path of a leaf of the parameters, joined by dots.
      shape: Shape of the leaf.

    Returns:
      The name in PyTorch, and the order of axes, as in ``numpy.transpose``, that makes the leaf out of
      PyTorch's tensor; None leaves them as they are.

    Example:
      >>> from radam_optax import migrate
      >>> migrate.flax_names("conv.kernel", (3, 3, 16, 32))
      ('conv.weight', (2, 3, 1, 0))
      >>> migrate.flax_names("norm.scale", (32,))
      ('norm.weight', None)
    """
    *module, kind = path.split(".")
    axes = None
    if kind == "kernel":
        last = len(shape) - 1
        axes = (*range(2, last + 1), 1, 0)
    weight = "weight" if kind in ("kernel", "scale", "embedding") else kind
    return ".".join([*module, weight]), axes
