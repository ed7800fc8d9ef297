"""N109: a dimension the registers cannot count."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import count, folded_away, on_cpu, tidy
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if folded_away(layer):
        return
    limit = context.target.limits.dimension
    sizes = [
        size
        for operand in (*layer.inputs, *layer.outputs)
        for size in operand.type.shape or ()
        if isinstance(size, int)
    ]
    if sizes and max(sizes) > limit:
        yield Finding(
            "N109",
            Severity.ERROR,
            f"{tidy(layer)} has a dimension of {count(max(sizes))}; the compiler counts to {count(limit)}",
            "Sizes are 16-bit fields in the accelerators; the compiler was seen to refuse larger ones.",
            "split the dimension in two",
            on_cpu(layer, context),
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
    check=check,
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
