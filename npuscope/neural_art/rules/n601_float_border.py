"""N601: a float input or output of the graph."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import QUANTIZE, Layer
from npuscope.model.names import printable, shortened
from npuscope.neural_art.mapping.facts import is_border
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if not is_border(layer, context):
        return
    side, operand = ("input", layer.input) if layer.kind == QUANTIZE else ("output", layer.output)
    assert operand is not None
    yield Finding(
        "N601",
        Severity.ADVICE,
        f"graph {side} {printable(shortened(operand.tensor, 40))!r} is float; the compiler makes it int8",
        f"{layer.kind} at the border is dropped and the {side} takes its scale and zero point; with "
        f"--{side}-data-type float32 it stays and runs on the Cortex-M55.",
        f"feed int8 data, or expect one {layer.kind} on the CPU" if side == "input" else "read int8 data",
        Placement.NONE,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N601",
    title="Float graph border",
    what="Looks for a QuantizeLinear straight behind a float graph input and a DequantizeLinear straight before a "
    "float graph output.",
    why="stedgeai drops both by default and makes the border int8: the reports list int8 inputs and outputs and no "
    "such epoch. With --input-data-type float32 the QuantizeLinear stays, as a float epoch on the CPU.",
    fix="Feed and read int8 data with the scale and zero point shown.",
    source="reports of mobilenet_v2_224, yolov11n_micro_224, ocr_det_160, speech_tcnn_257 (dropped), "
    "mobilefacenet_qop (kept, with the option)",
    confidence=Confidence.INFERRED,
    check=check,
    kinds=frozenset({"QuantizeLinear", "DequantizeLinear"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (float[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ q = QuantizeLinear(x, s, z)
  f = DequantizeLinear(q, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
)
