"""N121: one scale for channels of weights whose ranges are unlike."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.inspection.weights import FEW_STEPS, reach
from npuscope.model.layers import WEIGHTED, Layer
from npuscope.neural_art.mapping.facts import printable_kind
from npuscope.npu.figures import thousands
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    found = reach(layer)
    if found is None or not found.low:
        return
    low, verb = len(found.low), "reach" if len(found.low) > 1 else "reaches"
    yield Finding(
        "N121",
        Severity.ADVICE,
        f"the weights of {printable_kind(layer)} have one scale, on which {thousands(low)} of "
        f"{thousands(found.channels)} channels {verb} over fewer than {2 * FEW_STEPS} of 256 levels",
        "One scale serves all channels, so the channel with the largest weight sets it, and what others keep are less than "
        "four bits.",
        "quantize the weights per channel: onnxruntime's per_channel=True, which 'npuscope quantize' uses",
        None,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N121",
    title="One scale for unlike channels",
    what=f"Looks for weights quantized per tensor of which a channel, not all of it zero, reaches over fewer than "
    f"{2 * FEW_STEPS} levels. Layers of more than 4 million weights are left to 'verify --layers'.",
    why="Channels of one layer differ in size by ten times and more, above all where a BatchNormalization was folded in. "
    "With a scale for each of them all have 256 levels, at no cost: the compiler stores one for each output channel anyway.",
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
