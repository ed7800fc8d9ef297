"""N905: x * Sigmoid(x) that stays two functions."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.evidence import evidence
from npuscope.neural_art.mapping.floats import is_float
from npuscope.neural_art.mapping.swish import SCALE, fills_its_range, gated_by
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

GATES = "swish_in_two_steps"
"""What evidence.toml calls Sigmoids with calibrated scales, in builds whose number of epochs tells that none is one step."""


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    quant = layer.output.quant if layer.output is not None else None
    if quant is None or not quant.scale_known or quant.scale.size != 1 or context.target.build.swish:
        return
    if fills_its_range(layer.output) or is_float(layer, context) or gated_by(layer, context.layers) is None:
        return
    version, known = context.target.toolchain.version, evidence(GATES)
    counts = f"{known.agreed} of {known.seen} in builds of {' and '.join(known.versions)}"
    seen = (
        counts if version in known.versions else f"no build of {version} with such scales was seen; {counts}"
    )
    yield Finding(
        "N905",
        Severity.ADVICE,
        f"x * Sigmoid(x) is two steps: the Sigmoid's scale is {float(quant.scale.flat[0]):.6g}, not 1/256 ({SCALE:.6g})",
        f"In steps of 1/256 the compiler makes one Swish of both; with a calibrated scale it does not ({seen}).",
        "quantize the Sigmoid with scale 1/256 and zero point -128 (edit swish-scale), or try --SWISH-recognition",
        None,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N905",
    title="Swish in two steps",
    what="Looks for a Mul of x and Sigmoid(x) whose Sigmoid is not stored with the scale 1/256.",
    why="From 2.1 on the compiler evaluates x * Sigmoid(x) as one function of an ACTIV unit; the documentation names "
    "no condition. In two TFLite networks all 57 are one function (2.1 and 2.2), and their Sigmoids have the "
    "scale 1/256. In QDQ networks none of those with calibrated scales is (2.2 and 4.0): up to 3.0 the Mul is "
    "then an epoch of its own. That the scale decides, and not the format, is inferred; no calibrated build of "
    "2.1 or 3.0 was seen.",
    fix="Quantize the Sigmoid's output with scale 1/256 and zero point -128, which holds all of its values. "
    "`--SWISH-recognition` may do without; no build with it and calibrated scales was seen.",
    source="LESSONS B; docs/accuracy-placement.md (public builds): dahuangelululu/dahuange111 (2.2), yolov8n_micro_224 and "
    "yolov11n_micro_224 (4.0)",
    confidence=Confidence.INFERRED,
    check=check,
    kinds=frozenset({"Sigmoid"}),
    since="2.1",
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y)
<float s = {0.1}, int8 z = {0}, float t = {0.003}, int8 low = {-128}>
{ xf = DequantizeLinear(x, s, z)
  a = Sigmoid(xf)
  q = QuantizeLinear(a, t, low)
  d = DequantizeLinear(q, t, low)
  f = Mul(xf, d)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y)
<float s = {0.1}, int8 z = {0}, float t = {0.00390625}, int8 low = {-128}>
{ xf = DequantizeLinear(x, s, z)
  a = Sigmoid(xf)
  q = QuantizeLinear(a, t, low)
  d = DequantizeLinear(q, t, low)
  f = Mul(xf, d)
  y = QuantizeLinear(f, s, z) }""",
)
