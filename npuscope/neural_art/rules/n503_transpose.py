"""N503: a Transpose that moves values."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import Layer
from npuscope.model.names import quoted
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
        "choose the layout so that only the channels move, or fold the Transpose into the layers around it; an exchange of "
        "whole channels, as a shuffle is, can be a 1x1 Conv whose weights are 0 and 1",
        cause.placement,
        Confidence.INFERRED,
    )


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    """A Transpose that undoes the one before it: exporters write a pair around each layer of the other layout."""
    before = context.layers.writers.get(layer.inputs[0].tensor) if layer.inputs else None
    if before is None or before.kind != "Transpose" or not before.inputs or len(layer.outputs) != 1:
        return
    first, second = before.core.integers("perm"), layer.core.integers("perm")
    if first is None or second is None or [first[axis] for axis in second] != list(range(len(first))):
        return
    source, result = before.inputs[0].quant, layer.outputs[0].quant
    if (source is None) != (result is None) or (source is not None and not source.same_as(result)):
        return
    yield Finding(
        "N503",
        Severity.ADVICE,
        f"this Transpose undoes {quoted(before.name)!r} before it: together they change nothing",
        "Whether the compiler drops the two, which may have Q/DQ between them, has not been observed.",
        "leave both out (edit plain-moves), or export in one layout",
        None,
        Confidence.UNKNOWN,
    )


RULE = Rule(
    code="N503",
    title="Transpose that moves values",
    what="Looks for a Transpose that neither moves the channels from first to last nor back; dimensions of size 1 do "
    "not count. And for one that undoes the Transpose before it.",
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
    check=check,
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
