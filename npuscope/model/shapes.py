"""Types and shapes of every tensor: ONNX's own inference, and ours for what it leaves out.

ONNX infers nothing for com.microsoft operators, and nothing past a tensor it could not infer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TypeProto

from npuscope.model.tensors import UNKNOWN, Constant, Dim, TensorType, dtype_name

Types = Mapping[str, TensorType]


def declared_types(graph: GraphProto) -> dict[str, TensorType]:
    """What the file itself says of inputs, outputs and intermediate tensors."""
    types: dict[str, TensorType] = {}
    for values in (graph.value_info, graph.output, graph.input):
        for value in values:
            types[value.name] = tensor_type(value.type)
    return types


def infer_types(
    model: ModelProto, constants: Mapping[str, Constant], declared: Types
) -> dict[str, TensorType]:
    """Types of all tensors that can be known. Never raises for what a model holds."""
    types = dict(declared)
    try:
        inferred = onnx.shape_inference.infer_shapes(
            _with_stand_ins(model), check_type=False, strict_mode=False, data_prop=True
        )
    except Exception:  # noqa: BLE001 - onnx raises bare and changing exception types on models it dislikes
        inferred = None
    if inferred is not None:
        for value in (*inferred.graph.value_info, *inferred.graph.output):
            found = tensor_type(value.type)
            types[value.name] = _merged(found, types.get(value.name, UNKNOWN))
    for name, constant in constants.items():
        types[name] = TensorType(constant.dtype, constant.shape)
    for node in model.graph.node:
        if any(name and types.get(name, UNKNOWN).shape is None for name in node.output):
            fill(node, types)
    return types


_STAND_INS: Mapping[str, tuple[str, Callable[[int], tuple[int, ...]]]] = {
    "QLinearAdd": ("Add", lambda n: (0, 3)),
    "QLinearMul": ("Mul", lambda n: (0, 3)),
    "QLinearSigmoid": ("Sigmoid", lambda n: (0,)),
    "QLinearLeakyRelu": ("Identity", lambda n: (0,)),
    "QLinearSoftmax": ("Identity", lambda n: (0,)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", lambda n: (0,)),
    "QLinearAveragePool": ("AveragePool", lambda n: (0,)),
    "QLinearConcat": ("Concat", lambda n: tuple(range(2, n, 3))),
    "QGemm": ("Gemm", lambda n: (0, 3)),
    "Gelu": ("Identity", lambda n: (0,)),
    "BiasGelu": ("Identity", lambda n: (0,)),
    "FastGelu": ("Identity", lambda n: (0,)),
    "QuickGelu": ("Identity", lambda n: (0,)),
    "SkipLayerNormalization": ("Identity", lambda n: (0,)),
    "SkipSimplifiedLayerNormalization": ("Identity", lambda n: (0,)),
    "FusedConv": ("Conv", lambda n: (0, 1, 2)),
    "FusedGemm": ("Gemm", lambda n: (0, 1, 2)),
    "QuantizeLinear": ("QuantizeLinear", lambda n: (0, 1, 2)),
    "DequantizeLinear": ("DequantizeLinear", lambda n: (0, 1, 2)),
}
"""com.microsoft operator -> the ONNX operator of the same shape, and the inputs it gets."""


def _with_stand_ins(model: ModelProto) -> ModelProto:
    """The model, its com.microsoft operators replaced by ONNX ones of the same shape: ONNX infers nothing for them."""
    foreign = [i for i, node in enumerate(model.graph.node) if _has_stand_in(node)]
    if not foreign:
        return model
    copy = ModelProto()
    copy.CopyFrom(model)
    for i in foreign:
        _stand_in(copy.graph.node[i])
    return copy


def _has_stand_in(node: NodeProto) -> bool:
    """Not so with channels last: the ONNX operators have them first."""
    if node.domain != "com.microsoft" or node.op_type not in _STAND_INS:
        return False
    return not any(a.name == "channels_last" and a.i for a in node.attribute)


def _stand_in(node: NodeProto) -> None:
    op, positions = _STAND_INS[node.op_type]
    known = onnx.defs.get_schema(op).attributes
    attributes = [attribute for attribute in node.attribute if attribute.name in known]
    del node.attribute[:]
    node.attribute.extend(attributes)
    inputs = [node.input[k] for k in positions(len(node.input)) if k < len(node.input)]
    del node.input[:]
    node.input.extend(inputs)
    node.op_type, node.domain = op, ""


def stand_in(node: NodeProto) -> NodeProto:
    """The ONNX operator of the same shape for a com.microsoft one; the node itself where there is none."""
    if not _has_stand_in(node):
        return node
    copy = NodeProto()
    copy.CopyFrom(node)
    _stand_in(copy)
    return copy


def tensor_type(proto: TypeProto) -> TensorType:
    """The tensor type of a TypeProto; unknown for sequences, maps and optionals."""
    if not proto.HasField("tensor_type"):
        return UNKNOWN
    tensor = proto.tensor_type
    dtype = dtype_name(tensor.elem_type)
    if not tensor.HasField("shape"):
        return TensorType(dtype, None)
    return TensorType(dtype, tuple(_dim(d) for d in tensor.shape.dim))


def _dim(dim: onnx.TensorShapeProto.Dimension) -> Dim:
    if dim.HasField("dim_value"):
        return int(dim.dim_value)
    return str(dim.dim_param) or None


def _merged(first: TensorType, second: TensorType) -> TensorType:
    """The first, with what it does not know taken from the second."""
    dtype = first.dtype if first.dtype != "unknown" else second.dtype
    if first.shape is None or second.shape is None or len(first.shape) != len(second.shape):
        return TensorType(dtype, first.shape if first.shape is not None else second.shape)
    pairs = zip(first.shape, second.shape, strict=True)
    return TensorType(
        dtype, tuple(b if isinstance(b, int) and not isinstance(a, int) else a for a, b in pairs)
    )


def fill(node: NodeProto, types: dict[str, TensorType]) -> None:
    """Set the types of a node's outputs by our own rules, where we have one and its inputs are known."""
    rule = _RULES.get(node.op_type)
    if rule is None or not node.output:
        return
    known = [types.get(name, UNKNOWN) for name in node.input]
    found = rule(node, known)
    if found is not None:
        types[node.output[0]] = _merged(types.get(node.output[0], UNKNOWN), found)


