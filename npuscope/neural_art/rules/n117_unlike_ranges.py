"""N117: one scale for parts of unlike ranges."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind, quoted
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

LEVELS = 256
LEAST_LEVELS = {"Concat": 16, "Add": 1, "Sub": 1, "Sum": 1}
"""Operator -> levels that each operand must keep. A part of a Concat is read on its own: fewer than 16 are less than four
bits. In a sum an operand may be small beside another, but is to count."""


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    result = layer.output.quant if layer.output is not None else None
    if result is None or result.per_channel or not result.scale_known or len(layer.inputs) < 2:
        return
    result_scale = float(result.scale[0])
    known = [
        (part, float(part.quant.scale[0]))
        for part in layer.inputs
        if part.quant is not None and not part.quant.per_channel and part.quant.scale_known
    ]
    if not result_scale > 0 or not known:
        return
    part, scale = min(known, key=lambda one: one[1])
    if not scale > 0 or LEVELS * scale >= LEAST_LEVELS[layer.kind] * result_scale:
        return
    name, times = quoted(part.seen or part.tensor), f"{result_scale / scale:.3g}"
    if layer.kind == "Concat":
        severity, left = Severity.ADVICE, f"about {max(1, round(LEVELS * scale / result_scale))} are left"
        why = "One scale serves all parts of a Concat, so the widest range sets it: boxes beside scores, for one."
        fix = "make each part an output of its own, or scale them to similar ranges in the model and back in the application"
    else:
        severity, left = Severity.WARNING, "none is left: it does not count in the result"
        why = "The result takes its scale from its widest operand: an attention mask of the lowest float, for one."
        fix = "keep the wide operand near the range of the other: in a mask -100 hides as well as the lowest float"
    yield Finding(
        "N117",
        severity,
        f"the {printable_kind(layer)}'s scale is {times} times that of {name!r}, of whose {LEVELS} levels {left}",
        why,
        fix,
        None,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N117",
    title="One scale for very different ranges",
    what="Looks for a Concat whose output has a scale more than 16 times that of one of its parts, and for a sum whose"
    " output has a scale more than 256 times that of an operand.",
    why="An int8 tensor has 256 levels over its range. A part whose own range is a small share of it gets an equally small share of the levels: scores from 0 to 1 beside boxes from 0 to 640 get one or none. In a sum, an operand below the step of the result does not count at all.",
    fix="End the model at the parts, or bring them to similar ranges before the Concat; give a mask values that are no wider than what it is added to.",
    source="the ONNX definition of QuantizeLinear: arithmetic, whatever the compiler does",
    confidence=Confidence.DOCUMENTED,
    check=check,
    exactness=True,
    kinds=frozenset(LEAST_LEVELS),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4,4,4] a, int8[1,4,4,4] b) => (int8[1,8,4,4] y) <float s = {2.5}, float t = {0.004}, int8 z = {0}>
{ f = DequantizeLinear(a, s, z)
  h = DequantizeLinear(b, t, z)
  r = Concat <axis: int = 1> (f, h)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,4,4,4] a, int8[1,4,4,4] b) => (int8[1,8,4,4] y) <float s = {0.1}, float t = {0.05}, int8 z = {0}>
{ f = DequantizeLinear(a, s, z)
  h = DequantizeLinear(b, t, z)
  r = Concat <axis: int = 1> (f, h)
  y = QuantizeLinear(r, s, z) }""",
)
