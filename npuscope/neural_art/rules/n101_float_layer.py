"""N101: a layer that computes in float."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.facts import bare, is_float, takes_float_constants, tidy
from npuscope.neural_art.mapping.operators import CONTROL_FLOW, DYNAMIC, RECURRENT
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Placement, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if not is_float(layer, context):
        return
    kept = takes_float_constants(layer)
    inputs = [o for o in layer.inputs if bare(o) and not (kept and o.constant is not None)]
    bare_weight = layer.weight is not None and bare(layer.weight)
    kind = tidy(layer)
    if layer.kind in DYNAMIC or layer.kind in RECURRENT or layer.kind in CONTROL_FLOW:
        return  # they have no quantized form, as N301, N310 and N312 say
    if not inputs and not bare_weight:
        message = f"{kind} writes float: no QuantizeLinear follows its output"
        fix = "put a QuantizeLinear/DequantizeLinear pair behind its output"
    elif any(o.constant is not None for o in inputs):
        message = f"{kind} reads a float constant that has no QuantizeLinear/DequantizeLinear"
        fix = "quantize the constant as well (QuantizeLinear/DequantizeLinear on it)"
    elif bare_weight and not inputs:
        message = f"{kind} has float weights"
        fix = "quantize the weights to int8, per channel, zero point 0"
    else:
        message = f"{kind} computes in float: its input is not quantized"
        fix = "quantize the model (onnxruntime quantize_static: QDQ, QInt8, per channel)"
    yield Finding(
        "N101",
        Severity.ERROR,
        message,
        "The NPU computes in integers only; a layer counts as int8 only if each of its tensors has a Q/DQ of its own.",
        fix,
        Placement.SW_FLOAT,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N101",
    title="Layer computes in float",
    what="Looks for a layer with an input, a weight or an output that is float and has no Q/DQ beside it.",
    why="The accelerators work on 8, 16 and 24-bit integers. A float layer runs on the Cortex-M55, and the compiler "
    "puts a DequantizeLinear before it and a QuantizeLinear after it, both on the CPU too.",
    fix="Quantize the tensors named. Where a Reshape stands between the operator and its QuantizeLinear, move the "
    "QuantizeLinear before the Reshape.",
    source="FACTS 3.1 (ST documentation), LESSONS C2 (mobilenet_v2_224, yolov11n_micro_224)",
    confidence=Confidence.DOCUMENTED,
    check=check,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (float[1,8,1,1] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  y = GlobalAveragePool(f) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,1,1] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  p = GlobalAveragePool(f)
  y = QuantizeLinear(p, s, z) }""",
)
