"""N211: a transposed convolution."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    size = "x".join(map(str, cause.sizes("stride")))
    return Finding(
        "N211",
        Severity.WARNING,
        f"ConvTranspose with stride {size}: the CPU drives a Concat and a DepthToSpace before the convolution",
        "The input is spread with zeros between its values by two hybrid epochs, cropped, and convolved on the NPU.",
        "use a nearest Resize and a Conv, or a Conv and DepthToSpace with mode DCR",
        cause.placement,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N211",
    title="Transposed convolution",
    what="Looks for a quantized ConvTranspose with a stride above 1.",
    why="It is expanded into a resize with zeros (a hybrid Concat and a hybrid DepthToSpace), a crop and a plain Conv.",
    fix="Resize and convolve, where the accuracy allows it.",
    source="ocr_det_160 (2.2): two ConvTranspose k2 s2, four hybrid epochs; LESSONS D5",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.CONV_SPREAD}),
    word=word,
    kinds=frozenset({"ConvTranspose"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,8,8] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 8, 2, 2}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = ConvTranspose <strides = [2, 2]> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,5,5] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 8, 2, 2}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = ConvTranspose(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
