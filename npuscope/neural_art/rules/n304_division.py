"""N304: a division by an activation."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    over = "a constant" if layer.inputs[0].constant is not None else "an activation"
    return Finding(
        "N304",
        Severity.ERROR,
        f"Div divides {over} by an activation",
        "The ARITH units multiply and add; only a division by a constant is a multiplication.",
        "divide by a constant, or keep the quotient in the application",
        cause.placement,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N304",
    title="Division by an activation",
    what="Looks for a Div whose second operand is computed at run time.",
    why="The operator table gives Div to the Cortex-M55 in int8, and to the NPU where the second operand is constant.",
    fix="Multiply by a constant reciprocal.",
    source="FACTS 4 (ST documentation); yolov11n_micro_224: Div by a constant is on the NPU",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset({Why.DIVISION}),
    word=word,
    kinds=frozenset({"Div"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] a, int8[1,8] b) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(a, s, z)
  h = DequantizeLinear(b, s, z)
  r = Div(f, h)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] a) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}, float c = {2.0}>
{ f = DequantizeLinear(a, s, z)
  r = Div(f, c)
  y = QuantizeLinear(r, s, z) }""",
)
