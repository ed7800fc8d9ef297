"""N305: a PRelu with float slopes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import bare, count
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if len(layer.inputs) < 2 or not bare(layer.inputs[1]):
        return
    slopes = layer.inputs[1].dims
    number = max(1, math.prod(slopes)) if slopes is not None else None
    what = (
        "float slopes"
        if number is None
        else "one float slope"
        if number == 1
        else f"{count(number)} float slopes"
    )
    yield Finding(
        "N305",
        Severity.ERROR,
        f"PRelu has {what}, so the layer runs in float",
        "The slopes have no Q/DQ: the layer gets a DequantizeLinear before it and a QuantizeLinear behind it.",
        "quantize the slopes as well (name PRelu in op_types_to_quantize of quantize_static), or use LeakyRelu",
        Placement.SW_FLOAT,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N305",
    title="Float PRelu slopes",
    what="Looks for a PRelu whose slopes are float.",
    why="The ACTIV unit has PRelu, and quantized slopes were reported to run on it. With float slopes the layer is a "
    "float island: three epochs on the Cortex-M55 per PRelu, 99 of the 165 epochs of mobilefacenet.",
    fix="Quantize the slopes, or replace PRelu by LeakyRelu.",
    source="LESSONS C6 and C7: mobilefacenet_qop (33 of 33), sface (27); quantized slopes: LarocheC",
    confidence=Confidence.INFERRED,
    check=check,
    kinds=frozenset({"PRelu"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,4,4] y) <float s = {0.1}, int8 z = {0}, float[2,1,1] k = {0.1, 0.2}>
{ f = DequantizeLinear(x, s, z)
  r = PRelu(f, k)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,4,4] y) <float s = {0.1}, int8 z = {0}, int8[2,1,1] k = {1, 2}>
{ f = DequantizeLinear(x, s, z)
  h = DequantizeLinear(k, s, z)
  r = PRelu(f, h)
  y = QuantizeLinear(r, s, z) }""",
)
