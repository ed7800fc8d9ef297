"""N210: more padding than a convolution takes along."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    conv = convolution(layer)
    limit = context.target.limits.conv_pad
    if conv is None or not layer.quantized or max(conv.pads) <= limit:
        return
    yield Finding(
        "N210",
        Severity.ADVICE,
        f"pads of {max(conv.pads)} are more than the {limit} a CONV accelerator adds; a Pad goes before the layer",
        "Padding beyond the 2-bit registers is written by a 1x1 depthwise convolution of its own.",
        "use 'valid' padding, or pads up to 2",
        None,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N210",
    title="Wide padding",
    what="Looks for a convolution with pads above 3.",
    why="Pads up to 2 are free; they are 2-bit registers. Wider ones become a 'Pad' convolution in its own epoch.",
    fix="Pads up to 2.",
    source="FACTS 1.1 (ATON register widths), 2.2 and 2.3 (ST documentation)",
    confidence=Confidence.INFERRED,
    check=check,
    by_form=True,
    kinds=frozenset({"Conv"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,9,9] x) => (int8[1,8,15,15] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 8, 3, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <pads = [4, 4, 4, 4]> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,9,9] x) => (int8[1,8,9,9] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 8, 3, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <pads = [1, 1, 1, 1]> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
