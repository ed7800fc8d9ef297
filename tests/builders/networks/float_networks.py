"""Small float networks of the kinds people quantize, one of each: what `quantize` and `--as-int8` are held to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class FloatNetwork:
    """A float network under construction; a tensor is called after the node that writes it."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Append a node; its first output's name."""
        name = f"{op}_{len(self.nodes)}"
        written = [f"{name}_out{index or ''}" for index in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, written, name=name, **attributes))
        return written[0]

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """A constant of the file."""
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def weights(self, *shape: int) -> str:
        """Normal values, scaled by the inputs they sum over."""
        spread = np.sqrt(2 / max(1, int(np.prod(shape[1:]))))
        return self.constant(self.rng.normal(0, spread, shape))

    def conv(
        self, source: str, inputs: int, outputs: int, kernel: int = 3, bias: bool = True, **attributes: Any
    ) -> str:
        """A 2-D convolution that keeps the size of the map, where no stride says otherwise."""
        group = attributes.get("group", 1)
        operands = [source, self.weights(outputs, inputs // group, kernel, kernel)]
        if bias:
            operands.append(self.constant(self.rng.normal(0, 0.1, outputs)))
        return self.add("Conv", *operands, kernel_shape=[kernel] * 2, pads=[kernel // 2] * 4, **attributes)

    def gemm(self, source: str, inputs: int, outputs: int) -> str:
        """A fully connected layer."""
        bias = self.constant(self.rng.normal(0, 0.1, outputs))
        return self.add("Gemm", source, self.weights(outputs, inputs), bias, transB=1)

    def model(self, shape: tuple[int, ...], *outputs: str, opset: int = 17) -> onnx.ModelProto:
        """From `x` to the outputs."""
        graph = helper.make_graph(
            self.nodes,
            "float",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            self.initializers,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        return onnx.shape_inference.infer_shapes(made, strict_mode=True)


def residual() -> onnx.ModelProto:
    """Residual blocks, as ResNet has them."""
    net = FloatNetwork(1)
    x = net.add("MaxPool", net.add("Relu", net.conv("x", 3, 8)), kernel_shape=[2, 2], strides=[2, 2])
    for _ in range(2):
        inner = net.add("Relu", net.conv(x, 8, 8))
        x = net.add("Relu", net.add("Add", net.conv(inner, 8, 8), x))
    flat = net.add("Flatten", net.add("GlobalAveragePool", x))
    return net.model((1, 3, 16, 16), net.gemm(flat, 8, 10))


def mobile() -> onnx.ModelProto:
    """Inverted residuals with Clip and depthwise kernels, as MobileNetV2 has them."""
    net = FloatNetwork(2)
    low, high = net.constant(0), net.constant(6)
    x = net.add("Clip", net.conv("x", 3, 8, strides=[2, 2]), low, high)
    wide = net.add("Clip", net.conv(x, 8, 24, 1), low, high)
    deep = net.add("Clip", net.conv(wide, 24, 24, 3, group=24), low, high)
    x = net.add("Add", x, net.conv(deep, 24, 8, 1))
    mean = net.add("ReduceMean", x, axes=[2, 3], keepdims=0)
    return net.model((1, 3, 16, 16), net.add("Softmax", net.gemm(mean, 8, 5)), opset=13)


def unet() -> onnx.ModelProto:
    """Down and up again, with Concat, ConvTranspose and Resize."""
    net = FloatNetwork(3)
    top = net.add("Relu", net.conv("x", 1, 8))
    below = net.add("Relu", net.conv(net.add("MaxPool", top, kernel_shape=[2, 2], strides=[2, 2]), 8, 16))
    up = net.add("ConvTranspose", below, net.weights(16, 8, 2, 2), kernel_shape=[2, 2], strides=[2, 2])
    x = net.add("LeakyRelu", net.conv(net.add("Concat", top, up, axis=1), 16, 8), alpha=0.1)
    scales = net.constant([1, 1, 2, 2])
    twice = net.add("Resize", x, "", scales, mode="nearest")
    return net.model((1, 1, 16, 16), net.add("Sigmoid", net.conv(twice, 8, 1, 1)))


def attention() -> onnx.ModelProto:
    """A transformer's block: products of activations, Softmax, LayerNormalization, Gelu by Erf."""
    net = FloatNetwork(4)
    heads = net.constant([1, 8, 2, 8], np.int64)
    query, key, value = (
        net.add(
            "Transpose", net.add("Reshape", net.add("MatMul", "x", net.weights(16, 16)), heads), perm=perm
        )
        for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
    )
    scores = net.add("Softmax", net.add("Div", net.add("MatMul", query, key), net.constant(2.83)), axis=-1)
    mixed = net.add("Transpose", net.add("MatMul", scores, value), perm=[0, 2, 1, 3])
    back = net.add("Reshape", mixed, net.constant([1, 8, 16], np.int64))
    x = net.add("Add", "x", net.add("MatMul", back, net.weights(16, 16)))
    ones, zeros = net.constant(np.ones(16)), net.constant(np.zeros(16))
    x = net.add("LayerNormalization", x, ones, zeros)
    up = net.add("Add", net.add("MatMul", x, net.weights(16, 32)), net.constant(net.rng.normal(0, 0.1, 32)))
    half = net.add("Add", net.add("Erf", net.add("Div", up, net.constant(1.414))), net.constant(1))
    gelu = net.add("Mul", net.add("Mul", up, half), net.constant(0.5))
    return net.model((1, 8, 16), net.add("Add", x, net.add("MatMul", gelu, net.weights(32, 16))))


def gates() -> onnx.ModelProto:
    """A step of a GRU written out: Gemm, Split, Sigmoid, Tanh and products."""
    net = FloatNetwork(5)
    state = net.add("Tanh", net.gemm("x", 24, 16))
    both = net.add("Concat", "x", state, axis=1)
    parts = net.add("Sigmoid", net.gemm(both, 40, 32))
    split = net.constant([16, 16], np.int64)
    reset = net.add("Split", parts, split, axis=1, outputs=2)
    update = f"{reset}1"
    new = net.add("Tanh", net.gemm(net.add("Mul", reset, state), 16, 16))
    rest = net.add("Sub", net.constant(np.ones((1, 16))), update)
    mixed = net.add("Add", net.add("Mul", update, state), net.add("Mul", rest, new))
    return net.model((1, 24), net.gemm(mixed, 16, 4), mixed)


def detector() -> onnx.ModelProto:
    """Swish, pools in a row, Split and a head of boxes and scores, as YOLO has them."""
    net = FloatNetwork(6)

    def swish(source: str) -> str:
        return net.add("Mul", source, net.add("Sigmoid", source))

    x = swish(net.conv("x", 3, 16, strides=[2, 2]))
    first = net.add("Split", x, net.constant([8, 8], np.int64), axis=1, outputs=2)
    x = net.add("Concat", first, swish(net.conv(f"{first}1", 8, 8)), axis=1)
    pools = [x]
    for _ in range(3):
        pools.append(net.add("MaxPool", pools[-1], kernel_shape=[5, 5], pads=[2] * 4))
    x = swish(net.conv(net.add("Concat", *pools, axis=1), 64, 16, 1))
    boxes, scores = net.conv(x, 16, 4, 1), net.add("Sigmoid", net.conv(x, 16, 3, 1))
    shape = net.constant([1, -1, 64], np.int64)
    flat = [net.add("Reshape", part, shape) for part in (boxes, scores)]
    return net.model((1, 3, 16, 16), net.add("Concat", *flat, axis=1))


def temporal() -> onnx.ModelProto:
    """A 1-D network with Pad, Slice, PRelu and BatchNormalization."""
    net = FloatNetwork(7)
    x = net.add("Pad", "x", net.constant([0, 0, 2, 0, 0, 0], np.int64), mode="constant")
    x = net.add("Conv", x, net.weights(16, 8, 3), kernel_shape=[3])
    norm = [net.constant(values) for values in (np.ones(16), np.zeros(16), np.zeros(16), np.ones(16))]
    x = net.add("BatchNormalization", x, *norm)
    x = net.add("PRelu", x, net.constant(np.full((16, 1), 0.2)))
    starts, ends, axes = (net.constant(values, np.int64) for values in ([0], [24], [2]))
    x = net.add("Slice", x, starts, ends, axes)
    x = net.add("Unsqueeze", net.add("Squeeze", x, net.constant([0], np.int64)), net.constant([0], np.int64))
    return net.model((1, 8, 32), net.add("Conv", x, net.weights(4, 16, 1), kernel_shape=[1]))


def squeezed() -> onnx.ModelProto:
    """Squeeze and excitation with HardSigmoid and HardSwish, as MobileNetV3 has them."""
    net = FloatNetwork(8)
    x = net.add("HardSwish", net.conv("x", 3, 16, strides=[2, 2]))
    pooled = net.add("GlobalAveragePool", x)
    gate = net.add(
        "HardSigmoid", net.conv(net.add("Relu", net.conv(pooled, 16, 4, 1)), 4, 16, 1), alpha=0.1667
    )
    x = net.add("Mul", x, gate)
    x = net.add("DepthToSpace", x, blocksize=2)
    return net.model((1, 3, 16, 16), net.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]))


def norms() -> onnx.ModelProto:
    """Statistics by hand: Pow, ReduceMean, Sqrt, Div, Where, Abs, Max, Clip by attributes of an old opset."""
    net = FloatNetwork(9)
    x = net.add("Clip", net.conv("x", 2, 8), min=-1.0, max=1.0)
    square = net.add("ReduceMean", net.add("Pow", x, net.constant(2)), axes=[1], keepdims=1)
    x = net.add("Div", x, net.add("Sqrt", net.add("Add", square, net.constant(0.01))))
    x = net.add("Max", net.add("Abs", x), net.add("Exp", net.conv(x, 8, 8, 1)))
    return net.model((1, 2, 8, 8), net.conv(net.add("Transpose", x, perm=[0, 1, 3, 2]), 8, 3), opset=10)


def lifted() -> onnx.ModelProto:
    """Weights that Constant nodes hold, names of nodes left out, an output that is read, a table that is gathered."""
    net = FloatNetwork(10)
    kernel = numpy_helper.from_array(net.rng.normal(0, 0.3, (4, 3, 1, 1)).astype(np.float32), "value")
    x = net.add("Conv", "x", net.add("Constant", value=kernel), kernel_shape=[1, 1])
    seen = net.add("Relu", x)
    table = net.add(
        "Gather", net.constant(net.rng.normal(0, 1, (6, 8))), net.constant([[0, 3, 1, 2]], np.int64)
    )
    row = net.add("Unsqueeze", table, net.constant([2], np.int64))
    y = net.add("Mul", net.add("Expand", row, net.constant([1, 4, 8, 8], np.int64)), seen)
    z = net.add("Clip", y, net.constant(-1), net.constant(1))
    for node in net.nodes[:2]:
        node.name = ""
    return net.model((1, 3, 8, 8), seen, net.add("Concat", z, y, axis=1))


NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    make.__name__: make
    for make in (residual, mobile, unet, attention, gates, detector, temporal, squeezed, norms, lifted)
}


def falls() -> bytes:
    """A TCN of 60 steps of 55 values: causal kernels of three taps, dilated by 1 to 8, and the last step (fall_detection_tcn)."""
    random, nodes, initializers = np.random.default_rng(0), [], []

    def constant(name: str, values: Any) -> str:
        initializers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def conv(source: str, name: str, before: int, count: int, taps: int = 1, dilation: int = 1) -> str:
        if taps > 1:
            left = constant(f"{name}_left", np.array([0, 0, (taps - 1) * dilation, 0, 0, 0], np.int64))
            source = node("Pad", [source, left], f"{name}_pad")
        weights = constant(f"{name}_w", random.normal(size=(count, before, taps)).astype(np.float32))
        bias = constant(f"{name}_b", np.zeros(count, np.float32))
        return node("Conv", [source, weights, bias], name, dilations=[dilation], kernel_shape=[taps])

    x, before = "x", 55
    for k, (count, dilation) in enumerate(((64, 1), (64, 2), (128, 4), (2, 8))):
        made = node("Relu", [conv(x, f"first{k}", before, count, 3, dilation)], f"first_relu{k}")
        made = node("Relu", [conv(made, f"second{k}", count, count, 3, dilation)], f"second_relu{k}")
        beside = x if before == count else conv(x, f"beside{k}", before, count)
        x, before = node("Relu", [node("Add", [made, beside], f"sum{k}")], f"block{k}"), count
    node("Gather", [x, constant("last", np.array(-1, np.int64))], "y", axis=2)
    ends = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [1, 55, 60]), ("y", [1, 2]))
    ]
    graph = helper.make_graph(nodes, "falls", ends[:1], ends[1:], initializers)
    made_model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(made_model.SerializeToString())


