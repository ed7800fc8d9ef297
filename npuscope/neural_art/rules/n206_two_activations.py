"""N206: a Conv, Gemm or MatMul without constant weights."""

from __future__ import annotations

from npuscope.model.layers import WEIGHTED, Layer
from npuscope.model.names import quoted
from npuscope.model.validity.foreign import foreign_quantizer
from npuscope.model.validity.functions import function_of, way_out
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if cause.why is Why.WEIGHTS_UNFOLDED:
        return _unfolded(cause, layer, context)
    heads = cause.count("heads")
    parts = f" as {heads} software Convs, one per matrix" if heads > 1 else " as a software Conv"
    return Finding(
        "N206",
        Severity.ERROR,
        f"{layer.kind} multiplies two activations; it runs{parts}",
        "The NPU streams weights from memory as constants; the second operand must be known when compiling.",
        "keep attention in software, or replace it by a Conv with constant weights",
        cause.placement,
        Confidence.DOCUMENTED,
    )


def _unfolded(cause: Cause, layer: Layer, context: Context) -> Finding:
    node = context.graph.nodes[context.graph.node_index[str(cause["node"])]]
    quantizer = foreign_quantizer(node)
    if quantizer is not None:
        fix = quantizer.way
    elif function_of(context.graph, node) is not None:
        fix = way_out(context.graph, node)
    else:
        fix = "fold constants when exporting, or with onnxsim, so that the weights are stored in the model"
    return Finding(
        "N206",
        Severity.ERROR,
        f"{layer.kind} has weights that {quoted(node.op)} "
        f"({quoted(node.name)}) computes from constants; they are not folded",
        "The NPU streams weights from memory as constants; the second operand must be known when compiling.",
        fix,
        cause.placement,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N206",
    title="Product of two activations",
    what="Looks for a Conv, Gemm or MatMul whose second operand is computed at run time, be it from activations or "
    "from constants by a node that is not folded.",
    why="The documentation asks for a constant second operand; a product of two activations becomes one int8 software "
    "Conv per matrix (head), with Split, Reshape and Concat around it.",
    fix="None on the NPU. A product with few channels may be cheaper as Mul and ReduceSum.",
    source="FACTS 4 (ST documentation from 2.2, FORUM-2), LESSONS E2 (YOLO11: 2 MatMul x 2 heads = 4 software Conv)",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset({Why.PRODUCT_OF_ACTIVATIONS, Why.WEIGHTS_UNFOLDED}),
    word=word,
    kinds=WEIGHTED,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,16,16] a, int8[1,2,16,16] b) => (int8[1,2,16,16] y) <float s = {0.1}, int8 z = {0}>
{ fa = DequantizeLinear(a, s, z)
  fb = DequantizeLinear(b, s, z)
  f = MatMul(fa, fb)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,16] a) => (int8[1,16] y)
<float s = {0.1}, int8 z = {0}, int64[2] ws = {16, 16}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  fa = DequantizeLinear(a, s, z)
  fw = DequantizeLinear(w, s, z)
  f = MatMul(fa, fw)
  y = QuantizeLinear(f, s, z) }""",
)
