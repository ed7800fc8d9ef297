"""Shape rules of operators that compute: element by element, products, reductions, recurrences; `RULES` has windows too."""

from __future__ import annotations

from npuscope.model.inference.call import Answer, Call, Rule, axis_at, size
from npuscope.model.inference.types import Shape, broadcast, merged
from npuscope.model.inference.windows import (
    conv,
    conv_integer,
    conv_transpose,
    deform_conv,
    global_pool,
    pool,
    qlinear_conv,
)
from npuscope.model.tensors import Dim, TensorType, dtype_name

SAME = [
    "Abs",
    "Acos",
    "Acosh",
    "Asin",
    "Asinh",
    "Atan",
    "Atanh",
    "BitwiseNot",
    "Ceil",
    "Celu",
    "Clip",
    "Cos",
    "Cosh",
    "CumProd",
    "CumSum",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Hardmax",
    "Identity",
    "InstanceNormalization",
    "LRN",
    "LeakyRelu",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "MeanVarianceNormalization",
    "Mish",
    "Neg",
    "Not",
    "PRelu",
    "RMSNormalization",
    "Reciprocal",
    "Relu",
    "ReverseSequence",
    "RotaryEmbedding",
    "Round",
    "Scatter",
    "ScatterElements",
    "ScatterND",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Sin",
    "Sinh",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Swish",
    "Tan",
    "Tanh",
    "TensorScatter",
    "ThresholdedRelu",
    "Trilu",
    "SimplifiedLayerNormalization",
]
ARITHMETIC = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Mod",
    "Pow",
    "Max",
    "Min",
    "Sum",
    "Mean",
    "BitShift",
    "BitwiseAnd",
    "BitwiseOr",
    "BitwiseXor",
]
LOGIC = ["And", "Or", "Xor", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]
REDUCTIONS = [
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
]


def same(call: Call) -> Answer:
    return call.type(0)


def elementwise(call: Call) -> Answer:
    return TensorType(call.dtype(), _all_broadcast(call, len(call.types)))


def _all_broadcast(call: Call, count: int) -> Shape | None:
    shape = call.shape(0)
    for i in range(1, count):
        shape = broadcast(shape, call.shape(i))
    return shape


def logic(call: Call) -> Answer:
    return TensorType("bool", _all_broadcast(call, len(call.types)))


def truth(call: Call) -> Answer:
    return TensorType("bool", call.shape())


def where(call: Call) -> Answer:
    kind = call.type(1) if call.dtype(1) != "unknown" else call.type(2)
    return TensorType(kind.dtype, _all_broadcast(call, 3))


def cast(call: Call) -> Answer:
    return TensorType(dtype_name(call.node.integer("to", 0)), call.shape())


def cast_like(call: Call) -> Answer:
    return TensorType(call.dtype(1), call.shape())


def dropout(call: Call) -> Answer:
    return (call.type(0), TensorType("bool", call.shape()))


def quantize(call: Call) -> Answer:
    dtype = call.dtype(2) if call.has(2) else dtype_name(call.node.integer("output_dtype", 2) or 2)
    return TensorType(dtype, call.shape())


def dequantize(call: Call) -> Answer:
    stated = call.node.integer("output_dtype", 0)
    dtype = dtype_name(stated) if stated else call.dtype(1)
    return TensorType(dtype if dtype != "unknown" else "float32", call.shape())


def dynamic_quantize(call: Call) -> Answer:
    return (TensorType("uint8", call.shape()), TensorType("float32", ()), TensorType("uint8", ()))


# Products


def matmul_shape(a: Shape | None, b: Shape | None) -> Shape | None:
    """The shape of a product, as numpy.matmul has it."""
    if not a or not b:
        return None
    if len(a) == 1 and len(b) == 1:
        return ()
    if len(a) == 1:
        return (*b[:-2], b[-1])
    if len(b) == 1:
        return a[:-1]
    batch = broadcast(a[:-2], b[:-2])
    return None if batch is None else (*batch, a[-2], b[-1])


def matmul(call: Call) -> Answer:
    return TensorType(call.dtype(), matmul_shape(call.shape(0), call.shape(1)))


def matmul_integer(call: Call) -> Answer:
    return TensorType("int32", matmul_shape(call.shape(0), call.shape(1)))


def qlinear_matmul(call: Call) -> Answer:
    return TensorType(call.dtype(7), matmul_shape(call.shape(0), call.shape(3)))


def gemm_of(call: Call, second: int, dtype: str) -> Answer:
    """A Gemm whose second operand is at this position."""
    a, b = call.shape(0), call.shape(second)
    if a is None or b is None or len(a) != 2 or len(b) != 2:
        return TensorType(dtype, None)
    rows = a[1] if call.node.integer("transA", 0) else a[0]
    columns = b[0] if call.node.integer("transB", 0) else b[1]
    return TensorType(dtype, (rows, columns))


def gemm(call: Call) -> Answer:
    return gemm_of(call, 1, call.dtype())


# Reductions


def reduce(call: Call) -> Answer:
    data = call.shape()
    keep = bool(call.node.integer("keepdims", 1))
    if data is None:
        return TensorType(call.dtype(), None)
    axes = call.axes(1)
    if axes is None and call.has(1):
        return TensorType(call.dtype(), (None,) * len(data) if keep else None)
    if not axes:
        if call.node.integer("noop_with_empty_axes", 0):
            return call.type(0)
        axes = tuple(range(len(data)))
    return TensorType(call.dtype(), reduced(data, axes, keep))


