"""N103: weights that are not centred on zero."""

from __future__ import annotations

from npuscope.model.inspection.weights import fits_int8
from npuscope.model.layers import WEIGHTED, Layer
from npuscope.model.names import printable_kind
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    value, channels, size = cause["zero"], cause["channels"], cause["of"]
    what = f"zero point {value}"
    if size != 1:
        what = f"a zero point in {channels} of {size} channels (the first is {value})"
    quant = layer.weight.quant if layer.weight is not None else None
    if quant is not None and quant.dtype.startswith("uint"):
        what += f" from the middle of {quant.dtype}"
    return Finding(
        "N103",
        Severity.ERROR,
        f"{printable_kind(layer)} weights have {what}",
        "The supported scheme is symmetric weights; what the compiler does with others has not been observed.",
        "less it they are no larger than int8: store them so (edit narrow-weights)"
        if fits_int8(layer)
        else "quantize the weights symmetrically (WeightSymmetric, QInt8)",
        cause.placement,
        Confidence.UNKNOWN,
    )


RULE = Rule(
    code="N103",
    title="Weights with a zero point",
    what="Looks for weights of a Conv, ConvTranspose, Gemm or MatMul whose zero point is not the middle of their range.",
    why="Only ss/sa is documented: int8 weights with zero point 0. The accelerators subtract a zero point from features "
    "(FSUB), not from weights. Taken as software here, since no compiler output with such a layer is known.",
    fix="Quantize with WeightSymmetric=True and QInt8 weights.",
    source="FACTS 3.1 and 3.3 (ST documentation; behaviour unknown)",
    confidence=Confidence.UNKNOWN,
    causes=frozenset({Why.WEIGHTS_OFF_CENTRE}),
    word=word,
    kinds=WEIGHTED,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,256] x) => (int8[1,64] y)
<float s = {0.1}, int8 z = {0}, int8 wz = {7}, int64[2] ws = {256, 64}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, wz)
  f = MatMul(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,256] x) => (int8[1,64] y)
<float s = {0.1}, int8 z = {0}, uint8 wz = {128}, int64[2] ws = {256, 64}>
{ w = ConstantOfShape <value: tensor = uint8[1] {129}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, wz)
  f = MatMul(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
