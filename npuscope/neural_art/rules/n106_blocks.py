"""N106: scales the scheme does not have: per block, or per channel of an activation."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if cause.why is Why.BLOCKS_OF_WEIGHTS:
        message = f"{printable_kind(layer)} weights have a scale for each block of {cause['block']}"
        fix = "quantize the weights with one scale per output channel"
    elif cause.why is Why.SCALES_ELSEWHERE:
        message = (
            f"{printable_kind(layer)} weights have their scales along axis {cause['axis']}, not along the output channels "
            f"(axis {cause['wanted']})"
        )
        fix = "quantize the weights per output channel"
        if layer.kind == "ConvTranspose" and layer.core.integer("group", 1) > 1:
            fix = "quantize the weights with one scale: in groups, an axis of output channels holds those of one group"
    else:
        message = f"{printable_kind(layer)} has an activation with {cause['scales']} scales"
        fix = "quantize activations with one scale per tensor"
    return Finding(
        "N106",
        Severity.ERROR,
        message,
        "Activations have one scale per tensor, weights one per tensor or output channel; others have not been observed.",
        fix,
        cause.placement,
        Confidence.UNKNOWN,
    )


RULE = Rule(
    code="N106",
    title="Scales per block or channel",
    what="Looks for weights quantized in blocks or along an axis other than the output channels, and for activations "
    "quantized per channel.",
    why="The requantization after a convolution has one factor per output channel and nothing finer; activations are "
    "per tensor. The documentation mentions no other scheme, so such a layer is taken as float software here.",
    fix="One scale per tensor for activations, per tensor or per output channel for weights.",
    source="FACTS 3.1 (ST documentation: ss/sa per channel; behaviour of others unknown)",
    confidence=Confidence.UNKNOWN,
    causes=frozenset({Why.BLOCKS_OF_WEIGHTS, Why.SCALES_ELSEWHERE, Why.SCALES_OF_CHANNELS}),
    word=word,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,4,4] y) <float[2] s = {0.1, 0.2}, int8[2] z = {0, 0}>
{ f = DequantizeLinear <axis = 1> (x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear <axis = 1> (r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
)
