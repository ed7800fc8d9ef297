"""N505: a Pad that no convolution takes along."""

from __future__ import annotations

from npuscope.model.layers import Layer
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    if cause.why is Why.PAD_OTHER_MODE:
        return Finding(
            "N505",
            Severity.ERROR,
            f"Pad has mode {cause['mode']!r}",
            "A Pad becomes a convolution that writes a constant around the map; other modes have not been observed.",
            "pad with a constant, or in the application",
            cause.placement,
            Confidence.UNKNOWN,
        )
    if cause.why not in (Why.PAD_CHANNELS, Why.PAD_ROWS):
        return None
    name = "batch" if cause["axis"] == 0 else "channels"
    stand = "a Transpose that the CPU drives stands before it"
    if cause.why is Why.PAD_ROWS:
        both = cause["routines"] == 2
        stand = f"{'Transposes' if both else 'a Transpose'} that the CPU drives stand{'' if both else 's'} "
        stand += "before and behind it" if both else "behind it"
    dims = layer.input_dims
    added = cause.count("added")
    change = f"adds {added} to" if added > 0 else f"takes {-added} from"
    seen = cause["axis"] == 1 and dims is not None and len(dims) == 4 and added > 0
    return Finding(
        "N505",
        Severity.WARNING,
        f"Pad {change} the {name}: {stand}",
        "The NPU pads height and width; another axis is exchanged with one of these by a routine first.",
        "make the layer before it write the channels (zero weights), or Concat a constant",
        cause.placement,
        Confidence.INFERRED if seen else Confidence.UNKNOWN,  # channels of maps were seen, nothing else
    )


RULE = Rule(
    code="N505",
    title="Pad",
    what="Looks for a Pad with a mode other than constant, and for one along channels or batch.",
    why="Padding of height and width is absorbed by the convolution after it, or is a 1x1 depthwise convolution. To "
    "pad channels, the compiler first exchanges them with a dimension of the map. From ONNX that is a Transpose "
    "to channels last, a hybrid epoch unless a Conv, or a stream that comes plane by plane, hands the data over "
    "in that order; the Pad's own convolution writes them back. From TFLite it exchanges rows, with one routine "
    "before the Pad (none if such a stream hands them over) and one behind it. An intermediate model has these "
    "Transposes as nodes of its own (N503).",
    fix="Pad height and width with a constant.",
    source="blazeface_128 (2.2) and a build of the same network by roadtothewest/ProyectoIPD439 (2.2): 11 channel Pads, "
    "22 hybrid Transposes; FACTS 4 (ST documentation)",
    confidence=Confidence.INFERRED,
    causes=frozenset({Why.PAD_OTHER_MODE, Why.PAD_CHANNELS, Why.PAD_ROWS, Why.PAD_STREAMED}),
    word=word,
    kinds=frozenset({"Pad"}),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,12,4,4] y) <float s = {0.1}, int8 z = {0}, int64[8] p = {0, 0, 0, 0, 0, 4, 0, 0}>
{ f = DequantizeLinear(x, s, z)
  r = Pad(f, p)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,6,6] y) <float s = {0.1}, int8 z = {0}, int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}>
{ f = DequantizeLinear(x, s, z)
  r = Pad(f, p)
  y = QuantizeLinear(r, s, z) }""",
)
