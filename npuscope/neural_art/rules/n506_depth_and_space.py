"""N506: DepthToSpace and SpaceToDepth."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if cause.why is Why.PIXEL_SHUFFLE:
        return Finding(
            "N506",
            Severity.ERROR,
            f"DepthToSpace by {cause['block']} has mode CRD (PixelShuffle)",
            "The DMA routine exists for mode DCR only.",
            "reorder the channels of the Conv before it and use mode DCR",
            cause.placement,
            Confidence.DOCUMENTED,
        )
    return Finding(
        "N506",
        Severity.WARNING,
        f"{layer.kind} by {cause['block']} is a routine in which the CPU drives the NPU's DMAs",
        "No accelerator exchanges channels with positions.",
        "use a strided Conv or a nearest Resize where the accuracy allows it",
        cause.placement,
        Confidence.DOCUMENTED,
    )


RULE = Rule(
    code="N506",
    title="Depth and space",
    what="Looks for DepthToSpace and SpaceToDepth.",
    why="Both are hybrid epochs (LL_ATON_LIB_DMA_DepthToSpace); mode CRD has no routine and runs on the Cortex-M55.",
    fix="Mode DCR: the channels of the Conv before it can be reordered at no cost.",
    source="FACTS 2.1 and 4 (ST documentation: software, by DMA with mode DCR)",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset({Why.DEPTH_TO_SPACE, Why.PIXEL_SHUFFLE}),
    word=word,
    kinds=frozenset({"DepthToSpace", "SpaceToDepth"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,2,8,8] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = DepthToSpace <blocksize = 2> (f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = DepthToSpace <blocksize = 1> (f)
  y = QuantizeLinear(r, s, z) }""",
)
