"""N902: every weight is used once."""

from __future__ import annotations

import math
from collections.abc import Iterator

from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.tiling import choose, simd_mode, work
from npuscope.neural_art.mapping.zero_points import input_zero_point
from npuscope.npu.figures import thousands
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

SMALL = 4096
"""Below this many weights the layer's time does not matter."""


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    conv = convolution(layer)
    if (
        conv is None
        or not layer.quantized
        or math.prod(conv.output_size) * conv.batch > 1
        or conv.weights < SMALL
    ):
        return
    tiling = choose(conv, simd_mode(input_zero_point(layer)), context.target)
    if tiling is None:
        return
    rate = conv.macs / work(tiling, conv).cycles
    weights = thousands(conv.weights)
    yield Finding(
        "N902",
        Severity.ADVICE,
        f"each of the {weights} weights is used once: the weight port allows {rate:.3g} MAC/cycle, memory may allow less",
        "With one output position there is no reuse: every weight is fetched for a single multiplication.",
        "process several frames per call so that weights are reused, or keep the weights in NPU RAM",
        None,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N902",
    title="Every weight is used once",
    what="Looks for a Gemm, MatMul or Conv with a single output position.",
    why="The weight port delivers one weight a cycle, three in Deep1x1 mode. Without reuse over positions that is the "
    "whole speed: 2 or 6 OPS/cycle, whatever the channels.",
    fix="Batch several frames into one call, zero point 0 or -128 for Deep1x1, weights in on-chip RAM.",
    source="FACTS 7.2 (compiler graphs; the forum case's last question)",
    confidence=Confidence.INFERRED,
    check=check,
    by_geometry=True,
    kinds=frozenset({"Conv", "Gemm", "MatMul"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,256] x) => (int8[1,1024] y)
<float s = {0.1}, int8 z = {0}, int64[2] ws = {256, 1024}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = MatMul(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[64,256] x) => (int8[64,1024] y)
<float s = {0.1}, int8 z = {0}, int64[2] ws = {256, 1024}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = MatMul(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
