"""N311: a BatchNormalization that is not folded into a convolution."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.floats import is_float, norm_source
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    if is_float(layer, context) or norm_source(layer, context) is not None:
        return
    yield Finding(
        "N311",
        Severity.ADVICE,
        "BatchNormalization follows no Conv: it takes a Mul and an Add of its own",
        "ST documents software unless a Conv precedes it; quantized on both sides it ran on the ARITH units.",
        "fold it into the layer before or after it",
        None,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N311",
    title="BatchNormalization on its own",
    what="Looks for a quantized BatchNormalization that does not directly follow a Conv.",
    why="After a Conv the compiler folds it into weights and bias. Elsewhere it becomes a Mul and an Add per channel: "
    "on the NPU where its input and output are quantized, in float otherwise.",
    fix="Fold it into the Conv or Gemm before it when exporting (onnxruntime's quant_pre_process does).",
    source="ocr_det_160 (2.2): Mul and Add on ARITH; mobilefacenet_qop (2.1): float Mul and Add before a float output; "
    "LESSONS B4 (sface: 28 of 28 float)",
    confidence=Confidence.INFERRED,
    check=check,
    kinds=frozenset({"BatchNormalization"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,4,4] y) <float s = {0.1}, int8 z = {0}, float[2] k = {1, 1}>
{ f = DequantizeLinear(x, s, z)
  r = BatchNormalization(f, k, k, k, k)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,2,4,4] x) => (int8[1,2,4,4] y)
<float s = {0.1}, int8 z = {0}, float[2] k = {1, 1}, int64[4] ws = {2, 2, 1, 1}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  f = DequantizeLinear(x, s, z)
  v = DequantizeLinear(w, s, z)
  c = Conv(f, v)
  r = BatchNormalization(c, k, k, k, k)
  y = QuantizeLinear(r, s, z) }""",
)
