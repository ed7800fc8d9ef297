"""N701: stride-2 depthwise convolutions can hang the NPU (4.0.1)."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.floats import is_float
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    conv = convolution(layer)
    if conv is None or not conv.depthwise or max(conv.stride) < 2 or is_float(layer, context):
        return
    if (
        min(conv.kernel) > 1 or max(conv.kernel) == 1
    ):  # every MobileNet has the former, and runs; 1x1 picks values
        return
    yield Finding(
        "N701",
        Severity.WARNING,
        f"depthwise Conv of one dimension with stride {max(conv.stride)}: such layers were reported to hang the NPU",
        "Compiled by 4.0.1 they stalled a board; two-dimensional ones run in many networks.",
        "use stride 1 here and put the stride into the 1x1 Conv behind it, or compile with another version",
        None,
        Confidence.THIRD_PARTY,
    )


RULE = Rule(
    code="N701",
    title="Strided depthwise convolution (4.0.1)",
    what="Looks for a depthwise Conv with a kernel of one row or column, of two values or more, and a stride of 2 or more.",
    why="A speech model with one-dimensional stride-2 depthwise layers compiled cleanly and then never finished on the "
    "board. Folding the stride into the next 1x1 convolution cured it.",
    fix="Take the stride in the following 1x1 convolution, or compile with another version.",
    source="FACTS 5 and LESSONS A5 (LarocheC, Core 4.0.1): one board",
    confidence=Confidence.THIRD_PARTY,
    check=check,
    by_form=True,
    kinds=frozenset({"Conv"}),
    since="4.0",
    reviewed="4.0",
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,33] x) => (int8[1,8,16] y)
<float s = {0.1}, int8 z = {0}, int64[3] ws = {8, 1, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 8, strides = [2]> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,33] x) => (int8[1,8,31] y)
<float s = {0.1}, int8 z = {0}, int64[3] ws = {8, 1, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 8> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
