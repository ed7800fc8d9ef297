"""N106: scales the scheme does not have: per block, or per channel of an activation."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import folded_away, tidy
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if folded_away(layer):
        return
    weight = layer.weight.quant if layer.weight is not None else None
    activation = next(
        (
            o.quant
            for o in (*layer.inputs, *layer.outputs)
            if o.constant is None and o.quant is not None and o.quant.per_channel
        ),
        None,
    )
    if weight is not None and weight.block_size:
        message = f"{tidy(layer)} weights have a scale for each block of {weight.block_size}"
        fix = "quantize the weights with one scale per output channel"
    elif activation is not None:
        message = f"{tidy(layer)} has an activation with {activation.scale.size} scales"
        fix = "quantize activations with one scale per tensor"
    elif weight is not None and weight.per_channel and (axes := _elsewhere(layer)):
        has, wanted = axes
        message = f"{tidy(layer)} weights have their scales along axis {has}, not along the output channels (axis {wanted})"
        fix = "quantize the weights per output channel"
    else:
        return
    yield Finding(
        "N106",
        Severity.ERROR,
        message,
        "Activations have one scale per tensor, weights one per tensor or output channel; others were never seen.",
        fix,
        Placement.SW_FLOAT,
        Confidence.UNKNOWN,
    )


def _elsewhere(layer: Layer) -> tuple[int, int] | None:
    """(axis of the scales, axis of the output channels) where those are two; None where all is well."""
    weight = layer.weight
    if weight is None or weight.quant is None or weight.quant.axis is None or weight.constant is None:
        return None
    shape, scales = weight.constant.shape, weight.quant.scale.size
    rank = len(shape)
    if not -rank <= weight.quant.axis < rank or scales == 1:
        return None
    if layer.kind == "Conv":
        wanted = 0
    elif layer.kind == "ConvTranspose":
        wanted = 1
    elif layer.kind == "Gemm":
        wanted = 0 if layer.core.integer("transB", 0) else 1
    else:
        wanted = rank - 1
    axis = weight.quant.axis % rank
    return None if axis == wanted or rank < 2 else (axis, wanted)


RULE = Rule(
    code="N106",
    title="Scales per block or channel",
    what="Looks for weights quantized in blocks or along another axis than the output channels, and for activations "
    "quantized per channel.",
    why="The requantization after a convolution has one factor per output channel and nothing finer; activations are "
    "per tensor. The documentation knows no other scheme, so such a layer is taken as float software here.",
    fix="One scale per tensor for activations, per tensor or per output channel for weights.",
    source="FACTS 3.1 (ST documentation: ss/sa per channel; behaviour of others unknown)",
    confidence=Confidence.UNKNOWN,
    check=check,
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
