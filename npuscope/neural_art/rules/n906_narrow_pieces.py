"""N906: input channels that accelerators in series take in pieces of less than an access."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from npuscope.model.convolution import convolution
from npuscope.model.layers import Layer
from npuscope.neural_art.mapping.pieces import (
    ACCESS_BYTES,
    features_read,
    narrow_accesses,
    run_in,
    waiting_cycles,
)
from npuscope.neural_art.mapping.tiling import choose, simd_mode, work
from npuscope.neural_art.mapping.zero_points import input_zero_point
from npuscope.npu.figures import thousands
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    conv = convolution(layer)
    if conv is None or not layer.quantized or conv.group != 1:
        return
    target, simd = context.target, simd_mode(input_zero_point(layer))
    tiling = choose(conv, simd, target)
    if tiling is None:
        return
    waited = waiting_cycles(tiling, conv, target)
    if waited <= work(tiling, conv).cycles:
        return
    waits = narrow_accesses(features_read(tiling, conv), tiling, conv)
    fix = "give the layer input channels of which each accelerator takes 8 or more"
    for channels in range(conv.in_channels + 1, 2 * conv.in_channels + 1):
        wider = replace(conv, in_channels=channels)
        other = choose(wider, simd, target)
        if other is None or 0 < run_in(other, wider) < ACCESS_BYTES:
            continue
        if 2 * work(other, wider).cycles <= waited:
            fix = f"pad the input channels to {channels}"
            break
    yield Finding(
        "N906",
        Severity.ADVICE,
        f"{tiling.accelerators} accelerators take {tiling.batch_depth} of {conv.in_channels} input channels each: "
        f"they wait {thousands(waits)} times for less than {ACCESS_BYTES} bytes",
        "Pieces that narrow are not fetched ahead: boards took the time of one access for each position and pass.",
        fix,
        None,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N906",
    title="Accelerators in series wait for narrow pieces",
    what="Looks for a convolution that runs on several accelerators in series, in one iteration, each of which takes less than "
    "8 bytes of a pixel, where waiting for them takes longer than the accelerators do.",
    why="Channels are interleaved in memory, which gives 8 bytes at a time. ST's tables show nine networks with such a layer (2.2 to "
    "4.0); each position and pass took the time of an access that waits for the one before. Up to 2.2 the compiler may copy "
    "the features first.",
    fix="Pad the input channels, or make the layer before give more of them, so that each accelerator takes 8 or more.",
    source="docs/accuracy-cost.md, rule 11 of the milliseconds (ST's model zoo tables)",
    confidence=Confidence.INFERRED,
    check=check,
    by_geometry=True,
    kinds=frozenset({"Conv", "Gemm", "MatMul"}),
    since="3.0",
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,12,48,48] x) => (int8[1,16,48,48] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {16, 12, 3, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <pads = [1, 1, 1, 1]> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,16,48,48] x) => (int8[1,16,48,48] y)
<float s = {0.1}, int8 z = {0}, int64[4] ws = {16, 16, 3, 3}>
{ w = ConstantOfShape <value: tensor = int8[1] {1}> (ws)
  xf = DequantizeLinear(x, s, z)
  wf = DequantizeLinear(w, s, z)
  f = Conv <pads = [1, 1, 1, 1]> (xf, wf)
  y = QuantizeLinear(f, s, z) }""",
)
