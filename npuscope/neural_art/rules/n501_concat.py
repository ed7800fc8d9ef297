"""N501: a Concat whose parts are not blocks of memory."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import folded_away, is_float
from npuscope.neural_art.mapping.layout import axis_of, comes_from_transpose, outermost
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    dims, axis = (layer.output.dims if layer.output is not None else None), axis_of(layer)
    if (
        dims is None
        or axis is None
        or folded_away(layer)
        or is_float(layer, context)
        or len(layer.inputs) < 2
    ):
        return
    shape = "x".join(map(str, dims))
    if not outermost(dims, axis):
        message = f"Concat along axis {axis} of {shape}: the parts interleave in memory"
        why = "Only where all dimensions left of the axis are 1 can each part be written at its offset."
        fix = "concatenate along the channels"
    elif len(dims) < 4 and comes_from_transpose(layer, context):
        message = f"Concat along axis {axis} of {shape} joins tensors that a Transpose left in another order"
        why = "The parts lie channels last while the result is wanted row after row; a routine copies them."
        fix = "concatenate before the Transpose"
    else:
        return
    yield Finding("N501", Severity.WARNING, message, why, fix, Placement.HYBRID, Confidence.INFERRED)


RULE = Rule(
    code="N501",
    title="Concat that interleaves",
    what="Looks for a Concat along an axis that has a dimension above 1 left of it, or behind a Transpose.",
    why="A Concat along the channels costs nothing or one copy: producers write at an offset. Along the width, or in "
    "the heads of detectors behind a Transpose, the CPU drives the DMAs (LL_ATON_LIB_Concat), about 8 CPU cycles an "
    "element.",
    fix="Concatenate along the channels.",
    source="yolov11n_micro_224 (4.0.1): last axis hybrid, axis 1 not; ssd_mobilenet_v1_256 (2.1); FACTS 4 (RSN)",
    confidence=Confidence.INFERRED,
    check=check,
    kinds=frozenset({"Concat"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4] a, int8[1,8,6] b) => (int8[1,8,10] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(a, s, z)
  h = DequantizeLinear(b, s, z)
  r = Concat <axis = 2> (f, h)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4] a, int8[1,6,4] b) => (int8[1,14,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(a, s, z)
  h = DequantizeLinear(b, s, z)
  r = Concat <axis = 1> (f, h)
  y = QuantizeLinear(r, s, z) }""",
)
