"""N113: a scale that is not a positive number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import folded_away, printable_kind
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    operands = (*layer.inputs, *layer.outputs, layer.weight, layer.bias)
    if folded_away(layer) or all(o is None or o.quant is None or o.quant.divides for o in operands):
        return
    roles = [("input", o) for o in layer.inputs] + [("output", o) for o in layer.outputs]
    roles += [(role, o) for role, o in (("weight", layer.weight), ("bias", layer.bias)) if o is not None]
    for role, operand in roles:
        if operand.quant is None:
            continue
        scale = operand.quant.scale
        bad = ~(np.isfinite(scale) & (scale > 0))
        if not bad.any():
            continue
        value = f"{float(scale[bad].flat[0]):g}"
        where = f" in {int(bad.sum())} of {scale.size} channels" if scale.size > 1 else ""
        yield Finding(
            "N113",
            Severity.WARNING,
            f"the {role} of {printable_kind(layer)} has scale {value}{where}",
            "Quantizing divides by the scale; with zero, infinity or NaN every value is lost.",
            "calibrate again: a constant or infinite tensor gives such a scale",
            None,
            Confidence.UNKNOWN,
        )
        return


RULE = Rule(
    code="N113",
    title="Scale that is not a positive number",
    what="Looks for scales that are zero, negative, infinite or NaN.",
    why="y = round(x / scale) + zero point is then undefined. Calibration writes such scales for tensors that are "
    "constant or overflow; what the compiler does with them has not been observed.",
    fix="Calibrate again, on data that reaches the layer.",
    source="the ONNX definition of QuantizeLinear; behaviour of the compiler unknown",
    confidence=Confidence.UNKNOWN,
    check=check,
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
