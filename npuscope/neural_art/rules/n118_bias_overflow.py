"""N118: a bias that does not fit in 32 bits on the scale of the products."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from npuscope.model.layers import Layer
from npuscope.model.names import printable_kind
from npuscope.model.quant import INT32_MAX
from npuscope.npu.figures import thousands
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

MOST_READ = 1 << 16
"""Values of a bias that are read."""


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    bias, source = layer.bias, layer.input.quant if layer.input is not None else None
    weight = layer.weight.quant if layer.weight is not None else None
    if bias is None or bias.constant is None or bias.constant.size > MOST_READ or weight is None:
        return
    if bias.constant.dtype == "int32":
        values = np.abs(bias.constant.array().astype(np.int64))
        over, how = values >= INT32_MAX, "are at a limit of int32: they were clipped"
    elif (
        bias.constant.dtype == "float32" and source is not None and source.scale_known and weight.scale_known
    ):
        with np.errstate(all="ignore"):
            steps = np.abs(bias.constant.array().astype(np.float64).reshape(-1))
            scales = float(source.scale[0]) * weight.scale.astype(np.float64).reshape(-1)
            if source.per_channel or scales.size not in (1, steps.size):
                return
            over = steps / scales > INT32_MAX
        how = "do not fit into int32 at the scale of the products, input x weight"
    else:
        return
    if not over.any():
        return
    yield Finding(
        "N118",
        Severity.WARNING,
        f"{thousands(int(over.sum()))} of {thousands(int(over.size))} biases of {printable_kind(layer)} {how}",
        "A bias is added to the sums in int32, so it is stored in steps of input scale x weight scale; tiny weights make "
        "such steps tiny.",
        "quantize with onnxruntime 1.20 or later, which widens the scale of such weights, or add the bias behind the layer",
        None,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N118",
    title="Bias that overflows 32 bits",
    what="Looks for int32 biases at the ends of their range, and float ones that would not fit into it.",
    why="Channels with tiny weights have tiny scales, and a bias of ordinary size is then more steps of input x weight "
    "than 32 bits count: the channel's values are wrong by everything that is cut off.",
    fix="Widen the scale of the channel's weights, or add the bias after the layer.",
    source="the ONNX definition of QLinearConv (int32 bias, scale input x weight); onnxruntime widens such scales",
    confidence=Confidence.DOCUMENTED,
    check=check,
    kinds=frozenset({"Conv", "ConvTranspose", "Gemm"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,1,4,4] x) => (int8[1,2,4,4] y)
<float s = {0.1}, int8 z = {0}, int8[2,1,1,1] wq = {3, 4}, float ws = {0.0000000001}, int32[2] bq = {2147483647, 5}, float bs = {0.00000000001}, int32 bz = {0}>
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
