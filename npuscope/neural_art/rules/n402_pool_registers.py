"""N402: strides, pads or dilations a POOL accelerator does not have."""

from __future__ import annotations

import math
from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import on_cpu, tidy
from npuscope.neural_art.mapping.layout import pool_strides
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    result = layer.output.dims if layer.output is not None else None
    if result is None or len(result) < 3 or math.prod(result[2:]) == 1:
        return
    limits = context.target.limits
    strides, pads = pool_strides(layer), layer.core.integers("pads") or (0,)
    dilations = layer.core.integers("dilations") or (1,)
    if max(strides, default=1) > limits.pool_stride:
        what, most = f"stride {max(strides)}", f"strides up to {limits.pool_stride}"
    elif max(pads, default=0) > limits.pool_pad:
        what, most = f"pads of {max(pads)}", f"pads up to {limits.pool_pad}"
    elif max(dilations, default=1) > 1:
        what, most = f"dilation {max(dilations)}", "no dilation"
    elif len(layer.outputs) > 1 and layer.outputs[1].seen:
        what, most = "an output of indices", "no indices"
    else:
        return
    yield Finding(
        "N402",
        Severity.ERROR,
        f"{tidy(layer)} has {what}; the POOL accelerators have {most}",
        "The fields of their registers do not hold it; what the compiler does instead was not seen.",
        f"use {most}",
        on_cpu(layer, context),
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
    check=check,
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
