"""A node held against the definition its operator had in an opset before 7."""

from __future__ import annotations

from functools import lru_cache

import onnx

from npuscope.model.graph import Graph, Node
from npuscope.model.inference.types import Shape
from npuscope.model.upgrade.changes import BROADCASTING
from npuscope.model.validity.form import form_fault
from npuscope.model.validity.operands import as_text, differ, shape_at, unequal


@lru_cache(maxsize=1 << 10)
def attributes_gone(op: str, version: int, target: int) -> tuple[str, ...]:
    """The attributes that an operator had in one opset and lacks in a later one."""
    try:
        older, newer = (onnx.defs.get_schema(op, opset, "").attributes for opset in (version, target))
    except onnx.defs.SchemaError:
        return ()
    return tuple(sorted(set(older) - set(newer)))


def broken_rule(graph: Graph, node: Node, version: int) -> str:
    """What of the node its opset does not allow, in a clause, '' where nothing is known; `graph` says its types."""
    older = Graph((node,), graph.constants, graph.types, graph.inputs, graph.outputs, {"": version})
    return form_fault(older, node) or _spread_fault(graph, node, version)


def _spread_fault(graph: Graph, node: Node, version: int) -> str:
    """Operands of different sizes, without the attribute that lets the second one spread, or not along it."""
    spread = node.integer("broadcast", 0)
    if node.op in BROADCASTING:
        data, other = shape_at(graph, node, 0), shape_at(graph, node, 1)
    elif node.op == "Gemm":
        data, other = graph.type(node.output(0)).shape, shape_at(graph, node, 2)
    else:
        return ""
    if data is None or other is None:
        return ""
    sizes = f"{as_text(data)} and {as_text(other)}"
    if not spread and unequal(data, other):
        return f"{node.op} joins {sizes} without broadcast = 1, which opset {version} asks for"
    if spread and not _fits(data, other, node.attribute("axis")):
        return (
            f"{node.op} joins {sizes}; in opset {version} the second spreads over the first, whose sizes stay"
        )
    return ""


def _fits(data: Shape, other: Shape, axis: object) -> bool:
    if all(size == 1 for size in other):
        return len(other) <= len(data)
    begin = len(data) - len(other)
    if isinstance(axis, int):
        begin = axis + len(data) if axis < 0 else axis
    if not 0 <= begin <= len(data) - len(other):
        return False
    return not any(size != 1 and differ(size, data[begin + i]) for i, size in enumerate(other))
