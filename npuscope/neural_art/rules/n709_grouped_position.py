"""N709: a grouped convolution on a map of one position stops the compiler (4.0.1)."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    conv = convolution(layer)
    if conv is None or conv.group == 1 or conv.input_size != (1, 1):
        return
    yield Finding(
        "N709",
        Severity.WARNING,
        f"Conv with {conv.group} groups on a map of one position",
        "An int8 grouped Conv on [1,C,1,1] was reported to fail an assertion of the compiler.",
        "use groups = 1, or a Mul with a constant where the Conv is depthwise",
        None,
        Confidence.THIRD_PARTY,
    )


RULE = Rule(
    code="N709",
    title="Grouped convolution of one position (4.0.1)",
    what="Looks for a Conv with groups whose input has one position.",
    why="Reported for 4.0.1: the compiler stops with an assertion.",
    fix="A depthwise Conv on one position is a Mul with a constant per channel.",
    source="LESSONS E5 (LarocheC/stm32n6-deployment-zoo)",
    confidence=Confidence.THIRD_PARTY,
    check=check,
    by_form=True,
    kinds=frozenset({"Conv"}),
    since="4.0",
    reviewed="4.0",
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,1,1] x) => (int8[1,8,1,1] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 4, 1, 1}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 2> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,2,2] x) => (int8[1,8,2,2] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {8, 4, 1, 1}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <group = 2> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
