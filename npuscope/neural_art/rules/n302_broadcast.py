"""N302: operands whose shapes the ARITH units cannot bring together."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.operators import ARITHMETIC
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    forms = " and ".join("x".join(map(str, o.dims)) for o in layer.inputs if o.dims is not None)
    return Finding(
        "N302",
        Severity.ERROR,
        f"{printable_kind(layer)} broadcasts both operands: {forms}",
        "One operand is streamed and the other repeated; nothing repeats both.",
        "expand one operand when exporting, or multiply the vectors as a MatMul",
        cause.placement,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N302",
    title="Broadcast of both operands",
    what="Looks for an elementwise layer of which no operand has the shape of the result.",
    why="Broadcasting is unidirectional: a scalar, or a vector over channels, height or width, is repeated along the "
    "other operand. An outer product of two vectors runs on the Cortex-M55.",
    fix="Give one operand the full shape.",
    source="FACTS 4 (ST documentation: unidirectional only); transformer_128 (2.2): [1,30,1] x [1,1,128] is software",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.BROADCAST_OF_BOTH}),
    word=word,
    kinds=ARITHMETIC,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,30,1] a, int8[1,1,128] b) => (int8[1,30,128] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(a, s, z)
  h = DequantizeLinear(b, s, z)
  r = Mul(f, h)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,30,128] a, int8[1,30,1] b) => (int8[1,30,128] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(a, s, z)
  h = DequantizeLinear(b, s, z)
  r = Mul(f, h)
  y = QuantizeLinear(r, s, z) }""",
)
