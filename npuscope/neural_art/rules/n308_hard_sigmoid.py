"""N308: a HardSigmoid whose slope lies among negative stored values."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import input_zero_point
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    zero = input_zero_point(layer)
    if zero is None or layer.input is None or layer.input.quant is None:
        return
    alpha, beta = _number(layer, "alpha", 0.2), _number(layer, "beta", 0.5)
    scale = float(layer.input.quant.scale.flat[0])
    if not alpha > 0 or not scale > 0:
        return
    knee = zero + (1 - beta) / alpha / scale
    if knee >= -1:
        return
    yield Finding(
        "N308",
        Severity.ERROR,
        f"HardSigmoid reaches 1 at the stored value {knee:.0f}: its whole slope lies below 0",
        "The one HardSigmoid of this kind that was seen ran in float; nine others ran on the NPU.",
        "re-centre the input so that its zero point is higher, or use Sigmoid",
        Placement.SW_FLOAT,
        Confidence.UNKNOWN,
    )


def _number(layer: Layer, name: str, default: float) -> float:
    value = layer.core.attribute(name)
    return float(value) if isinstance(value, float) else default


RULE = Rule(
    code="N308",
    title="HardSigmoid below zero",
    what="Looks for a quantized HardSigmoid that saturates at 1 for a negative stored value.",
    why="Of ten HardSigmoid layers of one network nine are on the ACTIV unit; the tenth differs only in that its upper "
    "knee lies at the stored value -9. The mechanism is not known, so other such layers are taken as float too.",
    fix="A higher zero point: calibrate on a narrower negative range.",
    source="ocr_det_160 (2.2): 9 of 10 on the NPU; one observation of the contrary",
    confidence=Confidence.UNKNOWN,
    check=check,
    kinds=frozenset({"HardSigmoid"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,1,1] x) => (int8[1,8,1,1] y) <float s = {0.1}, int8 z = {-34}, float t = {0.004}, int8 v = {-128}>
{ f = DequantizeLinear(x, s, z)
  r = HardSigmoid(f)
  y = QuantizeLinear(r, t, v) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,1,1] x) => (int8[1,8,1,1] y) <float s = {0.1}, int8 z = {-23}, float t = {0.004}, int8 v = {-128}>
{ f = DequantizeLinear(x, s, z)
  r = HardSigmoid(f)
  y = QuantizeLinear(r, t, v) }""",
)
