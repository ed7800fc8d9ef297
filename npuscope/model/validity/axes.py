"""Axes that the data of a node does not have."""

from __future__ import annotations

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.call import axis_at
from npuscope.model.validity.operands import SMALL, as_text, shape_at


def one_axis(graph: Graph, node: Node) -> str:
    """An axis attribute, for data of this rank."""
    data, axis = shape_at(graph, node, 0), node.attribute("axis")
    if data is None or not isinstance(axis, int):
        return ""
    most = len(data) if node.op == "Flatten" else len(data) - 1
    return (
        ""
        if -len(data) <= axis <= most or not data
        else f"{node.op} has axis {axis} for data of {as_text(data)}"
    )


def several_axes(graph: Graph, node: Node) -> str:
    """Axes from an input or an attribute: each is there, none twice; Squeeze removes sizes of 1 only."""
    data = shape_at(graph, node, 0)
    value = graph.value(node.input(1), SMALL) if node.input(1) else None
    axes = node.integers("axes") if value is None else tuple(int(v) for v in value.reshape(-1))
    if data is None or axes is None:
        return ""
    rank = len(data) + (len(axes) if node.op == "Unsqueeze" else 0)
    places = [axis_at(axis, rank) for axis in axes]
    if None in places:
        return f"{node.op} has axes {list(axes[:8])} for data of {as_text(data)}"
    if len(set(places)) != len(places):
        return f"{node.op} names an axis twice: {list(axes[:8])}"
    if node.op == "Squeeze":
        for place in places:
            dim = data[place]  # type: ignore[index]
            if isinstance(dim, int) and dim != 1:
                return f"Squeeze removes axis {place} of data of {as_text(data)}, whose size is not 1"
    return ""
