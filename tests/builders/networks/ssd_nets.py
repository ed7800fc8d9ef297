"""SSD and SSDLite on MobileNets as ST's model zoo has them from PyTorch, 300 x 300: twelve heads, no decoding; values are drawn.

MobileNetV3 has x * relu6(x + 3) / 6 in four operators.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from builders.networks.mobilenets import RELU6, V1, V2
from builders.networks.stem_nets import State
from builders.networks.torch_cnns import Torch

ANCHORS, SIDE = 6, 300


class Ssd(Torch):
    """Six maps that heads read."""

    def __init__(self, lite: bool) -> None:
        super().__init__(SIDE)
        self.lite, self.maps = lite, list[State]()

    def keep(self) -> None:
        """The map as it is, for heads."""
        self.maps.append(self.state)

    def wider(self, count: int, stride: int = 2) -> None:
        """A 3x3, in two steps where it is lite."""
        if self.lite:
            self.each(3, stride)
            self.conv(count)
        else:
            self.conv(count, 3, stride)

    def rows(self, values: int) -> str:
        """What the heads say for `values` of each anchor, as rows."""
        net, parts, total = self.net, [], 0
        for at, state in enumerate(self.maps):
            self.back(state)
            count = ANCHORS * values
            if at == len(self.maps) - 1:
                self.conv(count, linear=True)
            elif self.lite:
                self.each()
                self.conv(count, linear=True)
            else:
                self.conv(count, 3, linear=True)
            places = ANCHORS * self.side**2
            made = net.node("Transpose", [self.last], f"turned{self.count}", perm=[0, 2, 3, 1])
            made = net.quantized(made, 0.02, 3)
            shape = net.constant(f"rows{self.count}_shape", np.array([1, places, values]))
            parts.append(net.quantized(net.node("Reshape", [made, shape], f"rows{self.count}"), 0.02, 3))
            total += places
        return net.quantized(net.node("Concat", parts, f"found{values}", axis=1), 0.021, 4)

    def done(self, classes: int) -> bytes:
        """Scores and places; `classes` counts the background."""
        scores, places = self.rows(classes), self.rows(4)
        total = sum(ANCHORS * state[2] ** 2 for state in self.maps)
        model = self.net.model(scores, (1, total, classes))
        model.graph.output.append(helper.make_tensor_value_info(places, TensorProto.FLOAT, (1, total, 4)))
        data: bytes = model.SerializeToString()
        return data


def ssdlite_v1(classes: int) -> bytes:
    net = Ssd(True)
    net.conv(32, 3, 2)
    for at, (count, stride) in enumerate(V1):
        net.each(3, stride)
        net.conv(count)
        if at in (10, 12):
            net.keep()
    for few, count in ((256, 512), (128, 256), (128, 256), (128, 256)):
        net.conv(few)
        net.wider(count)
        net.keep()
    return net.done(classes)


def ssd_v2(classes: int, lite: bool = True) -> bytes:
    """The first heads read what the 14th block is expanded to."""
    net, at = Ssd(lite), 0
    net.conv(32, 3, 2)
    for wide, count, times, stride in V2:
        for again in range(times):
            before = net.last
            if wide > 1:
                net.conv(net.channels * wide)
            if at == 13:
                net.keep()
            net.each(3, 1 if again else stride)
            net.conv(count, linear=True)
            if again:
                net.summed(before, False)
            at += 1
    net.conv(1280)
    net.keep()
    for count, part in ((512, 0.2), (256, 0.25), (256, 0.5), (64, 0.25)):
        if lite:
            net.conv(round(net.channels * part))
            net.each(3, 2)
            net.conv(count, linear=True)
        else:
            net.conv(count)
            net.conv(count, 3, 2)
        net.keep()
    return net.done(classes)


SMALL = (
    (3, 16, 16, False, True, 2), (3, 72, 24, False, False, 2), (3, 88, 24, False, False, 1), (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1), (5, 240, 40, True, True, 1), (5, 120, 48, True, True, 1), (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2), (5, 576, 96, True, True, 1), (5, 576, 96, True, True, 1),
)  # fmt: skip
"""Kernel, channels between and behind, whether they are swished and gated, stride."""


class Swished(Ssd):
    """Blocks whose gate stands behind the last 1x1."""

    def clipped(self, source: str) -> str:
        """relu6(x + 3)."""
        self.count += 1
        net = self.net
        three = net.quantized(net.constant(f"three{self.count}", np.float32(3)), 3 / 127, 0)
        added = net.node("Add", [source, three], f"three_more{self.count}")
        bounds = [net.constant(f"bound{self.count}_{k}", np.float32(k)) for k in (0, 6)]
        return net.quantized(net.node("Clip", [added, *bounds], f"clip{self.count}"), 6 / 255, RELU6)

    def sixth(self, source: str, scale: float, zero: int) -> str:
        net = self.net
        six = net.quantized(net.constant(f"six{self.count}", np.float32(6)), 6 / 127, 0)
        return net.quantized(net.node("Div", [source, six], f"sixth{self.count}"), scale, zero)

    def swish(self) -> None:
        net, x = self.net, self.last
        made = net.node("Mul", [x, self.clipped(x)], f"swish{self.count}")
        self.last = self.sixth(net.quantized(made, 0.06, -100 - self.count % 9), 0.01, -100 - self.count % 9)

    def nonlinear(self, count: int, kernel: int, stride: int, swished: bool, each: bool = False) -> None:
        self.conv(count, kernel, stride, each=each, linear=swished)
        if swished:
            self.swish()

    def gate(self) -> None:
        """Squeeze and excitation."""
        net, x, channels = self.net, self.state, self.channels
        self.last = net.quantized(net.node("GlobalAveragePool", [x[0]], f"mean{self.count}"), 0.02, 4)
        self.side = 1
        self.conv(channels // 4)
        self.conv(channels, linear=True)
        gate = self.sixth(self.clipped(self.last), 1 / 255, RELU6)
        self.back(x)
        made = net.node("Mul", [x[0], gate], f"scaled{self.count}")
        self.last = net.quantized(made, 0.02, self.zero())

    def block(self, kernel: int, between: int, count: int, swished: bool, gated: bool, stride: int) -> None:
        before = self.state
        self.nonlinear(between, 1, 1, swished)
        self.nonlinear(between, kernel, stride, swished, each=True)
        self.conv(count, linear=True)
        if gated:
            self.gate()
        if stride == 1:
            made = self.state
            if before[1] != count:
                self.back(before)
                self.conv(count, linear=True)
                before = self.state
            self.back(made)
            self.summed(before[0], False)


def ssdlite_v3(classes: int) -> bytes:
    """The first heads read the eighth block."""
    net = Swished(True)
    net.nonlinear(16, 3, 2, True)
    for at, (kernel, between, count, swished, gated, stride) in enumerate(SMALL):
        net.block(kernel, between, count, swished, gated, stride)
        if at == 7:
            net.keep()
    net.nonlinear(576, 1, 1, True)
    net.keep()
    for between, count in ((256, 512), (128, 256), (128, 256), (64, 64)):
        net.block(3, between, count, True, False, 2)
        net.keep()
    return net.done(classes)
