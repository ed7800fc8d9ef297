"""BirdNET-STM32's networks (birdnet-team/birdnet-stm32, Core 2.2): a spectrogram or a filterbank on rows, then a DS-CNN.

Written from the project's description of its layers; the weights are drawn.
"""

from __future__ import annotations

import numpy as np

from builders.tflite.examples import Example
from builders.tflite.mobile import RELU, RELU6
from builders.tflite.yolo import SAME, VALID

SAMPLES, FOLDED, FRAMES, BANDS = 60_000, 112, 535, 64
STAGES = ((32, 2), (64, 3), (128, 4), (256, 2))


class Birds(Example):
    """Maps of any shape from a float input."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape, "float32")
        image = self.graph.tensors[self.image]
        image.type, image.quantization = 0, None

    def stored(self, zero: int) -> int:
        """The input as int8."""
        return self.one("QUANTIZE", [self.image], self.whole, (1 / 255, zero))

    def kernel(
        self,
        x: int,
        channels: int,
        size: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        activation: int = 0,
        depthwise: bool = False,
        padding: int = SAME,
    ) -> int:
        """A convolution whose kernel and stride need not be square."""
        _, height, width, depth = self.dims(x)
        drawn = self.random.integers(-127, 128, (1 if depthwise else channels, *size, depth)).astype(np.int8)
        axis, scales = 3 if depthwise else 0, [0.01] * channels
        weights = self.constant(f"w{next(self.numbers)}", drawn, scale=scales, axis=axis)
        bias = self.constant(
            f"b{next(self.numbers)}", np.zeros(channels, np.int32), scale=[0.0005] * channels
        )
        less = (0, 0) if padding == SAME else (size[0] - 1, size[1] - 1)
        high, wide = (-(-(n - m) // s) for n, m, s in zip((height, width), less, stride, strict=True))
        grid = (6 / 255, -128) if activation else (0.05, next(self.counted) * 7 % 23 - 11)
        more = {"depthMultiplier": 1} if depthwise else {}
        return self.one(
            "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", [x, weights, bias], (1, high, wide, channels), grid,
            "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions", padding=padding, strideH=stride[0],
            strideW=stride[1], dilationHFactor=1, dilationWFactor=1, fusedActivationFunction=activation, **more,
        )  # fmt: skip

    def each(
        self, x: int, size: tuple[int, int] = (1, 1), stride: tuple[int, int] = (1, 1), activation: int = 0
    ) -> int:
        """A kernel for each channel."""
        return self.kernel(x, self.dims(x)[3], size, stride, activation, True)

    def part(self, x: int, begins: list[int], ends: list[int]) -> int:
        """A block of a tensor."""
        limits = [self.integers(begins), self.integers(ends), self.integers([1] * len(begins))]
        shape = tuple(end - begin for begin, end in zip(begins, ends, strict=True))
        return self.one("STRIDED_SLICE", [x, *limits], shape, self.grid(x), "StridedSliceOptions")

    def hinges(self, x: int) -> int:
        """Three hinges of their own for each band, added to a multiple of it."""
        made = self.each(x)
        for _ in range(3):
            made = self.plus(made, self.each(self.each(x, activation=RELU)))
        return made

    def recognized(self, x: int, alpha: float, size: int, embedded: int, sigmoid: bool) -> bytes:
        """A stem, eleven separable blocks, a mean and the scores of 100 kinds, as floats."""
        x = self.kernel(x, int(16 * alpha), (3, 3), (1, 2), RELU6)
        for stage, (base, repeats) in enumerate(STAGES):
            width, square = int(base * alpha), (size, size) if stage else (3, 3)
            for k in range(repeats):
                made = self.each(x, square, (2, 2) if k == 0 else (1, 1), RELU6)
                if k == 0:
                    x = self.plain(made, width)
                    continue
                made, grid = self.plain(made, width, activation=0), (6 / 255, -128)
                x = self.one(
                    "ADD", [x, made], self.dims(x), grid, "AddOptions", fusedActivationFunction=RELU6
                )
        mean = self.mean(self.plain(x, embedded))
        drawn = self.random.integers(-127, 128, (100, embedded)).astype(np.int8)
        weights = self.constant("kinds", drawn, scale=0.01)
        bias = self.constant("kinds_bias", np.zeros(100, np.int32), scale=0.0005)
        x = self.one("FULLY_CONNECTED", [mean, weights, bias], (1, 100), (0.12, 11), "FullyConnectedOptions")
        if sigmoid:
            x = self.one("LOGISTIC", [x], (1, 100), (1 / 256, -128))
        return self.bytes([self.image], [self.real(x)])


def spectrograms() -> bytes:
    """1.4 hybrid: 256 bins x 384 frames, mixed to bands, and turned back to a map of one channel."""
    net = Birds((1, 256, 384, 1))
    x = net.transposed(net.stored(-128), (0, 3, 2, 1))
    x = net.hinges(net.kernel(x, BANDS, (1, 1), activation=RELU))
    return net.recognized(net.transposed(x, (0, 3, 2, 1)), 1.5, 5, 1024, False)


def waves(groups: int, magnitude: str, wide: bool = False) -> bytes:
    """Raw samples, folded to 112 channels: two filterbanks in `groups` of them, and how large the pairs are.

    `magnitude`: "abs" with ABS, MAXIMUM and MINIMUM, "relu" with |x| of two RELU in their place, "hinge" without the last two.
    """
    net = Birds((1, SAMPLES, 1))
    x = net.part(net.stored(3), [0, 0, 0], [1, FOLDED * FRAMES, 1])
    x = net.reshaped(x, (1, 1, FRAMES, FOLDED))
    count = FOLDED // groups
    ends = [(k * count, (k + 1) * count) for k in range(groups)]
    parts = (
        [net.part(x, [0, 0, 0, a], [1, 1, FRAMES, b]) for a, b in ends] if groups > 1 else [x]
    )  # both banks read them

    def bank() -> int:
        first, *others = (net.kernel(part, BANDS, (1, 4), (1, 2), padding=VALID) for part in parts)
        for other in others:
            first = net.plus(first, other)
        return first

    def two(kind: str, a: int, b: int, scale: float, options: str = "", **fields: int) -> int:
        return net.one(kind, [a, b], net.dims(a), (scale, -128), options, **fields)

    def absolute(y: int) -> int:
        if magnitude == "abs":
            return net.one("ABS", [y], net.dims(y), (0.03, -128), "AbsOptions")
        positive = net.one("RELU", [y], net.dims(y), (0.03, -128))
        return two("ADD", positive, two("SUB", positive, y, 0.03, "SubOptions"), 0.03, "AddOptions")

    def times(y: int, factor: float) -> int:
        constant = net.constant(
            f"c{next(net.numbers)}", np.array(127, np.int8), scale=factor / 255, zero=-128
        )
        return net.one("MUL", [y, constant], net.dims(y), (0.03 * factor, -128), "MulOptions")

    banks = bank(), bank()
    one, other = (absolute(made) for made in banks)
    if magnitude == "hinge":
        beyond = two("SUB", one, other, 0.03, "SubOptions", fusedActivationFunction=RELU)
        x = two("ADD", other, times(one, 0.4), 0.04, "AddOptions")
        x = two("ADD", x, times(beyond, 0.6), 0.042, "AddOptions")
    else:
        larger = two("MAXIMUM", one, other, 0.03, "MaximumMinimumOptions")
        less = two("MINIMUM", one, other, 0.03, "MaximumMinimumOptions")
        x = two("ADD", larger, times(less, 0.4), 0.042, "AddOptions")
    x = net.hinges(net.each(x, (1, 5), activation=RELU))
    x = net.transposed(net.part(x, [0] * 4, [1, 1, 256, BANDS]), (0, 3, 2, 1))
    return net.recognized(x, *((1.5, 5, 1024, False) if wide else (1.0, 3, 512, True)))
