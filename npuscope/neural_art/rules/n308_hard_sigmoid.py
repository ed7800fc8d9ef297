"""N308: a HardSigmoid whose slope lies among negative stored values."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    return Finding(
        "N308",
        Severity.ERROR,
        f"HardSigmoid reaches 1 at the stored value {cause['knee']:.0f}: its whole slope lies below 0",
        "The one HardSigmoid of this kind that was seen ran in float; nine others ran on the NPU.",
        "re-centre the input so that its zero point is higher, or use Sigmoid",
        cause.placement,
        Confidence.UNKNOWN,
    )


RULE = Rule(
    code="N308",
    title="HardSigmoid below zero",
    what="Looks for a quantized HardSigmoid that saturates at 1 for a negative stored value.",
    why="Of ten HardSigmoid layers of one network nine are on the ACTIV unit; the tenth differs only in that its upper "
    "knee lies at the stored value -9. The mechanism is not known, so other such layers are taken as float too.",
    fix="A higher zero point: calibrate on a narrower negative range.",
    source="ocr_det_160 (2.2): 9 of 10 on the NPU; one counterexample",
    confidence=Confidence.UNKNOWN,
    causes=frozenset({Why.HARD_SIGMOID_BELOW}),
    word=word,
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
