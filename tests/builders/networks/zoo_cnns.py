"""More classifiers of ST's model zoo: MobileNetV4, MnasNet, ST's EfficientNet, DarkNet, DeepLabV3; values are drawn."""

from __future__ import annotations

import numpy as np

from builders.networks.mobilenets import RELU6, V2, Chain, eights
from builders.networks.torch_cnns import Torch

UIR = (
    (5, 5, 2, 3, 96), (0, 3, 1, 2, 96), (0, 3, 1, 2, 96), (0, 3, 1, 2, 96), (0, 3, 1, 2, 96), (3, 0, 1, 4, 96),
    (3, 3, 2, 6, 128), (5, 5, 1, 4, 128), (0, 5, 1, 4, 128), (0, 5, 1, 3, 128), (0, 3, 1, 4, 128), (0, 3, 1, 4, 128),
)  # fmt: skip
"""MobileNetV4's blocks: kernels before and behind the expansion (0: none), stride, expansion and channels."""


def mobile_v4() -> bytes:
    """MobileNetV4-Conv-S of timm."""
    net = Torch(224)
    for count, kernel, stride in ((32, 3, 2), (32, 3, 2), (32, 1, 1), (96, 3, 2), (64, 1, 1)):
        net.conv(count, kernel, stride)
    for first, second, stride, wide, count in UIR:
        before, channels = net.last, net.channels
        if first:
            net.each(first, 1 if second else stride, linear=True)
        net.conv(channels * wide)
        if second:
            net.each(second, stride)
        net.conv(count, linear=True)
        if stride == 1 and channels == count:
            net.summed(before, False)
    net.conv(960)
    mean = net.net.node("GlobalAveragePool", [net.last], "pooled")
    net.last, net.side = net.net.quantized(mean, 0.02, RELU6), 1
    net.conv(1280)
    row = net.net.quantized(net.net.node("Flatten", [net.last], "row"), 0.01, RELU6)
    result = net.net.weighted("Gemm", "classes", row, (1000, 1280), 5, False, transB=1)
    return net.net.model(result, (1, 1000)).SerializeToString()


HALF_MNAS = (
    (3, 16, 3, 2, 3),
    (3, 24, 3, 2, 5),
    (6, 40, 3, 2, 5),
    (6, 48, 2, 1, 3),
    (6, 96, 4, 2, 5),
    (6, 160, 1, 1, 3),
)
"""Expansion, channels, repetitions, stride, kernel."""


def half_mnasnet() -> bytes:
    """MnasNet-B1 of half the width, of torchvision."""
    net = Torch(224)
    net.conv(16, 3, 2)
    net.each()
    net.conv(8, linear=True)
    for wide, count, times, stride, kernel in HALF_MNAS:
        for at in range(times):
            before = net.last
            net.conv(net.channels * wide)
            net.each(kernel, 1 if at else stride)
            net.conv(count, linear=True)
            if at:
                net.summed(before, False)
    net.conv(1280)
    return net.scored()


LC = (
    (1, 16, 1, 1, 3),
    (3, 24, 2, 2, 3),
    (3, 40, 2, 2, 5),
    (3, 80, 3, 2, 3),
    (3, 112, 3, 1, 5),
    (3, 192, 4, 2, 5),
    (3, 320, 1, 1, 3),
)
"""Expansion, channels of EfficientNet-B0, repetitions, stride, kernel."""


def efficient_lc(side: int, classes: int = 101) -> bytes:
    """ST's EfficientNet-LC: 0.45 of the width, squeeze and excitation in every block, pixels from 0 to 1."""
    net = Chain(side, zero=RELU6)
    net.conv(eights(32 * 0.45), 3, 2)
    for wide, full, times, stride, kernel in LC:
        for at in range(times):
            before, channels = net.last, net.channels
            if wide > 1:
                net.conv(channels * wide)
            net.conv(net.channels, kernel, 1 if at else stride, each=True)
            net.gated(max(1, channels // 4))
            net.conv(eights(full * 0.45), linear=True)
            if net.channels == channels and (at or stride == 1):
                net.plus(before)
    net.conv(eights(1280 * 0.45))
    return net.classified(classes)


def dark_tiny() -> bytes:
    """DarkNet-Tiny of pytorchcv: a LeakyRelu behind each convolution."""
    net = Torch(224)
    stages = ((16,), (32,), (16, 128, 16, 128), (32, 256, 32, 256), (64, 512, 64, 512, 128))
    for stage, counts in enumerate(stages):
        for at, count in enumerate(counts):
            net.conv(count, 1 if len(counts) > 1 and at % 2 == 0 else 3, linear=True)
            made = net.net.node("LeakyRelu", [net.last], f"leaky{net.count}", alpha=0.1)
            net.last = net.net.quantized(made, 0.01, -100 + net.count % 9)
        if stage < 4:
            net.largest(2, 0)
    net.conv(1000, linear=True)
    mean = net.net.quantized(net.net.node("GlobalAveragePool", [net.last], "mean"), 0.02, 3)
    row = net.net.quantized(net.net.node("Flatten", [mean], "row"), 0.02, 3)
    return net.net.model(row, (1, 1000)).SerializeToString()


class Dilated(Chain):
    """Has convolutions whose taps lie apart."""

    def apart(self, dilation: int) -> None:
        """A depthwise 3x3."""
        self.count += 1
        self.last = self.net.weighted(
            "Conv", f"conv{self.count}", self.last, (self.channels, 1, 3, 3), RELU6, group=self.channels,
            dilations=[dilation] * 2, pads=[dilation] * 4, kernel_shape=[3, 3],
        )  # fmt: skip

    def enlarged(self, factor: int, zero: int) -> None:
        """Bilinear."""
        self.count += 1
        scales = self.net.constant(f"by{self.count}", np.array([1, 1, factor, factor], np.float32))
        made = self.net.node(
            "Resize", [self.last, "", scales], f"up{self.count}", mode="linear",
            coordinate_transformation_mode="half_pixel",
        )  # fmt: skip
        self.last, self.side = self.net.quantized(made, 0.01, zero), self.side * factor


def deeplab(side: int, classes: int = 2) -> bytes:
    """Output stride 16: the 14th block's expansion is what the five branches read."""
    net = Dilated(side)
    net.conv(eights(32 * 0.5), 3, 2)
    blocks = [
        (wide, eights(count * 0.5), 1 if at else stride, bool(at))
        for wide, count, times, stride in V2
        for at in range(times)
    ]
    for wide, count, stride, again in blocks[:13]:
        before = net.last
        if wide > 1:
            net.conv(net.channels * wide)
        net.conv(net.channels, 3, stride, each=True)
        net.conv(count, linear=True)
        if again:
            net.plus(before)
    net.conv(net.channels * 6)
    whole, channels, height = net.last, net.channels, net.side
    net.conv(256)
    parts = [net.last]
    for k in (1, 2, 3):
        net.last, net.channels = whole, channels
        net.apart(height // 5 * k)
        net.conv(256)
        parts.append(net.last)
    mean = net.net.node("GlobalAveragePool", [whole], "mean")
    net.last, net.channels, net.side = net.net.quantized(mean, 0.02, RELU6), channels, 1
    net.conv(256)
    net.enlarged(height, RELU6)
    joined = net.net.node("Concat", [*parts, net.last], "branches", axis=1)
    net.last, net.channels = net.net.quantized(joined, 0.012, RELU6), 1280
    net.conv(256)
    net.conv(classes, linear=True)
    net.enlarged(16, 5)
    return net.net.model(net.last, (1, classes, side, side)).SerializeToString()