def calculator() -> bytes:
    """Two causal Conv1d of three taps and one of a tap between Q and DQ of the borders, its weights in float (model_cnn_calc)."""
    random, nodes, initializers = np.random.default_rng(0), [], []

    def constant(name: str, values: Any) -> str:
        initializers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def stored(source: str, name: str, scale: float, zero: int) -> str:
        grid = [constant(f"{name}_scale", np.float32(scale)), constant(f"{name}_zero", np.int8(zero))]
        nodes.append(helper.make_node("QuantizeLinear", [source, *grid], [f"{name}_q"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", *grid], [name]))
        return name

    x = stored("x", "features", 0.029, -4)
    for k, (count, taps) in enumerate(((256, 3), (256, 3), (374, 1))):
        if taps > 1:
            left = constant(f"left{k}", np.array([0, 0, taps - 1, 0, 0, 0], np.int64))
            nodes.append(helper.make_node("Pad", [x, left], [f"pad{k}"]))
            x = f"pad{k}"
        weights = constant(f"weights{k}", random.normal(0, 0.05, (count, 256, taps)).astype(np.float32))
        bias = constant(f"bias{k}", np.zeros(count, np.float32))
        nodes.append(helper.make_node("Conv", [x, weights, bias], [f"conv{k}"], kernel_shape=[taps]))
        x = f"conv{k}"
    ends = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
        for n, s in (("x", [1, 256, 32]), (stored(x, "y", 0.55, -1), [1, 374, 32]))
    ]
    graph = helper.make_graph(nodes, "calculator", ends[:1], ends[1:], initializers)
    made_model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made_model.SerializeToString())


def sounds_in_float() -> bytes:
    """toy_sound_classifier before it was quantized (sijiaohanshusin/NECCS_N647, Core 4.0.0)."""
    net, x, before = FloatNetwork(0), "x", 1
    for count in (8, 16, 32):
        x = net.add("Relu", net.conv(x, before, count))
        x, before = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), count
    scores = net.gemm(net.add("Flatten", x), 1024, 6)
    return bytes(net.model((1, 1, 32, 64), net.add("Softmax", scores, axis=1)).SerializeToString())
