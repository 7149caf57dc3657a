"""What parameters are called in PyTorch, and how they lie there: functions to pass as ``names``."""

from collections.abc import Callable, Sequence

Names = Callable[[str, tuple[int, ...]], tuple[str, Sequence[int] | None]]


def same_names(path: str, shape: tuple[int, ...]) -> tuple[str, None]:
    """For parameters that are called as in PyTorch and have its shapes: ``{"0": {"weight": ...}}``."""
    del shape
    return path, None


def flax_names(path: str, shape: tuple[int, ...]) -> tuple[str, Sequence[int] | None]:
    """For Flax modules, NNX or linen, whose attributes are called as in the PyTorch module.

    ``kernel``, ``scale`` and ``embedding`` are PyTorch's ``weight``. A kernel has its input and output
    axes last, PyTorch's weight has them first and the other way round, for dense layers and for
    convolutions alike. (Transposed convolutions and attention are laid out differently in the two.)
    """
    *module, kind = path.split(".")
    axes = None
    if kind == "kernel":
        last = len(shape) - 1
        axes = (*range(2, last + 1), 1, 0)
    weight = "weight" if kind in ("kernel", "scale", "embedding") else kind
    return ".".join([*module, weight]), axes
