"""Images shifted and mirrored at random, which is drawn before training and applied to batches."""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


class Augmentation(NamedTuple):
    """A crop of the image's own size, at random out of the image with a margin, and perhaps its mirror image.

    The margin has the value 0, which is the mean of centred pixels. ``Augmentation(margin=4, mirror=True)``
    is what He et al. (2016) did on CIFAR-10.
    """

    margin: int  # Pixels on each side.
    mirror: bool  # Whether left and right are swapped, half of the time.

    @property
    def _shape(self) -> tuple[int, int, int]:
        """How many rows, columns and sides there are to choose from."""
        return 2 * self.margin + 1, 2 * self.margin + 1, 2 if self.mirror else 1

    def choose(self, seed: int, shape: tuple[int, ...]) -> np.ndarray:
        """A choice for each image: int32 of that shape; the first ones are alike whatever the shape."""
        # Not the generator of the batches, whose numbers decide which images these are.
        rng = np.random.default_rng([seed, 1])
        return rng.integers(np.prod(self._shape), size=shape).astype(np.int32)

    def apply(self, images: np.ndarray, choices: np.ndarray) -> np.ndarray:
        """Images of shape (..., height, width, channels), changed by choices of shape (...)."""
        flat = images.reshape(-1, *images.shape[-3:])
        rows, columns, sides = np.unravel_index(choices.ravel(), self._shape)
        pads = (self.margin, self.margin)
        padded = np.pad(flat, ((0, 0), pads, pads, (0, 0)))
        crops = sliding_window_view(padded, flat.shape[1:3], axis=(1, 2))[np.arange(len(flat)), rows, columns]
        crops = np.where(sides[:, None, None, None] == 1, crops[..., ::-1], crops)
        return np.moveaxis(crops, 1, -1).reshape(images.shape)
