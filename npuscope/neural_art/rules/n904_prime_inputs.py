"""N904: input channels that leave accelerators idle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.tiling import choose, simd_mode, work
from npuscope.neural_art.mapping.zero_points import input_zero_point
from npuscope.npu.figures import thousands
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

MULTIPLES = (2, 4, 8, 16)
"""Channel counts that are tried instead: the next multiple of each."""


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    conv = convolution(layer)
    if conv is None or not layer.quantized or conv.group != 1 or conv.in_channels < 12:
        return
    simd = simd_mode(input_zero_point(layer))
    tiling = choose(conv, simd, context.target)
    if tiling is None or tiling.iterations == 1:
        return
    cycles = work(tiling, conv).cycles
    better: tuple[int, int] | None = None
    for multiple in MULTIPLES:
        padded = replace(conv, in_channels=-(-conv.in_channels // multiple) * multiple)
        other = choose(padded, simd, context.target)
        if other is not None and 2 * (fewer := work(other, padded).cycles) <= cycles:
            better = min(better or (fewer, padded.in_channels), (fewer, padded.in_channels))
    if better is None:
        return
    fewer, channels = better
    yield Finding(
        "N904",
        Severity.ADVICE,
        f"{conv.in_channels} input channels take {thousands(cycles)} compute cycles; {channels} would take {thousands(fewer)}",
        f"They divide into {tiling.iterations} parts of {tiling.batch_depth * tiling.accelerators} only, whose sums are added "
        "up through memory one after the other.",
        f"pad the input channels to {channels}",
        None,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N904",
    title="Input channels divide badly",
    what="Looks for a convolution that would take half the compute cycles, or fewer, if its input channels were the next "
    "multiple of 2, 4, 8 or 16.",
    why="Channels for each accelerator and accelerators in series must divide the input channels. A prime number of them "
    "leaves one accelerator that works on one channel at a time, with partial sums through memory.",
    fix="Pad the input channels to the next multiple.",
    source="FACTS 2.3 (documented: avoid prime numbers) and 2.4.2",
    confidence=Confidence.INFERRED,
    check=check,
    by_geometry=True,
    accelerators=True,
    kinds=frozenset({"Conv", "Gemm", "MatMul"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1024,211] x) => (int8[1024,48] y)
<float s = {0.1}, int8 z = {0}, int64[2] ws = {211, 48}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = MatMul(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1024,192] x) => (int8[1024,48] y)
<float s = {0.1}, int8 z = {0}, int64[2] ws = {192, 48}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = MatMul(xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
