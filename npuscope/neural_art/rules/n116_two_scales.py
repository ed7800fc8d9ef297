"""N116: integers that are written with one scale and read with another."""

from __future__ import annotations

from collections.abc import Iterator

from npuscope.model.layers import QUANTIZE, Layer, Operand, is_qdq
from npuscope.model.names import printable_kind, quoted
from npuscope.model.quant import Quant, of_node
from npuscope.npu.rule import Context, Rule
from npuscope.npu.verdict import Confidence, Finding, Severity

MOST_MOVES = 16
"""Operators in a row that only move values: they are looked through to the DequantizeLinear before them."""


def check(layer: Layer, context: Context) -> Iterator[Finding]:
    yield from _reads(layer, context)
    result = layer.output
    if result is None or result.quant is None or result.seen == result.tensor:
        return
    if len(context.graph.consumers.get(result.seen, ())) > 1:  # one is its own
        yield from _writes(layer, result, result.quant, context)


def _writes(layer: Layer, result: Operand, quant: Quant, context: Context) -> Iterator[Finding]:
    """A result that is quantized for each reader, as trained quantization does."""
    graph = context.graph
    for reader in graph.consumers.get(result.seen, ()):
        node = graph.nodes[reader]
        other = of_node(graph, node) if is_qdq(node) and node.op == QUANTIZE else None
        if other is not None and not _agree(quant, other):
            yield Finding(
                "N116",
                Severity.WARNING,
                f"the result of {printable_kind(layer)} is quantized twice: with {_grid(quant)}, and with {_grid(other)}",
                "Each reader has a QuantizeLinear of its own, as trained quantization places them. The compiler keeps one format "
                "for a tensor; whether it converts to the other, at a cost that is not counted here, or takes the first for both "
                "has not been observed.",
                "give all QuantizeLinear on a tensor the same scale and zero point: share one quantizer between its readers",
                None,
                Confidence.UNKNOWN,
            )
            return


def _written_so(operand: Operand, writer: Layer | None) -> bool:
    """The layer that writes what an operand reads has the very quantization that it is read with."""
    result, read = writer.output if writer is not None else None, operand.quant
    return (
        result is not None
        and read is not None
        and result.quant is read
        and result.tensor == operand.tensor
        and read.divides
    )


def _reads(layer: Layer, context: Context) -> Iterator[Finding]:
    graph = context.graph
    producers, nodes, writers = graph.producers, graph.nodes, context.layers.writers
    for operand in (*layer.inputs, layer.weight, layer.bias):
        if operand is None or (index := producers.get(operand.tensor)) is None:
            continue
        if _written_so(operand, writers.get(operand.tensor)):
            continue
        writer = nodes[index]
        if writer.op != QUANTIZE or writer is layer.core or not is_qdq(writer):
            continue
        reader = graph.producer(operand.seen)
        alike = reader is not None and reader.inputs[1:] == writer.inputs[1:]
        if alike and reader is not None and not (reader.proto.attribute or writer.proto.attribute):
            continue  # both name the same constants, as quantizers write them
        written, read = of_node(graph, writer), _as_read(operand, context)
        if written is None or read is None or _agree(written, read):
            continue
        name = quoted(operand.tensor)
        yield Finding(
            "N116",
            Severity.WARNING,
            f"{printable_kind(layer)} reads {name!r} with {_grid(read)}, it was written with {_grid(written)}",
            "A QuantizeLinear and the DequantizeLinear behind it multiply the values by the quotient of their scales. The "
            "numbers of the model are kept as they are here; a compiler that takes the two for one pair changes them.",
            "give both the same scale and zero point, unless the quotient is meant: then write it as a Mul",
            None,
            Confidence.UNKNOWN,
        )
        return


def _as_read(operand: Operand, context: Context) -> Quant | None:
    """The quantization in the DequantizeLinear itself: what moves values behind it turns the axis of the scales."""
    graph, node = context.graph, context.graph.producer(operand.seen)
    for _ in range(MOST_MOVES):
        if node is None or operand.tensor in node.inputs:
            break
        node = graph.producer(node.input(0))
    moved = node is not None and is_qdq(node) and node.output(0) != operand.seen
    return of_node(graph, node) if node is not None and moved else operand.quant


def _agree(written: Quant, read: Quant) -> bool:
    """Every channel keeps its scale and zero point, however often they are written; a scale that is no number is N113's."""
    if written is read or not written.divides or not read.divides:
        return True
    if written.block_size != read.block_size or (
        written.per_channel and read.axis not in (None, written.axis)
    ):
        return False
    if written.scale.size != read.scale.size and 1 not in (written.scale.size, read.scale.size):
        return False
    return bool((written.scale == read.scale).all() and (written.zero_point == read.zero_point).all())


def _grid(quant: Quant) -> str:
    if quant.per_channel:
        return f"{quant.scale.size} scales from {float(quant.scale.min()):g} to {float(quant.scale.max()):g}"
    return f"scale {float(quant.scale.flat[0]):g}, zero point {quant.zero}"


RULE = Rule(
    code="N116",
    title="Written with one scale, read with another",
    what="Looks for a DequantizeLinear whose scale or zero point is not that of the QuantizeLinear before it, and for results with two QuantizeLinear that differ.",
    why="Together they are a multiplication, not a change of format; trained quantization leaves them where scales were merged or rounded by hand. Whether the compiler keeps the multiplication has not been observed.",
    fix="Give both the same scale and zero point.",
    source="the ONNX definition of QuantizeLinear and DequantizeLinear; behaviour of the compiler unknown",
    confidence=Confidence.UNKNOWN,
    check=check,
    failing="""<ir_version: 8, opset_import: ["" : 13]>
g (float[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, float other = {0.08}, int8 z = {0}>
{ q = QuantizeLinear(x, s, z)
  f = DequantizeLinear(q, other, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
    passing="""<ir_version: 8, opset_import: ["" : 13]>
g (float[1,8,4,4] x) => (int8[1,8,4,4] y) <float s = {0.1}, int8 z = {0}>
{ q = QuantizeLinear(x, s, z)
  f = DequantizeLinear(q, s, z)
  r = Sigmoid(f)
  y = QuantizeLinear(r, s, z) }""",
)
