"""Networks of ST's and MediaPipe's zoos as TFLite, int8, layer by layer; the weights are drawn."""

from __future__ import annotations

from itertools import count

import numpy as np

from builders.tflite.yolo import SAME, Yolo

RELU, RELU6 = 1, 3


class Mobile(Yolo):
    """Every method takes and gives the number of a tensor; maps are [1, h, w, c]."""

    def __init__(self, side: int, dtype: str = "uint8") -> None:
        super().__init__(side, splits=True)
        self.counted = count(1)
        grid = {"scale": 1 / 127.5, "zero": 127} if dtype == "uint8" else {}
        self.image = self.tensor("image", (1, side, side, 3), dtype, **grid)

    def start(self) -> int:
        """The image as int8."""
        return self.one("QUANTIZE", [self.image], (1, self.side, self.side, 3), (1 / 127.5, -1))

    def weighted(
        self, x: int, channels: int, kernel: int, stride: int, depthwise: bool, activation: int
    ) -> int:
        """A convolution; with an activation its zero point is -128."""
        _, height, width, depth = self.dims(x)
        shape = (1, kernel, kernel, depth) if depthwise else (channels, kernel, kernel, depth)
        drawn = self.random.integers(-127, 128, shape).astype(np.int8)
        scales, axis = [0.01] * channels, 3 if depthwise else 0
        weights = self.constant(f"w{next(self.numbers)}", drawn, scale=scales, axis=axis)
        bias = self.constant(
            f"b{next(self.numbers)}", np.zeros(channels, np.int32), scale=[0.0005] * channels
        )
        grid = (6 / 255, -128) if activation else (0.05, next(self.counted) * 7 % 23 - 11)
        kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        more = {"depthMultiplier": 1} if depthwise else {}
        return self.one(
            kind, [x, weights, bias], (1, -(-height // stride), -(-width // stride), channels), grid,
            "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions", padding=SAME, strideH=stride, strideW=stride,
            dilationHFactor=1, dilationWFactor=1, fusedActivationFunction=activation, **more,
        )  # fmt: skip

    def plain(self, x: int, channels: int, kernel: int = 1, stride: int = 1, activation: int = RELU6) -> int:
        """A convolution of all channels."""
        return self.weighted(x, channels, kernel, stride, False, activation)

    def depthwise(self, x: int, kernel: int = 3, stride: int = 1, activation: int = RELU6) -> int:
        """One of each channel."""
        return self.weighted(x, self.dims(x)[3], kernel, stride, True, activation)

    def plus(self, a: int, b: int, relu: bool = False) -> int:
        """A sum."""
        k = next(self.counted)
        grid = (0.06 + 0.001 * k, -128 if relu else k * 5 % 19 - 9)
        return self.one("ADD", [a, b], self.dims(a), grid, "AddOptions", fusedActivationFunction=int(relu))

    def inverted(self, x: int, channels: int, between: int, stride: int = 1) -> int:
        """The block of MobileNetV2."""
        made = self.plain(self.depthwise(self.plain(x, between), stride=stride), channels, activation=0)
        return self.plus(x, made) if stride == 1 and channels == self.dims(x)[3] else made

    def blocks(self, x: int, channels: int, between: list[int], stride: int) -> int:
        """Several, of which the first may halve the map."""
        for k, width in enumerate(between):
            x = self.inverted(x, channels, width, stride if k == 0 else 1)
        return x

    def twice(self, x: int) -> int:
        """Twice as large, bilinear."""
        _, height, width, depth = self.dims(x)
        size = self.integers([2 * height, 2 * width])
        return self.one(
            "RESIZE_BILINEAR", [x, size], (1, 2 * height, 2 * width, depth), self.grid(x), "ResizeBilinearOptions",
            halfPixelCenters=True,
        )  # fmt: skip

    def halved(self, x: int) -> int:
        """The largest of 2 x 2."""
        _, height, width, depth = self.dims(x)
        return self.one(
            "MAX_POOL_2D", [x], (1, height // 2, width // 2, depth), self.grid(x), "Pool2DOptions", filterHeight=2,
            filterWidth=2, strideH=2, strideW=2, padding=SAME,
        )  # fmt: skip

    def more_channels(self, x: int, added: int) -> int:
        """Zeros behind the channels."""
        _, height, width, depth = self.dims(x)
        pads = self.integers([[0, 0], [0, 0], [0, 0], [0, added]])
        return self.one("PAD", [x, pads], (1, height, width, depth + added), self.grid(x), "PadOptions")

    def prelu(self, x: int) -> int:
        """A slope of each channel for what is negative."""
        k, channels = next(self.counted), self.dims(x)[3]
        drawn = self.random.integers(-127, 128, (1, 1, channels)).astype(np.int8)
        slopes = self.constant(f"s{next(self.numbers)}", drawn, scale=0.005, zero=0)
        return self.one("PRELU", [x, slopes], self.dims(x), (0.05 + 0.001 * k, k % 40 - 60))

    def residual(self, x: int, channels: int, stride: int = 1) -> int:
        """MediaPipe's block of two convolutions, the channels of what goes past them filled up."""
        made = self.plain(self.depthwise(x, 5, stride, 0), channels, activation=0)
        kept = self.halved(x) if stride == 2 else x
        if channels > self.dims(x)[3]:
            kept = self.more_channels(kept, channels - self.dims(x)[3])
        return self.prelu(self.plus(kept, made))

    def real(self, x: int) -> int:
        """Dequantized."""
        made = self.tensor(f"f{next(self.counted)}", self.dims(x), "float32")
        self.operator("DEQUANTIZE", [x], [made], "DequantizeOptions")
        return made


def movenet(side: int = 256, points: int = 17, softmax: bool = True) -> bytes:
    """st_movenet_lightning_a100_heatmaps: MobileNetV2, three bilinear steps up, and a softmax over the map by hand or a Sigmoid."""
    net = Mobile(side)
    x = net.plain(net.depthwise(net.plain(net.start(), 32, 3, 2)), 16, activation=0)
    first = net.blocks(x, 24, [96, 144], 2)
    second = net.blocks(first, 32, [144, 192, 192], 2)
    third = net.blocks(second, 64, [192, 384, 384, 384], 2)
    x = net.blocks(net.blocks(third, 96, [384, 576, 576], 1), 160, [576, 960, 960], 2)
    x = net.plain(net.plain(net.inverted(x, 320, 960), 1280), 64, activation=0)
    for skipped, channels in ((third, 32), (second, 24), (first, 24)):
        x = net.plus(net.twice(x), net.plain(skipped, net.dims(x)[3], activation=0))
        x = net.plain(net.depthwise(x, activation=0), channels)
    x = net.plain(net.plain(net.depthwise(x, activation=0), 96), points, activation=0)
    if not softmax:
        return net.bytes([net.image], [net.one("LOGISTIC", [x], net.dims(x), (1 / 256, -128))])
    shape, single, axes = net.dims(x), (1, 1, 1, points), net.integers([1, 2])
    most = net.one("REDUCE_MAX", [x, axes], single, net.grid(x), "ReducerOptions", keepDims=True)
    x = net.one("SUB", [x, most], shape, (0.1, 127), "SubOptions")
    x = net.one("EXP", [x], shape, (1 / 256, -128), "ExpOptions")
    total = net.one("SUM", [x, axes], single, (4.0, -128), "ReducerOptions", keepDims=True)
    divided = net.tensor("divided", shape, "float32")
    net.operator("DIV", [net.real(x), net.real(total)], [divided], "DivOptions")
    return net.bytes([net.image], [net.one("QUANTIZE", [divided], shape, (1 / 256, -128), "QuantizeOptions")])


def blazeface() -> bytes:
    """MediaPipe's face detector for the front camera, 128: float in and out, eleven Pads of channels."""
    net = Mobile(128, "float32")
    x = net.plain(net.start(), 24, 5, 2, RELU)

    def block(x: int, channels: int, stride: int = 1) -> int:
        made = net.plain(net.depthwise(x, 3, stride, 0), channels, activation=0)
        kept = net.halved(x) if stride == 2 else x
        if channels > net.dims(x)[3]:
            kept = net.more_channels(kept, channels - net.dims(x)[3])
        return net.plus(made, kept, relu=True)

    for channels, stride in ((24, 1), (28, 1), (32, 2), (36, 1), (42, 1), (48, 2), (56, 1), (64, 1), (72, 1)):
        x = block(x, channels, stride)
    wide = block(block(x, 80), 88)
    x = block(wide, 96, 2)
    for _ in range(4):
        x = block(x, 96)
    results = []
    for source, anchors in ((wide, 2), (x, 6)):
        for values in (1, 16):
            made = net.plain(source, anchors * values, activation=0)
            side = net.dims(made)[1]
            results.append(net.real(net.reshaped(made, (1, side * side * anchors, values))))
    return net.bytes([net.image], results)


def thermal() -> bytes:
    """Four 3x3 with a Relu, three of them pooled, and a 1x1: hot spots of a thermal camera, 160 x 120."""
    net = Mobile(160)
    image = net.tensor("temperatures", (1, 120, 160, 1), "int8", 0.01, -128)
    x = image
    for channels in (16, 32, 64):
        x = net.halved(net.plain(x, channels, 3, activation=RELU))
    x = net.plain(net.plain(x, 64, 3, activation=RELU), 8, activation=0)
    return net.bytes([image], [x])


def palms() -> bytes:
    """MediaPipe's detector of palms, 192: 33 PRelu, three Pads of channels, two bilinear steps up, heads for two maps."""
    net = Mobile(192)
    x = net.prelu(net.plain(net.start(), 32, 5, 2, 0))
    kept = []
    for k, (channels, stride) in enumerate(((32, 1), (64, 2), (128, 2), (256, 2), (256, 2))):
        x = net.residual(x, channels, stride)
        for _ in range(3 if k == 0 else 4):
            x = net.residual(x, channels)
        kept.append(x)
    results = []
    for beside, anchors in ((kept[3], 6), (kept[2], 2)):
        channels = net.dims(beside)[3]
        x = net.plus(beside, net.prelu(net.plain(net.twice(x), channels, activation=0)))
        x = net.residual(net.residual(x, channels), channels)
        side = net.dims(x)[1]
        for values in (1, 18):
            made = net.conv(x, anchors * values, zero=values)
            results.append(net.reshaped(made, (1, side * side * anchors, values)))
    found = [net.real(net.joined([results[2 + k], results[k]], 1)) for k in range(2)]
    return net.bytes([net.image], found)
