"""Where two states of a model differ: regions that begin and end at tensors both have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from npuscope.model.graph import Graph, Node
from npuscope.model.layers import ACTIVATIONS, DEQUANTIZE, QUANTIZE, is_qdq, is_transparent
from npuscope.model.quant import of_node
from npuscope.record import dataclass

MOST_BEHIND = 16
"""Nodes that a region takes in up to the Qs that end it, at most; and as many before a tensor that it reads."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A part of a model before and after some edits: two graphs with the same outputs.

    Their inputs are tensors that mean the same in both. A Q behind the region and a DQ in front of it belong to it, so
    that it reads and writes integers where it can; and what makes the input of one of the input of the other.
    """

    before: Graph
    after: Graph
    layers: tuple[str, ...]
    """Operators that were changed or taken out, by their names before."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """What either of the two reads."""
        return tuple(dict.fromkeys((*self.before.inputs, *self.after.inputs)))


def regions(before: Graph, after: Graph) -> tuple[Region, ...]:
    """The regions in which two graphs differ, in graph order. They meet nowhere but in tensors both have."""
    removed, new = changed_nodes(before, after), changed_nodes(after, before)
    shared = _shared(before, after, removed, new)
    groups = _Groups()
    for node in (*removed, *new):
        for name in node.outputs:
            groups.join((id(node), ""), ("", name))
        for name in node.inputs:
            if name and name not in shared and (name in before.producers or name in after.producers):
                groups.join((id(node), ""), ("", name))
    sides: dict[object, tuple[list[Node], list[Node]]] = {}
    for side, nodes in enumerate((removed, new)):
        for node in nodes:
            sides.setdefault(groups.of((id(node), "")), ([], []))[side].append(node)
    changed = frozenset(node.name for node in (*removed, *new))
    return tuple(_region(before, after, old, fresh, shared, changed) for old, fresh in sides.values())


def changed_nodes(graph: Graph, other: Graph) -> list[Node]:
    """The nodes of a graph that the other has not, or that read or write something else there."""
    retyped = {name for name, type_ in other.types.items() if graph.types.get(name, type_) != type_}
    return [node for node in graph.nodes if _changed(node, other, retyped)]


def _changed(node: Node, other: Graph, retyped: set[str]) -> bool:
    """The other graph has no such node, or one that reads or writes something else."""
    index = other.node_index.get(node.name)
    if index is None or not retyped.isdisjoint(node.inputs) or not retyped.isdisjoint(node.outputs):
        return True
    counterpart = other.nodes[index]
    return counterpart is not node and counterpart.proto.SerializeToString() != node.proto.SerializeToString()


def _shared(before: Graph, after: Graph, removed: Iterable[Node], new: Iterable[Node]) -> frozenset[str]:
    """Tensors that mean the same in both: not written by a changed node, or with the same type and quantization."""
    written = {name for node in removed for name in node.outputs}
    written_after = {name for node in new for name in node.outputs}
    names = {name for node in (*removed, *new) for name in (*node.inputs, *node.outputs) if name}
    return frozenset(
        name
        for name in names
        if (name not in written and name not in written_after)
        or (name in written and name in written_after and _same_tensor(before, after, name))
    )


def _same_tensor(before: Graph, after: Graph, name: str) -> bool:
    one, other = before.type(name), after.type(name)
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    nodes = before.producer(name), after.producer(name)
    if nodes[0] is None or nodes[1] is None or not all(n is not None and n.op == QUANTIZE for n in nodes):
        return True
    quants = of_node(before, nodes[0]), of_node(after, nodes[1])
    return quants[0] is not None and quants[0].same_as(quants[1])


def _region(
    before: Graph,
    after: Graph,
    removed: list[Node],
    new: list[Node],
    shared: frozenset[str],
    changed: frozenset[str],
) -> Region:
    outputs = dict.fromkeys(
        name
        for node in removed
        for name in node.outputs
        if name in shared
        and name in after.producers
        and (name in before.output_set or _leaves(before, name, removed))
    )
    ends: list[Node] = []
    names: list[str] = []
    for name in outputs:
        behind = _behind(before, name, changed)
        ends += behind
        names += [node.output(0) for node in behind if is_qdq(node)] or [name]
    layers = tuple(node.name for node in removed if not is_qdq(node) and node.op != "Constant")
    both = tuple(dict.fromkeys(names))
    cut = _cut(before, [*removed, *ends], both, changed), _cut(after, [*new, *ends], both, changed)
    ahead = _ahead(before, cut[0], cut[1]), _ahead(after, cut[1], cut[0])
    return Region(
        _cut(before, [*removed, *ends, *ahead[0]], both, changed) if ahead[0] else cut[0],
        _cut(after, [*new, *ends, *ahead[1]], both, changed) if ahead[1] else cut[1],
        layers,
    )


def _leaves(graph: Graph, name: str, inside: list[Node]) -> bool:
    """Some node outside reads the tensor."""
    return any(all(graph.nodes[i] is not node for node in inside) for i in graph.consumers.get(name, ()))


def _behind(graph: Graph, name: str, changed: frozenset[str]) -> tuple[Node, ...]:
    """The Qs that alone read a float tensor, and the Relu or Clip and the moves before them; () where others do.

    Nodes that are `changed` themselves are other regions' matter.
    """
    nodes: dict[str, Node] = {}
    pending = [(name, False)]
    while pending:
        tensor, activated = pending.pop()
        readers = graph.consumers.get(tensor, ())
        if not readers or tensor in graph.output_set or len(nodes) + len(readers) > MOST_BEHIND:
            return ()
        for node in (graph.nodes[i] for i in readers):
            if node.input(0) != tensor or node.name in changed:
                return ()
            nodes[node.name] = node
            if is_qdq(node) and node.op == QUANTIZE:
                continue
            moves = is_transparent(node) and len(node.outputs) == 1
            if not moves and (activated or node.op not in ACTIVATIONS or not node.standard):
                return ()
            pending.append((node.output(0), activated or not moves))
    return tuple(nodes.values())


def _ahead(graph: Graph, cut: Graph, other: Graph) -> tuple[Node, ...]:
    """Nodes that make what a cut reads and the other does not of what the other reads; () where they do not.

    With them the two read the same, and random values of one tensor mean what those of another do.
    """
    nodes: dict[str, Node] = {}
    for name in cut.inputs:
        pending = [name]
        way: dict[str, Node] = {}
        while pending:
            tensor = pending.pop()
            if tensor in other.inputs or tensor in graph.constants:
                continue
            maker = graph.producer(tensor)
            if maker is None or len(way) >= MOST_BEHIND:
                way = {}
                break
            way[maker.name] = maker
            pending += [read for read in maker.inputs if read]
        nodes |= way
    return tuple(nodes.values())


def _cut(graph: Graph, nodes: list[Node], outputs: tuple[str, ...], changed: frozenset[str]) -> Graph:
    """A graph of these nodes, the DQs in front of them, and what makes constants for them.

    A DQ that is `changed` itself belongs to another region; what it reads may not be there before, or on another grid.
    """
    chosen = {node.name for node in nodes}
    pending = list(nodes)
    while pending:
        for name in pending.pop().inputs:
            before = graph.producer(name)
            if before is not None and before.name not in chosen and _belongs(graph, before, changed):
                chosen.add(before.name)
                pending.append(before)
    kept = tuple(node for node in graph.nodes if node.name in chosen)
    made = {name for node in kept for name in node.outputs}
    read = dict.fromkeys(name for node in kept for name in node.inputs if name)
    constants = {name: graph.constants[name] for name in read if name in graph.constants}
    inputs = tuple(name for name in read if name not in made and name not in constants)
    return replace(graph, nodes=kept, constants=constants, inputs=inputs, outputs=outputs)


def _belongs(graph: Graph, node: Node, changed: frozenset[str]) -> bool:
    """A DQ that stays as it is, or a node whose result is a constant."""
    if is_qdq(node):
        return node.input(0) in graph.constants or (node.op == DEQUANTIZE and node.name not in changed)
    return any(name in graph.constants for name in node.outputs)


class _Groups:
    """Which things belong together, by what joins them."""

    def __init__(self) -> None:
        self.parent: dict[tuple[object, str], tuple[object, str]] = {}

    def of(self, thing: tuple[object, str]) -> tuple[object, str]:
        root = thing
        while self.parent.setdefault(root, root) != root:
            root = self.parent[root]
        while self.parent[thing] != root:
            self.parent[thing], thing = root, self.parent[thing]
        return root

    def join(self, one: tuple[object, str], other: tuple[object, str]) -> None:
        self.parent[self.of(one)] = self.of(other)
