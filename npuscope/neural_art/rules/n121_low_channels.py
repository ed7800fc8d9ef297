"""N121: one scale for channels of weights whose ranges are unlike."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.inspection.weights import FEW_STEPS, reach
from npuscope.model.layers import WEIGHTED, Layer
from npuscope.model.names import printable_kind
from npuscope.npu.figures import thousands
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    found = reach(layer)
    if found is None or not found.low:
        return
    low, verb = len(found.low), "use" if len(found.low) > 1 else "uses"
    yield Finding(
        "N121",
        Severity.ADVICE,
        f"the weights of {printable_kind(layer)} share one scale: {thousands(low)} of {thousands(found.channels)} channels "
        f"{verb} fewer than {2 * FEW_STEPS} of its 256 levels",
        "The channel with the largest weight sets the scale of all; these channels keep less than four bits.",
        "quantize the weights per channel: onnxruntime's per_channel=True, which 'npuscope quantize' uses",
        None,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N121",
    title="One scale for unlike channels",
    what=f"Looks for weights quantized per tensor in which a channel uses fewer than {2 * FEW_STEPS} of the 256 levels; "
    "channels that are all zero do not count. Layers of more than 4 million weights are left to 'verify --layers'.",
    why="Weights of one layer differ between channels by ten times and more, above all where a BatchNormalization was folded "
    "in. With a scale of its own each channel has all 256 levels, at no cost: the compiler stores one per output channel anyway.",
    fix="Quantize weights per channel.",
    source="the ONNX definition of QuantizeLinear: arithmetic; a scale for each output channel is in every c_info file of "
    "2.2 to 4.0 that was read",
    confidence=Confidence.DOCUMENTED,
    check=check,
    exactness=True,
    kinds=WEIGHTED,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,4,4] y)
<float s = {0.1}, int8 z = {0}, int8[2,2,1,1] wq = {127, 90, 4, -3}>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear(wq, s, z)
  r = Conv(f, w)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,4,4] y)
<float s = {0.1}, int8 z = {0}, int8[2,2,1,1] wq = {127, 90, 84, -63}>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear(wq, s, z)
  r = Conv(f, w)
  y = QuantizeLinear(r, s, z) }""",
)
