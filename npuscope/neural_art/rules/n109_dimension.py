"""N109: a dimension the registers cannot count."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.figures import thousands
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    size, limit = cause.count("size"), cause.count("limit")
    return Finding(
        "N109",
        Severity.ERROR,
        f"{printable_kind(layer)} has a dimension of {thousands(size)}; the compiler's limit is {thousands(limit)}",
        "Sizes are 16-bit fields in the accelerators; the compiler was seen to refuse larger ones.",
        "split the dimension in two",
        cause.placement,
        Confidence.THIRD_PARTY,
    )


RULE = Rule(
    code="N109",
    title="Dimension above 65535",
    what="Looks for an input or output with a dimension of more than 16 bits.",
    why="Feature widths and heights are 16-bit registers. A larger dimension was reported to stop the compiler.",
    fix="Reshape the dimension in two factors.",
    source="FACTS 1.1 (ATON register widths) and 4 (LarocheC/stm32n6-deployment-zoo), LESSONS E5",
    confidence=Confidence.THIRD_PARTY,
    causes=frozenset({Why.LARGE_DIMENSION}),
    word=word,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,70000] x) => (int8[1,70000] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[2,35000] x) => (int8[2,35000] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
)
