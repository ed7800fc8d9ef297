"""YOLO11n as ultralytics exports it to TFLite, int8; the weights are drawn."""

from __future__ import annotations

import numpy as np

from builders.tflite.yolo import SAME, Yolo

HEADS, KEY = 2, 32
"""Of the attention: heads, and values of a query and of a key of each."""


class Yolo11(Yolo):
    """As `Yolo`, with smaller blocks and attention behind the smallest map."""

    def deep(self, x: int, silu: bool = True) -> int:
        """A 3x3 of each channel."""
        depth = self.dims(x)[3]
        drawn = self.random.integers(-127, 128, (1, 3, 3, depth)).astype(np.int8)
        weights = self.constant(f"w{next(self.numbers)}", drawn, scale=[0.01] * depth, axis=3)
        bias = self.constant(f"b{next(self.numbers)}", np.zeros(depth, np.int32), scale=[0.0005] * depth)
        self.cbs_count += 1
        made = self.one(
            "DEPTHWISE_CONV_2D", [x, weights, bias], self.dims(x), (0.05, 5 + self.cbs_count % 7), "DepthwiseConv2DOptions",
            padding=SAME, strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1, depthMultiplier=1,
        )  # fmt: skip
        return self.silu(made, self.cbs_count) if silu else made

    def bottleneck(self, x: int, part: float) -> int:
        """Two 3x3 beside what goes past them."""
        depth = self.dims(x)[3]
        return self.add(x, self.cbs(self.cbs(x, int(depth * part), 3), depth, 3))

    def c3k(self, x: int) -> int:
        """Two of them beside a 1x1."""
        half = self.dims(x)[3] // 2
        last = self.cbs(x, half)
        for _ in range(2):
            last = self.bottleneck(last, 1.0)
        return self.cbs(self.joined([last, self.cbs(x, half)], 3), 2 * half)

    def c3k2(self, x: int, channels: int, part: float, large: bool) -> int:
        first, last = self.halves(self.cbs(x, 2 * int(channels * part)))
        made = self.c3k(last) if large else self.bottleneck(last, 0.5)
        return self.cbs(self.joined([first, last, made], 3), channels)

    def product(self, a: int, b: int, scale: float) -> int:
        """Of matrices."""
        shape = (*self.dims(a)[:-1], self.dims(b)[-1])
        return self.one("BATCH_MATMUL", [a, b], shape, (scale, 3), "BatchMatMulOptions")

    def attention(self, x: int) -> int:
        _, height, width, depth = self.dims(x)
        each, places = depth // HEADS, height * width
        made = self.transposed(self.conv(x, depth + 2 * HEADS * KEY), (0, 3, 1, 2))
        made = self.reshaped(made, (1, HEADS, each + 2 * KEY, places))
        query, key = (self.slice(made, 2, k * KEY, (k + 1) * KEY) for k in range(2))
        value = self.slice(made, 2, 2 * KEY, 2 * KEY + each)
        met = self.product(self.transposed(query, (0, 1, 3, 2)), key, 0.1)
        factor = self.constant(f"factor{next(self.numbers)}", np.int8(127), scale=KEY**-0.5 / 127)
        met = self.one("MUL", [met, factor], self.dims(met), (0.02, 3), "MulOptions")
        met = self.one("SOFTMAX", [met], self.dims(met), (1 / 256, -128), "SoftmaxOptions", beta=1.0)
        seen = self.product(value, self.transposed(met, (0, 1, 3, 2)), 0.05)
        seen, value = (
            self.transposed(self.reshaped(one, (1, depth, height, width)), (0, 2, 3, 1))
            for one in (seen, value)
        )
        return self.conv(self.add(seen, self.deep(value, silu=False)), depth)

    def c2psa(self, x: int) -> int:
        depth = self.dims(x)[3]
        first, last = self.halves(self.cbs(x, depth))
        last = self.add(last, self.attention(last))
        last = self.add(last, self.conv(self.cbs(last, depth), depth // 2))
        return self.cbs(self.joined([first, last], 3), depth)

    def body(self, x: int) -> tuple[int, int, int]:
        x = self.c3k2(self.cbs(self.cbs(x, 16, 3, 2), 32, 3, 2), 64, 0.25, False)
        p3 = self.c3k2(self.cbs(x, 64, 3, 2), 128, 0.25, False)
        p4 = self.c3k2(self.cbs(p3, 128, 3, 2), 128, 0.5, True)
        parts = [self.cbs(self.c3k2(self.cbs(p4, 256, 3, 2), 256, 0.5, True), 128)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        p5 = self.c2psa(self.cbs(self.joined(parts, 3), 256))
        n4 = self.c3k2(self.joined([self.up(p5), p4], 3), 128, 0.5, False)
        n3 = self.c3k2(self.joined([self.up(n4), p3], 3), 64, 0.5, False)
        m4 = self.c3k2(self.joined([self.cbs(n3, 64, 3, 2), n4], 3), 128, 0.5, False)
        m5 = self.c3k2(self.joined([self.cbs(m4, 128, 3, 2), p5], 3), 256, 0.5, True)
        return n3, m4, m5

    def scores(self, x: int, classes: int) -> int:
        """The branch of the classes: depthwise, but for the last."""
        width = max(64, min(classes, 100))
        x = self.cbs(self.deep(self.cbs(self.deep(x), width)), width)
        return self.conv(x, classes, scale=0.2, zero=90)


def detector11(side: int = 256, classes: int = 1) -> bytes:
    """uint8 in, float out."""
    net = Yolo11(side, splits=True)
    image = net.tensor("images", (1, side, side, 3), "uint8", 1 / 255, 0)
    x = net.one("QUANTIZE", [image], (1, side, side, 3), (1 / 255, -128), "QuantizeOptions")
    rows = [
        net.rows(net.joined([net.branch(one, 64, 64), net.scores(one, classes)], 3))
        for one in net.body(x)[::-1]
    ]
    made = net.joined(rows[::-1], 2)
    centre, size = net.boxes(net.slice(made, 1, 0, 64), ((0, 2, 1, 3), (0, 2, 3, 1)))
    score = net.slice(made, 1, 64, 64 + classes)
    score = net.one("LOGISTIC", [score], net.dims(score), (1 / 256, -128))
    score = net.one("QUANTIZE", [score], net.dims(score), (0.0045, -100))
    made = net.joined([centre, size, score], 1)
    result = net.tensor("result", net.dims(made), "float32")
    net.operator("DEQUANTIZE", [made], [result], "DequantizeOptions")
    return net.bytes([image], [result])
