"""Tensors that hold the same values on the same grid: one cannot be quantized otherwise without the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

from npuscope.model.graph import Graph, Node
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, is_qdq, is_transparent
from npuscope.model.quant import Quant, of_node
from npuscope.record import dataclass

KEEPS_GRID = frozenset(
    {"MaxPool", "GlobalMaxPool", "Concat", "DepthToSpace", "SpaceToDepth", "Expand", "Tile"}
)
"""Operators whose outputs hold nothing but values of their inputs, besides the transparent ones."""


@dataclass(eq=False)
class SharedGrid:
    """A group of stored tensors on one grid, joined by operators that only move values.

    1. `nodes` are the Q and DQ on them, `floats` the tensors their readers see.
    2. `borders` are those that are inputs or outputs of the graph.
    3. `obstacle` says why the group's grid cannot be changed, '' where it can.
    """

    stored: set[str] = field(default_factory=set)
    nodes: dict[str, Node] = field(default_factory=dict)
    floats: set[str] = field(default_factory=set)
    borders: set[str] = field(default_factory=set)
    obstacle: str = ""


def shared_grid(graph: Graph, dequantize: Node) -> SharedGrid:
    """The group of the tensor a DQ reads. The DQ must have one constant scale."""
    quant = of_node(graph, dequantize)
    assert quant is not None
    return _Search(graph, quant).run(dequantize.input(0))


def dequantize_before(graph: Graph, tensor: str) -> Node | None:
    """The DQ whose values a float tensor holds, seen through operators that only move them."""
    node, seen = graph.producer(tensor), set[str]()
    while node is not None and is_transparent(node) and node.name not in seen:
        seen.add(node.name)  # in a damaged model a tensor may depend on itself
        node = graph.producer(node.input(0))
    return node if node is not None and is_qdq(node) and node.op == DEQUANTIZE else None


class _Search:
    def __init__(self, graph: Graph, quant: Quant) -> None:
        self.graph, self.quant = graph, quant
        self.shared = SharedGrid()
        self.pending: list[str] = []
        self.passed: set[str] = set()
        """Movers that were looked through backwards: paths that part and meet again double at each meeting."""

    def run(self, start: str) -> SharedGrid:
        self.join(start)
        while self.pending:
            tensor = self.pending.pop()
            if tensor in self.graph.input_set or tensor in self.graph.output_set:
                self.shared.borders.add(tensor)
            self.made_by(tensor)
            for reader in self.readers(tensor):
                self.read_by(tensor, reader)
        return self.shared

    def join(self, tensor: str) -> None:
        if tensor not in self.shared.stored:
            self.shared.stored.add(tensor)
            self.pending.append(tensor)

    def obstruct(self, why: str) -> None:
        self.shared.obstacle = self.shared.obstacle or why

    def readers(self, tensor: str) -> Iterator[Node]:
        return (self.graph.nodes[i] for i in self.graph.consumers.get(tensor, ()))

    def same(self, node: Node) -> bool:
        return self.quant.same_as(of_node(self.graph, node))

    def made_by(self, tensor: str) -> None:
        node = self.graph.producer(tensor)
        if tensor in self.graph.constants:
            self.obstruct(f"{tensor} is a constant")
        elif node is None:
            return
        elif is_qdq(node) and node.op == QUANTIZE:
            self.shared.nodes[node.name] = node
            self.before(node.input(0))
        elif moves(node):
            for other in (*moved(node), *node.outputs):
                self.join(other)
        else:
            self.obstruct(f"{node.name} ({node.op}) writes {tensor} on a scale of its own")

    def read_by(self, tensor: str, node: Node) -> None:
        if is_qdq(node) and node.op == DEQUANTIZE and node.input(0) == tensor:
            if not self.same(node):
                self.obstruct(f"{node.name} reads {tensor} on another scale")
            self.shared.nodes[node.name] = node
            self.after(node.output(0))
        elif moves(node) and tensor in moved(node):
            for output in node.outputs:
                self.join(output)
        else:
            self.obstruct(f"{node.name} ({node.op}) reads the integers of {tensor}")

    def before(self, tensor: str) -> None:
        """A float tensor that is about to be quantized: what it was moved from belongs to the group."""
        pending = [tensor]
        while pending:
            node = self.graph.producer(pending.pop())
            if node is None or not moves(node) or node.name in self.passed:
                continue
            self.passed.add(node.name)
            for source in moved(node):
                maker = self.graph.producer(source)
                if maker is not None and is_qdq(maker) and maker.op == DEQUANTIZE and self.same(maker):
                    self.join(maker.input(0))
                elif source not in self.shared.floats:
                    pending.append(source)
            for output in node.outputs:
                self.after(output)

    def after(self, tensor: str) -> None:
        """A float tensor with values of the group: what it is moved to, and quantized alike, belongs to it."""
        pending = [tensor]
        while pending:
            name = pending.pop()
            if not name or name in self.shared.floats:
                continue
            self.shared.floats.add(name)
            for node in self.readers(name):
                if is_qdq(node) and node.op == QUANTIZE:
                    if node.input(0) == name and self.same(node):
                        self.shared.nodes[node.name] = node
                        self.join(node.output(0))
                elif moves(node) and name in moved(node):
                    pending += node.outputs


def moves(node: Node) -> bool:
    """Writes nothing but values it reads."""
    return is_transparent(node) or (node.standard and node.op in KEEPS_GRID)


def moved(node: Node) -> tuple[str, ...]:
    """The inputs whose values a mover moves."""
    return node.inputs if node.op == "Concat" else node.inputs[:1]
