"""MobileNet v1 and v2 of any width, as ST's model zoo quantizes them; weights and the zero points of sums are drawn."""

from __future__ import annotations

import numpy as np

from builders.networks.small_nets import Net

RELU6 = -128
V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
"""Channels and stride of each pair of a depthwise and a pointwise convolution."""
V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, repetitions and stride of the inverted residuals."""


class Chain:
    """A map on its way through the network."""

    def __init__(self, side: int | tuple[int, int], channels: int = 3, zero: int = -1) -> None:
        high, wide = side if isinstance(side, tuple) else (side, side)
        self.net = Net((1, channels, high, wide))
        self.last, self.channels = self.net.quantized("x", 1 / 128, zero), channels
        self.side, self.count = high, 0
        self.drawn = np.random.default_rng(3)

    def conv(
        self, count: int, kernel: int = 1, stride: int = 1, each: bool = False, linear: bool = False
    ) -> None:
        """A Conv, padded as TensorFlow pads, depthwise where it is one for `each` channel."""
        self.count += 1
        out = -(-self.side // stride)
        missing = max(0, (out - 1) * stride + kernel - self.side)
        group = self.channels if each else 1
        self.last = self.net.weighted(
            "Conv", f"conv{self.count}", self.last, (count, self.channels // group, kernel, kernel),
            self.zero() if linear else RELU6, not linear, group=group, strides=[stride] * 2,
            pads=[missing // 2] * 2 + [missing - missing // 2] * 2, kernel_shape=[kernel] * 2,
        )  # fmt: skip
        self.channels, self.side = count, out

    def plus(self, before: str) -> None:
        """The sum with what the map was before."""
        added = self.net.node("Add", [before, self.last], f"add{self.count}")
        self.last = self.net.quantized(added, 0.02, self.zero())

    def gated(self, few: int) -> None:
        """Squeeze and excitation: each channel times what its mean and those of the others make of it."""
        net, x, channels, k = self.net, self.last, self.channels, self.count
        mean = net.quantized(net.node("GlobalAveragePool", [x], f"mean{k}"), 0.02, RELU6)
        less = net.weighted("Conv", f"less{k}", mean, (few, channels, 1, 1), RELU6, kernel_shape=[1, 1])
        more = net.weighted(
            "Conv", f"more{k}", less, (channels, few, 1, 1), self.zero(), False, kernel_shape=[1, 1]
        )
        gate = net.quantized(net.node("Sigmoid", [more], f"gate{k}"), 1 / 255, -128)
        self.last = net.quantized(net.node("Mul", [x, gate], f"scaled{k}"), 0.02, RELU6)

    def zero(self) -> int:
        return int(self.drawn.integers(-15, 15))

    def classified(self, classes: int) -> bytes:
        """The mean of the map, a Gemm and a Softmax."""
        net = self.net
        mean = net.quantized(net.node("GlobalAveragePool", [self.last], "mean"), 0.02, RELU6)
        row = net.quantized(net.node("Flatten", [mean], "row"), 0.02, RELU6)
        row = net.weighted("Gemm", "classes", row, (classes, self.channels), 5, False, transB=1)
        result = net.quantized(net.node("Softmax", [row], "softmax", axis=1), 1 / 256, -128)
        return net.model(result, (1, classes)).SerializeToString()


def mobilenet_v1(width: float, side: int, classes: int) -> bytes:
    chain = Chain(side)
    chain.conv(int(32 * width), 3, 2)
    for count, stride in V1:
        chain.conv(chain.channels, 3, stride, each=True)
        chain.conv(int(count * width))
    return chain.classified(classes)


def mobilenet_v2(width: float, side: int, classes: int) -> bytes:
    chain = Chain(side)
    chain.conv(eights(32 * width), 3, 2)
    for expansion, count, times, stride in V2:
        for at in range(times):
            before, channels = chain.last, chain.channels
            if expansion > 1:
                chain.conv(channels * expansion)
            chain.conv(chain.channels, 3, 1 if at else stride, each=True)
            chain.conv(eights(count * width), linear=True)
            if at:
                chain.plus(before)
    chain.conv(max(1280, eights(1280 * width)))
    return chain.classified(classes)


FAST = ((64, 2), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 4, (1024, 1))
"""FD-MobileNet, as `V1`."""
MNAS = (
    (6, 24, 2, 2, 3, False),
    (3, 40, 3, 2, 5, True),
    (6, 80, 4, 2, 3, False),
    (6, 112, 2, 1, 3, True),
    (6, 160, 3, 2, 5, True),
    (6, 320, 1, 1, 3, False),
)
"""MnasNet-A1: expansion, channels, repetitions, stride, kernel, and whether the channels are gated."""


PRUNED = (
    (48, 16, 2), (80, 16, 1), (96, 16, 2), (64, 16, 1), (96, 16, 1), (96, 32, 2), (152, 32, 1), (136, 32, 1), (168, 32, 1),
    (160, 24, 1), (232, 24, 1), (200, 24, 1), (272, 48, 2), (272, 48, 1), (120, 48, 1), (328, 8, 1),
)  # fmt: skip
"""MobileNetV2 0.5 on 128 x 128 without what was pruned: channels between, channels, stride."""


def pruned() -> bytes:
    """Of two classes."""
    chain = Chain(128)
    chain.conv(8, 3, 2)
    chain.conv(8, 3, each=True)
    chain.conv(8, linear=True)
    for between, count, stride in PRUNED:
        before, kept = chain.last, stride == 1 and count == chain.channels
        chain.conv(between)
        chain.conv(between, 3, stride, each=True)
        chain.conv(count, linear=True)
        if kept:
            chain.plus(before)
    chain.conv(16)
    return chain.classified(2)


def fd_mobilenet(width: float, side: int, classes: int) -> bytes:
    chain = Chain(side)
    chain.conv(int(32 * width), 3, 2)
    for count, stride in FAST:
        chain.conv(chain.channels, 3, stride, each=True)
        chain.conv(int(count * width))
    return chain.classified(classes)


def mnasnet(gated: bool = True) -> bytes:
    """MnasNet-A1 on 224 x 224 (semnasnet100 of timm), or without its gates."""
    chain = Chain(224)
    chain.conv(32, 3, 2)
    chain.conv(32, 3, each=True)
    chain.conv(16, linear=True)
    for expansion, count, times, stride, kernel, gates in MNAS:
        for at in range(times):
            before, channels = chain.last, chain.channels
            chain.conv(channels * expansion)
            chain.conv(chain.channels, kernel, 1 if at else stride, each=True)
            if gates and gated:
                chain.gated(channels // 4)
            chain.conv(count, linear=True)
            if at:
                chain.plus(before)
    chain.conv(1280)
    return chain.classified(1000)


def person_detect() -> bytes:
    """MobileNetV1 of a quarter on 96 x 96 grey pixels, as TensorFlow Lite Micro has it."""
    chain = Chain(96, 1)
    chain.conv(8, 3, 2)
    for count, stride in V1:
        chain.conv(chain.channels, 3, stride, each=True)
        chain.conv(count // 4)
    return chain.classified(2)


def eights(channels: float) -> int:
    """The nearest multiple of 8, but no more than a tenth less."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near
