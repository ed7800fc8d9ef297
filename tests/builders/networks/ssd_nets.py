"""SSD and SSDLite on MobileNets as ST's model zoo has them from PyTorch, 300 x 300: twelve heads, no decoding; values are drawn."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from builders.networks.mobilenets import V1, V2
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
