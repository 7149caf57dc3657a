"""The data sets of the study of learning rates, and the networks that are trained on them."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
from flax import nnx

from examples.data import cifar10 as _cifar10
from examples.data import digits as _digits
from examples.data.augmentation import Augmentation
from examples.data.split import Split
from examples.lab.training import one_by_one
from examples.models.convolutional import convolve
from examples.models.resnet import ResNet

QUICK_IMAGES = 128  # Of CIFAR-10, which then only shows that all runs.


class Problem(NamedTuple):
    """A data set and how it is trained on."""

    name: str
    data: Split
    test: Split
    make: Callable[[nnx.Rngs], nnx.Module]
    augmentation: Augmentation
    batch: int
    test_batch: int | None
    mapped: Callable[..., Any]


def digits(options: argparse.Namespace) -> Problem:
    """540 images to train on and 1257 to test on, because more training leaves no errors to compare."""
    test, data = _digits.load()
    make = partial(_resnet, options.depth or 8, (4, 8, 16), 1, convolve)
    return Problem(
        name="scikit-learn's digits",
        data=data,
        test=test,
        make=make,
        augmentation=Augmentation(margin=1, mirror=False),
        batch=options.batch or 32,
        test_batch=None,
        mapped=jax.vmap,
    )


def cifar10(options: argparse.Namespace) -> Problem:
    """ResNet-20, batches of 128, crops with a margin of 4 pixels and mirror images: the paper's."""
    data, test = _cifar10.load(options.data_dir, not options.no_checksum)
    if options.quick:
        data, test = (Split(*(x[:QUICK_IMAGES] for x in split)) for split in (data, test))
    make = partial(_resnet, options.depth or 20, (16, 32, 64), 3, jax.lax.conv_general_dilated)
    return Problem(
        name="CIFAR-10",
        data=data,
        test=test,
        make=make,
        augmentation=Augmentation(margin=4, mirror=True),
        batch=options.batch or 128,
        test_batch=500,
        mapped=one_by_one,
    )


def _resnet(depth, widths, channels, conv, rngs):
    return ResNet(depth, widths, channels, _cifar10.CLASSES, rngs=rngs, conv=conv)
