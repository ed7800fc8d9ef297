"""N508: a Slice that leaves values out in between."""

from __future__ import annotations

from npuscope.model.layers import FLOATS, Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.layout import sliced_axes
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    return Finding(
        "N508",
        Severity.ERROR,
        f"Slice takes steps of {cause['step']}",
        "Slices are reads at an offset; what the compiler does with steps has not been observed.",
        _instead(layer, cause, context),
        cause.placement,
        Confidence.UNKNOWN,
    )


def _instead(layer: Layer, cause: Cause, context: Context) -> str:
    axes, step = set(sliced_axes(layer) or ()), cause["step"]
    if isinstance(step, int) and step < 1:
        return "let the application reverse the data, or train without the reversal"
    if axes and axes <= {2, 3}:
        scaled = context.graph.type(layer.core.input(0)).dtype in FLOATS
        how = "(edit slice-to-conv)" if scaled else "once the integers have a scale, as in QDQ form"
        return f"a depthwise Conv with these strides picks the same values {how}"
    if axes == {1}:
        return "a 1x1 Conv whose weights are 0 and 1 picks the same channels"
    return "leave the Slice to the application, or write it as one Slice for each dimension"


RULE = Rule(
    code="N508",
    title="Slice with steps",
    what="Looks for a Slice whose steps are not 1.",
    why="A DMA can skip, but no compiler output with such a Slice is known, and negative steps reverse the data. The runtime has no "
    "kernel of integers for it (ll_sw_integer.h).",
    fix="A strided convolution does the same on the NPU.",
    source="none: not documented and not seen",
    confidence=Confidence.UNKNOWN,
    causes=frozenset({Why.SLICE_STEPS}),
    word=word,
    kinds=frozenset({"Slice"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,2,4] y)
<float s = {0.1}, int8 z = {0}, int64[1] b = {0}, int64[1] e = {4}, int64[1] a = {2}, int64[1] k = {2}>
{ f = DequantizeLinear(x, s, z)
  r = Slice(f, b, e, a, k)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,4,4,4] y)
<float s = {0.1}, int8 z = {0}, int64[1] b = {0}, int64[1] e = {4}, int64[1] a = {1}, int64[1] k = {1}>
{ f = DequantizeLinear(x, s, z)
  r = Slice(f, b, e, a, k)
  y = QuantizeLinear(r, s, z) }""",
)
