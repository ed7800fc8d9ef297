"""MediaPipe's landmarks of a face as ST's model zoo exports them to ONNX: each PRelu is five operators."""

from __future__ import annotations

from itertools import count

import numpy as np

from builders.networks.small_nets import Net

ZERO = -128


class Landmarks(Net):
    """Zero points as a public build printed some; the rest and the weights are drawn."""

    def __init__(self) -> None:
        super().__init__((1, 3, 192, 192))
        self.counted = count(1)

    def conv(
        self, source: str, into: int, made: int, kernel: int = 1, stride: int = 1, group: int = 1
    ) -> str:
        """A convolution of which the last row and column of a halved map see a border."""
        k = next(self.counted)
        before = kernel // 2 if stride == 1 else 0
        pads, shape = [before, before, kernel // 2, kernel // 2], (made, into // group, kernel, kernel)
        return self.weighted(
            "Conv",
            f"conv{k}",
            source,
            shape,
            k * 7 % 41 - 9,
            False,
            strides=[stride] * 2,
            pads=pads,
            group=group,
        )

    def sloped(self, x: str, channels: int) -> str:
        """max(x, 0) and, by a slope of each channel, max(-x, 0)."""
        k = next(self.counted)
        slopes = self.dequantized(
            f"slopes{k}", self.random.integers(-127, 128, (1, channels, 1, 1)).astype(np.int8), 0.005
        )
        below = self.quantized(self.node("Neg", [x], f"minus{k}"), 0.025, ZERO)
        below = self.quantized(self.node("Mul", [below, slopes], f"below{k}"), 0.01, 40 + k % 9)
        above = self.quantized(self.node("Relu", [x], f"above{k}"), 0.026, ZERO)
        return self.quantized(self.node("Add", [above, below], f"sloped{k}"), 0.03, -90 - k % 20)

    def block(self, x: str, into: int, made: int, stride: int = 1) -> str:
        """Two convolutions beside what goes past them, its channels filled up."""
        k, kept = next(self.counted), x
        y = self.conv(self.conv(x, into, into, 3, stride, into), into, made)
        if stride == 2:
            pooled = self.node("MaxPool", [x], f"pool{k}", kernel_shape=[2, 2], strides=[2, 2])
            kept = self.quantized(pooled, 0.03, -81)
        if made > into:
            pads = self.constant(f"pads{k}", np.array([0, 0, 0, 0, 0, made - into, 0, 0]))
            kept = self.quantized(self.node("Pad", [kept, pads], f"pad{k}"), 0.03, -81)
        return self.sloped(self.quantized(self.node("Add", [kept, y], f"plus{k}"), 0.05, 5 + k % 7), made)


def landmarks() -> bytes:
    """face_landmarks_v1 of 192 x 192, 468 places."""
    net = Landmarks()
    x = net.sloped(net.conv(net.quantized("x", 1 / 255, ZERO), 3, 16, 3, 2), 16)
    into = 16
    for made, stride in ((16, 1), (32, 2), (64, 2), (128, 2), (128, 2), (128, 2)):
        x = net.block(x, into, made, stride)
        for _ in range(1 if stride == 1 else 2):
            x = net.block(x, made, made)
        into = made
    x = net.block(net.sloped(net.conv(x, 128, 32), 32), 32, 32)
    x = net.weighted("Conv", "last", x, (936, 32, 3, 3), ZERO, relu=False, strides=[3, 3])
    flat = net.node("Reshape", [x, net.constant("shape", np.array([1, 936]))], "flat")
    return net.model(net.quantized(flat, 0.01, ZERO), (1, 936), opset=17).SerializeToString()
