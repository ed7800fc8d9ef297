"""N201: input channels that no tiling of the CONV accelerators can cover."""

from __future__ import annotations

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution, convolution
from npuscope.model.layers import WEIGHTED, Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.neural_art.mapping.tiling import choose, divisors
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    conv, target = convolution(layer), context.target
    if conv is None:
        return None
    ich = cause.count("channels")
    each_zero = "" if choose(conv, "8x8", target) is not None else " The zero point makes no difference."
    return Finding(
        "N201",
        Severity.ERROR,
        f"{ich} input channels cannot be tiled",
        _why(ich, conv, target) + each_zero,
        f"split the {ich} input channels in two, or pad them to a number with small factors",
        cause.placement,
        Confidence.INFERRED,
    )


def _why(ich: int, conv: Convolution, target: Target) -> str:
    """The best the compiler could try, in this layer's numbers."""
    bounds, limit = target.tiling, target.limits.accumulation_iterations
    deepest = bounds.depth_pointwise if conv.kernel[0] == 1 else bounds.depth_kernel
    tries = [
        (ich // series // depth, series, depth)
        for series in range(1, bounds.max_in_series + 1)
        if ich % series == 0
        for depth in divisors(ich // series)
        if depth <= deepest
    ]
    iterations, series, depth = min(tries)
    prime = f"{ich} is prime: " if len(divisors(ich)) == 2 else f"{ich} has few factors: "
    units = f" on {series} accelerators in series" if series > 1 else ""
    channel = f"{depth} channels at a time{units} take" if depth > 1 else f"1 channel at a time{units} takes"
    return f"{prime}{channel} {iterations} accumulation passes, the NPU counts at most {limit}."


RULE = Rule(
    code="N201",
    title="Input channels cannot be tiled",
    what="Looks for a Conv, Gemm or MatMul whose input channels (per group) cannot be written as P x I x d with P "
    "accelerators in series (1 to 4), I accumulation iterations (at most 255) and d channels at a time (at most 24 for "
    "kernels of one row, 8 for taller ones, 128 in Deep1x1 mode).",
    why="The accumulation counter of a CONV accelerator (AFILT_TOT) has 8 bits. Without a legal tiling the hardware "
    "lowering is not done and the layer runs on the Cortex-M55 as an int8 Conv; the log says only 'output tensor has "
    "scale-offset format'. Output channels never cause this, and neither does the zero point.",
    fix="Split the input channels in parts that tile (257 = 144 + 113), or pad them with zeros to a number with small "
    "factors (257 to 264 or 288), or train with such a number.",
    source="FACTS 2.5: the forum case (Core 2.1), speech_tcnn_257 (2.0, 2.1, 2.2), a Gemm with 50176 inputs (2.1); "
    "register width documented in ATON.h. For 3.0 and 4.0 no compiler output with such a layer is known.",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.CONV_UNTILED}),
    word=word,
    kinds=WEIGHTED,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,257] x) => (int8[1,64] y)
<float s = {0.1}, int8 z = {3}, int8 wz = {0}, int64[2] ws = {257, 64}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, wz)
  f = MatMul(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,256] x) => (int8[1,257] y)
<float s = {0.1}, int8 z = {3}, int8 wz = {0}, int64[2] ws = {256, 257}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, wz)
  f = MatMul(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
