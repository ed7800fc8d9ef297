"""N203: a depthwise kernel that leaves a sub-mask one column wide."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    height, width = cause.sizes("kernel")
    return Finding(
        "N203",
        Severity.ERROR,
        f"the {height}x{width} depthwise kernel is cut in {cause['parts']} sub-masks; {cause['narrow']} of one column run "
        "in float",
        "With one channel a group, a sub-mask one column wide has no hardware lowering; it gets a DequantizeLinear "
        "before and a Cast behind it.",
        f"use a kernel at most {context.target.limits.kernel_width} wide, write it as two depthwise convolutions, or compile "
        "with 3.0 or later",
        cause.placement,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N203",
    title="Depthwise kernel with a narrow remainder",
    what="Looks for a depthwise Conv whose kernel is wider than the accelerators' by exactly one column.",
    why="Kernels are cut in sub-masks of at most 3 rows and 6 columns (12 with stride 2). In a 7x7 depthwise layer "
    "the three 6-column parts run on the NPU and the three 1-column parts in float on the Cortex-M55 (2.1, 2.2); with 3.0 "
    "and 4.0 all six run on the NPU.",
    fix="Kernels up to 6 wide, or widths that leave more than one column (8, 9...).",
    source="LESSONS A4: mobilefacenet_qop (Core 2.1), a 7x7 depthwise layer of 512 channels; the same network with 4.0 "
    "(PeleAB/STM32N6-FaceRecognition); ProxylessNAS in ST's model zoo (3.0)",
    confidence=Confidence.INFERRED,
    until="2.2",
    causes=frozenset({Why.CONV_NARROW_PARTS}),
    word=word,
    kinds=frozenset({"Conv"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,7,7] x) => (int8[1,8,1,1] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 1, 7, 7}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 8> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,7,7] x) => (int8[1,8,3,3] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 1, 5, 5}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 8> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
