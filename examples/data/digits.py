"""Handwritten digits: 1797 real images of 8 x 8 pixels, shipped with scikit-learn."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from examples.data.split import Split

CLASSES = 10
BATCH = 32


def load() -> tuple[Split, Split]:
    """The training and the test split, always the same: 1257 and 540 images, 10 classes in each.

    Pixels are centred and scaled by the mean and the standard deviation of the training split.
    """
    pixels, digits = load_digits(return_X_y=True)
    images, labels = pixels.reshape(-1, 8, 8, 1).astype(np.float32), digits.astype(np.int32)
    parts = train_test_split(images, labels, test_size=540, stratify=labels, random_state=0)
    train_x, test_x, train_y, test_y = map(np.asarray, parts)
    mean, std = train_x.mean(), train_x.std()
    return Split((train_x - mean) / std, train_y), Split((test_x - mean) / std, test_y)
