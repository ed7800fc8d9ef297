"""N207: a Gemm or Conv that adds an activation."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    return Finding(
        "N207",
        Severity.ERROR,
        f"{printable_kind(layer)} adds an activation as its bias",
        "The bias must be a constant; the front end was reported to stop with 'list index out of range'.",
        "leave out the bias and add the activation with an Add behind it",
        cause.placement,
        Confidence.THIRD_PARTY,
    )


RULE = Rule(
    code="N207",
    title="Bias computed at run time",
    what="Looks for a Gemm (or Conv) with constant weights whose third input is an activation.",
    why="Bias and zero point corrections are computed when compiling and stored as one vector per layer.",
    fix="Write it as Gemm without C, followed by Add.",
    source="FACTS 4 and LESSONS E5 (LarocheC/stm32n6-deployment-zoo)",
    confidence=Confidence.THIRD_PARTY,
    causes=frozenset({Why.COMPUTED_BIAS}),
    word=word,
    kinds=frozenset({"Gemm", "Conv", "ConvTranspose"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,256] x, int8[1,64] c) => (int8[1,64] y)
<float s = {0.1}, int8 z = {0}, int64[2] ws = {256, 64}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  cf = DequantizeLinear(c, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Gemm(xf, wf, cf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,256] x, int8[1,64] c) => (int8[1,64] y)
<float s = {0.1}, int8 z = {0}, int64[2] ws = {256, 64}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  cf = DequantizeLinear(c, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Gemm(xf, wf)
  q = QuantizeLinear(f, s, z)
  d = DequantizeLinear(q, s, z)
  a = Add(d, cf)
  y = QuantizeLinear(a, s, z) }""",
)
