"""N602: an operator that only moves values, between float and int8."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if cause.why is Why.MOVES_INTEGERS:
        return None
    if cause.why is Why.QUANTIZES_PARTS:
        return Finding(
            "N602",
            Severity.WARNING,
            "Concat joins floats with int8: the floats are quantized on the CPU",
            "The Concat itself runs on the NPU; each float part has a QuantizeLinear before it, which is a float epoch.",
            "put a Q/DQ pair behind the operator that writes the floats",
            None,
            Confidence.INFERRED,
        )
    before = cause.why is Why.CARRIES_QUANTIZE
    op = "QuantizeLinear" if before else "DequantizeLinear"
    return Finding(
        "N602",
        Severity.WARNING,
        f"{printable_kind(layer)} stands between float and int8: its {op} runs on the CPU",
        "The operator itself is free, but the change of type that belongs to it is a float epoch.",
        "move the QuantizeLinear before it"
        if before
        else "move the DequantizeLinear behind it, or read int8 data",
        None,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N602",
    title="End of a float island",
    what="Looks for a Reshape, Transpose, Slice or the like with a float tensor on one side and int8 on the other, and for a Concat whose parts are of both types.",
    why="A QuantizeLinear after a Reshape makes everything before the Reshape float: the operator that feeds it has no Q/DQ itself. The change of type costs an epoch on the Cortex-M55.",
    fix="Put Q/DQ directly after the operator that computes.",
    source="mobilenet_v2_224 (2.2): ReduceMean, Reshape, QuantizeLinear gives three float epochs; blazeface_128 (2.2): "
    "DequantizeLinear before a Reshape at the output; "
    "a Concat of boxes in float and int8 scores (4.0.1): QuantizeLinear before the Concat",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.CARRIES_QUANTIZE, Why.CARRIES_DEQUANTIZE, Why.QUANTIZES_PARTS, Why.MOVES_INTEGERS}),
    word=word,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}, int64[2] k = {1, 8}>
{ f = DequantizeLinear(x, s, z)
  p = GlobalAveragePool(f)
  r = Reshape(p, k)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}, int64[2] k = {1, 8}>
{ f = DequantizeLinear(x, s, z)
  p = GlobalAveragePool(f)
  q = QuantizeLinear(p, s, z)
  d = DequantizeLinear(q, s, z)
  r = Reshape(d, k)
  y = QuantizeLinear(r, s, z) }""",
)
