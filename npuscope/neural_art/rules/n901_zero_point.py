"""N901: an activation zero point that rules out the fast modes."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.tiling import choose, simd_mode, work
from npuscope.neural_art.mapping.zero_points import awaits_zero_point, input_zero_point
from npuscope.npu.figures import thousands
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    zero, conv = input_zero_point(layer), convolution(layer)
    awaited = awaits_zero_point(layer)
    if (zero is None and not awaited) or conv is None or not layer.quantized or simd_mode(zero) == "8x8":
        return
    now, best = choose(conv, "16x8", context.target), choose(conv, "8x8", context.target)
    if now is None or best is None:
        return
    before, after = work(now, conv).cycles, work(best, conv).cycles
    if after >= before:
        return
    taken, possible = thousands(before), thousands(after)
    lost = "8x8 and Deep1x1" if best.deep1x1 else "8x8"
    if awaited:
        yield Finding(
            "N901",
            Severity.ADVICE,
            f"calibration sets the input's zero point: {possible} compute cycles ({lost}) with 0 or -128, {taken} with any other",
            "Any other must be subtracted (FSUB), which widens features to 16 bits: 16x8 mode, one weight a cycle.",
            "quantize symmetrically (quantize --symmetric): every zero point is 0 then",
            None,
            Confidence.INFERRED,
        )
        return
    yield Finding(
        "N901",
        Severity.ADVICE,
        f"input zero point {zero} rules out {lost}: it takes {taken} compute cycles, {possible} without",
        f"The accelerator subtracts {zero} from each feature (FSUB); the difference takes 9 bits, so features are widened "
        "to 16: 16x8 mode, one weight a cycle.",
        "re-centre the input's zero point to 0 (symmetric) or -128 (no negative values)",
        None,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N901",
    title="Zero point rules out the fast modes",
    what="Looks for a Conv, Gemm or MatMul whose input zero point is neither 0 nor -128 and that would take fewer "
    "cycles if it were.",
    why="With zero point 0 features are used as they are; with -128 the producer stores them unsigned. Any other value "
    "must be subtracted in the accelerator (FSUB), which widens features to 16 bits: 16x8 SIMD, half the kernels per "
    "pass for 3x3, no Deep1x1 (three channels and three weights a cycle), no DSS2.",
    fix="Quantize the activation symmetrically (zero point 0), or so that its smallest value is 0 (zero point -128).",
    source="FACTS 3.3 and 2.4: exact in all compiler graphs seen (473 convolutions)",
    confidence=Confidence.INFERRED,
    check=check,
    by_geometry=True,
    accelerators=True,
    kinds=frozenset({"Conv", "Gemm", "MatMul"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,256] x) => (int8[1,1024] y)
<float s = {0.1}, int8 z = {5}, int8 wz = {0}, int64[2] ws = {256, 1024}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, wz)
  f = MatMul(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,256] x) => (int8[1,1024] y)
<float s = {0.1}, int8 z = {0}, int8 wz = {0}, int64[2] ws = {256, 1024}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, wz)
  f = MatMul(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
