"""N105: weights of fewer than 8 bits."""

from __future__ import annotations

from npuscope.machine.toolchain import first_with
from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

FIRST = first_with("weights_4bit")


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    bits = cause["bits"]
    if cause.why is Why.NARROW_WEIGHTS:
        message = f"{printable_kind(layer)} has {bits}-bit weights; version {context.target.toolchain.version} does not take them"
        why = (
            f"Weights of 4 bits run on the NPU from {FIRST} on; what older versions do has not been observed."
        )
        fix = f"compile with {FIRST} or later, or store the same numbers as int8 (edit narrow-weights)"
    else:
        message = f"{printable_kind(layer)} has a tensor of {bits} bits"
        why = f"Only 4-bit weights of Conv, Gemm and MatMul are documented (from {FIRST})."
        fix = "quantize it to int8"
    return Finding("N105", Severity.ERROR, message, why, fix, cause.placement, Confidence.UNKNOWN)


RULE = Rule(
    code="N105",
    title="Fewer than 8 bits",
    what="Looks for tensors quantized to 4 or 2 bits, other than 4-bit weights of a Conv, Gemm or MatMul in a version "
    "that takes them.",
    why="4-bit weights with 8-bit activations run on the NPU from 3.0 on. Nothing else below 8 bits is documented.",
    fix="Use 3.0 or later for 4-bit weights; quantize everything else to int8.",
    source="FACTS 3.1 and 5 (release note of 3.0), LESSONS C8 (W4A8 models of ST's zoo)",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset({Why.NARROW_WEIGHTS, Why.NARROW_TENSOR}),
    word=word,
    failing="""<ir_version: 10, opset_import: ["" : 21]>
g (int4[1,8,4,4] x) => (int4[1,8,4,4] y) <float s = {0.1}>
{ f = DequantizeLinear(x, s)
  r = Sigmoid(f)
  y = QuantizeLinear <output_dtype = 22> (r, s) }""",
    passing="""<ir_version: 10, opset_import: ["" : 21]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
)
