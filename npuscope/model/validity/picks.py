"""Operators that pick, repeat or overwrite parts of their data: counts and indices that contradict the data."""

from __future__ import annotations

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.call import axis_at
from npuscope.model.validity.operands import SMALL, as_text, differ, shape_at


def tile(graph: Graph, node: Node) -> str:
    """A Tile has a number of repeats for each dimension."""
    data, repeats = shape_at(graph, node, 0), shape_at(graph, node, 1)
    if data is None or repeats is None or graph.opset < 6:
        return ""
    if len(repeats) == 1 and differ(repeats[0], len(data)):
        return f"Tile has {repeats[0]} repeats for data of {as_text(data)}"
    return ""


def top_k(graph: Graph, node: Node) -> str:
    """A TopK takes no more than its data has."""
    data = shape_at(graph, node, 0)
    if data is None:
        return ""
    axis = axis_at(node.integer("axis", -1), len(data))
    if axis is None:
        return f"TopK has axis {node.integer('axis', -1)} for data of {as_text(data)}"
    value = graph.value(node.input(1), SMALL) if node.input(1) else None
    count = int(value.reshape(-1)[0]) if value is not None and value.size == 1 else node.integer("k", 0)
    size = data[axis]
    if isinstance(size, int) and (count > size or count < 0):
        return f"TopK takes {count} of {size} along axis {axis}"
    return ""


def gather_elements(graph: Graph, node: Node) -> str:
    """Indices of the data's rank, within the axis."""
    data, chosen = shape_at(graph, node, 0), shape_at(graph, node, 1)
    if data is None:
        return ""
    axis = axis_at(node.integer("axis", 0), len(data))
    if axis is None:
        return f"{node.op} has axis {node.integer('axis', 0)} for data of {as_text(data)}"
    if chosen is not None and len(chosen) != len(data):
        return (
            f"{node.op} has indices of {as_text(chosen)} for data of {as_text(data)}: the ranks must be equal"
        )
    return _outside(graph, node, data[axis], axis)


def gather_nd(graph: Graph, node: Node) -> str:
    """The last size of the indices counts the dimensions they choose from."""
    data, chosen = shape_at(graph, node, 0), shape_at(graph, node, 1)
    if data is None or not chosen or not isinstance(chosen[-1], int):
        return ""
    batch = node.integer("batch_dims", 0)
    if chosen[-1] + batch > len(data) or batch < 0:
        return f"{node.op} has indices of {as_text(chosen)} for data of {as_text(data)}"
    value = graph.value(node.input(1), SMALL)
    if value is None or value.dtype.kind not in "iu" or not value.size:
        return ""
    rows = value.reshape(-1, chosen[-1])
    for place in range(chosen[-1]):
        size = data[batch + place]
        low, high = int(rows[:, place].min()), int(rows[:, place].max())
        if isinstance(size, int) and (low < -size or high >= size):
            return f"{node.op} takes item {low if low < -size else high} of {size} along axis {batch + place}"
    return ""


def scatter_nd(graph: Graph, node: Node) -> str:
    """Updates of the indices' shape, and of what each of them chooses."""
    fault = gather_nd(graph, node)
    data, chosen, updates = (shape_at(graph, node, i) for i in range(3))
    if fault or data is None or not chosen or updates is None or not isinstance(chosen[-1], int):
        return fault
    wanted = (*chosen[:-1], *data[chosen[-1] :])
    if len(wanted) != len(updates) or any(differ(a, b) for a, b in zip(wanted, updates, strict=True)):
        return f"ScatterND has updates of {as_text(updates)}; its indices require {as_text(wanted)}"
    return ""


def scatter_elements(graph: Graph, node: Node) -> str:
    """Indices and updates of one shape."""
    fault = gather_elements(graph, node)
    chosen, updates = shape_at(graph, node, 1), shape_at(graph, node, 2)
    if fault or chosen is None or updates is None:
        return fault
    if len(chosen) != len(updates) or any(differ(a, b) for a, b in zip(chosen, updates, strict=True)):
        return f"{node.op} has indices of {as_text(chosen)} and updates of {as_text(updates)}"
    return ""


def grid_sample(graph: Graph, node: Node) -> str:
    """A place for each value it writes, with a number for each dimension but batch and channels."""
    data, grid = shape_at(graph, node, 0), shape_at(graph, node, 1)
    if data is None or grid is None:
        return ""
    if len(grid) != len(data) or differ(grid[-1], len(data) - 2) or differ(grid[0], data[0]):
        return f"GridSample has a grid of {as_text(grid)} for data of {as_text(data)}"
    return ""


def _outside(graph: Graph, node: Node, size: object, axis: int) -> str:
    value = graph.value(node.input(1), SMALL)
    if value is None or not value.size or value.dtype.kind not in "iu" or not isinstance(size, int):
        return ""
    low, high = int(value.min()), int(value.max())
    if low < -size or high >= size:
        return f"{node.op} takes item {low if low < -size else high} of {size} along axis {axis}"
    return ""
