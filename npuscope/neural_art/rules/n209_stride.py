"""N209: a stride the accelerators do not like, or do not have."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    size = "x".join(map(str, cause.sizes("stride")))
    if cause.why is Why.CONV_BLOCKS:
        return Finding(
            "N209",
            Severity.WARNING,
            f"stride and kernel of {size}: the CPU drives a SpaceToDepth, then a 1x1 Conv reads {cause['channels']} channels",
            "The accelerators step by 1, 2 or 4; blocks of another size are turned into channels by a hybrid epoch.",
            "use a stride of 1, 2 or 4, or stride 1 where the map is no larger than the kernel",
            cause.placement,
            Confidence.INFERRED,
        )
    if cause.why is Why.CONV_UNEVEN:
        return Finding(
            "N209",
            Severity.ERROR,
            f"strides of {size}: the CPU runs this Conv",
            "From 4.0 a Conv whose strides differ, one of them neither 1, 2 nor 4, was left to a software kernel.",
            "use strides of 1, 2 or 4, or one stride in both directions",
            cause.placement,
            Confidence.INFERRED,
        )
    return Finding(
        "N209",
        Severity.ERROR,
        f"stride {size}: the stride registers hold at most {cause['limit']}",
        "3-bit fields in the CONV accelerators; what the compiler does above has not been observed.",
        "slice the input first, or use two strided layers",
        cause.placement,
        Confidence.UNKNOWN,
    )


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    conv = convolution(layer)
    if conv is None or not layer.quantized or max(conv.stride) > context.target.limits.conv_stride:
        return
    if any(s > k for s, k in zip(conv.stride, conv.kernel, strict=True)):
        yield Finding(
            "N209",
            Severity.ADVICE,
            f"stride {conv.stride[0]}x{conv.stride[1]} is larger than the {conv.kernel[0]}x{conv.kernel[1]} kernel",
            "The skipped features are read all the same; ST's documentation advises against it.",
            "slice the input before the layer, or fold the stride into the layer before",
            None,
            Confidence.DOCUMENTED,
        )


RULE = Rule(
    code="N209",
    title="Stride",
    what="Looks for a convolution with a stride above 7, with a stride larger than its kernel, with kernel and stride "
    "both 3, 5, 6 or 7, or, from 4.0 on, with two different strides of which one is not 1, 2 or 4.",
    why="Strides are 3-bit registers. Best are 1, 2 and 4. Where kernel and stride are both another size, blocks of "
    "that size become channels (LL_ATON_LIB_DMA_SpaceToDepth, driven by the CPU) and a 1x1 convolution follows. "
    "Vertical strides are inefficient, and a stride larger than the kernel reads features it never uses.",
    fix="Strides of 1, 2 or 4, not larger than the kernel.",
    source="FACTS 1.1 (ATON register widths) and 2.3 (ST documentation); face_landmark_192 (2.2): 2 of 2 of stride 3; "
    "LiSenNet of LarocheC/eco8-neaixt (4.0.1): 3 of 3 of stride 1x3",
    confidence=Confidence.DOCUMENTED,
    check=check,
    by_geometry=True,
    causes=frozenset({Why.CONV_STRIDE, Why.CONV_UNEVEN, Why.CONV_BLOCKS}),
    word=word,
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
