"""Shape rules of com.microsoft operators: ONNX knows none of them."""

from __future__ import annotations

from npuscope.model.inference.call import Answer, Call, Rule, size
from npuscope.model.inference.compute import (
    dequantize,
    gemm,
    gemm_of,
    layer_normalization,
    matmul_shape,
    quantize,
    reduced,
    same,
)  # fmt: skip
from npuscope.model.inference.moves import concat
from npuscope.model.inference.types import Shape, broadcast
from npuscope.model.inference.windows import conv, global_pool, pool, qlinear_conv
from npuscope.model.tensors import TensorType


def two(call: Call) -> Answer:
    """QLinearAdd and QLinearMul."""
    return TensorType(call.dtype(), broadcast(call.shape(0), call.shape(3)))


def qlinear_concat(call: Call) -> Answer:
    return concat(Call(call.node, call.types[2::3], call.opset, call.known))


def qgemm(call: Call) -> Answer:
    return gemm_of(call, 3, call.dtype() if call.has(7) else "float32")


def qlinear_reduced(call: Call) -> Answer:
    """Its axes are an attribute in every opset."""
    data, axes = call.shape(), call.node.integers("axes")
    if data is None:
        return TensorType(call.dtype(), None)
    shape = reduced(data, axes or tuple(range(len(data))), bool(call.node.integer("keepdims", 1)))
    return TensorType(call.dtype(), shape)


def fused_matmul(call: Call) -> Answer:
    """MatMul with an operand turned over, or of integers with a float result."""
    node = call.node
    dtype = call.dtype()
    if node.op == "MatMulIntegerToFloat":
        dtype = call.dtype(2) if call.has(2) else "float32"
    if node.integer("transBatchA", 0) or node.integer("transBatchB", 0):
        return TensorType(dtype, None)
    shapes: list[Shape | None] = []
    for position, name in enumerate(("transA", "transB")):
        shape = call.shape(position)
        if shape is not None and len(shape) > 1 and node.integer(name, 0):
            shape = (*shape[:-2], shape[-1], shape[-2])
        shapes.append(shape)
    return TensorType(dtype, matmul_shape(shapes[0], shapes[1]))


def matmul_bits(call: Call) -> Answer:
    """MatMul with packed weights: their number of columns is an attribute."""
    data, columns = call.shape(), call.node.integer("N", 0)
    if not data or columns < 1:
        return TensorType(call.dtype(), None)
    return TensorType(call.dtype(), (*data[:-1], size(columns)))


def attention(call: Call) -> Answer:
    """Batch x length x size; the constants hold query, key and value beside one another."""
    dtype = call.dtype() if call.node.op == "Attention" else call.dtype(3)
    dtype = dtype if dtype != "unknown" else "float32"
    data, weight = call.shape(0), call.shape(1)
    if data is None or weight is None or len(data) != 3 or len(weight) != 2:
        return TensorType(dtype, None)
    if call.node.attribute("qkv_hidden_sizes") is not None or not isinstance(weight[1], int):
        return TensorType(dtype, None)
    return TensorType(dtype, (data[0], data[1], weight[1] // 3))


def _first_layout(rule: Rule) -> Rule:
    """Our rules have the channels first: none for nodes that have them last."""

    def ruled(call: Call) -> Answer:
        return None if call.node.integer("channels_last", 0) else rule(call)

    return ruled


def quantizer(call: Call) -> Answer:
    """A quantizer of another tool: each value stays where it is, and is a real number unless integers are what it writes."""
    name = call.node.op.lower()
    writes_integers = "quantizelinear" in name and "dequantizelinear" not in name
    return TensorType("unknown" if writes_integers else "float32", call.shape(0))


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        ("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "Gelu", "BiasGelu", "FastGelu", "QuickGelu"),
        same,
    ),
    **dict.fromkeys(("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), same),
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), two),
    **dict.fromkeys(("FusedMatMul", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"), fused_matmul),
    **dict.fromkeys(("Attention", "QAttention"), attention),
    "LayerNormalization": layer_normalization,
    "QLinearGlobalAveragePool": _first_layout(global_pool),
    "QLinearAveragePool": _first_layout(pool),
    "QLinearConv": _first_layout(qlinear_conv),
    "QLinearConcat": qlinear_concat,
    "QLinearReduceMean": qlinear_reduced,
    "QGemm": qgemm,
    "FusedConv": conv,
    "FusedGemm": gemm,
    "MatMulNBits": matmul_bits,
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
}
