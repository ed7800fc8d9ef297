"""Normalizations: parameters and groups that do not fit the channels they are for."""

from __future__ import annotations

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.call import axis_at
from npuscope.model.validity.operands import as_text, differ, shape_at, spreads, unequal


def channel_norm(graph: Graph, node: Node) -> str:
    """BatchNormalization and InstanceNormalization: parameters of each channel."""
    data = shape_at(graph, node, 0)
    if data is None or len(data) < 2:
        return ""
    if node.op == "InstanceNormalization" and len(data) < 3:
        return f"{node.op} reads data of {as_text(data)}; it needs at least rank 3"
    # Up to opset 8 a BatchNormalization may have parameters of each place of the map.
    each = data[1:2] if node.integer("spatial", 1) or graph.opset >= SPATIAL_ALWAYS_SINCE else data[1:]
    for i in range(1, len(node.inputs)):
        shape = shape_at(graph, node, i)
        if shape is not None and unequal(shape, each):
            if len(each) > 1:
                return (
                    f"{node.op} has parameters of {as_text(shape)} for data of {as_text(data)} (spatial = 0)"
                )
            return f"{node.op} has parameters of {as_text(shape)} for {data[1]} channels"
    return ""


SPATIAL_ALWAYS_SINCE = 9
"""Opset from which the parameters of a BatchNormalization are those of channels."""


def last_axes_norm(graph: Graph, node: Node) -> str:
    """LayerNormalization and RMSNormalization: parameters of the axes from `axis` on."""
    data = shape_at(graph, node, 0)
    if data is None:
        return ""
    axis = axis_at(node.integer("axis", -1), len(data))
    if axis is None:
        return f"{node.op} has axis {node.integer('axis', -1)} for data of {as_text(data)}"
    for i in (1, 2):
        shape = shape_at(graph, node, i)
        if shape is not None and not spreads(shape, data):
            return f"{node.op} has parameters of {as_text(shape)} for data of {as_text(data)}"
    return ""


def group_norm(graph: Graph, node: Node) -> str:
    """Groups that divide the channels."""
    data, groups = shape_at(graph, node, 0), node.integer("num_groups", 0)
    if data is None:
        return ""
    if len(data) < 3:
        return f"{node.op} reads data of {as_text(data)}; it needs at least rank 3"
    if groups < 1 or (isinstance(data[1], int) and data[1] % groups):
        return f"{node.op} has {groups} groups, which do not divide {data[1]} channels"
    for i in (1, 2):
        shape = shape_at(graph, node, i)
        if shape is not None and (len(shape) != 1 or differ(shape[0], data[1])):
            return f"{node.op} has parameters of {as_text(shape)}; opset {graph.opset} requires {data[1]}"
    return ""
