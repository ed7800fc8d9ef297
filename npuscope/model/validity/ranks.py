"""Ranks and axes that the data of a node does not have."""

from __future__ import annotations

from collections.abc import Callable

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.call import axis_at
from npuscope.model.inference.types import Shape
from npuscope.model.validity.operands import SMALL, Check, as_text, differ, shape_at


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


def _each(fits: Callable[[Shape], bool], wanted: str, *operands: tuple[int, str]) -> Check:
    def check(graph: Graph, node: Node) -> str:
        for index, name in operands:
            shape = shape_at(graph, node, index)
            if shape is not None and not fits(shape):
                return f"{node.op} has {name} of {as_text(shape)}; {wanted}"
        return ""

    return check


matrix = _each(lambda shape: len(shape) >= 2, "it must be a matrix or a batch of them", (0, "data"))
suppression = _each(
    lambda shape: len(shape) == 3, "it must have three dimensions", (0, "boxes"), (1, "scores")
)


def one_hot(graph: Graph, node: Node) -> str:
    """The two values for off and on, an axis of the result."""
    indices, values = shape_at(graph, node, 0), shape_at(graph, node, 2)
    if values is not None and (len(values) != 1 or differ(values[0], 2)):
        return f"OneHot has values of {as_text(values)}; there must be two, for off and on"
    axis = node.integer("axis", -1)
    if indices is not None and axis_at(axis, len(indices) + 1) is None:
        return f"OneHot has axis {axis} for indices of {as_text(indices)}"
    return ""
