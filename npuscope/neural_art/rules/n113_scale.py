"""N113: a scale that is not a positive number."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    placed = cause.placement is not Placement.HW
    where = f" in {cause['channels']} of {cause['of']} channels" if cause.count("of") > 1 else ""
    return Finding(
        "N113",
        Severity.ERROR if placed else Severity.WARNING,
        f"the {cause['role']} of {printable_kind(layer)} has scale {cause['scale']}{where}; what the compiler makes of it "
        "is unknown",
        "Quantizing divides by the scale; with zero, infinity or NaN every value is lost."
        + (" No requantization can be computed, so the layer is not counted for the NPU." if placed else ""),
        "calibrate again: a constant or infinite tensor gives such a scale",
        cause.placement,
        Confidence.UNKNOWN,
    )


RULE = Rule(
    code="N113",
    title="Scale that is not a positive number",
    what="Looks for scales that are zero, negative, infinite or NaN.",
    why="y = round(x / scale) + zero point is then undefined. Calibration writes such scales for tensors that are "
    "constant or overflow; what the compiler does with them has not been observed. A layer that computes with such a scale is "
    "not counted for the NPU; one that only moves integers is, and so are weights of scale 0, which are all 0.",
    fix="Calibrate again, on data that reaches the layer.",
    source="the ONNX definition of QuantizeLinear; behaviour of the compiler unknown",
    confidence=Confidence.UNKNOWN,
    causes=frozenset({Why.SCALE_UNUSABLE}),
    word=word,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, float zero = {0}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, zero, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
)
