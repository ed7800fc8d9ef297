"""N307: a constant minus an activation."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if cause.why is Why.FULL_CONSTANT_MINUS:
        return None
    what = "a constant" if cause.why is Why.CONSTANT_MINUS else "a smaller operand"
    return Finding(
        "N307",
        Severity.ERROR,
        f"Sub subtracts an activation from {what}",
        "The repeated or constant operand must come second; only commutative operators may have their operands exchanged.",
        "write it as an Add, with the sign in the weights of the layer before or in a Mul by -1 (edit sub-to-add)",
        cause.placement,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N307",
    title="Constant minus activation",
    what="Looks for a Sub whose first operand is a constant, or smaller than the second.",
    why="The compiler exchanges operands only where that is allowed. `constant - x` ran on the Cortex-M55 in both "
    "networks that have it, in float where the constant was not quantized.",
    fix="Add(-x, constant): the sign goes into the weights of the layer before, or into a Mul by -1; not into a Neg (N710).",
    source="transformer_128 (2.2): 12 of 12 in int8; yolov11n_micro_224 (4.0.1): in float; FACTS 4 (broadcast rules)",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.CONSTANT_MINUS, Why.SMALLER_MINUS, Why.FULL_CONSTANT_MINUS}),
    word=word,
    kinds=frozenset({"Sub"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}, int8 c = {20}>
{ f = DequantizeLinear(x, s, z)
  k = DequantizeLinear(c, s, z)
  r = Sub(k, f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}, int8 c = {20}>
{ f = DequantizeLinear(x, s, z)
  k = DequantizeLinear(c, s, z)
  r = Sub(f, k)
  y = QuantizeLinear(r, s, z) }""",
)
