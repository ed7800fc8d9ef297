"""N402: strides, pads or dilations a POOL accelerator does not have."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

_WORDS = {
    "stride": ("stride {value}", "strides up to {limit}"),
    "pads": ("pads of {value}", "pads up to {limit}"),
    "dilation": ("dilation {value}", "no dilation"),
    "indices": ("an output of indices", "no indices"),
}


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    what, most = (
        text.format(value=cause["value"], limit=cause["limit"]) for text in _WORDS[str(cause["what"])]
    )
    return Finding(
        "N402",
        Severity.ERROR,
        f"{printable_kind(layer)} has {what}; the POOL accelerators have {most}",
        "The fields of their registers do not hold it; what the compiler does instead was not seen.",
        f"use {most}",
        cause.placement,
        Confidence.UNKNOWN,
    )


RULE = Rule(
    code="N402",
    title="Pooling registers",
    what="Looks for a pooling layer with a stride above 15, pads above 7, a dilation or an output of indices.",
    why="Strides are 4-bit and pads 3-bit fields; there is no field for a dilation, and the unit writes values only.",
    fix="Smaller strides and pads; two layers in a row.",
    source="FACTS 1.1 (ATON register widths) and 4 (ST documentation: strides 1 to 15, pads 0 to 7)",
    confidence=Confidence.UNKNOWN,
    causes=frozenset({Why.POOL_REGISTERS}),
    word=word,
    kinds=frozenset({"AveragePool", "MaxPool"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,64,64] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = MaxPool <kernel_shape = [3, 3], strides = [20, 20]> (f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,64,64] x) => (int8[1,8,31,31] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = MaxPool <kernel_shape = [3, 3], strides = [2, 2]> (f)
  y = QuantizeLinear(r, s, z) }""",
)
