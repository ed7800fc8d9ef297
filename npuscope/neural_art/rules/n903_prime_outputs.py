"""N903: output channels that leave kernels per pass unused."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.capacity import most_kernels
from npuscope.neural_art.mapping.tiling import choose, simd_mode, work
from npuscope.neural_art.mapping.zero_points import input_zero_point
from npuscope.npu.figures import thousands
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    conv = convolution(layer)
    if conv is None or not layer.quantized or conv.group != 1 or conv.out_channels < 12:
        return
    tiling = choose(conv, simd_mode(input_zero_point(layer)), context.target)
    if tiling is None or "feat" not in (done := work(tiling, conv)).choked:
        return
    most = most_kernels(conv, tiling.simd, context.target)
    needed = -(-conv.out_channels // most)
    if tiling.passes < 2 * needed:
        return
    better = needed * most
    yield Finding(
        "N903",
        Severity.ADVICE,
        f"{conv.out_channels} output channels take {tiling.passes} passes of {tiling.kernels_per_pass}; "
        f"{better} would take {needed} of {most}",
        f"The features are read again for each pass; {thousands(done.cycles)} cycles are feature-bound.",
        f"pad the output channels to {better}",
        None,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N903",
    title="Output channels divide badly",
    what="Looks for a feature-bound convolution that needs twice the passes its output channels would need if they "
    "were a multiple of the kernels per pass (24 for 1x1, 8 for 3x3 in 8x8, 4 in 16x8).",
    why="Kernels per pass must divide the output channels. A prime number of them gives one kernel per pass, and the "
    "features are streamed once per pass.",
    fix="Pad the output channels to the next multiple.",
    source="FACTS 2.3 (documented: avoid prime numbers) and 2.4.2",
    confidence=Confidence.INFERRED,
    check=check,
    by_geometry=True,
    accelerators=True,
    kinds=frozenset({"Conv", "Gemm", "MatMul"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1024,64] x) => (int8[1024,53] y)
<float s = {0.1}, int8 z = {0}, int64[2] ws = {64, 53}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = MatMul(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1024,64] x) => (int8[1024,48] y)
<float s = {0.1}, int8 z = {0}, int64[2] ws = {64, 48}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = MatMul(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
