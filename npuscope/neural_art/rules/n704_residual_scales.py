"""N704: a residual Add of two scales was computed wrong on one board (4.0.1)."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.floats import is_float
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

REPORTED = 2
"""Times as coarse as the result that an operand was in the report: 2.02. Adds with a Relu behind them have up to 1.8 in any ResNet."""


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if len(layer.inputs) != 2 or is_float(layer, context):
        return
    first, second = layer.inputs[0].quant, layer.inputs[1].quant
    if first is None or second is None or any(o.constant is not None for o in layer.inputs):
        return
    one, two = float(first.scale.flat[0]), float(second.scale.flat[0])
    if one == two or not min(one, two) > 0:
        return
    written = layer.output.quant if layer.output is not None else None
    if written is None or not written.divides:
        return
    into = float(written.scale.flat[0])
    known = first.scale_known and second.scale_known and written.scale_known
    if not known or max(one, two) < REPORTED * into:
        return
    yield Finding(
        "N704",
        Severity.ADVICE,
        f"residual Add of scales {one:.3g} and {two:.3g} into {into:.3g}: an operand is {max(one, two) / into:.2f} times as "
        "coarse as the result",
        "One user found such an Add (2.02 times) wrong on the board with 4.0.1; the question is unanswered.",
        "compare the layer's output on the board with onnxruntime once",
        None,
        Confidence.THIRD_PARTY,
    )


RULE = Rule(
    code="N704",
    title="Residual Add of two scales (4.0.1)",
    what="Looks for an Add of two activations with different scales, one of them at least twice that of the result.",
    why="A forum question of July 2026 shows an int8 residual Add whose result on the board is too low: scales of 0.052 and 0.099 "
    "into 0.049. ST had not answered when this was written. That an operand twice as coarse as the result is what matters is a "
    "guess: Adds of two scales below that are in every residual network.",
    fix="Check the layer on the board; equal scales, or a wider range of the result, avoid it.",
    source="FACTS 5, FORUM-3 (Core 4.0.1, unanswered)",
    confidence=Confidence.THIRD_PARTY,
    check=check,
    kinds=frozenset({"Add"}),
    since="4.0",
    reviewed="4.0",
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] a, int8[1,8] b) => (int8[1,8] y) <float s = {0.1}, float t = {0.3}, int8 z = {0}>
{ f = DequantizeLinear(a, s, z)
  h = DequantizeLinear(b, t, z)
  r = Add(f, h)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] a, int8[1,8] b) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(a, s, z)
  h = DequantizeLinear(b, s, z)
  r = Add(f, h)
  y = QuantizeLinear(r, s, z) }""",
)
