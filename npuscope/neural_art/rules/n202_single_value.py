"""N202: a 1x1 convolution that reads one channel at one position."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    channels = cause.count("channels")
    if channels > 1:
        return Finding(
            "N202",
            Severity.ERROR,
            f"{layer.kind} reads a row of {channels} channels, which divide into single values only",
            "The compiler has no hardware lowering for one channel at a time on one position; the kernel runs in float.",
            f"pad the {channels} channels to a number with small factors, or give them a zero point of -128",
            cause.placement,
            Confidence.INFERRED,
        )
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
    what="Looks for a 1x1 Conv, Gemm or MatMul on a map of one position that has one input channel, or a number of them that the "
    "accelerators could only take one at a time.",
    why="16 of the 24 gate convolutions of one network (1 to 16 and 1 to 24 channels) run on the Cortex-M55 in int8; "
    "the 8 gates with two channels, and one-channel convolutions on larger maps, are on the NPU. With 3.0, a Gemm of 41 features with a zero point (a prime number above the "
    "24 that are taken at a time) was a DequantizeLinear, a float Conv and a hybrid Cast, with scale and bias on the NPU behind "
    "them. With 2.1, a Gemm of 113 channels was on the NPU; 4.0 is taken to do the same.",
    fix="Give the layer two or more input channels.",
    source="LESSONS A3 (OSNet x0.25, Core 3.0); an MLP of 41 features for network intrusions (3.0, one Gemm); "
    "FACTS 2.5 (113 channels: the forum case, 2.1)",
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
