"""Models that contradict themselves: a sound one with a few fields changed at random."""

from __future__ import annotations

from random import Random

import onnx
from onnx import AttributeProto, ModelProto, NodeProto

NUMBERS = (-1, 0, 1, 2, 3, 5, 7, 127, -128, 1 << 31, (1 << 63) - 1, -(1 << 63))
SIZES = (0, 1, 2, 3, 5, 9, -1, 1 << 31, 1 << 40)
NAMES = (
    "",
    "x",
    "y",
    "\x1b[31m",
    "a\nb",
    "[red]",
    "../../x",
    "\u202ex",
    "n" * 9000,
    "x" * 200 + "/y",
    "Conv_0",
    "%s",
    "=",
    "\0",
)
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
        if not damaged.graph.node:
            break
        if random.random() < 0.05:
            _header(damaged, random)
        else:
            random.choice(_KINDS if random.random() < 0.6 else _MORE)(damaged.graph, random)
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


def _name(graph: onnx.GraphProto, random: Random) -> None:
    """A tensor is called otherwise wherever it is named; or a node, a graph, a domain."""
    odd, what = random.choice(NAMES), random.randrange(4)
    if what == 0:
        _node(graph, random).name = odd
    elif what == 1:
        _node(graph, random).domain = random.choice(("", "ai.onnx", "com.microsoft", "ai.onnx.ml", odd))
    else:
        old = random.choice([*_tensors(graph), *(value.name for value in graph.output)] or [""])
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [odd if name == old else name for name in names]
        for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
            value.name = odd if value.name == old else value.name


def _branch(graph: onnx.GraphProto, random: Random) -> None:
    """A node goes into both branches of an If, or into the body of a Loop or Scan."""
    node = _node(graph, random)
    body = onnx.GraphProto(name=random.choice(NAMES))
    body.node.add().CopyFrom(node)
    for name in node.output[: random.choice((1, 1, 0, 2))]:
        body.output.add().name = name
    outer = random.choice(_tensors(graph) or [""])
    kind = random.choice(("If", "If", "Loop", "Scan"))
    del node.attribute[:]
    node.op_type, node.domain = kind, ""
    node.input[:] = [random.choice(("", outer)) for _ in range(random.choice((1, 1, 2, 3)))]
    for name in ("then_branch", "else_branch") if kind == "If" else ("body",):
        node.attribute.append(onnx.helper.make_attribute(name, body))


def _kind_of_attribute(graph: onnx.GraphProto, random: Random) -> None:
    """An attribute holds a value of another kind, or refers to one of a function; or it is there twice."""
    node = _node(graph, random)
    attribute = (
        random.choice(node.attribute) if node.attribute and random.random() < 0.8 else node.attribute.add()
    )
    if random.random() < 0.2:
        node.attribute.add().CopyFrom(attribute)
    name = attribute.name or random.choice(
        ("axis", "pads", "value", "to", "perm", "strides", "block_size", "allowzero")
    )
    values = (
        1,
        0.5,
        "text",
        [1, 2],
        [0.5],
        ["a", "b"],
        onnx.TensorProto(data_type=7, dims=[2]),
        [onnx.TensorProto()],
        onnx.GraphProto(),
    )
    value = random.choice(values)
    attribute.CopyFrom(onnx.helper.make_attribute(name, value))
    if random.random() < 0.2:
        attribute.type = random.choice(onnx.AttributeProto.AttributeType.values())
    if random.random() < 0.1:
        attribute.ref_attr_name = random.choice(NAMES)


def _storage(graph: onnx.GraphProto, random: Random) -> None:
    """A constant is sparse, lies outside, holds what its type does not, or stands among the inputs too."""
    if not graph.initializer:
        return
    tensor, what = random.choice(graph.initializer), random.randrange(5)
    if what == 0:
        sparse = graph.sparse_initializer.add()
        sparse.values.CopyFrom(tensor)
        indices = [random.choice((0, 1, 2, -1, 1 << 40)) for _ in range(random.choice((0, 1, 2, 3)))]
        sparse.indices.CopyFrom(onnx.helper.make_tensor(tensor.name, 7, [len(indices)], indices))
        sparse.dims[:] = [random.choice(SIZES) for _ in range(random.choice((1, 2, 4)))]
        graph.initializer.remove(tensor)
    elif what == 1:
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (
            ("location", random.choice(("m.onnx", "w.bin", "../w", "/etc/passwd", *NAMES))),
            ("offset", "8"),
            ("length", "99"),
        ):
            tensor.external_data.add(key=key, value=random.choice((value, value, "-1", "x", "9" * 30)))
    elif what == 2:
        tensor.raw_data = tensor.raw_data[: random.choice((0, 1, 3))]
    elif what == 3:
        tensor.ClearField("raw_data")
        tensor.int32_data.extend(
            random.choice((-1, 0, 7, 1 << 30)) for _ in range(random.choice((1, 2, 300)))
        )
    else:
        graph.input.append(
            onnx.helper.make_tensor_value_info(
                tensor.name, random.choice((tensor.data_type, 1)), [*tensor.dims]
            )
        )


def _kind_of_value(graph: onnx.GraphProto, random: Random) -> None:
    """An input or output is a sequence, an optional, a sparse tensor, of no shape or of free sizes."""
    value, what = (
        random.choice([*graph.input, *graph.output] or [graph.value_info.add()]),
        random.randrange(6),
    )
    kept = onnx.TypeProto.FromString(value.type.SerializeToString())
    if what == 0:
        value.type.sequence_type.elem_type.CopyFrom(kept)
    elif what == 1:
        value.type.optional_type.elem_type.CopyFrom(kept)
    elif what == 2:
        value.type.sparse_tensor_type.elem_type = 1
    elif what == 3:
        value.ClearField("type")
    else:
        for dim in value.type.tensor_type.shape.dim:
            if random.random() < 0.6:
                dim.dim_param = random.choice(("n", "", *NAMES))
        if what == 4:
            value.type.tensor_type.shape.dim.add()
        else:
            value.type.tensor_type.elem_type = random.randrange(27)


def _header(model: ModelProto, random: Random) -> None:
    """Another opset or version, or a function of the model with the name of an operator."""
    what = random.randrange(3)
    if what == 0 and model.opset_import:
        random.choice(model.opset_import).version = random.choice(
            (1, 6, 7, 8, 9, 10, 11, 12, 13, 17, 18, 21, 23, 24, 99)
        )
    elif what == 1:
        model.ir_version = random.choice((0, 1, 3, 4, 7, 8, 12, 99))
    else:
        node = _node(model.graph, random)
        function = model.functions.add(name=node.op_type, domain=random.choice((node.domain, "", "local")))
        function.input.extend(node.input if random.random() < 0.8 else node.input[:1])
        function.output.extend(node.output)
        function.node.add().CopyFrom(node)
        function.opset_import.extend(model.opset_import)
        if random.random() < 0.7:
            node.domain = function.domain = "local"
            model.opset_import.add(domain="local", version=1)


_MORE = (_name, _branch, _kind_of_attribute, _storage, _kind_of_value)
_KINDS = (_rewire, _rewire, _count, _attribute, _operator, _constant, _constant, _shape)
