"""MNIST from its idx files, in whatever folder the user keeps them."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from examples.data.split import DataError, Split

CLASSES = 10
UNSIGNED_BYTE = 8  # The third byte of an idx file, the type of its entries; the fourth is their rank.


def load(folder: Path) -> tuple[Split, Split]:
    """The training and the test split of MNIST, or of a data set in its format; pixels in [0, 1].

    Looks for ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
    ``t10k-labels-idx1-ubyte``, which may end in ``.gz`` and have a dot before ``idx``.

    Raises:
      DataError: a file is missing or is not what its name says.
    """
    data, test = (_split(folder, part) for part in ("train", "t10k"))
    if data.images.shape[1:] != test.images.shape[1:]:
        sizes = ("{} x {}".format(*split.images.shape[1:3]) for split in (data, test))
        raise DataError("{}: training images of {} pixels and test images of {}".format(folder, *sizes))
    return data, test


def _split(folder: Path, part: str) -> Split:
    image_file = _find(folder, f"{part}-images", "idx3-ubyte")
    label_file = _find(folder, f"{part}-labels", "idx1-ubyte")
    images, labels = _read(image_file, 3), _read(label_file, 1)
    if len(images) != len(labels):
        raise DataError(f"{label_file}: {len(labels)} labels for the {len(images)} images of {image_file}")
    if labels.max() >= CLASSES:
        raise DataError(f"{label_file}: a label is {labels.max()}, and must be a digit, 0 to 9")
    return Split(images[..., None] / np.float32(255), labels.astype(np.int32))


def _find(folder: Path, name: str, kind: str) -> Path:
    """The file under one of the names that it goes by."""
    try:
        present = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise DataError(
            f"{folder}: {error.strerror}; wanted is a folder with the idx files of MNIST"
        ) from error
    for candidate in (f"{name}{sign}{kind}{end}" for end in ("", ".gz") for sign in "-."):
        if candidate in present:
            return folder / candidate
    raise DataError(f"{folder}: has no {name}-{kind} or {name}-{kind}.gz, which belongs to MNIST")


def _read(file: Path, rank: int) -> np.ndarray:
    """The entries of an idx file: 0, 0, type, rank, dimensions (big-endian, 4 bytes each), entries."""
    opened = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rb") as stream:
            content = stream.read()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    header = 4 + 4 * rank
    magic = bytes((0, 0, UNSIGNED_BYTE, rank))
    if content[:4] != magic:
        raise DataError(f"{file}: begins with {content[:4].hex() or 'nothing'}, and must with {magic.hex()}")
    if len(content) < header:
        raise DataError(f"{file}: ends after {len(content)} bytes, within its header of {header}")
    shape = tuple(map(int, np.frombuffer(content, ">u4", rank, offset=4)))
    if not all(shape):
        raise DataError(f"{file}: is empty: its header says {' x '.join(map(str, shape))} entries")
    if len(content) != header + math.prod(shape):
        raise DataError(
            f"{file}: has {len(content) - header} bytes after its header, and must have "
            f"{' x '.join(map(str, shape))} = {math.prod(shape)}"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
