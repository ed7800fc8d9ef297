"""Networks of boards' examples as TFLite, int8, rebuilt from reports of public builds; the weights are drawn."""

from __future__ import annotations

import numpy as np

from builders.tflite.mobile import RELU, RELU6, Mobile
from builders.tflite.yolo import SAME, VALID


class Example(Mobile):
    """Maps of any shape; `image` is what is given."""

    def __init__(self, shape: tuple[int, ...], dtype: str = "uint8", zero: int = 20) -> None:
        super().__init__(shape[1])
        self.whole = shape
        image = self.graph.tensors[self.image]
        image.shape = list(shape)
        if dtype == "int8":
            image.type = 9
            image.quantization.scale, image.quantization.zeroPoint = [0.05], [zero]

    def quantized(self) -> int:
        """The image as int8."""
        return self.one("QUANTIZE", [self.image], self.whole, (1 / 127.5, -1))

    def padded(self, x: int, amount: int) -> int:
        """The same around a map."""
        _, height, width, depth = self.dims(x)
        pads = self.integers([[0, 0], [amount, amount], [amount, amount], [0, 0]])
        shape = (1, height + 2 * amount, width + 2 * amount, depth)
        return self.one("PAD", [x, pads], shape, self.grid(x), "PadOptions")

    def valid(self, x: int, channels: int, kernel: int, depthwise: bool, activation: int) -> int:
        """A convolution that halves a map padded before."""
        _, height, width, _ = self.dims(x)
        made = self.weighted(x, channels, kernel, 2, depthwise, activation)
        size = [(height - kernel) // 2 + 1, (width - kernel) // 2 + 1]
        self.graph.tensors[made].shape = [1, *size, channels]
        self.graph.operators[-1].builtinOptions.padding = VALID
        return made

    def largest(self, x: int, window: int, stride: int, padding: int = SAME) -> int:
        """The largest of a window."""
        _, height, width, depth = self.dims(x)
        less = 0 if padding == SAME else window - 1
        size = [-(-(side - less) // stride) for side in (height, width)]
        return self.one(
            "MAX_POOL_2D", [x], (1, *size, depth), self.grid(x), "Pool2DOptions", filterHeight=window, filterWidth=window,
            strideH=stride, strideW=stride, padding=padding,
        )  # fmt: skip

    def mean(self, x: int) -> int:
        """Of the map, as a row."""
        shape = (1, self.dims(x)[3])
        return self.one(
            "MEAN", [x, self.integers([1, 2])], shape, (0.02, -128), "ReducerOptions", keepDims=False
        )


def tiny_yolo(side: int = 224) -> bytes:
    """TinyYOLOv2: nine convolutions; the last pooling moves by 1 and keeps the map's size."""
    net = Example((1, side, side, 3))

    def leaky(source: int, channels: int) -> int:
        made = net.plain(source, channels, 3, activation=0)
        grid = (0.04, -100 + next(net.counted) % 9)
        return net.one("LEAKY_RELU", [made], net.dims(made), grid, "LeakyReluOptions", alpha=0.1)

    x = net.quantized()
    for k, channels in enumerate((16, 32, 64, 128, 256, 512)):
        x = net.largest(leaky(x, channels), 2, 2 if k < 5 else 1)
    x = net.plain(leaky(leaky(x, 1024), 512), 30, activation=0)
    return net.bytes([net.image], [net.real(x)])


FAST = ((48, 2), (80, 2), (64, 1), (96, 2), (64, 1), (128, 2), *[(128, 1)] * 4, (256, 1))
"""ST's FD-MobileNet: channels and stride of each pair."""


def st_fd_mobilenet(side: int = 224, classes: int = 101) -> bytes:
    """Pixels from 0 to 1, no activation behind the depthwise ones."""
    net = Example((1, side, side, 3))
    grid = net.graph.tensors[net.image].quantization
    grid.scale, grid.zeroPoint = [1 / 255], [0]
    x = net.plain(net.one("QUANTIZE", [net.image], net.whole, (1 / 255, -128)), 16, 3, 2)
    for channels, stride in FAST:
        x = net.plain(net.depthwise(x, 3, stride, 0), channels)
    mean = (1, 1, 1, net.dims(x)[3])
    x = net.one("MEAN", [x, net.integers([1, 2])], mean, (0.02, -128), "ReducerOptions", keepDims=True)
    x = net.reshaped(net.plain(x, classes, activation=0), (1, classes))
    x = net.one("SOFTMAX", [x], (1, classes), (1 / 256, -128), "SoftmaxOptions", beta=1.0)
    return net.bytes([net.image], [net.real(x)])


def persons() -> bytes:
    """A MobileNetV2 on 256 x 128 without its head, mobilenetv2_a100_256_128_fft of ST's re-identification example."""
    net = Example((1, 256, 128, 3))
    x = net.plain(net.depthwise(net.plain(net.quantized(), 32, 3, 2)), 16, activation=0)
    for channels, between, stride in BODY:
        x = net.blocks(x, channels, between, stride)
    return net.bytes([net.image], [net.mean(net.plain(net.inverted(x, 320, 960), 1280))])


BODY: tuple[tuple[int, list[int], int], ...] = (
    (24, [96, 144], 2), (32, [144, 192, 192], 2), (64, [192, 384, 384, 384], 2), (96, [384, 576, 576], 1),
    (160, [576, 960, 960], 2),
)  # fmt: skip
"""The blocks of MobileNetV2: channels, those between, stride of the first."""


def centerface() -> bytes:
    """CenterFace on 128 x 128, channels first: a MobileNetV2, three transposed convolutions up, four results."""
    net = Example((1, 3, 128, 128))

    def inverted(source: int, channels: int, between: int, stride: int) -> int:
        made = net.plain(source, between)
        made = net.valid(net.padded(made, 1), between, 3, True, RELU6) if stride == 2 else net.depthwise(made)
        made = net.plain(made, channels, activation=0)
        return net.plus(source, made) if stride == 1 and net.dims(source)[3] == channels else made

    def up(source: int) -> int:
        _, height, width, depth = net.dims(source)
        drawn = net.random.integers(-127, 128, (24, 2, 2, depth)).astype(np.int8)
        weights = net.constant(f"w{next(net.numbers)}", drawn, scale=[0.01] * 24, axis=0)
        bias = net.constant(f"b{next(net.numbers)}", np.zeros(24, np.int32), scale=[0.0005] * 24)
        shape = (1, 2 * height, 2 * width, 24)
        grid = (0.05, next(net.counted) * 7 % 23 - 11)
        return net.one(
            "TRANSPOSE_CONV", [net.integers(shape), weights, source, bias], shape, grid, "TransposeConvOptions",
            padding=VALID, strideH=2, strideW=2,
        )  # fmt: skip

    x = net.valid(net.padded(net.transposed(net.quantized(), (0, 2, 3, 1)), 1), 32, 3, False, RELU6)
    x = net.plain(net.depthwise(x), 16, activation=0)
    maps = []
    for channels, between, stride in BODY:
        for k, width in enumerate(between):
            x = inverted(x, channels, width, stride if k == 0 else 1)
        maps.append(x)
    x = net.plain(inverted(x, 320, 960, 1), 24)
    for skipped in (maps[3], maps[1], maps[0]):
        x = net.plus(up(x), net.plain(skipped, 24))
    x = net.plain(x, 24, 3)
    heat = net.plain(x, 1, activation=0)
    heat = net.one("LOGISTIC", [heat], net.dims(heat), (1 / 256, -128))
    others = [net.plain(x, count, activation=0) for count in (2, 2, 10)]
    return net.bytes([net.image], [net.real(one) for one in (heat, *others)])


def pulse() -> bytes:
    """Three convolutions and a mean on 36 x 36: spatial_cnn_int8 of a pulse meter."""
    net = Example((1, 36, 36, 3), "int8", -128)
    x = net.halved(net.plain(net.image, 16, 3, activation=RELU))
    x = net.plain(net.halved(net.plain(x, 32, 3, activation=RELU)), 16, 3, activation=RELU)
    return net.bytes([net.image], [net.mean(x)])


def siren() -> bytes:
    """A MiniResNet on a spectrogram of 64 x 50: a 7x7 of stride 2, a pooling padded by an operator of its own, two blocks."""
    net = Example((1, 64, 50, 1), "int8")
    x = net.valid(net.padded(net.image, 3), 64, 7, False, RELU)
    x = net.largest(net.padded(x, 1), 3, 2, VALID)
    beside, made = (net.weighted(x, 64, 1, 2, False, activation) for activation in (0, RELU))
    x = net.plus(beside, net.plain(made, 64, 3, activation=RELU), relu=True)
    made = net.plain(net.plain(x, 64, activation=RELU), 64, 3, activation=RELU)
    x = net.reshaped(net.plus(x, made, relu=True), (1, 3584))
    weights = net.constant("fc", net.random.integers(-127, 128, (1, 3584)).astype(np.int8), scale=0.01)
    bias = net.constant("fc_bias", np.zeros(1, np.int32), scale=0.0005)
    x = net.one("FULLY_CONNECTED", [x, weights, bias], (1, 1), (0.1, 10), "FullyConnectedOptions")
    return net.bytes([net.image], [net.one("LOGISTIC", [x], (1, 1), (1 / 256, -128))])


def spectra() -> bytes:
    """YamNet-256 on 64 x 96 mel bands, ten classes (aleksMuhicFri2/stm32n6-edge-audio-classifier, Core 4.0.1)."""
    net = Example((1, 64, 96, 1), "int8", zero=3)
    x = net.plain(net.transposed(net.image, (0, 2, 1, 3)), 32, 3, 2, RELU)
    for channels, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        x = net.plain(net.depthwise(x, 3, stride, RELU), channels, activation=RELU)
    mean = net.one(
        "MEAN", [x, net.integers([1, 2])], (1, 256), (0.02, -128), "ReducerOptions", keepDims=False
    )
    drawn = net.random.integers(-127, 128, (10, 256)).astype(np.int8)
    weights, bias = (
        net.constant("dense", drawn, scale=0.01),
        net.constant("bias", np.zeros(10, np.int32), scale=0.0002),
    )
    x = net.one(
        "FULLY_CONNECTED", [mean, weights, bias], (1, 10), (0.1, 5), "FullyConnectedOptions", fusedActivationFunction=0
    )  # fmt: skip
    x = net.one("SOFTMAX", [x], (1, 10), (1 / 256, -128), "SoftmaxOptions", beta=1.0)
    made = net.tensor("classes", (1, 10), "float32")
    net.operator("DEQUANTIZE", [x], [made])
    return net.bytes([net.image], [made])


def beats() -> bytes:
    """A Conv1d of three taps on 250 samples, a pooling by two, and two layers (MIT_BIH_quant_114)."""
    net = Example((1, 250, 1), "int8", -1)

    def weights(shape: tuple[int, ...]) -> list[int]:
        drawn, count = net.random.integers(-127, 128, shape).astype(np.int8), shape[0]
        return [
            net.constant(f"w{next(net.numbers)}", drawn, scale=[0.003] * count, axis=0),
            net.constant(f"b{next(net.numbers)}", np.zeros(count, np.int32), scale=[0.0001] * count),
        ]

    x = net.one(
        "CONV_2D", [net.reshaped(net.image, (1, 1, 250, 1)), *weights((32, 1, 3, 1))], (1, 1, 248, 32), (0.018, -128),
        "Conv2DOptions", padding=VALID, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1,
        fusedActivationFunction=RELU,
    )  # fmt: skip
    x = net.one(
        "MAX_POOL_2D", [net.reshaped(x, (1, 1, 248, 32))], (1, 1, 124, 32), net.grid(x), "Pool2DOptions",
        filterHeight=1, filterWidth=2, strideH=1, strideW=2, padding=VALID,
    )  # fmt: skip
    x = net.reshaped(x, (1, 3968))
    for before, count, zero, activation in ((3968, 32, -128, RELU), (32, 2, -1, 0)):
        x = net.one(
            "FULLY_CONNECTED", [x, *weights((count, before))], (1, count), (0.2, zero), "FullyConnectedOptions",
            fusedActivationFunction=activation,
        )  # fmt: skip
    scores = net.one("SOFTMAX", [x], (1, 2), (1 / 256, -128), "SoftmaxOptions", beta=1.0)
    return net.bytes([net.image], [scores])


def gauges() -> bytes:
    """MobileNetV2 0.35 on 224 and a decoder that doubles the map four times, two of its heads maps (tip_focus_v4_112_int8, Core 4.0.0).

    The third step up is joined with the expansion of the third block: 32 and 16 channels.
    """
    net = Example((1, 224, 224, 3), "int8", zero=-128)
    x, skipped = net.plain(net.depthwise(net.plain(net.image, 16, 3, 2)), 8, activation=0), 0
    for channels, times, stride in ((8, 2, 2), (16, 3, 2), (24, 4, 2), (32, 3, 1), (56, 3, 2), (112, 1, 1)):
        for k in range(times):
            before, depth, step = x, net.dims(x)[3], 1 if k else stride
            wide = net.plain(x, 6 * depth)
            skipped = skipped or (wide if channels == 16 else 0)
            x = net.plain(net.depthwise(wide, stride=step), channels, activation=0)
            x = net.plus(before, x) if step == 1 and depth == channels else x
    x = net.plain(x, 1280)
    for channels in (128, 64, 32):
        x = net.twice(net.plain(x, channels, 3, activation=RELU))
    parts = [x, net.plain(skipped, 16, activation=RELU)]
    x = net.one("CONCATENATION", parts, (1, 56, 56, 48), net.grid(x), "ConcatenationOptions", axis=3)
    x = net.twice(net.plain(x, 32, 3, activation=RELU))
    heads = [net.plain(x, 1, activation=0) for _ in range(2)]
    drawn = net.random.integers(-127, 128, (1, 32)).astype(np.int8)
    weights, bias = (
        net.constant("dense", drawn, scale=0.01),
        net.constant("bias", np.zeros(1, np.int32), scale=0.0002),
    )
    heads.append(
        net.one(
            "FULLY_CONNECTED", [net.mean(x), weights, bias], (1, 1), (0.1, 5), "FullyConnectedOptions", fusedActivationFunction=0
        )
    )  # fmt: skip
    return net.bytes([net.image], [net.one("LOGISTIC", [h], net.dims(h), (1 / 256, -128)) for h in heads])
