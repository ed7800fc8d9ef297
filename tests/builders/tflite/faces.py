"""FaceNet and a small network of a battery's signals as TFLite, rebuilt from reports of public builds; the weights are drawn."""

from __future__ import annotations

import numpy as np

from builders.tflite.examples import Example
from builders.tflite.mobile import RELU, RELU6
from builders.tflite.yolo import SAME, VALID


class Inception(Example):
    """Kernels of any height and width, and parts of a Concat that have its scale."""

    def kernel(
        self,
        x: int,
        channels: int,
        size: tuple[int, int],
        stride: int = 1,
        padding: int = SAME,
        relu: bool = True,
    ) -> int:
        """A convolution."""
        number, k, (_, height, width, depth) = next(self.numbers), next(self.counted), self.dims(x)
        drawn = self.random.integers(-127, 128, (channels, *size, depth)).astype(np.int8)
        weights = self.constant(f"w{number}", drawn, scale=[0.01] * channels, axis=0)
        bias = self.constant(f"b{number}", np.zeros(channels, np.int32), scale=[0.0005] * channels)
        lost = (0, 0) if padding == SAME else (size[0] - 1, size[1] - 1)
        made = [-(-(side - less) // stride) for side, less in zip((height, width), lost, strict=True)]
        return self.one(
            "CONV_2D", [x, weights, bias], (1, *made, channels), (0.02 + 0.0001 * k, -128) if relu else (0.05, k * 7 % 23 - 11),
            "Conv2DOptions", padding=padding, strideH=stride, strideW=stride, dilationHFactor=1, dilationWFactor=1,
            fusedActivationFunction=RELU if relu else 0,
        )  # fmt: skip

    def halving(self, x: int, channels: int) -> int:
        """3x3 with a stride of 2, without a border."""
        return self.kernel(x, channels, (3, 3), 2, VALID)

    def one_scale(self, parts: list[int], of: int) -> int:
        """They are joined in the scale of one of them."""
        scale, zero = self.grid(parts[of])
        for part in parts:
            quantization = self.graph.tensors[part].quantization
            quantization.scale, quantization.zeroPoint = [scale], [zero]
        return self.joined(parts, 3)

    def crossed(self, x: int, channels: int, taps: int, relu: bool = True) -> int:
        """1x1 beside 1x1, 1 x taps and taps x 1, joined, back to the channels there were and added to what goes past."""
        side = self.kernel(x, channels, (1, 1))
        made = self.kernel(self.kernel(x, channels, (1, 1)), channels, (1, taps))
        both = self.one_scale([side, self.kernel(made, channels, (taps, 1))], 0)
        return self.plus(x, self.kernel(both, self.dims(x)[3], (1, 1), relu=False), relu)

    def row(self, x: int, channels: int) -> int:
        """A row of all channels."""
        depth = self.dims(x)[1]
        drawn = self.random.integers(-127, 128, (channels, depth)).astype(np.int8)
        weights = self.constant("fc", drawn, scale=0.01, zero=0)
        bias = self.constant("fc bias", np.zeros(channels, np.int32), scale=0.0005)
        return self.one(
            "FULLY_CONNECTED", [x, weights, bias], (1, channels), (0.05, 4), "FullyConnectedOptions"
        )


def facenet() -> bytes:
    """Inception-ResNet of 5, 10 and 6 blocks on 160 x 160, 512 features normalized."""
    net = Inception((1, 160, 160, 3))
    three, single = (3, 3), (1, 1)
    x = net.kernel(net.halving(net.quantized(), 32), 32, three, 1, VALID)
    x = net.kernel(net.largest(net.kernel(x, 64, three), 3, 2, VALID), 80, single)
    x = net.halving(net.kernel(x, 192, three, 1, VALID), 256)
    for _ in range(5):
        first = net.kernel(x, 32, single)
        second = net.kernel(net.kernel(x, 32, single), 32, three)
        third = net.kernel(net.kernel(net.kernel(x, 32, single), 32, three), 32, three)
        both = net.one_scale([first, second, third], 0)
        x = net.plus(x, net.kernel(both, 256, single, relu=False), True)
    first = net.halving(x, 384)
    second = net.halving(net.kernel(net.kernel(x, 192, single), 192, three), 256)
    x = net.one_scale([first, second, net.largest(x, 3, 2, VALID)], 2)
    for _ in range(10):
        x = net.crossed(x, 128, 7)
    first = net.halving(net.kernel(x, 256, single), 384)
    second = net.halving(net.kernel(x, 256, single), 256)
    third = net.halving(net.kernel(net.kernel(x, 256, single), 256, three), 256)
    x = net.one_scale([first, second, third, net.largest(x, 3, 2, VALID)], 3)
    for k in range(6):
        x = net.crossed(x, 192, 3, k < 5)
    x = net.row(net.mean(x), 512)
    return net.bytes([net.image], [net.one("L2_NORMALIZATION", [x], (1, 512), (1 / 128, 0), "L2NormOptions")])


def batteries() -> bytes:
    """Blocks of MobileNetV2 on 20 x 50 of two channels, two of them with a Pad before the stride."""
    net = Inception((1, 20, 50, 2), "int8", -3)

    def wider(source: int, channels: int, between: int) -> int:
        return net.plus(source, net.plain(net.depthwise(net.plain(source, between)), channels, activation=0))

    x = net.plain(net.plain(net.image, 16, 3), 32)
    x = net.plain(net.valid(net.padded(x, 1), 32, 3, True, RELU6), 32, activation=0)
    x = net.plain(wider(x, 32, 64), 64)
    x = net.plain(net.valid(net.padded(x, 1), 64, 3, True, RELU6), 64, activation=0)
    x = net.plain(net.depthwise(net.plain(wider(x, 64, 128), 128), 3, 2), 64, activation=0)
    return net.bytes([net.image], [net.row(net.mean(x), 1)])
