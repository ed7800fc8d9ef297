"""N202: a 1x1 convolution that reads one channel at one position."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    return Finding(
        "N202",
        Severity.ERROR,
        f"{layer.kind} reads a single value (1 channel, 1 position) for {cause['outputs']} outputs",
        "The compiler has no hardware lowering for it; gates with two input channels run on the NPU.",
        "widen the reduction so that at least two channels reach it, or write it as a Mul with a constant",
        cause.placement,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N202",
    title="Convolution of a single value",
    what="Looks for a 1x1 Conv, Gemm or MatMul with one input channel on a map of one position.",
    why="16 of the 24 gate convolutions of one network (1 to 16 and 1 to 24 channels) run on the Cortex-M55 in int8; "
    "the 8 gates with two channels, and one-channel convolutions on larger maps, are on the NPU.",
    fix="Give the layer two or more input channels.",
    source="LESSONS A3 (OSNet x0.25, Core 3.0)",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.CONV_SINGLE_VALUE}),
    word=word,
    kinds=frozenset({"Conv", "Gemm", "MatMul"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,1,1,1] x) => (int8[1,16,1,1] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {16, 1, 1, 1}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,1,1] x) => (int8[1,16,1,1] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {16, 2, 1, 1}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
