"""N305: a PRelu with float slopes."""

from __future__ import annotations

import math

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.figures import thousands
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if cause.why is Why.PRELU_INTEGER_SLOPES:
        return None
    slopes = layer.inputs[1].dims
    number = max(1, math.prod(slopes)) if slopes is not None else None
    what = (
        "float slopes"
        if number is None
        else "one float slope"
        if number == 1
        else f"{thousands(number)} float slopes"
    )
    return Finding(
        "N305",
        Severity.ERROR,
        f"PRelu has {what}: an int8 kernel on the Cortex-M55 runs it",
        "The NPU multiplies by slopes that are stored in integers; with others the compiler takes its int8 routine.",
        "quantize the slopes as well (name PRelu in op_types_to_quantize of quantize_static), or use LeakyRelu",
        cause.placement,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N305",
    title="Float PRelu slopes",
    what="Looks for a quantized PRelu whose slopes are float.",
    why="A PRelu with int8 slopes is taken apart into steps of the ACTIV and ARITH units. With float slopes and a Q/DQ on "
    "both sides it is one epoch of an int8 routine on the Cortex-M55; where the Q and DQ are separate operators, as in a QOperator model, it runs in float between them (N101).",
    fix="Quantize the slopes, or replace PRelu by LeakyRelu.",
    source="mobilefacenet_qdq (2.1): 33 of 33 in int8; face_landmark_192 (2.2): int8 slopes, 23 of 23 on the NPU; "
    "mobilefacenet_qop (2.1, 2.2): 33 of 33 in float; LESSONS C6 and C7",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.PRELU_FLOAT_SLOPES, Why.PRELU_INTEGER_SLOPES}),
    word=word,
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
