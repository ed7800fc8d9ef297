"""YOLOv8n and YOLOv5s as ultralytics and ST's model zoo export them to TFLite, int8; the weights are drawn."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np

from builders.tflite.files import File

SAME, VALID = 0, 1
MAPS = (8, 16, 32)
"""What the image's side is divided by in the three maps the heads read."""


class Yolo(File):
    """Every method takes and gives the number of a tensor; maps are [1, h, w, c]."""

    def __init__(self, side: int, splits: bool) -> None:
        super().__init__()
        self.side, self.splits = side, splits
        self.random, self.numbers, self.cbs_count = np.random.default_rng(0), count(), 0
        self.anchors = sum((side // by) ** 2 for by in MAPS)

    def act(self, shape: Any, scale: float = 0.05, zero: int = -5) -> int:
        """An int8 activation."""
        return self.tensor(f"t{next(self.numbers)}", tuple(shape), "int8", scale, zero)

    def dims(self, tensor: int) -> tuple[int, ...]:
        """Its shape."""
        return tuple(self.graph.tensors[tensor].shape)

    def grid(self, tensor: int) -> tuple[float, int]:
        """Its scale and zero point."""
        grid = self.graph.tensors[tensor].quantization
        return grid.scale[0], grid.zeroPoint[0]

    def integers(self, values: Any) -> int:
        """A parameter."""
        return self.constant(f"p{next(self.numbers)}", np.asarray(values, np.int32))

    def known(self, shape: tuple[int, ...], scale: float, zero: int = -128) -> int:
        """A constant operand."""
        values = self.random.integers(-128, 128, shape).astype(np.int8)
        return self.constant(f"k{next(self.numbers)}", values, scale=scale, zero=zero)

    def one(
        self,
        kind: str,
        inputs: list[int],
        shape: Any,
        grid: tuple[float, int],
        options: str = "",
        **fields: Any,
    ) -> int:
        """An operator with one int8 output."""
        made = self.act(shape, *grid)
        self.operator(kind, inputs, [made], options, **fields)
        return made

    def conv(
        self,
        x: int,
        channels: int,
        kernel: int = 1,
        stride: int = 1,
        scale: float = 0.05,
        zero: int = -5,
        padding: int = SAME,
    ) -> int:
        """A convolution."""
        _, height, width, depth = self.dims(x)
        drawn = self.random.integers(-127, 128, (channels, kernel, kernel, depth)).astype(np.int8)
        weights = self.constant(f"w{next(self.numbers)}", drawn, scale=[0.01] * channels, axis=0)
        bias = self.constant(
            f"b{next(self.numbers)}", np.zeros(channels, np.int32), scale=[0.0005] * channels
        )
        if padding == SAME:
            size = [-(-height // stride), -(-width // stride)]
        else:
            size = [(height - kernel) // stride + 1, (width - kernel) // stride + 1]
        return self.one(
            "CONV_2D", [x, weights, bias], (1, *size, channels), (scale, zero), "Conv2DOptions", padding=padding,
            strideH=stride, strideW=stride, dilationHFactor=1, dilationWFactor=1,
        )  # fmt: skip

    def cbs(self, x: int, channels: int, kernel: int = 1, stride: int = 1) -> int:
        """Conv, Sigmoid and Mul, padded explicitly where it halves the map."""
        self.cbs_count += 1
        n, padding = self.cbs_count, SAME
        if stride == 2:
            _, height, width, depth = self.dims(x)
            pads = self.integers([[0, 0], [1, 1], [1, 1], [0, 0]])
            x = self.one("PAD", [x, pads], (1, height + 2, width + 2, depth), self.grid(x), "PadOptions")
            padding = VALID
        return self.silu(self.conv(x, channels, kernel, stride, zero=5 + n % 7, padding=padding), n)

    def silu(self, x: int, n: int) -> int:
        """x times Sigmoid(x), the n-th."""
        gate = self.one("LOGISTIC", [x], self.dims(x), (1 / 256, -128))
        return self.one("MUL", [x, gate], self.dims(x), (0.03 + 0.001 * n, -120 + n % 5), "MulOptions")

    def c3(self, x: int, channels: int, blocks: int, shortcut: bool = True) -> int:
        """The block of YOLOv5; what bypasses it is scheduled first (epoch 16 of the YOLOv5s), as if it were listed so."""
        beside = self.cbs(x, channels // 2)
        last = self.cbs(x, channels // 2)
        for _ in range(blocks):
            made = self.cbs(self.cbs(last, channels // 2), channels // 2, 3)
            last = self.add(last, made) if shortcut else made
        return self.cbs(self.joined([last, beside], 3), channels)

    def slice(self, x: int, axis: int, begin: int, end: int) -> int:
        """Part of one axis."""
        shape = list(self.dims(x))
        first, last = [0] * len(shape), list(shape)
        first[axis], last[axis] = begin, end
        shape[axis] = end - begin
        inputs = [x, self.integers(first), self.integers(last), self.integers([1] * len(shape))]
        return self.one("STRIDED_SLICE", inputs, shape, self.grid(x), "StridedSliceOptions")

    def add(self, a: int, b: int, grid: tuple[float, int] = (0.06, -110)) -> int:
        """A sum."""
        return self.one("ADD", [a, b], self.dims(a), grid, "AddOptions")

    def joined(self, parts: list[int], axis: int) -> int:
        """A concatenation."""
        shape = list(self.dims(parts[0]))
        shape[axis] = sum(self.dims(part)[axis] for part in parts)
        grid = self.grid(parts[0])
        return self.one("CONCATENATION", parts, shape, grid, "ConcatenationOptions", axis=axis)

    def halves(self, x: int) -> tuple[int, int]:
        """The two halves of the channels: a SPLIT, or two slices."""
        shape = list(self.dims(x))
        half = shape[3] // 2
        if not self.splits:
            return self.slice(x, 3, 0, half), self.slice(x, 3, half, 2 * half)
        shape[3] = half
        pair = self.act(shape, *self.grid(x)), self.act(shape, *self.grid(x))
        self.operator("SPLIT", [self.integers(3), x], list(pair), "SplitOptions", numSplits=2)
        return pair

    def c2f(self, x: int, channels: int, blocks: int, shortcut: bool) -> int:
        """The block of YOLOv8."""
        first, last = self.halves(self.cbs(x, channels))
        parts = [first, last]
        for _ in range(blocks):
            made = self.cbs(self.cbs(last, channels // 2, 3), channels // 2, 3)
            last = self.add(last, made) if shortcut else made
            parts.append(last)
        return self.cbs(self.joined(parts, 3), channels)

    def up(self, x: int) -> int:
        """Twice as large, the nearest value."""
        _, height, width, depth = self.dims(x)
        size = self.integers([2 * height, 2 * width])
        shape, options = (1, 2 * height, 2 * width, depth), "ResizeNearestNeighborOptions"
        return self.one("RESIZE_NEAREST_NEIGHBOR", [x, size], shape, self.grid(x), options)

    def pool(self, x: int) -> int:
        """The largest of 5 x 5."""
        return self.one(
            "MAX_POOL_2D", [x], self.dims(x), self.grid(x), "Pool2DOptions", filterHeight=5, filterWidth=5, strideH=1,
            strideW=1, padding=SAME,
        )  # fmt: skip

    def spread(self, x: int, channels: int) -> int:
        """A transposed convolution of 2 x 2 that doubles a map."""
        _, height, width, depth = self.dims(x)
        drawn = self.random.integers(-127, 128, (channels, 2, 2, depth)).astype(np.int8)
        weights = self.constant(f"w{next(self.numbers)}", drawn, scale=[0.01] * channels, axis=0)
        bias = self.constant(
            f"b{next(self.numbers)}", np.zeros(channels, np.int32), scale=[0.0005] * channels
        )
        shape = (1, 2 * height, 2 * width, channels)
        return self.one(
            "TRANSPOSE_CONV", [self.integers(shape), weights, x, bias], shape, (0.05, 4), "TransposeConvOptions",
            padding=VALID, strideH=2, strideW=2,
        )  # fmt: skip

    def transposed(self, x: int, order: tuple[int, ...]) -> int:
        """Other axes."""
        shape = [self.dims(x)[axis] for axis in order]
        return self.one("TRANSPOSE", [x, self.integers(order)], shape, self.grid(x), "TransposeOptions")

    def reshaped(self, x: int, shape: tuple[int, ...]) -> int:
        """Another shape."""
        options = {"newShape": list(shape)}
        return self.one(
            "RESHAPE", [x, self.integers(shape)], shape, self.grid(x), "ReshapeOptions", **options
        )

    def body(self, x: int) -> tuple[int, int, int]:
        """Backbone and neck: the three maps, the largest first."""
        x = self.c2f(self.cbs(self.cbs(x, 16, 3, 2), 32, 3, 2), 32, 1, True)
        p3 = self.c2f(self.cbs(x, 64, 3, 2), 64, 2, True)
        p4 = self.c2f(self.cbs(p3, 128, 3, 2), 128, 2, True)
        parts = [self.cbs(self.c2f(self.cbs(p4, 256, 3, 2), 256, 1, True), 128)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        p5 = self.cbs(self.joined(parts, 3), 256)
        n4 = self.c2f(self.joined([self.up(p5), p4], 3), 128, 1, False)
        n3 = self.c2f(self.joined([self.up(n4), p3], 3), 64, 1, False)
        m4 = self.c2f(self.joined([self.cbs(n3, 64, 3, 2), n4], 3), 128, 1, False)
        m5 = self.c2f(self.joined([self.cbs(m4, 128, 3, 2), p5], 3), 256, 1, False)
        return n3, m4, m5

    def branch(self, x: int, between: int, channels: int, zero: int = 20) -> int:
        """One branch of a head."""
        return self.conv(self.cbs(self.cbs(x, between, 3), between, 3), channels, scale=0.2, zero=zero)

    def rows(self, x: int) -> int:
        """[1, c, positions]."""
        _, height, width, depth = self.dims(x)
        return self.reshaped(self.transposed(x, (0, 3, 1, 2)), (1, depth, height * width))

    def boxes(self, x: int, orders: tuple[tuple[int, ...], ...]) -> tuple[int, int]:
        """The integral over 16 bins of four sides each, and the boxes: centre and size."""
        x = self.reshaped(x, (1, 4, 16, self.anchors))
        for order in orders:
            x = self.transposed(x, order)
        x = self.one("SOFTMAX", [x], self.dims(x), (1 / 256, -128), "SoftmaxOptions", beta=1.0)
        x = self.reshaped(self.conv(x, 1, scale=0.06, zero=-128), (1, 1, 4, self.anchors))
        strides = self.known((1, 4, self.anchors), 0.1)
        x = self.reshaped(
            self.one("MUL", [x, strides], self.dims(x), (0.1, -128), "MulOptions"), (1, 4, self.anchors)
        )
        anchors, shape = self.known((1, 2, self.anchors), 0.004), (1, 2, self.anchors)
        low = self.one("SUB", [anchors, self.slice(x, 1, 0, 2)], shape, (0.005, -30), "SubOptions")
        high = self.one("ADD", [self.slice(x, 1, 2, 4), anchors], shape, (0.005, -110), "AddOptions")
        half = self.constant("half", np.full((1, 1, 1), 127, np.int8), scale=0.5 / 127)
        sums = self.add(low, high, (0.01, -100))
        centre = self.one("MUL", [sums, half], shape, (0.0045, -100), "MulOptions")
        return centre, self.one("SUB", [high, low], shape, (0.0045, -100), "SubOptions")


def detector(side: int = 256, classes: int = 6) -> bytes:
    """As ultralytics exports it: int8 in and out, two slices for a split."""
    net = Yolo(side, splits=False)
    x = net.tensor("images", (1, side, side, 3), "int8", 1 / 255, -128)
    maps = net.body(x)
    boxes = [net.rows(net.branch(one, 64, 64)) for one in maps[::-1]]
    scores = [net.rows(net.branch(one, 64, classes, 90)) for one in maps[::-1]]
    centre, size = net.boxes(net.joined(boxes[::-1], 2), ((0, 1, 3, 2),))
    score = net.joined(scores[::-1], 2)
    score = net.one("LOGISTIC", [score], net.dims(score), (1 / 256, -128))
    score = net.one("QUANTIZE", [score], net.dims(score), (0.0045, -100))
    return net.bytes([x], [net.joined([centre, size, score], 1)])


def one_map(side: int = 320, classes: int = 4) -> bytes:
    """As a later ultralytics exports it: boxes and classes of a map are joined before they are rows."""
    net = Yolo(side, splits=False)
    x = net.tensor("images", (1, side, side, 3), "int8", 1 / 255, -128)
    rows = [
        net.rows(net.joined([net.branch(one, 64, 64), net.branch(one, 64, classes)], 3))
        for one in net.body(x)[::-1]
    ]
    made = net.joined(rows[::-1], 2)
    centre, size = net.boxes(net.slice(made, 1, 0, 64), ((0, 1, 3, 2),))
    score = net.slice(made, 1, 64, 64 + classes)
    score = net.one("LOGISTIC", [score], net.dims(score), (1 / 256, -128))
    score = net.one("QUANTIZE", [score], net.dims(score), (0.0045, -100))
    return net.bytes([x], [net.joined([centre, size, score], 1)])


def pose(side: int = 256) -> bytes:
    """As ST's model zoo has it: 17 points, uint8 in and float out, SPLIT."""
    net = Yolo(side, splits=True)
    image = net.tensor("images", (1, side, side, 3), "uint8", 1 / 255, 0)
    x = net.one("QUANTIZE", [image], (1, side, side, 3), (1 / 255, -128), "QuantizeOptions")
    points, boxes = [], []
    for one in net.body(x)[::-1]:
        points.append(net.rows(net.branch(one, 51, 51)))
        boxes.append(net.rows(net.joined([net.branch(one, 64, 64), net.branch(one, 64, 1)], 3)))
    keypoints = net.reshaped(net.joined(points[::-1], 2), (1, 17, 3, net.anchors))
    box = net.joined(boxes[::-1], 2)
    score = net.slice(box, 1, 64, 65)
    score = net.one("LOGISTIC", [score], net.dims(score), (1 / 256, -128))
    score = net.one("QUANTIZE", [score], net.dims(score), (0.006, -128))
    place = net.slice(keypoints, 2, 0, 2)
    shape = net.dims(place)
    two = net.constant("two", np.full((1, 1, 1, 1), 127, np.int8), scale=2 / 127)
    place = net.one("MUL", [place, two], shape, (0.1, -20), "MulOptions")
    place = net.one("MUL", [place, net.known((1, 1, 2, net.anchors), 0.1)], shape, (0.2, -20), "MulOptions")
    place = net.one(
        "ADD", [place, net.known((1, 1, 2, net.anchors), 0.1)], shape, (0.006, -100), "AddOptions"
    )
    seen = net.slice(keypoints, 2, 2, 3)
    seen = net.one("LOGISTIC", [seen], net.dims(seen), (1 / 256, -128))
    seen = net.one("QUANTIZE", [seen], net.dims(seen), (0.006, -100))
    keypoints = net.reshaped(net.joined([place, seen], 2), (1, 51, net.anchors))
    centre, size = net.boxes(net.slice(box, 1, 0, 64), ((0, 2, 1, 3), (0, 2, 3, 1)))
    made = net.joined([centre, size, score, keypoints], 1)
    result = net.tensor("result", net.dims(made), "float32")
    net.operator("DEQUANTIZE", [made], [result], "DequantizeOptions")
    return net.bytes([image], [result])


def segments(side: int = 320, classes: int = 80) -> bytes:
    """As ST's model zoo has it: 32 masks at a quarter of the side beside the boxes, uint8 in and float out."""
    net = Yolo(side, splits=True)
    image = net.tensor("images", (1, side, side, 3), "uint8", 1 / 255, 0)
    x = net.one("QUANTIZE", [image], (1, side, side, 3), (1 / 255, -128), "QuantizeOptions")
    maps, masks, boxes = net.body(x), list[int](), list[int]()
    for one in maps[::-1]:
        masks.append(net.rows(net.branch(one, 32, 32)))
        scores = net.branch(one, max(64, classes), classes)
        boxes.append(net.rows(net.joined([net.branch(one, 64, 64), scores], 3)))
    box = net.joined(boxes[::-1], 2)
    score = net.slice(box, 1, 64, 64 + classes)
    score = net.one("LOGISTIC", [score], net.dims(score), (1 / 256, -128))
    score = net.one("QUANTIZE", [score], net.dims(score), (0.006, -128))
    mask = net.joined(masks[::-1], 2)
    mask = net.one("QUANTIZE", [mask], net.dims(mask), (0.006, -20), "QuantizeOptions")
    centre, size = net.boxes(net.slice(box, 1, 0, 64), ((0, 2, 1, 3), (0, 2, 3, 1)))
    made = net.joined([centre, size, score, mask], 1)
    large = net.cbs(net.cbs(net.spread(net.cbs(maps[0], 64, 3), 64), 64, 3), 32)
    results = [net.tensor(f"result{k}", net.dims(one), "float32") for k, one in enumerate((made, large))]
    for one, result in zip((made, large), results, strict=True):
        net.operator("DEQUANTIZE", [one], [result], "DequantizeOptions")
    return net.bytes([image], results)


def yolov5(side: int = 640, classes: int = 3, narrow: int = 1) -> bytes:
    """YOLOv5s, or YOLOv5n where it is twice as `narrow`, uint8 in and out: heads of three anchors whose parts lie channel by channel."""
    net = Yolo(side, splits=False)
    image = net.tensor("images", (1, side, side, 3), "uint8", 1 / 255, 0)
    x = net.one("QUANTIZE", [image], (1, side, side, 3), (1 / 255, -128), "QuantizeOptions")
    x = net.silu(net.conv(x, 32 // narrow, 6, 2, zero=6), 0)
    p3 = net.c3(
        net.cbs(net.c3(net.cbs(x, 64 // narrow, 3, 2), 64 // narrow, 1), 128 // narrow, 3, 2),
        128 // narrow,
        2,
    )
    p4 = net.c3(net.cbs(p3, 256 // narrow, 3, 2), 256 // narrow, 3)
    parts = [net.cbs(net.c3(net.cbs(p4, 512 // narrow, 3, 2), 512 // narrow, 1), 256 // narrow)]
    for _ in range(3):
        parts.append(net.pool(parts[-1]))
    p5 = net.cbs(net.cbs(net.joined(parts, 3), 512 // narrow), 256 // narrow)
    h4 = net.cbs(net.c3(net.joined([net.up(p5), p4], 3), 256 // narrow, 1, False), 128 // narrow)
    n3 = net.c3(net.joined([net.up(h4), p3], 3), 128 // narrow, 1, False)
    n4 = net.c3(net.joined([net.cbs(n3, 128 // narrow, 3, 2), h4], 3), 256 // narrow, 1, False)
    n5 = net.c3(net.joined([net.cbs(n4, 256 // narrow, 3, 2), p5], 3), 512 // narrow, 1, False)
    two = net.constant("two", np.int8(127), scale=2 / 127)
    per_side, values = net.known((1, 2), 0.0001), 5 + classes

    def times(a: int, b: int, scale: float, zero: int = -128) -> int:
        return net.one("MUL", [a, b], net.dims(a), (scale, zero), "MulOptions")

    def head(x: int, stride: int) -> int:
        count = (side // stride) ** 2
        x = net.reshaped(net.conv(x, 3 * values, scale=0.2, zero=20), (1, count, 3, values))
        place, size, score = (
            net.one("LOGISTIC", [part], net.dims(part), (1 / 256, -128))
            for part in (net.slice(x, 3, 0, 2), net.slice(x, 3, 2, 4), net.slice(x, 3, 4, values))
        )
        place = times(place, two, 2 / 255)
        place = net.one(
            "ADD", [place, net.known((1, count, 1, 2), 0.3)], net.dims(place), (0.3, -120), "AddOptions"
        )
        place = times(place, net.constant(f"stride{stride}", np.int8(127), scale=stride / 127), 3.0, -120)
        size = times(times(size, size, 4 / 255), net.known((1, 1, 3, 2), 1.0), 3.0)
        grid = (0.005, -120)
        score = net.one("QUANTIZE", [score], net.dims(score), grid, "QuantizeOptions")
        boxes = [times(part, per_side, *grid) for part in (place, size)]
        joined = net.one(
            "CONCATENATION", [*boxes, score], (1, count, 3, values), grid, "ConcatenationOptions", axis=3
        )
        return net.reshaped(joined, (1, 3 * count, values))

    rows = [head(x, stride) for x, stride in ((n5, 32), (n4, 16), (n3, 8))]
    made = net.joined(rows[::-1], 1)
    result = net.tensor("result", net.dims(made), "uint8", 0.005, 8)
    net.operator("QUANTIZE", [made], [result], "QuantizeOptions")
    return net.bytes([image], [result])
