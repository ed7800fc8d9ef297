"""DeepLabV3 of ST's model zoo: half a MobileNetV2, depthwise dilated convolutions beside each other, two bilinear steps up."""

from __future__ import annotations

import numpy as np

from builders.networks.mobilenets import RELU6, V2, Chain, eights


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
