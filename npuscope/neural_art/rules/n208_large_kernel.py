"""N208: a kernel larger than the accelerators hold, cut in sub-masks or left to the CPU."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.capacity import row_too_wide, submasks
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

SEEN = "2.2"
"""The version in which a wide kernel of one row was seen."""


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    height, width = cause.sizes("kernel")
    return Finding(
        "N208",
        Severity.ERROR,
        f"the {height}x{width} kernel is one row, wider than the accelerators hold: it runs in float on the CPU",
        "On a map of one row they are not cut in sub-masks of columns; a DequantizeLinear stands before the float kernel and a Cast "
        "behind it.",
        f"use kernels at most {context.target.limits.kernel_width} wide, two in a row, or exchange rows and columns of the map",
        cause.placement,
        Confidence.INFERRED if context.target.toolchain.version == SEEN else Confidence.UNKNOWN,
    )


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    conv = convolution(layer)
    if conv is None or not layer.quantized or row_too_wide(conv, context.target):
        return
    parts = submasks(conv, context.target)
    if len(parts) < 2:
        return
    height, width = conv.kernel
    sizes = " + ".join(f"{rows}x{columns}" for rows, columns in parts[:6])
    yield Finding(
        "N208",
        Severity.ADVICE,
        f"the {height}x{width} kernel is run as {len(parts)} sub-masks: {sizes}{' + ...' if len(parts) > 6 else ''}",
        f"A CONV accelerator holds {context.target.limits.kernel_height} rows; partial sums are added by ARITH units.",
        "use 3x3 kernels, or two of them in a row",
        None,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N208",
    title="Kernel in sub-masks",
    what="Looks for a convolution whose kernel has more than 3 rows, or more than 6 columns (12 with stride 2).",
    why="Larger kernels are cut into parts: 5x5 into 3x5 and 2x5, 7x7 into six. Each part reads the features again. "
    "The sums take ARITH units and, beyond two parts, epochs of their own. On a map of one row, a kernel of one "
    "row is not cut, however wide: 1x7 of 24 channels runs in float (2.2, two of two; from 4.0 on it is not "
    "known, and taken to be on the NPU). On a map of 8x8, 1x7 becomes 1x6 and 1x1, and 7x1 of 128 channels "
    "becomes seven 1x1 (2.2, ten of ten each).",
    fix="Kernels of 3 rows; best widths are 3, 6 and 12.",
    source="FACTS 2.3 (ST documentation), LESSONS A4 (sub-mask names of six networks); "
    "FRIENDA256/stm32N6_AI (2.2, one row); muazzamaqeel/BA-EmbeddedAI (2.2, FaceNet)",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.CONV_WIDE_ROW}),
    word=word,
    check=check,
    by_geometry=True,
    kinds=frozenset({"Conv"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,9,9] x) => (int8[1,8,5,5] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 8, 5, 5}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,9,9] x) => (int8[1,8,7,5] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 8, 3, 5}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
