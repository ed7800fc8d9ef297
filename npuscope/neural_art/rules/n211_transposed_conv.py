"""N211: a transposed convolution."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import is_float
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if is_float(layer, context) or layer.weight is None:
        return
    strides = layer.core.integers("strides") or (1, 1)
    if max(strides) == 1:
        return
    size = "x".join(map(str, strides))
    yield Finding(
        "N211",
        Severity.WARNING,
        f"ConvTranspose with stride {size}: the CPU drives a Concat and a DepthToSpace before the convolution",
        "The input is spread with zeros between its values by two hybrid epochs, cropped, and convolved on the NPU.",
        "use a nearest Resize and a Conv, or a Conv and DepthToSpace with mode DCR",
        Placement.HYBRID,
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
    check=check,
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
