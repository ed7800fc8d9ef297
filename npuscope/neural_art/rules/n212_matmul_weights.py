"""N212: a MatMul whose constant is not a single weight matrix behind the activation."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if cause.why is Why.WEIGHTS_FIRST:
        message = f"{layer.kind} has its constant as the first operand; the NPU takes weights as the second one only"
        fix = "exchange the operands: transpose both, and the result"
        known = Confidence.DOCUMENTED
    else:
        batches = cause.count("batches")
        message = (
            f"MatMul has {batches} weight matrices, one for each batch; no single convolution computes that"
        )
        fix = (
            f"split it into {batches} MatMul with one matrix each"
            if batches <= 64
            else "use one weight matrix"
        )
        known = Confidence.UNKNOWN
    return Finding(
        "N212",
        Severity.ERROR,
        message,
        "A MatMul is lowered to a 1x1 convolution whose kernel is its second operand.",
        fix,
        cause.placement,
        known,
    )


RULE = Rule(
    code="N212",
    title="MatMul weights",
    what="Looks for a MatMul or Gemm whose first operand is the constant, or whose constant holds a matrix for each batch.",
    why="The documentation takes a MatMul onto the NPU where the second operand is constant. With a matrix for each batch it "
    "would be as many convolutions; that was not seen.",
    fix="Exchange the operands, or split the batches.",
    source="FACTS 4 (ST documentation from 2.2, FORUM-2)",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset({Why.WEIGHTS_FIRST, Why.WEIGHTS_OF_BATCHES}),
    word=word,
    kinds=frozenset({"MatMul", "Gemm"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[16,4] a) => (int8[16,4] y) <float s = {0.1}, int8 z = {0}, int64[2] ws = {16, 16}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  fa = DequantizeLinear(a, s, z)
  fw = DequantizeLinear(w, s, z)
  f = MatMul(fw, fa)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,16] a) => (int8[1,16] y) <float s = {0.1}, int8 z = {0}, int64[2] ws = {16, 16}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  fa = DequantizeLinear(a, s, z)
  fw = DequantizeLinear(w, s, z)
  f = MatMul(fa, fw)
  y = QuantizeLinear(f, s, z) }""",
)
