"""Whole networks in QDQ form, drawn: every node is valid and every shape known, so that each takes the way it was made for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

Shape = tuple[int, ...]
CHANNELS = st.sampled_from([1, 2, 3, 4, 8, 12, 16, 24, 28])
MOST = 1 << 16
"""Elements of a tensor, at most: larger ones say no more."""


@dataclass
class Network:
    """A graph while it is drawn; `shapes` are those of the real values, by name."""

    draw: st.DrawFn
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def constant(self, array: np.ndarray[Any, Any]) -> str:
        self.initializers.append(numpy_helper.from_array(array, f"c{len(self.initializers)}"))
        return self.initializers[-1].name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def integers(self, real: str) -> tuple[str, str, str]:
        """A QuantizeLinear: the integers, their scale and zero point."""
        scale = self.constant(np.float32(self.draw(st.sampled_from([0.1, 0.02]))))
        zero = self.constant(np.int8(self.draw(st.sampled_from([0, -128, 5]))))
        self.nodes.append(helper.make_node("QuantizeLinear", [real, scale, zero], [f"{real}_q"]))
        return f"{real}_q", scale, zero

    def real(self, stored: tuple[str, str, str], shape: Shape) -> str:
        name = f"{stored[0]}_f"
        self.nodes.append(helper.make_node("DequantizeLinear", list(stored), [name]))
        self.shapes[name] = shape
        return name

    def weights(self, *shape: int) -> str:
        if self.draw(st.integers(0, 9)) == 0:
            return self.constant(np.ones(shape, np.float32))
        stored = self.constant(np.ones(shape, np.int8))
        return self.real((stored, self.constant(np.float32(0.01)), self.constant(np.int8(0))), shape)

    def add(self, op: str, inputs: list[str], *shapes: Shape, **attributes: Any) -> None:
        """An operator, each result of it behind Q and DQ, but for one in ten."""
        at = len(self.nodes)
        made = [f"t{at}_{k}" for k in range(len(shapes))]
        self.nodes.append(helper.make_node(op, inputs, made, name=f"{op}_{at}", **attributes))
        for name, shape in zip(made, shapes, strict=True):
            if self.draw(st.integers(0, 9)) == 0:
                self.shapes[name] = shape
            else:
                self.real(self.integers(name), shape)


@st.composite
def networks(draw: st.DrawFn) -> onnx.ModelProto:
    """A model of one to twelve operators on a feature map, and on what Reshapes make of it."""
    net = Network(draw)
    size = draw(st.sampled_from([1, 4, 6, 9, 16]))
    shape = (1, draw(CHANNELS), size, size)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    net.real(net.integers("x"), shape)
    for _ in range(draw(st.integers(1, 12))):
        weights = set(
            net.initializers and [node.output[0] for node in net.nodes if node.input[0].startswith("c")]
        )
        source = draw(st.sampled_from([name for name in net.shapes if name not in weights]))
        step = draw(st.sampled_from(MAP if len(net.shapes[source]) == 4 else ROWS))
        if np.prod(net.shapes[source]) < MOST:
            step(net, source, net.shapes[source])
    made = [name for name in net.shapes if not any(name in node.input for node in net.nodes)]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, net.shapes[name]) for name in made]
    graph = helper.make_graph(net.nodes, "g", inputs, outputs or inputs, net.initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def conv(net: Network, source: str, shape: Shape) -> None:
    kernel = net.draw(st.sampled_from([1, 3, 3, 5, 7]))
    stride, dilation = net.draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (3, 1), (1, 2)]))
    grouped = net.draw(st.booleans())
    out = shape[1] if grouped else net.draw(CHANNELS)
    pad = net.draw(st.integers(0, 3))
    size = tuple((n + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for n in shape[2:])
    if min(size) < 1:
        return
    group = shape[1] if grouped else 1
    weight = net.weights(out, shape[1] // group, kernel, kernel)
    options = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "dilations": [dilation] * 2}
    net.add("Conv", [source, weight], (1, out, *size), pads=[pad] * 4, group=group, **options)


def function(net: Network, source: str, shape: Shape) -> None:
    op = net.draw(
        st.sampled_from(
            ["Relu", "Sigmoid", "HardSigmoid", "LeakyRelu", "Abs", "Exp", "Log", "Softmax", "Tanh"]
        )
    )
    net.add(op, [source], shape)


def prelu(net: Network, source: str, shape: Shape) -> None:
    net.add("PRelu", [source, net.weights(shape[1], 1, 1)], shape)


def arithmetic(net: Network, source: str, shape: Shape) -> None:
    op = net.draw(st.sampled_from(["Add", "Mul", "Sub", "Div", "Max"]))
    like = [name for name, other in net.shapes.items() if other == shape]
    other = net.draw(st.sampled_from(like)) if net.draw(st.booleans()) else net.weights(*[1] * len(shape))
    pair = [source, other] if net.draw(st.booleans()) else [other, source]
    net.add(op, pair, shape)


def concat(net: Network, source: str, shape: Shape) -> None:
    axis = net.draw(st.integers(1, len(shape) - 1))
    fit = [
        name
        for name, other in net.shapes.items()
        if len(other) == len(shape) and all(other[i] == shape[i] for i in range(len(shape)) if i != axis)
    ]
    parts = [source, *net.draw(st.lists(st.sampled_from(fit), min_size=1, max_size=3))]
    total = sum(net.shapes[part][axis] for part in parts)
    net.add("Concat", parts, (*shape[:axis], total, *shape[axis + 1 :]), axis=axis)


def split(net: Network, source: str, shape: Shape) -> None:
    axis = net.draw(st.integers(1, len(shape) - 1))
    if shape[axis] < 2:
        return
    first = net.draw(st.integers(1, shape[axis] - 1))
    parts = [(*shape[:axis], part, *shape[axis + 1 :]) for part in (first, shape[axis] - first)]
    if net.draw(st.booleans()):
        net.add("Split", [source, net.ints(first, shape[axis] - first)], *parts, axis=axis)
    else:
        net.add("Slice", [source, net.ints(0), net.ints(first), net.ints(axis)], parts[0])


def transpose(net: Network, source: str, shape: Shape) -> None:
    perm = (0, *net.draw(st.permutations(range(1, len(shape)))))
    net.add("Transpose", [source], tuple(shape[axis] for axis in perm), perm=perm)


def pad(net: Network, source: str, shape: Shape) -> None:
    before, after = ([0, *net.draw(st.tuples(*[st.integers(0, 2)] * 3))] for _ in range(2))
    padded = tuple(a + n + b for a, n, b in zip(before, shape, after, strict=True))
    net.add("Pad", [source, net.ints(*before, *after)], padded)


def pool(net: Network, source: str, shape: Shape) -> None:
    op = net.draw(st.sampled_from(["MaxPool", "AveragePool", "GlobalAveragePool"]))
    if op.startswith("Global"):
        net.add(op, [source], (*shape[:2], 1, 1))
        return
    kernel, stride = net.draw(st.sampled_from([(2, 2), (3, 1), (3, 2), (5, 1), (7, 1), (9, 1)]))
    around = (kernel - 1) // 2
    size = tuple((n + 2 * around - kernel) // stride + 1 for n in shape[2:])
    if min(size) > 0:
        net.add(
            op,
            [source],
            (*shape[:2], *size),
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[around] * 4,
        )


def resize(net: Network, source: str, shape: Shape) -> None:
    mode = net.draw(st.sampled_from(["nearest", "linear"]))
    scales = net.constant(np.array([1, 1, 2, 2], np.float32))
    options = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    net.add("Resize", [source, "", scales], (*shape[:2], 2 * shape[2], 2 * shape[3]), mode=mode, **options)


def blocks(net: Network, source: str, shape: Shape) -> None:
    if shape[1] % 4:
        return
    mode = net.draw(st.sampled_from(["DCR", "CRD"]))
    net.add("DepthToSpace", [source], (1, shape[1] // 4, 2 * shape[2], 2 * shape[3]), blocksize=2, mode=mode)


def reshape(net: Network, source: str, shape: Shape) -> None:
    count = int(np.prod(shape))
    wanted = net.draw(
        st.sampled_from([(1, count), (1, shape[1], count // shape[1]), (1, shape[1], 1, count // shape[1])])
    )
    net.add("Reshape", [source, net.ints(*wanted)], wanted)


def gemm(net: Network, source: str, shape: Shape) -> None:
    out = net.draw(CHANNELS)
    net.add("MatMul", [source, net.weights(shape[-1], out)], (*shape[:-1], out))


def product(net: Network, source: str, shape: Shape) -> None:
    if len(shape) != 3:
        return
    turned = f"{source}_turned{len(net.nodes)}"
    net.nodes.append(helper.make_node("Transpose", [source], [turned], name=turned, perm=[0, 2, 1]))
    net.add("MatMul", [source, turned], (1, shape[1], shape[1]))


BOTH = (function, arithmetic, concat, split, transpose, reshape)
MAP = (*BOTH, conv, conv, conv, prelu, pad, pool, resize, blocks)
ROWS = (*BOTH, gemm, product)
