"""N710: a Neg on int8, reported to give wrong numbers."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.floats import is_float
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if folded_away(layer) or is_float(layer, context):
        return
    yield Finding(
        "N710",
        Severity.WARNING,
        "Neg on int8: a Neg on the NPU is reported to give wrong numbers",
        "A user of Core 2.1 saw 1 - x, written as Add(1, Neg(x)), give 127 always; no fix is known to be released.",
        "write it as a Mul by -1, or put the sign into the weights of the layer before",
        None,
        Confidence.THIRD_PARTY,
    )


RULE = Rule(
    code="N710",
    title="Neg on int8",
    what="Looks for a quantized Neg.",
    why="Reported in public for Core 2.1: the output of an int8 Neg on the NPU is wrong. Whether later versions fix it is not known.",
    fix="Mul by -1, or the sign in the weights of the layer before.",
    source="ST community, td-p/815190 (Core 2.1)",
    confidence=Confidence.THIRD_PARTY,
    check=check,
    kinds=frozenset({"Neg"}),
    reviewed="4.0",
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Neg(f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}, int8 c = {-1}, float one = {1}>
{ f = DequantizeLinear(x, s, z)
  k = DequantizeLinear(c, one, z)
  r = Mul(f, k)
  y = QuantizeLinear(r, s, z) }""",
)
