"""N102: activations in unsigned integers."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import WEIGHTED, Layer
from npuscope.model.names import printable_kind
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    quant = layer.input.quant if layer.input is not None else None
    if quant is None or quant.dtype != "uint8":
        return
    yield Finding(
        "N102",
        Severity.WARNING,
        f"{printable_kind(layer)} reads uint8 activations (zero point {quant.zero})",
        "ST recommends int8 and does not test uint8; one user had such a model refused.",
        "quantize activations as QInt8, or make them int8 (edit activations-int8; a QOperator model first needs the form of QDQ): the numbers are the same, 128 lower",
        None,
        Confidence.THIRD_PARTY,
    )


RULE = Rule(
    code="N102",
    title="Unsigned activations",
    what="Looks for a Conv, Gemm or MatMul whose input is quantized to uint8.",
    why="The supported scheme is int8 activations and int8 weights (ss or sa). uint8 means the same values 128 higher, "
    "so the accelerators could do it, but the tool's documentation calls it not recommended and not tested.",
    fix="Quantize with activation_type=QuantType.QInt8.",
    source="FACTS 3.1 (ST documentation), LESSONS C9 (LarocheC/stm32n6-deployment-zoo: refused)",
    confidence=Confidence.THIRD_PARTY,
    check=check,
    by_form=True,
    kinds=WEIGHTED,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (uint8[1,256] x) => (uint8[1,64] y)
<float s = {0.1}, uint8 z = {128}, int8 wz = {0}, int64[2] ws = {256, 64}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, wz)
  f = MatMul(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,256] x) => (int8[1,64] y)
<float s = {0.1}, int8 z = {0}, int64[2] ws = {256, 64}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = MatMul(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
