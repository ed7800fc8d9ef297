"""Folding after an edit: layers the edit did not touch are taken over, as the same objects.

Nodes, types and constants are shared between the graphs before and after, so identity tells what is untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import compress, count
from operator import is_not
from typing import TypeVar

from npuscope.model.folding import Folding, makes_constant
from npuscope.model.graph import Graph, Node
from npuscope.model.layer import DEQUANTIZE, Layer, Operand, is_qdq, is_transparent, moves_integers

MOST = 0.5
"""Part of the nodes above which everything is folded anew."""


def refold(
    graph: Graph, before: Graph, layers: tuple[Layer, ...], of_node: Mapping[str, Layer]
) -> tuple[dict[int, Layer], set[int]] | None:
    """Index of its operator -> layer, and the nodes that belong to any; None where all must be folded anew."""
    if graph.outputs != before.outputs or graph.inputs != before.inputs or graph.opsets != before.opsets:
        return None
    return _Refolding(graph, before, layers, of_node).run()


class _Refolding:
    def __init__(
        self, graph: Graph, before: Graph, layers: tuple[Layer, ...], of_node: Mapping[str, Layer]
    ) -> None:
        self.graph, self.before, self.layers, self.of_node = graph, before, layers, of_node
        self.dirty: dict[int, Layer] = {}
        """id -> layer of the graph before that is folded anew."""

    def run(self) -> tuple[dict[int, Layer], set[int]] | None:
        added, removed = self.replaced()
        touched = {name for node in (*added, *removed) for name in (*node.inputs, *node.outputs) if name}
        # A scale that many nodes share binds no layers together.
        tensors = {
            name
            for name in touched
            if name in self.graph.producers
            or name in self.before.producers
            or name not in self.graph.constants
        }
        tensors |= _changed(self.graph.types, self.before.types)
        tensors |= _changed(self.graph.constants, self.before.constants)
        for node in removed:
            self.mark_dirty(self.of_node.get(node.name))
        self.mark_dirty_around(tensors)
        while len(self.dirty) <= MOST * len(self.layers):
            layers, claimed = self.fold()
            changed = self.passed_on(layers)
            size = len(self.dirty)
            self.mark_dirty_around(changed)
            if len(self.dirty) == size:
                return layers, claimed
        return None

    def replaced(self) -> tuple[list[Node], list[Node]]:
        """Nodes that only the new graph has, and those that only the old one has."""
        now, was = self.graph.nodes, self.before.nodes
        shorter = min(len(now), len(was))
        begin = next(compress(count(), map(is_not, now, was)), shorter)
        end = min(
            next(compress(count(), map(is_not, reversed(now), reversed(was))), shorter), shorter - begin
        )
        now, was = now[begin : len(now) - end], was[begin : len(was) - end]
        new, old = {id(node) for node in now}, {id(node) for node in was}
        return [n for n in now if id(n) not in old], [n for n in was if id(n) not in new]

    def mark_dirty(self, layer: Layer | None) -> None:
        if layer is not None:
            self.dirty[id(layer)] = layer

    def mark_dirty_around(self, tensors: Iterable[str]) -> None:
        """All layers with a node that touches one of the tensors, and those that share a node they might claim."""
        for graph in (self.before, self.graph):
            for tensor in tensors:
                index = graph.producers.get(tensor)
                for i in (*graph.consumers.get(tensor, ()), *(() if index is None else (index,))):
                    self.mark_dirty(self.of_node.get(graph.nodes[i].name))
        pending = list(self.dirty.values())
        while pending:
            layer = pending.pop()
            for name in layer.nodes:
                index = self.before.node_index.get(name)
                if index is None:
                    continue
                node = self.before.nodes[index]
                if not self.might_be_claimed(node):
                    continue
                for i in self.before.consumers.get(node.output(0), ()):
                    reader = self.of_node.get(self.before.nodes[i].name)
                    if reader is not None and id(reader) not in self.dirty:
                        self.mark_dirty(reader)
                        pending.append(reader)

    def might_be_claimed(self, node: Node) -> bool:
        """A node that belongs to the first of the layers that read it."""
        if is_qdq(node):
            return node.op == DEQUANTIZE or self.before.constant(node.input(0)) is not None
        return makes_constant(self.before, node)

    def fold(self) -> tuple[dict[int, Layer], set[int]]:
        """The layers kept, and the others folded anew."""
        index, live, dirty = self.graph.node_index, self.graph.live, self.dirty
        layers: dict[int, Layer] = {}
        nodes: list[str] = []
        for layer in self.layers:
            if id(layer) not in dirty and (place := index[layer.name]) in live:
                layers[place] = layer
                nodes += layer.nodes
        claimed = set(map(index.__getitem__, nodes))
        folding = Folding(self.graph, claimed, self.known)
        open_nodes = sorted(set(range(len(self.graph.nodes))) - claimed)
        layers.update(folding.run(open_nodes))
        return layers, folding.claimed

    def known(self, tensor: str) -> Operand | None:
        """What a kept layer passes on of its input's quantization."""
        producer = self.graph.producer(tensor)
        layer = self.of_node.get(producer.name) if producer is not None else None
        if layer is None or id(layer) in self.dirty or layer.core is not producer:
            return None
        operand = next((o for o in layer.outputs if o.seen == tensor), None)
        return (
            operand
            if operand is not None and operand.tensor == tensor and operand.quant is not None
            else None
        )

    def passed_on(self, layers: Mapping[int, Layer]) -> set[str]:
        """Tensors whose quantization, passed on by a layer folded anew, is not what it was."""
        before = {o.seen: o for layer in self.dirty.values() for o in layer.outputs}
        changed = set()
        for layer in layers.values():
            if layer.name in self.of_node and self.of_node[layer.name] is layer:
                continue
            if not (is_transparent(layer.core) or moves_integers(layer.core)):
                continue
            for operand in layer.outputs:
                was = before.get(operand.seen)
                if was is None or was.quant is not operand.quant:
                    changed.add(operand.seen)
        return changed


Value = TypeVar("Value")


def _changed(now: Mapping[str, Value], before: Mapping[str, Value]) -> set[str]:
    """Names whose value is another object, or there only once."""
    changed = set(compress(now, map(is_not, map(before.get, now), now.values())))
    if len(now) - len(changed) != len(before):
        changed |= before.keys() - now.keys()
    return changed
