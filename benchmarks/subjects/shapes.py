"""The shapes that a step is measured at: few large leaves, many small ones, and those of real networks."""

from collections.abc import Callable

Shapes = list[tuple[int, ...]]


def alike(leaves: int, size: int) -> Shapes:
    """``leaves`` vectors of ``size``."""
    return [(size,)] * leaves


def resnet_50() -> Shapes:
    """ResNet-50 (He et al. 2016) for ImageNet, 25,557,032 parameters in 161 leaves.

    Convolutions have no bias, each is followed by a BatchNorm's scale and shift; the stride is in the
    3 x 3 convolution, which changes no shape.
    """

    def conv(size: int, inputs: int, outputs: int) -> Shapes:
        return [(size, size, inputs, outputs), (outputs,), (outputs,)]

    shapes = conv(7, 3, 64)
    inputs = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            shapes += conv(1, inputs, width) + conv(3, width, width) + conv(1, width, 4 * width)
            if block == 0:  # The shortcut changes the number of channels.
                shapes += conv(1, inputs, 4 * width)
            inputs = 4 * width
    return [*shapes, (inputs, 1000), (1000,)]


def efficientnet_b0() -> Shapes:
    """EfficientNet-B0 (Tan & Le 2019) for ImageNet, 5,288,548 parameters in 213 leaves.

    Convolutions are those of ResNet-50; squeeze and excitation has a bias and no BatchNorm.
    """

    def conv(size: int, inputs: int, outputs: int) -> Shapes:
        return [(size, size, inputs, outputs), (outputs,), (outputs,)]

    def squeeze(width: int, within: int) -> Shapes:
        return [(1, 1, width, within), (within,), (1, 1, within, width), (width,)]

    shapes = conv(3, 3, 32)
    inputs = 32
    for expansion, outputs, blocks, size in (
        (1, 16, 1, 3), (6, 24, 2, 3), (6, 40, 2, 5), (6, 80, 3, 3), (6, 112, 3, 5), (6, 192, 4, 5),
        (6, 320, 1, 3)
    ):  # fmt: skip
        for _ in range(blocks):
            width = expansion * inputs
            if expansion > 1:
                shapes += conv(1, inputs, width)
            # A depthwise convolution has one input for each output.
            shapes += conv(size, 1, width) + squeeze(width, inputs // 4) + conv(1, width, outputs)
            inputs = outputs
    return [*shapes, *conv(1, inputs, 1280), (1280, 1000), (1000,)]


def gpt_2_small() -> Shapes:
    """GPT-2 small (Radford et al. 2019), 124,439,808 parameters in 148 leaves; the output layer is tied."""
    width = 768

    def dense(inputs: int, outputs: int) -> Shapes:
        return [(inputs, outputs), (outputs,)]

    norm = [(width,), (width,)]
    attention = dense(width, 3 * width) + dense(width, width)
    feed_forward = dense(width, 4 * width) + dense(4 * width, width)
    block = norm + attention + norm + feed_forward
    return [(50257, width), (1024, width), *(12 * block), *norm]


NETWORKS: dict[str, Callable[[], Shapes]] = {
    "resnet-50": resnet_50,
    "gpt-2-small": gpt_2_small,
    "efficientnet-b0": efficientnet_b0,
}
FULL: dict[str, Callable[[], Shapes]] = {
    "1x32M": lambda: alike(1, 32_000_000),
    "100x320k": lambda: alike(100, 320_000),
    "200x5k": lambda: alike(200, 5_000),
    "1000x1k": lambda: alike(1000, 1_000),
    "resnet-50": resnet_50,
    "gpt-2-small": gpt_2_small,
}
QUICK: dict[str, Callable[[], Shapes]] = {
    "1x30k": lambda: alike(1, 30_000),
    "3x1k": lambda: alike(3, 1_000),
}
SHAPES = FULL | QUICK | NETWORKS
