"""YOLOv5n and YOLOv8n in float as ultralytics exports them to ONNX; the weights are drawn.

aldo-smart/STM32N6-FaceRecognition and s1f102300638/stm32n6570-2-, both Core 2.2.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Floats:
    """Every method takes and gives the name of a tensor, whose channels are noted."""

    def __init__(self, side: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.held: list[onnx.TensorProto] = []
        self.random, self.side, self.channels = np.random.default_rng(0), side, {"images": 3}

    def constant(self, values: object) -> str:
        name = f"k{len(self.held)}"
        self.held.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def drawn(self, *shape: int) -> str:
        return self.constant(self.random.normal(size=shape).astype(np.float32))

    def node(self, op: str, *inputs: str, channels: int = 0, **attributes: object) -> str:
        name = f"{op}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        self.channels[name] = channels
        return name

    def plain(self, x: str, count: int, kernel: int = 1, stride: int = 1, pad: int | None = None) -> str:
        """A convolution."""
        weights = [self.drawn(count, self.channels[x], kernel, kernel), self.drawn(count)]
        pads = [kernel // 2 if pad is None else pad] * 4
        return self.node(
            "Conv", x, *weights, channels=count, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads
        )

    def conv(self, x: str, count: int, kernel: int = 1, stride: int = 1, pad: int | None = None) -> str:
        """Conv, Sigmoid and Mul."""
        made = self.plain(x, count, kernel, stride, pad)
        return self.node("Mul", made, self.node("Sigmoid", made), channels=count)

    def joined(self, *parts: str) -> str:
        return self.node("Concat", *parts, channels=sum(self.channels[part] for part in parts), axis=1)

    def bytes(self, made: str, dims: tuple[int, ...]) -> bytes:
        """The file."""
        graph = helper.make_graph(
            self.nodes, "g", [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, self.side, self.side))],
            [helper.make_tensor_value_info(made, TensorProto.FLOAT, dims)], self.held,
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        serialized: bytes = model.SerializeToString()
        return serialized

    def c3(self, x: str, count: int, blocks: int, shortcut: bool = True) -> str:
        last = self.conv(x, count // 2)
        for _ in range(blocks):
            made = self.conv(self.conv(last, count // 2), count // 2, 3)
            last = self.node("Add", last, made, channels=count // 2) if shortcut else made
        return self.conv(self.joined(last, self.conv(x, count // 2)), count)

    def split(self, x: str, sizes: tuple[int, ...]) -> list[str]:
        """Parts along the channels."""
        made = [f"{x}_part{len(self.nodes)}_{k}" for k in range(len(sizes))]
        parts = [x, self.constant(list(sizes))]
        self.nodes.append(helper.make_node("Split", parts, made, name=f"Split{len(self.nodes)}", axis=1))
        self.channels.update(zip(made, sizes, strict=True))
        return made

    def c2f(self, x: str, count: int, blocks: int, shortcut: bool = True) -> str:
        parts = self.split(self.conv(x, count), (count // 2,) * 2)
        for _ in range(blocks):
            last = parts[-1]
            made = self.conv(self.conv(last, count // 2, 3), count // 2, 3)
            parts.append(self.node("Add", last, made, channels=count // 2) if shortcut else made)
        return self.conv(self.joined(*parts), count)

    def pooled(self, x: str, count: int) -> str:
        """Windows of 5, 9 and 13, one behind the other."""
        parts = [self.conv(x, count // 2)]
        for _ in range(3):
            window = {"kernel_shape": [5, 5], "strides": [1, 1], "pads": [2] * 4}
            parts.append(self.node("MaxPool", parts[-1], channels=count // 2, **window))
        return self.conv(self.joined(*parts), count)

    def up(self, x: str) -> str:
        """Twice as large, the nearest value."""
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        asymmetric = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Resize", x, "", scales, channels=self.channels[x], mode="nearest", **asymmetric)

    def head(self, x: str, side: int, values: int) -> str:
        """Boxes of three anchors."""
        x = self.node("Reshape", self.plain(x, 3 * values), self.constant([1, 3, values, side, side]))
        x = self.node("Sigmoid", self.node("Transpose", x, perm=[0, 1, 3, 4, 2]))
        place, size, score = (f"{x}_{part}" for part in ("place", "size", "score"))
        parts = [x, self.constant([2, 2, values - 4])]
        self.nodes.append(helper.make_node("Split", parts, [place, size, score], name=f"{x}_split", axis=4))
        two, each = self.constant(np.float32(2)), (1, 3, side, side, 2)
        place = self.node("Add", self.node("Mul", place, two), self.drawn(*each))
        place = self.node("Mul", place, self.constant(np.float32(8)))
        size = self.node("Pow", self.node("Mul", size, two), two)
        size = self.node("Mul", size, self.drawn(*each))
        joined = self.node("Concat", place, size, score, axis=4)
        return self.node("Reshape", joined, self.constant([1, 3 * side * side, values]))


def float_yolo(side: int = 640, values: int = 16) -> bytes:
    net = Floats(side)
    x = net.c3(net.conv(net.conv("images", 16, 6, 2, 2), 32, 3, 2), 32, 1)
    p3 = net.c3(net.conv(x, 64, 3, 2), 64, 2)
    p4 = net.c3(net.conv(p3, 128, 3, 2), 128, 3)
    p5 = net.conv(net.pooled(net.c3(net.conv(p4, 256, 3, 2), 256, 1), 256), 128)
    h4 = net.conv(net.c3(net.joined(net.up(p5), p4), 128, 1, False), 64)
    n3 = net.c3(net.joined(net.up(h4), p3), 64, 1, False)
    n4 = net.c3(net.joined(net.conv(n3, 64, 3, 2), h4), 128, 1, False)
    n5 = net.c3(net.joined(net.conv(n4, 128, 3, 2), p5), 256, 1, False)
    rows = [net.head(x, side // by, values) for x, by in ((n3, 8), (n4, 16), (n5, 32))]
    made, anchors = net.node("Concat", *rows, axis=1), sum(3 * (side // by) ** 2 for by in (8, 16, 32))
    return net.bytes(made, (1, anchors, values))


def float_yolov8(side: int = 320, classes: int = 1) -> bytes:
    """Its boxes are scaled before they are added to the anchors."""
    net = Floats(side)
    x = net.c2f(net.conv(net.conv("images", 16, 3, 2), 32, 3, 2), 32, 1)
    p3 = net.c2f(net.conv(x, 64, 3, 2), 64, 2)
    p4 = net.c2f(net.conv(p3, 128, 3, 2), 128, 2)
    p5 = net.pooled(net.c2f(net.conv(p4, 256, 3, 2), 256, 1), 256)
    h4 = net.c2f(net.joined(net.up(p5), p4), 128, 1, False)
    n3 = net.c2f(net.joined(net.up(h4), p3), 64, 1, False)
    n4 = net.c2f(net.joined(net.conv(n3, 64, 3, 2), h4), 128, 1, False)
    n5 = net.c2f(net.joined(net.conv(n4, 128, 3, 2), p5), 256, 1, False)
    anchors, values = sum((side // by) ** 2 for by in (8, 16, 32)), 64 + classes
    rows = []
    for one in (n3, n4, n5):
        heads = [net.plain(net.conv(net.conv(one, 64, 3), 64, 3), count) for count in (64, classes)]
        rows.append(net.node("Reshape", net.joined(*heads), net.constant([1, values, -1]), channels=values))
    boxes, scores = net.split(net.node("Concat", *rows, axis=2, channels=values), (64, classes))
    x = net.node("Reshape", boxes, net.constant([1, 4, 16, anchors]))
    x = net.node("Softmax", net.node("Transpose", x, perm=[0, 2, 1, 3]), channels=16, axis=1)
    x = net.node("Conv", x, net.drawn(1, 16, 1, 1), kernel_shape=[1, 1])
    x = net.node("Mul", net.node("Reshape", x, net.constant([1, 4, anchors])), net.drawn(1, 4, anchors))
    before, behind = net.split(x, (2, 2))
    low, high = (
        net.node("Sub", net.drawn(1, 2, anchors), before),
        net.node("Add", net.drawn(1, 2, anchors), behind),
    )
    centre = net.node("Div", net.node("Add", low, high), net.constant(np.float32(2)))
    box = net.node("Concat", centre, net.node("Sub", high, low), axis=1)
    return net.bytes(net.node("Concat", box, net.node("Sigmoid", scores), axis=1), (1, 4 + classes, anchors))
