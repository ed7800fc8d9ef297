"""N119: a bias that is stored in other steps than the sums it is added to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.npu.figures import thousands
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

TOLERANCE = 0.01
"""Relative difference of two scales that count as the same, as onnxruntime compares them."""


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    bias = layer.bias.quant if layer.bias is not None and layer.bias.constant is not None else None
    source = layer.input.quant if layer.input is not None else None
    weight = layer.weight.quant if layer.weight is not None else None
    if bias is None or source is None or weight is None or bias.dtype != "int32":
        return
    known = all(
        quant.scale_known and quant.divides and not quant.block_size for quant in (bias, source, weight)
    )
    if not known or source.per_channel or not {bias.scale.size, weight.scale.size} <= {1, _outputs(layer)}:
        return
    wanted = source.scale.astype(np.float64) * weight.scale.astype(np.float64)
    with np.errstate(all="ignore"):
        ratio = bias.scale.astype(np.float64) / wanted
    off = np.abs(ratio - 1) > TOLERANCE
    if off.any():
        worst = float(ratio[off][np.argmax(np.abs(np.log(ratio[off])))])
        all_of_one = bias.scale.size == weight.scale.size == 1
        which = (
            "the bias" if all_of_one else f"{thousands(int(off.sum()))} of {thousands(int(off.size))} biases"
        )
        verb = "has" if all_of_one or off.sum() == 1 else "have"
        message = (
            f"{which} of {printable_kind(layer)} {verb} "
            f"{worst:.3g} times the scale of the sums, input x weight"
        )
    elif bias.zero_point.any():
        message = f"the bias of {printable_kind(layer)} has a zero point, which the sums do not have"
    else:
        return
    yield Finding(
        "N119",
        Severity.WARNING,
        message,
        "A bias is added to the sums in int32. Where its integers are added as they are, it counts for more or less than "
        "the model says: onnxruntime did so (issue 24711). What ST's compiler does is unknown.",
        "store the bias in steps of input scale x weight scale with zero point 0, as onnxruntime's quantizer does; then "
        "compare the outputs of the build with the model's",
        None,
        Confidence.UNKNOWN,
    )


def _outputs(layer: Layer) -> int:
    return layer.bias.constant.size if layer.bias is not None and layer.bias.constant is not None else 0


RULE = Rule(
    code="N119",
    title="Bias on another scale than the sums",
    what="Looks for int32 biases behind a DequantizeLinear whose scale is not input scale x weight scale within 1 %, or whose "
    "zero point is not 0.",
    why="Integer kernels add the bias to the sums of products, whose scale is input x weight. A bias in other steps has to be converted first. onnxruntime added the integers unconverted and silently gave wrong numbers; whether ST's compiler converts them is unknown.",
    fix="Store the bias in steps of input scale x weight scale, zero point 0.",
    source="onnxruntime issue 24711 and its fix (28229); the ONNX definition of QLinearConv; no build of such a model was seen",
    confidence=Confidence.UNKNOWN,
    check=check,
    kinds=frozenset({"Conv", "ConvTranspose", "Gemm"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,1,4,4] x) => (int8[1,2,4,4] y)
<float s = {0.1}, int8 z = {0}, int8[2,1,1,1] wq = {3, 4}, float ws = {0.01}, int32[2] bq = {70, 5}, float bs = {0.02}, int32 bz = {0}>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear(wq, ws, z)
  b = DequantizeLinear(bq, bs, bz)
  r = Conv(f, w, b)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,1,4,4] x) => (int8[1,2,4,4] y)
<float s = {0.1}, int8 z = {0}, int8[2,1,1,1] wq = {3, 4}, float ws = {0.01}, int32[2] bq = {70, 5}, float bs = {0.001}, int32 bz = {0}>
{ f = DequantizeLinear(x, s, z)
  w = DequantizeLinear(wq, ws, z)
  b = DequantizeLinear(bq, bs, bz)
  r = Conv(f, w, b)
  y = QuantizeLinear(r, s, z) }""",
)
