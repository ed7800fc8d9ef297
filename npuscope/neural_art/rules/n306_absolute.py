"""N306: Abs of a tensor with a zero point."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.zero_points import awaits_zero_point
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    on_unit = cause.placement is Placement.HW
    off = ": each value was off by it on a board, as the compiler leaves it on the NPU from 2.2 on"
    return Finding(
        "N306",
        Severity.WARNING if on_unit else Severity.ERROR,
        "Abs reads a tensor whose zero point calibration sets; only symmetric calibration gives 0"
        if awaits_zero_point(layer)
        else f"Abs reads a tensor with zero point {cause['zero']}",
        "The unit takes the absolute value of the stored integers, which is right for zero point 0 only"
        f"{off if on_unit else ''}.",
        "quantize its input symmetrically (zero point 0)",
        None if on_unit else cause.placement,
        Confidence.THIRD_PARTY if on_unit else Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N306",
    title="Abs with a zero point",
    what="Looks for an Abs whose input has a zero point other than 0.",
    why="ST's table of 2.1 maps Abs to the NPU only if the offset is 0, otherwise to the Cortex-M55 in float. In 2.2 a "
    "project found it on the NPU with a zero point of -9, every value short by that times the scale.",
    fix="Quantize the input symmetrically.",
    source="FACTS 4 (ST documentation); docs/dev/audio-frontends.md of birdnet-team/birdnet-stm32 (2.2; its numbers, and the "
    "epochs of a graph with two)",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset({Why.ABSOLUTE_OFF_CENTRE}),
    word=word,
    kinds=frozenset({"Abs"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {5}>
{ f = DequantizeLinear(x, s, z)
  r = Abs(f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8] x) => (int8[1,8] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Abs(f)
  y = QuantizeLinear(r, s, z) }""",
)
