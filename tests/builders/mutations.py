"""Models that contradict themselves: a sound one with a few fields changed at random."""

from __future__ import annotations

from random import Random

import onnx
from onnx import AttributeProto, ModelProto, NodeProto

NUMBERS = (-1, 0, 1, 2, 3, 5, 7, 127, -128, 1 << 31, (1 << 63) - 1, -(1 << 63))
SIZES = (0, 1, 2, 3, 5, 9, -1, 1 << 31, 1 << 40)
OPERATORS = (
    *("Conv", "Gemm", "MatMul", "ConvTranspose", "QLinearConv", "QLinearMatMul", "Add", "Sub", "Mul", "Div"),
    *(
        "Resize",
        "Reshape",
        "Concat",
        "Split",
        "Pad",
        "Slice",
        "Clip",
        "Relu",
        "PRelu",
        "HardSigmoid",
        "Softmax",
    ),
    *("MaxPool", "AveragePool", "GlobalAveragePool", "BatchNormalization", "Transpose", "DepthToSpace"),
    *("QuantizeLinear", "DequantizeLinear"),
)


def mutated(model: ModelProto, random: Random) -> ModelProto:
    """The model, damaged in one place or a few."""
    damaged = ModelProto.FromString(model.SerializeToString())
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        if damaged.graph.node:
            random.choice(_KINDS)(damaged.graph, random)
    return damaged


def _tensors(graph: onnx.GraphProto) -> list[str]:
    return [name for node in graph.node for name in (*node.input, *node.output) if name]


def _node(graph: onnx.GraphProto, random: Random) -> NodeProto:
    return random.choice(graph.node)


def _rewire(graph: onnx.GraphProto, random: Random) -> None:
    names = random.choice([_node(graph, random).input, _node(graph, random).output])
    if names:
        names[random.randrange(len(names))] = random.choice(_tensors(graph))


def _count(graph: onnx.GraphProto, random: Random) -> None:
    node = _node(graph, random)
    if random.random() < 0.5:
        del node.input[random.randrange(len(node.input) + 1) :]
    else:
        node.input.append(random.choice(_tensors(graph)))


def _attribute(graph: onnx.GraphProto, random: Random) -> None:
    node = _node(graph, random)
    if not node.attribute:
        return
    attribute, number = random.choice(node.attribute), random.choice(NUMBERS)
    if attribute.type == AttributeProto.INT:
        attribute.i = number
    elif attribute.type == AttributeProto.FLOAT:
        attribute.f = random.choice((0.0, -1.0, float("nan"), float("inf"), 1e38))
    elif attribute.type == AttributeProto.INTS:
        if not attribute.ints or random.random() < 0.4:
            attribute.ints.append(number)
        elif random.random() < 0.3:
            del attribute.ints[:]
        else:
            attribute.ints[random.randrange(len(attribute.ints))] = number


def _operator(graph: onnx.GraphProto, random: Random) -> None:
    _node(graph, random).op_type = random.choice(OPERATORS)


def _constant(graph: onnx.GraphProto, random: Random) -> None:
    if not graph.initializer:
        return
    at = random.randrange(len(graph.initializer))
    tensor, what = graph.initializer[at], random.randrange(4)
    if what == 0:
        del graph.initializer[at]
    elif what == 1:
        tensor.data_type = random.choice((0, 1, 2, 3, 6, 7, 9, 10, 11, 16, 17, 21, 22))
    elif what == 2 and tensor.dims:
        tensor.dims[random.randrange(len(tensor.dims))] = random.choice(SIZES)
    else:
        tensor.dims.append(random.choice((0, 1, 2)))


def _shape(graph: onnx.GraphProto, random: Random) -> None:
    value = random.choice((*graph.input, *graph.output, *graph.value_info))
    if value.type.tensor_type.shape.dim:
        random.choice(value.type.tensor_type.shape.dim).dim_value = random.choice(SIZES)
    value.type.tensor_type.elem_type = random.choice((1, 2, 3, value.type.tensor_type.elem_type))


_KINDS = (_rewire, _rewire, _count, _attribute, _operator, _constant, _constant, _shape)
