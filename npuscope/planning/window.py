"""The surroundings of a layer as a session of their own: an edit is tried there in a millisecond, whatever the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from npuscope.model.graph import CONTROL_FLOW, Graph
from npuscope.session import Session, State

HOPS = 12
"""How far a window reaches, in nodes: three or four quantized layers (DQ, operator, Q) on each side."""

LARGEST = 300
"""Nodes from which on a window stops growing: some tensor feeds half the model."""


def window(session: Session, nodes: Iterable[str], hops: int = HOPS) -> Session:
    """A session on the nodes named and those around them; its graph begins and ends where the window does."""
    graph = session.graph
    graph = _cut(graph, _near(graph, [graph.node_index[name] for name in nodes], hops))
    return Session(session.source, session.target, (State(graph),))


def _near(graph: Graph, start: list[int], hops: int) -> list[int]:
    near, edge = set(start), set(start)
    for _ in range(hops):
        edge = {i for index in edge for i in _neighbours(graph, index)} - near
        if not edge or len(near) + len(edge) > LARGEST:
            break
        near |= edge
    return sorted(near)


def _neighbours(graph: Graph, index: int) -> Iterator[int]:
    node = graph.nodes[index]
    for name in node.inputs:
        before = graph.producers.get(name, -1)
        # Half the model may share one Constant.
        if before >= 0 and (graph.nodes[before].op != "Constant" or len(graph.consumers[name]) == 1):
            yield before
    if node.op != "Constant":
        for name in node.outputs:
            yield from graph.consumers.get(name, ())


def _cut(graph: Graph, indices: list[int]) -> Graph:
    inside = set(indices)
    nodes = tuple(graph.nodes[i] for i in indices)
    read = {name for node in nodes for name in node.inputs if name}
    for node in nodes:
        if node.op in CONTROL_FLOW:
            read |= {name for name, users in graph.consumers.items() if graph.node_index[node.name] in users}
    made = {name for node in nodes for name in node.outputs if name}
    outputs = tuple(
        name
        for node in nodes
        for name in node.outputs
        if name in graph.output_set or any(i not in inside for i in graph.consumers.get(name, ()))
    )
    constants = {name: graph.constants[name] for name in (*read, *made) if name in graph.constants}
    inputs = tuple(sorted(name for name in read if name not in made and name not in constants))
    types = {name: graph.types[name] for name in (*read, *made) if name in graph.types}
    return replace(graph, nodes=nodes, constants=constants, types=types, inputs=inputs, outputs=outputs)