def reduced(data: Shape, axes: tuple[int, ...], keep: bool) -> Shape | None:
    """The shape with these axes reduced."""
    removed = {axis_at(axis, len(data)) for axis in axes}
    if None in removed:
        return None
    if keep:
        return tuple(1 if i in removed else d for i, d in enumerate(data))
    return tuple(d for i, d in enumerate(data) if i not in removed)


def arg(call: Call) -> Answer:
    data = call.shape()
    keep = bool(call.node.integer("keepdims", 1))
    shape = None if data is None else reduced(data, (call.node.integer("axis", 0),), keep)
    return TensorType("int64", shape)


# Normalizations with more than one output


def batch_normalization(call: Call) -> Answer:
    return (call.type(0), *(merged(call.type(i), call.type(1)) for i in (3, 4, 3, 4)))


def layer_normalization(call: Call) -> Answer:
    data = call.shape()
    if data is None:
        return (call.type(0),)
    axis = axis_at(call.node.integer("axis", -1), len(data))
    stats = None if axis is None else (*data[:axis], *(1 for _ in data[axis:]))
    return (call.type(0), TensorType("float32", stats), TensorType("float32", stats))


# Recurrences


def recurrent(call: Call) -> Answer:
    data = call.shape()
    hidden = size(call.node.integer("hidden_size", -1))
    directions = 2 if call.node.text("direction", "forward") == "bidirectional" else 1
    if data is None or len(data) != 3:
        return None
    batch_first = bool(call.node.integer("layout", 0))
    steps, batch = (data[1], data[0]) if batch_first else (data[0], data[1])
    kind = call.dtype()
    if batch_first:
        every: Shape = (batch, steps, directions, hidden)
        last: Shape = (batch, directions, hidden)
    else:
        every, last = (steps, directions, batch, hidden), (directions, batch, hidden)
    return (TensorType(kind, every), TensorType(kind, last), TensorType(kind, last))


def det(call: Call) -> Answer:
    data = call.shape()
    return TensorType(call.dtype(), data[:-2] if data is not None and len(data) > 1 else None)


def einsum(call: Call) -> Answer:
    equation = call.node.text("equation", "").replace(" ", "")
    terms, arrow, wanted = equation.partition("->")
    inputs = terms.split(",")
    if len(equation) > 1024 or len(inputs) != len(call.types) or not call.types:
        return None
    letters: dict[str, Dim] = {}
    dots: Shape | None = ()
    counts: dict[str, int] = {}
    for term, type_ in zip(inputs, call.types, strict=True):
        if type_.shape is None:
            return TensorType(call.dtype(), None)
        head, ellipsis, tail = term.partition("...")
        extra = len(type_.shape) - len(head) - len(tail)
        if extra < 0 or (extra and not ellipsis):
            return None
        shape = type_.shape
        for letter, dim in zip(head + tail, (*shape[: len(head)], *shape[len(head) + extra :]), strict=True):
            counts[letter] = counts.get(letter, 0) + 1
            if not isinstance(letters.get(letter), int) or letters[letter] == 1:
                letters[letter] = dim
        if ellipsis:
            dots = broadcast(dots, shape[len(head) : len(head) + extra])
    if not arrow:
        wanted = ("..." if "..." in terms else "") + "".join(sorted(c for c, n in counts.items() if n == 1))
    head, ellipsis, tail = wanted.partition("...")
    if any(letter not in letters for letter in head + tail) or dots is None:
        return None
    middle = dots if ellipsis else ()
    return TensorType(call.dtype(), (*(letters[c] for c in head), *middle, *(letters[c] for c in tail)))


def top_k(call: Call) -> Answer:
    data = call.shape()
    count = call.numbers(1) if call.has(1) else (call.node.integer("k", -1),)
    axis = axis_at(call.node.integer("axis", -1), len(data)) if data is not None else None
    shape: Shape | None = None
    if data is not None and axis is not None:
        wanted = size(count[0]) if count and len(count) == 1 else None
        shape = (*data[:axis], wanted, *data[axis + 1 :])
    return (TensorType(call.dtype(), shape), TensorType("int64", shape))


RULES: dict[str, Rule] = {
    **dict.fromkeys(SAME, same),
    **dict.fromkeys(ARITHMETIC, elementwise),
    **dict.fromkeys(LOGIC, logic),
    **dict.fromkeys(REDUCTIONS, reduce),
    **dict.fromkeys(("IsInf", "IsNaN"), truth),
    **dict.fromkeys(("AveragePool", "MaxPool", "LpPool"), pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), global_pool),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), recurrent),
    **dict.fromkeys(("ArgMax", "ArgMin"), arg),
    "Where": where,
    "Cast": cast,
    "CastLike": cast_like,
    "Dropout": dropout,
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "DynamicQuantizeLinear": dynamic_quantize,
    "Conv": conv,
    "ConvInteger": conv_integer,
    "QLinearConv": qlinear_conv,
    "DeformConv": deform_conv,
    "ConvTranspose": conv_transpose,
    "MatMul": matmul,
    "MatMulInteger": matmul_integer,
    "QLinearMatMul": qlinear_matmul,
    "Gemm": gemm,
    "BatchNormalization": batch_normalization,
    "LayerNormalization": layer_normalization,
    "Det": det,
    "Einsum": einsum,
    "TopK": top_k,
}
