"""Rows below a layer: its ONNX nodes, their tensors, and the graphs and functions inside them."""

from __future__ import annotations

from collections.abc import Sequence

from npuscope.model.brief import Names
from npuscope.model.graph import Graph, Node
from npuscope.model.inspection.bodies import Body, body, body_names
from npuscope.npu.figures import plural
from npuscope.snapshot import LayerReport
from npuscope.widgets.lists.row import Kind, Row
from npuscope.widgets.text.words import typed

Bodies = dict[str, Body]
"""Key of a row -> the graph inside it, made when it is first opened."""


def node_rows(
    nodes: Sequence[Node],
    graph: Graph,
    depth: int,
    opened: set[str],
    report: LayerReport | None,
    bodies: Bodies,
    rows: list[Row],
    prefix: str = "",
) -> None:
    """Add a row for each node, and for what is open below it."""
    nodes_beside = Names(node.name for node in nodes)
    for node in nodes:
        key = f"n:{prefix}{node.name}"
        expanded = key in opened
        detail = typed(graph.type(node.output(0))) if node.output(0) else ""
        rows.append(
            Row(
                key,
                Kind.NODE,
                depth,
                node.name,
                node.op,
                detail,
                report,
                None,
                True,
                expanded,
                node,
                graph,
                nodes_beside,
            )
        )
        if not expanded:
            continue
        for way, tensors in (("in", node.inputs), ("out", node.outputs)):
            tensors_beside = Names(tensors)
            for i, tensor in enumerate(tensors):
                if not tensor:
                    continue
                detail = typed(graph.type(tensor))
                if (constant := graph.constant(tensor)) is not None:
                    detail = f"{constant.dtype} {'×'.join(map(str, constant.shape)) or 'scalar'} const"
                place = f"{key}/{way}{i}"
                rows.append(
                    Row(
                        place, Kind.TENSOR, depth + 1, tensor, way, detail, report,
                        node=node, graph=graph, peers=tensors_beside,
                    )
                )  # fmt: skip
        for i, (name, kind, count) in enumerate(body_names(node, graph)):
            _body(
                f"{key}/body{i}", name, kind, count, node, graph, i, depth + 1, opened, report, bodies, rows
            )


def _body(
    key: str,
    name: str,
    kind: str,
    count: int,
    node: Node,
    graph: Graph,
    index: int,
    depth: int,
    opened: set[str],
    report: LayerReport | None,
    bodies: Bodies,
    rows: list[Row],
) -> None:
    inside = key in opened
    about = plural(count, "node")
    peers = Names(name for name, _, _ in body_names(node, graph))
    rows.append(
        Row(key, Kind.BODY, depth, name, kind, about, report, None, bool(count), inside, node, graph, peers)
    )
    if inside:
        if key not in bodies:
            bodies[key] = body(node, graph, index)
        inner = bodies[key].graph
        node_rows(inner.nodes, inner, depth + 1, opened, report, bodies, rows, f"{key}/")
