"""N124: a result whose whole range is less than one step of what it is made of."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import WEIGHTED, Layer
from npuscope.model.names import printable_kind
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    source = layer.input.quant if layer.input is not None else None
    weight = layer.weight.quant if layer.weight is not None else None
    result = layer.output.quant if layer.output is not None else None
    if (
        source is None
        or weight is None
        or result is None
        or not (source.divides and weight.divides and result.divides)
    ):
        return
    if (
        not (source.scale_known and weight.scale_known and result.scale_known)
        or result.per_channel
        or source.per_channel
    ):
        return
    low, high = result.limits
    alpha = layer.core.attribute("alpha") if layer.kind == "Gemm" else None
    times = abs(alpha) if isinstance(alpha, float) else 1.0
    step = float(source.scale.flat[0]) * float(weight.scale.min()) * times
    width = float(result.scale.flat[0]) * (high - low)
    if not width or width >= step:
        return
    yield Finding(
        "N124",
        Severity.WARNING,
        f"the whole range of what {printable_kind(layer)} writes, {width:.3g}, is less than one step of its sums, {step:.3g}: every "
        "value is 0 or at an end",
        "Calibration gives such a range to a tensor that was constant on all samples, as of a Relu that none of them opened.",
        "calibrate on data that reaches the layer, or take out a layer that never answers",
        None,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N124",
    title="Range below a step",
    what="Looks for a Conv, ConvTranspose, Gemm or MatMul whose result has a range smaller than input scale x smallest weight scale.",
    why="Sums of products are multiples of input scale x weight scale. A result that cannot hold one of them holds nothing: it is 0, or cut.",
    fix="Calibrate on data that reaches the layer.",
    source="the ONNX definition of QuantizeLinear: arithmetic, whatever the compiler does",
    confidence=Confidence.DOCUMENTED,
    check=check,
    exactness=True,
    kinds=WEIGHTED,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,4,4] y)
<float s = {0.1}, float t = {0.000001}, int8 z = {0}, int8[2,2,1,1] wq = {127, 90, 84, -63}>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear(wq, s, z)
  r = Conv(f, w)
  y = QuantizeLinear(r, t, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,4,4] y)
<float s = {0.1}, float t = {0.0001}, int8 z = {0}, int8[2,2,1,1] wq = {127, 90, 84, -63}>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear(wq, s, z)
  r = Conv(f, w)
  y = QuantizeLinear(r, t, z) }""",
)
