"""N123: values that are only moved or picked, and stored on another scale behind it."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.folding import is_pooled
from npuscope.model.layers import PASSES_SCALE_ON, Layer, is_transparent
from npuscope.model.names import printable_kind
from npuscope.model.quant import Quant
from npuscope.neural_art.mapping.floats import is_float
from npuscope.neural_art.mapping.scales import stored_alike
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

MOVERS = PASSES_SCALE_ON | {
    "MaxPool", "GlobalMaxPool", "Pad", "DepthToSpace", "SpaceToDepth", "Tile", "Expand", "Resize", "Upsample"
}  # fmt: skip


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    source, result = layer.input, layer.output
    if layer.kind in ("Resize", "Upsample") and not is_transparent(layer.core):
        return
    if (
        source is None
        or result is None
        or layer.fused
        or source.constant is not None
        or is_float(layer, context)
    ):
        return
    read, written = source.quant, result.quant
    if read is None or written is None or not _comparable(read, written) or stored_alike(read, written):
        return
    writer = context.graph.producer(source.seen)
    if layer.kind == "MaxPool" and writer is not None and is_pooled(context.graph, writer):
        return  # a Relu without a scale: the range behind it is another
    if layer.kind == "Pad" and not _holds(read, layer, context):
        return  # its result needs a wider range
    one, two = float(read.scale.flat[0]), float(written.scale.flat[0])
    lost = _lost(read, written)
    grids = f"scale {one:.4g}, zero point {read.zero}, to scale {two:.4g}, zero point {written.zero}"
    yield Finding(
        "N123",
        Severity.ADVICE,
        f"{printable_kind(layer)} moves values from {grids}{lost or '; each is rounded once more'}",
        "An operator that only moves or picks values needs no scale of its own; with one the values are multiplied and rounded again.",
        "quantize its output with the scale and zero point of its input, as onnxruntime's and TFLite's quantizers do",
        None,
        Confidence.DOCUMENTED,
    )


def _comparable(read: Quant, written: Quant) -> bool:
    known = read.scale_known and written.scale_known and read.zero_known and written.zero_known
    same = read.dtype == written.dtype and read.dtype in ("int8", "uint8")
    return (
        known
        and same
        and read.divides
        and written.divides
        and not read.per_channel
        and not written.per_channel
    )


def _holds(read: Quant, layer: Layer, context: Context) -> bool:
    """What a Pad writes around the values is within their range, as far as is known."""
    node = layer.core
    stated = context.graph.value(node.input(2), 1) if node.input(2) else None
    value = node.attribute("value") if stated is None else stated.reshape(-1)[0] if stated.size else None
    low, high = read.range
    return value is None or low <= float(value) <= high


def _lost(read: Quant, written: Quant) -> str:
    """What lies outside the range behind it, in words; '' where that is no more than a step."""
    (low, high), (least, most) = read.range, written.range
    step = float(max(read.scale.flat[0], written.scale.flat[0]))
    if high > most + step:
        return f": what is above {most:.3g} is cut, and it may reach {high:.3g}"
    if low < least - step:
        return f": what is below {least:.3g} is cut, and it may reach {low:.3g}"
    return ""


RULE = Rule(
    code="N123",
    title="Moved to another scale",
    what="Looks for a MaxPool, Transpose, Reshape, Slice, Pad, nearest Resize and the like whose result is stored with another scale or zero point than what it reads. "
    "A MaxPool behind a Relu that has no scale does not count: the Relu cut the range.",
    why="Such operators return values they were given. TFLite's specification demands one scale of both sides, and onnxruntime's quantizer "
    "writes it so; trained quantization with an observer for each tensor does not.",
    fix="Give both sides the same scale and zero point.",
    source="TensorFlow Lite 8-bit quantization specification (restrictions of MAX_POOL_2D, RESHAPE, TRANSPOSE, PAD...), which ST's scheme follows "
    "(FACTS 3.1); tensorflow issues 46754 and 101973; what is cut is arithmetic",
    confidence=Confidence.DOCUMENTED,
    check=check,
    exactness=True,
    kinds=frozenset(MOVERS),
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,2,2] y) <float s = {0.1}, float t = {0.05}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (f)
  y = QuantizeLinear(r, t, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x) => (int8[1,8,2,2] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  r = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (f)
  y = QuantizeLinear(r, s, z) }""",
)
