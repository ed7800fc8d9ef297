"""N115: integers whose scale is not known."""

from __future__ import annotations

from npuscope.model.layers import QLINEAR, Layer, Operand, is_qdq
from npuscope.model.names import printable_kind, quoted
from npuscope.neural_art.kernels.why import Why
from npuscope.npu.cause import Cause
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity


def word(cause: Cause, layer: Layer, context: Context) -> Finding | None:
    operands = [*layer.inputs, *((layer.weight,) if layer.weight is not None else ()), *layer.outputs]
    return Finding(
        "N115",
        Severity.ERROR,
        _message(layer, operands[cause.count("operand")], context),
        "Integers stand for real numbers only with a scale and a zero point that are known when compiling; without "
        "them no requantization can be computed.",
        "export the model with constant scales: QuantizeLinear/DequantizeLinear around each layer",
        cause.placement,
        Confidence.DOCUMENTED,
    )


def _in_operator(layer: Layer, operand: Operand) -> tuple[int, int] | None:
    """Where a QLinear operator states the scale and zero point of one of its tensors."""
    if layer.core.op not in QLINEAR:
        return None
    _, operands, written, _ = QLINEAR[layer.core.op]
    read = {layer.core.input(tensor): (scale, zero) for tensor, scale, zero in operands}
    return read.get(operand.tensor, written if operand.tensor == layer.core.output(0) else None)


def _message(layer: Layer, operand: Operand, context: Context) -> str:
    graph, kind = context.graph, printable_kind(layer)
    name = quoted(operand.seen or operand.tensor)
    around = [graph.producer(operand.seen), *(graph.nodes[i] for i in graph.consumers.get(operand.seen, ()))]
    border = next((node for node in around if node is not None and is_qdq(node)), None)
    places = _in_operator(layer, operand)
    if places is not None:
        border = layer.core
    elif border is None:
        return f"{kind}: {name!r} is {operand.type.dtype} without a scale: nothing states what its integers stand for"
    for position, what in zip(places or (1, 2), ("scale", "zero point"), strict=True):
        tensor = border.input(position)
        if tensor and graph.value(tensor) is None:
            maker = graph.producer(tensor)
            by = f" by {quoted(maker.name)}" if maker is not None else ""
            how = (
                "an input of the graph" if tensor in graph.input_set else f"computed{by} when the model runs"
            )
            return f"{kind}: the {what} of {name!r} is not constant, it is {how}"
    if places is None and operand.seen in layer.core.outputs and not is_qdq(layer.core):
        return f"{kind} computes on stored integers; {name!r}, which it writes, gets a scale only behind it"
    return f"{kind}: the scale of {name!r} cannot be used"


RULE = Rule(
    code="N115",
    title="Integers without a scale",
    what="Looks for a layer that computes on 8-bit (or narrower, or 16-bit) integers for which the model states no constant "
    "scale and zero point.",
    why="The NPU multiplies by the quotient of scales; a model that lost them, or computes them at run time (dynamic "
    "quantization), is not quantized in the sense of ST's tools.",
    fix="Export with static quantization, in QDQ form.",
    source="FACTS 3.1 (ST documentation: scale and zero point of each tensor)",
    confidence=Confidence.DOCUMENTED,
    causes=frozenset({Why.NO_SCALE}),
    word=word,
    failing="""<ir_version: 8, opset_import: ["" : 14]>
g (int8[1,8,4,4] x, int8[1,8,4,4] b) => (int8[1,8,4,4] y)
{ y = Add(x, b) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (int8[1,8,4,4] x, int8[1,8,4,4] b) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ f = DequantizeLinear(x, s, z)
  h = DequantizeLinear(b, s, z)
  r = Add(f, h)
  y = QuantizeLinear(r, s, z) }""",
)
