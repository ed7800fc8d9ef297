"""Operators that read one tensor by another: a target, indices, lengths, a bias that must have the data's sizes."""

from __future__ import annotations

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.types import Shape
from npuscope.model.validity.operands import as_text, differ, shape_at


def loss(graph: Graph, node: Node) -> str:
    """A class for each place: the target is the data without its axis of classes."""
    data, target, weights = (shape_at(graph, node, i) for i in range(3))
    if data is None:
        return ""
    if len(data) < 2:
        return f"{node.op} reads data of {as_text(data)}; it needs a batch and classes"
    wanted = (data[0], *data[2:])
    if target is not None and not _same(target, wanted):
        return f"{node.op} has a target of {as_text(target)} for data of {as_text(data)}"
    if weights is not None and (len(weights) != 1 or differ(weights[0], data[1])):
        return f"{node.op} has weights of {as_text(weights)} for {data[1]} classes"
    return ""


def reverse_sequence(graph: Graph, node: Node) -> str:
    """A length for each sequence of the batch."""
    data, lengths = shape_at(graph, node, 0), shape_at(graph, node, 1)
    batch, time = node.integer("batch_axis", 1), node.integer("time_axis", 0)
    if {batch, time} != {0, 1}:
        return f"ReverseSequence has axes {batch} and {time}; one must be 0 and the other 1"
    if data is None or lengths is None or len(data) < 2:
        return ""
    if len(lengths) != 1 or differ(lengths[0], data[batch]):
        return f"ReverseSequence has lengths of {as_text(lengths)} for {data[batch]} sequences"
    return ""


def max_unpool(graph: Graph, node: Node) -> str:
    """A place for each value."""
    data, places = shape_at(graph, node, 0), shape_at(graph, node, 1)
    if data is None or places is None or _same(data, places):
        return ""
    return f"MaxUnpool has places of {as_text(places)} for data of {as_text(data)}"


def running_sum(graph: Graph, node: Node) -> str:
    """Along an axis, which a single number has not."""
    return (
        f"{node.op} sums along an axis, and reads a single number" if shape_at(graph, node, 0) == () else ""
    )


def scan(graph: Graph, node: Node) -> str:
    """No more inputs are scanned than there are."""
    count = node.integer("num_scan_inputs", 0)
    if not 1 <= count <= len(node.inputs):
        return f"Scan has num_scan_inputs of {count} and {len(node.inputs)} inputs"
    return ""


def deform_conv(graph: Graph, node: Node) -> str:
    """Two offsets a tap and group of them, at each place of the result."""
    data, weight, offsets, bias = (shape_at(graph, node, i) for i in range(4))
    if weight is None or len(weight) < 3:
        return ""
    if bias is not None and (len(bias) != 1 or differ(bias[0], weight[0])):
        return f"DeformConv has a bias of {as_text(bias)} for {weight[0]} output channels"
    if (
        data is not None
        and isinstance(weight[1], int)
        and differ(data[1], weight[1] * node.integer("group", 1))
    ):
        return f"DeformConv has weights of {as_text(weight)} for data of {as_text(data)}"
    taps = [size for size in weight[2:] if isinstance(size, int)]
    if offsets is not None and len(taps) == 2:
        wanted = 2 * taps[0] * taps[1] * node.integer("offset_group", 1)
        if len(offsets) != 4 or differ(offsets[1], wanted):
            return f"DeformConv has offsets of {as_text(offsets)}; {wanted} channels of them are needed"
    return ""


def _same(a: Shape, b: Shape) -> bool:
    return len(a) == len(b) and not any(differ(x, y) for x, y in zip(a, b, strict=True))