def fills(node: NodeProto) -> bool:
    """ONNX may infer nothing for the operator, and our own rules do."""
    return node.domain == "com.microsoft" or node.op_type in _RULES


Rule = Callable[[NodeProto, list[TensorType]], TensorType | None]


def _same(node: NodeProto, known: list[TensorType]) -> TensorType | None:
    return known[0] if known else None


def _quantized(node: NodeProto, known: list[TensorType]) -> TensorType | None:
    if not known:
        return None
    dtype = known[2].dtype if len(known) > 2 and known[2].dtype != "unknown" else "uint8"
    return TensorType(dtype, known[0].shape)


def _dequantized(node: NodeProto, known: list[TensorType]) -> TensorType | None:
    if not known:
        return None
    dtype = known[1].dtype if len(known) > 1 and known[1].dtype != "unknown" else "float32"
    return TensorType(dtype, known[0].shape)


def broadcast(first: tuple[Dim, ...] | None, second: tuple[Dim, ...] | None) -> tuple[Dim, ...] | None:
    """The broadcast shape; a size that cannot be known is None. None where a rank is unknown or sizes clash."""
    if first is None or second is None:
        return None
    rank = max(len(first), len(second))
    left = (1,) * (rank - len(first)) + tuple(first)
    right = (1,) * (rank - len(second)) + tuple(second)
    out: list[Dim] = []
    for a, b in zip(left, right, strict=True):
        if a == 1 or a == b:
            out.append(b)
        elif b == 1 or not isinstance(b, int):
            out.append(a)
        elif not isinstance(a, int):
            out.append(b)
        else:
            return None
    return tuple(out)


def _elementwise(node: NodeProto, known: list[TensorType]) -> TensorType | None:
    if len(known) < 2:
        return known[0] if known else None
    return TensorType(known[0].dtype, broadcast(known[0].shape, known[1].shape))


def _matmul_shape(a: tuple[Dim, ...] | None, b: tuple[Dim, ...] | None) -> tuple[Dim, ...] | None:
    if a is None or b is None or len(a) < 2 or len(b) < 2:
        return None
    batch = broadcast(a[:-2], b[:-2])
    return None if batch is None else (*batch, a[-2], b[-1])


