"""N209: a stride the accelerators do not like, or do not have."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import geometry, on_cpu
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    conv = geometry(layer)
    if conv is None or not layer.quantized:
        return
    limit, stride, kernel = context.target.limits.conv_stride, conv.stride, conv.kernel
    size = f"{stride[0]}x{stride[1]}"
    if max(stride) > limit:
        yield Finding(
            "N209",
            Severity.ERROR,
            f"stride {size}: the stride registers hold at most {limit}",
            "3-bit fields in the CONV accelerators; what the compiler does above was never seen.",
            "slice the input first, or use two strided layers",
            on_cpu(layer, context),
            Confidence.UNKNOWN,
        )
    elif any(s > k for s, k in zip(stride, kernel, strict=True)):
        yield Finding(
            "N209",
            Severity.ADVICE,
            f"stride {size} is larger than the {kernel[0]}x{kernel[1]} kernel",
            "The skipped features are read all the same; ST's documentation asks never to do this.",
            "slice the input before the layer, or fold the stride into the layer before",
            None,
            Confidence.DOCUMENTED,
        )


RULE = Rule(
    code="N209",
    title="Stride",
    what="Looks for a convolution with a stride above 7, or with a stride larger than its kernel.",
    why="Strides are 3-bit registers. Best are 1, 2 and 4; vertical strides are inefficient, and a stride larger than "
    "the kernel reads features it never uses.",
    fix="Strides of 1, 2 or 4, not larger than the kernel.",
    source="FACTS 1.1 (ATON register widths) and 2.3 (ST documentation)",
    confidence=Confidence.DOCUMENTED,
    check=check,
    kinds=frozenset({"Conv"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,64,64] x) => (int8[1,8,7,7] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 8, 3, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <strides = [9, 9]> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,64,64] x) => (int8[1,8,31,31] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 8, 3, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <strides = [2, 2]> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
