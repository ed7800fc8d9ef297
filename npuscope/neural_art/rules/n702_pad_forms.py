"""N702: forms of Pad that the 4.0.1 front end does not take."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.folded import folded_away
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    node = layer.core
    if folded_away(layer) or len(node.inputs) < 3:
        return
    value = context.graph.constant(node.input(2)) if node.input(2) else None
    if node.input(2) == "":
        what = "an empty third input"
        why = "The front end was reported to end with a segmentation fault."
    elif value is not None and value.shape == ():
        what = "a scalar as its constant value"
        why = "The front end was reported to reject it."
    else:
        return
    yield Finding(
        "N702",
        Severity.WARNING,
        f"Pad has {what}",
        why,
        "give the constant value as a tensor of one element, or omit trailing inputs",
        None,
        Confidence.THIRD_PARTY,
    )


RULE = Rule(
    code="N702",
    title="Form of Pad (4.0.1)",
    what="Looks for a Pad with an empty optional input, or with a scalar as its constant value.",
    why="Both are valid ONNX and written by common exporters; 4.0.1 was reported to crash on the first and to reject "
    "the second.",
    fix="Write the value as a one-element tensor, or omit the input.",
    source="FACTS 5 (LarocheC/stm32n6-deployment-zoo, Core 4.0.1)",
    confidence=Confidence.THIRD_PARTY,
    check=check,
    front_end=True,
    kinds=frozenset({"Pad"}),
    since="4.0",
    reviewed="4.0",
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,6,6] y)
<float s = {0.1}, int8 z = {0}, int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}, float c = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Pad(f, p, c)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,6,6] y)
<float s = {0.1}, int8 z = {0}, int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}, float[1] c = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Pad(f, p, c)
  y = QuantizeLinear(r, s, z) }""",
)