def _matmul(node: NodeProto, known: list[TensorType]) -> TensorType | None:
    return (
        TensorType(known[0].dtype, _matmul_shape(known[0].shape, known[1].shape)) if len(known) > 1 else None
    )


def _number(node: NodeProto, name: str) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), 0)


def _fused_matmul(node: NodeProto, known: list[TensorType]) -> TensorType | None:
    """com.microsoft MatMul with an operand turned over, or of integers with a float result."""
    if len(known) < 2 or _number(node, "transBatchA") or _number(node, "transBatchB"):
        return None
    shapes = []
    for position, name in enumerate(("transA", "transB")):
        shape = known[position].shape
        if shape is not None and len(shape) > 1 and _number(node, name):
            shape = (*shape[:-2], shape[-1], shape[-2])
        shapes.append(shape)
    dtype = (
        known[0].dtype
        if node.op_type != "MatMulIntegerToFloat"
        else known[2].dtype
        if len(known) > 2
        else "float32"
    )
    return TensorType(dtype, _matmul_shape(*shapes))


def _reduced(node: NodeProto, known: list[TensorType]) -> TensorType | None:
    """QLinearReduceMean: its axes are an attribute in every opset."""
    shape = known[0].shape if known else None
    axes = next((list(a.ints) for a in node.attribute if a.name == "axes"), None)
    if shape is None or axes is None or any(not -len(shape) <= axis < len(shape) for axis in axes):
        return None
    gone = {axis % len(shape) for axis in axes}
    if _number(node, "keepdims"):
        return TensorType(known[0].dtype, tuple(1 if i in gone else d for i, d in enumerate(shape)))
    return TensorType(known[0].dtype, tuple(d for i, d in enumerate(shape) if i not in gone))


def _matmul_bits(node: NodeProto, known: list[TensorType]) -> TensorType | None:
    """MatMul with packed weights: their number of columns is an attribute."""
    columns = _number(node, "N")
    if not known or not known[0].shape or columns < 1:
        return None
    return TensorType(known[0].dtype, (*known[0].shape[:-1], columns))


def _attention(node: NodeProto, known: list[TensorType]) -> TensorType | None:
    """com.microsoft attention of batch x length x size; the constants hold query, key and value beside one another."""
    if node.domain != "com.microsoft" or len(known) < 2:
        return None
    data, weight = known[0].shape, known[1].shape
    if data is None or weight is None or len(data) != 3 or len(weight) != 2:
        return None
    if any(a.name == "qkv_hidden_sizes" for a in node.attribute) or not isinstance(weight[1], int):
        return None
    dtype = known[0].dtype if node.op_type == "Attention" else known[3].dtype if len(known) > 3 else "float32"
    return TensorType(dtype, (data[0], data[1], weight[1] // 3))


_UNARY = [
    "Abs",
    "Relu",
    "LeakyRelu",
    "Sigmoid",
    "Tanh",
    "Clip",
    "Elu",
    "Selu",
    "HardSigmoid",
    "HardSwish",
    "Softmax",
    "LogSoftmax",
    "Erf",
    "Exp",
    "Log",
    "Sqrt",
    "Neg",
    "Ceil",
    "Floor",
    "Round",
    "Identity",
    "Softplus",
    "Softsign",
    "Reciprocal",
    "PRelu",
    "ThresholdedRelu",
    "Dropout",
    "BatchNormalization",
    "LayerNormalization",
    "InstanceNormalization",
    "GroupNormalization",
    "RMSNormalization",
    "SimplifiedLayerNormalization",
    "LpNormalization",
    "MeanVarianceNormalization",
    "Celu",
    "Mish",
    "Swish",
    "Gelu",
    "FastGelu",
    "QuickGelu",
    "BiasGelu",
    "Cast",
]

_RULES: dict[str, Rule] = {
    **dict.fromkeys(_UNARY, _same),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean"), _elementwise),
    "QuantizeLinear": _quantized,
    "DequantizeLinear": _dequantized,
    "MatMul": _matmul,
    **dict.fromkeys(("FusedMatMul", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"), _fused_matmul),
    "MatMulNBits": _matmul_bits,
    "QLinearReduceMean": _reduced,
    **dict.fromkeys(("Attention", "QAttention"), _attention),
}
