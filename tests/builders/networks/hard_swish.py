"""SSDLite with MobileNetV3-small, as Estadio-do-Dragao-app/STM32N6-GettingStarted-ObjectDetection compiles it (Core 4.0.0).

x * relu6(x + 3) / 6 is four operators, each between a Q and a DQ; squeeze and excitation stands behind the projection. Kernels,
channels and strides are those of the weights in its network.c, which prints no zero points of activations: those are drawn.
"""

from __future__ import annotations

import numpy as np

from builders.networks.audio_nets import ZERO, add_borders
from builders.networks.small_nets import Net

BLOCKS = (
    (3, 16, 16, False, True, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    *[(5, 240, 40, True, True, 1)] * 2,
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2),
    *[(5, 576, 96, True, True, 1)] * 2,
)
"""Kernel, channels between, channels out, hard swish in place of Relu, squeeze and excitation, stride."""
SEEN = 8
"""Blocks before the first map that the heads read."""
BEHIND = ((115, 512), (128, 256), (128, 256), (64, 64))
"""Channels between and out of what halves the map for the heads behind."""
BOXES = 6


class Detector:
    """A map on its way through the network."""

    def __init__(self) -> None:
        self.net, self.count = Net((1, 3, 300, 300)), 0
        self.last, self.channels = self.net.quantized("x", 1 / 128, -1), 3

    def named(self, op: str) -> str:
        self.count += 1
        return f"{op}{self.count}"

    def put(
        self, op: str, inputs: list[str], scale: float = 0.02, zero: int = 5, **attributes: object
    ) -> str:
        return self.net.quantized(self.net.node(op, inputs, self.named(op), **attributes), scale, zero)

    def number(self, value: float) -> str:
        constant = self.net.constant(self.named("number"), np.array(value, np.float32))
        return self.net.quantized(constant, value / 255, ZERO)

    def conv(
        self, count: int, kernel: int = 1, stride: int = 1, each: bool = False, relu: bool = False
    ) -> None:
        group = self.channels if each else 1
        self.last = self.net.weighted(
            "Conv", self.named("conv"), self.last, (count, self.channels // group, kernel, kernel),
            ZERO if relu else 5, relu, group=group, strides=[stride] * 2, pads=[kernel // 2] * 4,
            kernel_shape=[kernel] * 2,
        )  # fmt: skip
        self.channels = count

    def bounded(self, x: str) -> str:
        """relu6(x + 3)."""
        bounds = [self.net.constant(self.named("bound"), np.array(v, np.float32)) for v in (0, 6)]
        raised = self.put("Add", [x, self.number(3)], 0.04, -100)
        return self.put("Clip", [raised, *bounds], 6 / 255, ZERO)

    def swish(self) -> None:
        product = self.put("Mul", [self.last, self.bounded(self.last)], 0.1, -110)
        self.last = self.put("Div", [product, self.number(6)], 0.1 / 6, -110)

    def gated(self) -> None:
        """Each channel times relu6(y + 3) / 6 of what its mean and those of the others make of it."""
        x, channels = self.last, self.channels
        self.last = self.put("GlobalAveragePool", [x])
        self.conv(channels // 4, relu=True)
        self.conv(channels)
        gate = self.put("Div", [self.bounded(self.last), self.number(6)], 1 / 255, ZERO)
        self.last = self.put("Mul", [x, gate])

    def block(self, kernel: int, wide: int, made: int, swish: bool, gate: bool, stride: int) -> None:
        before, channels = self.last, self.channels
        self.conv(wide, relu=not swish)
        if swish:
            self.swish()
        self.conv(wide, kernel, stride, each=True, relu=not swish)
        if swish:
            self.swish()
        self.conv(made)
        if gate:
            self.gated()
        if stride == 1:
            result, self.last, self.channels = self.last, before, channels
            if channels != made:
                self.conv(made)
            self.last = self.put("Add", [result, self.last])
            self.channels = made

    def head(self, values: int, each: bool) -> str:
        """What is said of each box of a map, its channels last."""
        last, channels = self.last, self.channels
        if each:
            self.conv(channels, 3, each=True, relu=True)
        self.conv(BOXES * values)
        turned = self.net.node("Transpose", [self.last], self.named("turned"), perm=[0, 2, 3, 1])
        sizes = self.net.constant(self.named("sizes"), np.array([1, -1, values], np.int64))
        self.last, self.channels = last, channels
        return self.net.node("Reshape", [turned, sizes], self.named("boxes"))


def ssdlite() -> bytes:
    """The whole network, of two classes."""
    made = Detector()
    made.conv(16, 3, 2)
    made.swish()
    maps = []
    for k, block in enumerate(BLOCKS, 1):
        made.block(*block)
        if k == SEEN:
            maps.append((made.last, made.channels))
    made.conv(576)
    made.swish()
    maps.append((made.last, made.channels))
    for wide, channels in BEHIND:
        made.conv(wide, relu=True)
        made.conv(wide, 3, 2, each=True, relu=True)
        made.conv(channels)
        maps.append((made.last, made.channels))
    said: tuple[list[str], list[str]] = [], []
    for k, (made.last, made.channels) in enumerate(maps):
        for values, parts in zip((2, 4), said, strict=True):
            parts.append(made.head(values, k < len(maps) - 1))
    classes, places = (made.put("Concat", parts, 0.03, 2, axis=1) for parts in said)
    model = made.net.model(classes, (1, 3000, 2))
    add_borders(model, [], [places], (1, 3000, 4))
    return model.SerializeToString()
