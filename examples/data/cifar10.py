"""CIFAR-10 from its "python version": pickles, of which nothing but NumPy arrays is ever built."""

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from examples.data.split import DataError, Split

CLASSES = 10
SIDE, CHANNELS = 32, 3
FOLDER = "cifar-10-batches-py"  # In cifar-10-python.tar.gz.
TRAINING = tuple(f"data_batch_{i}" for i in range(1, 6))
TEST = "test_batch"
MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}

# What a pickled array is made of. NumPy's modules have been renamed since the files were written.
RECONSTRUCT = np.ndarray(0).__reduce__()[0]
NEEDED = {
    ("numpy.core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _Unpickler(pickle.Unpickler):
    """Builds arrays and the plain types; a pickle that asks for anything else could run any code."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return NEEDED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def load(folder: Path, checksum: bool = True) -> tuple[Split, Split]:
    """The training and the test split, in the order of the files; 50,000 and 10,000 images of 32 x 32 x 3.

    Pixels are centred and scaled by each channel's mean and standard deviation in the training split.

    Args:
      folder: of ``data_batch_1`` ... ``data_batch_5`` and ``test_batch``, or of their folder
        ``cifar-10-batches-py``.
      checksum: whether only the genuine files will do; without it, a batch may have any number of images.

    Raises:
      DataError: a file is missing or is not what its name says.
    """
    folder = _find(folder)
    parts = [_read(folder / name, checksum) for name in TRAINING]
    train_x, train_y = (np.concatenate(x) for x in zip(*parts, strict=True))
    test_x, test_y = _read(folder / TEST, checksum)
    mean, std = _moments(train_x)
    if not std.all():
        raise DataError(f"{folder}: a channel has one value in all pixels; wanted are photographs")
    return Split((train_x - mean) / std, train_y), Split((test_x - mean) / std, test_y)


def _find(folder: Path) -> Path:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; wanted is {FOLDER}, unpacked from cifar-10-python.tar.gz")
    for candidate in (folder, folder / FOLDER):
        if any((candidate / name).exists() for name in MD5):
            return candidate
    raise DataError(
        f"{folder}: has neither data_batch_1 ... data_batch_5 and test_batch nor a folder {FOLDER} with "
        "them, which come from cifar-10-python.tar.gz"
    )


def _read(file: Path, checksum: bool) -> tuple[np.ndarray, np.ndarray]:
    """Images, uint8 of shape (n, 32, 32, 3), and labels, int32 of shape (n,)."""

    def refuse(what: str) -> NoReturn:
        raise DataError(f"{file}: {what}")

    try:
        content = file.read_bytes()
    except OSError as error:
        refuse(f"{error.strerror}; it belongs to CIFAR-10")
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if checksum and found != MD5[file.name]:
        refuse(
            f"its MD5 checksum is {found}, and that of CIFAR-10's {file.name} is {MD5[file.name]}; "
            "--no-checksum takes other files of the same format"
        )
    try:
        batch = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # A pickle that is cut off or altered can raise anything.
        refuse(f"is not a pickle of NumPy arrays and plain types: {error}")
    if not isinstance(batch, dict) or not {b"data", b"labels"} <= batch.keys():
        refuse("is a pickle, but not of a dictionary with b'data' and b'labels'")
    images, labels = batch[b"data"], batch[b"labels"]

    size = CHANNELS * SIDE * SIDE
    if not (isinstance(images, np.ndarray) and images.dtype == np.uint8):
        refuse("b'data' must be an array of uint8")
    if images.ndim != 2 or images.shape[1] != size or not len(images):
        refuse(f"b'data' must have the shape (n, {size}), n >= 1; it has {images.shape}")
    if not (isinstance(labels, list) and all(type(x) is int and 0 <= x < CLASSES for x in labels)):
        refuse(f"b'labels' must be a list of whole numbers from 0 to {CLASSES - 1}")
    if len(labels) != len(images):
        refuse(f"has {len(labels)} labels for {len(images)} images")
    images = images.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), np.array(labels, np.int32)


def _moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel, float32: from its histogram, exact and small."""
    values = np.arange(256)
    shares = [
        np.bincount(channel.ravel(), minlength=256) / channel.size for channel in np.moveaxis(images, -1, 0)
    ]
    means = np.array([share @ values for share in shares])
    squares = np.array([share @ (values - mean) ** 2 for share, mean in zip(shares, means, strict=True)])
    return means.astype(np.float32), np.sqrt(squares).astype(np.float32)
