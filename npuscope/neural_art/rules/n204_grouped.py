"""N204: a grouped convolution with a kernel of more than one position."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    (height, width), groups, each = cause.sizes("kernel"), cause["groups"], cause["each"]
    return Finding(
        "N204",
        Severity.ERROR,
        f"Conv has {groups} groups of {each} channels and a {height}x{width} kernel",
        "Depthwise kernels and grouped 1x1 kernels map to the NPU; grouped kernels of two dimensions were seen in software.",
        f"split it into {groups} convolutions of {each} channels, or make it depthwise",
        cause.placement,
        Confidence.THIRD_PARTY,
    )


RULE = Rule(
    code="N204",
    title="Grouped two-dimensional kernel",
    what="Looks for a Conv with more than one group, more than one channel in each, and a kernel of two dimensions.",
    why="A user who compiled many networks reported that grouped 1x1 convolutions run on the NPU, and grouped ones "
    "with a larger kernel in software. So do the groups that the compiler makes of a dilated 5x5 kernel in gg-cnn"
    " (2.2): they are dequantized, multiplied in float and cast back. From 3.0 on, RegNetX-002 takes the time of "
    "the NPU in ST's table. Depthwise convolutions (one channel per group) are on the NPU in every network seen.",
    fix="One convolution per group with Split and Concat around it, or a depthwise convolution followed by a 1x1.",
    source="LESSONS A6 (LarocheC/stm32n6-deployment-zoo); the float kernel: gg-cnn of "
    "TitoNicolaDrugman/Advanced-Computer-Architectures-Project (2.2)",
    confidence=Confidence.THIRD_PARTY,
    causes=frozenset({Why.CONV_GROUPED}),
    word=word,
    kinds=frozenset({"Conv"}),
    until="2.2",
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,7,7] x) => (int8[1,8,5,5] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 4, 3, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 2> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,7,7] x) => (int8[1,8,7,7] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 4, 1, 1}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 2> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
