"""N503: a Transpose that moves values."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if cause.why is not Why.TRANSPOSE_ROUTINE:
        return None
    shape, order = "x".join(map(str, cause.sizes("shape"))), ", ".join(map(str, cause.sizes("order")))
    return Finding(
        "N503",
        Severity.WARNING,
        f"Transpose of {shape} by ({order}): the CPU drives a DMA routine",
        "The accelerators write channels first or last, and rows of a stream that comes plane by plane; any other "
        "exchange of axes is a hybrid epoch.",
        "choose the layout so that only the channels move, or fold the Transpose into the layers around it",
        cause.placement,
        Confidence.INFERRED,
    )


RULE = Rule(
    code="N503",
    title="Transpose that moves values",
    what="Looks for a Transpose that neither moves the channels from first to last nor back; dimensions of size 1 do "
    "not count.",
    why="(0, 2, 3, 1) and (0, 3, 1, 2) are the order in which a tensor is written anyway. Exchanging height with "
    "width or channels is done by a routine (LL_ATON_LIB_DMA_Transpose) that the CPU drives, unless a pooling or "
    "elementwise layer that nothing else reads hands the rows over plane by plane. What a unit wrote has its "
    "channels innermost: a tensor with only two dimensions above 1 needs no routine if the result has them in "
    "that order (two of two, 4.0.1).",
    fix="Avoid axis exchanges inside the network.",
    source="yolov11n_micro_224 (4.0.1), blazeface_128, transformer_128 (2.2), yamnet_1024: each kind of exchange in "
    "these is hybrid, each channels-last or -first one is not; blazeface_front_128 (2.1), face_landmark_192 (2.2): "
    "three and two behind a MaxPool of a planar stream on the NPU",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.TRANSPOSE_ROUTINE, Why.TRANSPOSE_STREAMED, Why.TRANSPOSE_WRITTEN}),
    word=word,
    kinds=frozenset({"Transpose"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,6] x) => (int8[1,8,6,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Transpose <perm = [0, 1, 3, 2]> (f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,6] x) => (int8[1,4,6,8] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = Transpose <perm = [0, 2, 3, 1]> (f)
  y = QuantizeLinear(r, s, z) }""",
)
