"""Folding after an edit: layers the edit did not touch are taken over, as the same objects.

Nodes, types and constants are shared between the graphs before and after, so identity tells what is untouched.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from npuscope.model.after_edits.difference import changed_constants, changed_types, replaced
from npuscope.model.folding import Folding, makes_constant
from npuscope.model.graph import Graph, Node
from npuscope.model.layer import DEQUANTIZE, Layer, Operand, is_qdq, is_transparent, moves_integers

MOST = 0.5
"""Part of the nodes above which everything is folded anew."""

FEW = 64
"""Layers up to which each is put in its place by itself."""


class Refolded(NamedTuple):
    """The layers of a graph in its order; of them those that are `fresh`, and those before that are `gone`."""

    layers: list[Layer]
    fresh: list[Layer]
    gone: list[Layer]
    unattached: list[int]
    """Nodes that belong to none."""


def refold(
    graph: Graph,
    before: Graph,
    layers: tuple[Layer, ...],
    of_node: Mapping[str, Layer],
    unattached: Iterable[str],
) -> Refolded | None:
    """The layers after an edit; None where all must be folded anew. What follows `before` are its layers."""
    if graph.outputs != before.outputs or graph.inputs != before.inputs or graph.opsets != before.opsets:
        return None
    return _Refolding(graph, before, layers, of_node, unattached).run()


class _Refolding:
    def __init__(
        self,
        graph: Graph,
        before: Graph,
        layers: tuple[Layer, ...],
        of_node: Mapping[str, Layer],
        unattached: Iterable[str],
    ) -> None:
        self.graph, self.before, self.layers, self.of_node = graph, before, layers, of_node
        self.unattached = unattached
        self.dirty: dict[int, Layer] = {}
        """id -> layer of the graph before that is folded anew."""
        self.added, self.removed, self.shuffled = replaced(graph, before)

    def run(self) -> Refolded | None:
        touched = {
            name for node in (*self.added, *self.removed) for name in (*node.inputs, *node.outputs) if name
        }
        # A scale that many nodes share binds no layers together.
        tensors = {
            name
            for name in touched
            if name in self.graph.producers
            or name in self.before.producers
            or name not in self.graph.constants
        }
        tensors |= changed_types(self.graph, self.before)
        tensors |= changed_constants(self.graph, self.before)
        for node in self.removed:
            self.mark_dirty(self.of_node.get(node.name))
        self.mark_dirty_around(tensors)
        while len(self.dirty) <= MOST * len(self.layers):
            made, unattached = self.fold()
            changed = self.passed_on(made.values())
            size = len(self.dirty)
            self.mark_dirty_around(changed)
            if len(self.dirty) == size:
                fresh = list(made.values())
                return Refolded(self.in_order(made), fresh, list(self.dirty.values()), unattached)
        return None

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
                    self.mark_dirty(self.before_pool(graph, graph.nodes[i]))
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

    def before_pool(self, graph: Graph, node: Node) -> Layer | None:
        """The layer before a MaxPool: whether it passes its input's quantization on may depend on what stands behind."""
        producer = graph.producer(node.input(0)) if node.op == "MaxPool" else None
        return self.of_node.get(producer.name) if producer is not None else None

    def might_be_claimed(self, node: Node) -> bool:
        """A node that belongs to the first of the layers that read it."""
        if is_qdq(node):
            return node.op == DEQUANTIZE or self.before.constant(node.input(0)) is not None
        return makes_constant(self.before, node)

    def fold(self) -> tuple[dict[int, Layer], list[int]]:
        """The layers folded anew, by the index of their operators, and the nodes that belong to none."""
        index, live = self.graph.node_index, self.graph.live
        if len(live) < len(self.graph.nodes):
            for layer in self.layers:
                if id(layer) not in self.dirty and index[layer.name] not in live:
                    self.mark_dirty(layer)
        open_names = [node.name for node in self.added]
        open_names += [name for layer in self.dirty.values() for name in layer.nodes]
        open_names += self.unattached
        folding = Folding(
            self.graph, [i for name in open_names if (i := index.get(name)) is not None], self.known
        )
        return folding.run(), sorted(folding.unclaimed)

    def in_order(self, made: Mapping[int, Layer]) -> list[Layer]:
        """All layers in the order of the graph: most are in that of the graph before."""
        index = self.graph.node_index
        shuffled = {node.name for node in self.shuffled}
        layers = [
            layer for layer in self.layers if id(layer) not in self.dirty and layer.name not in shuffled
        ]
        placed = dict(made)
        for name in shuffled:
            layer = self.of_node.get(name)
            if layer is not None and layer.name == name and id(layer) not in self.dirty:
                placed[index[name]] = layer

        def place(layer: Layer) -> int:
            return index[layer.name]

        if len(placed) > FEW:
            return sorted([*layers, *placed.values()], key=place)
        for i in sorted(placed):
            layers.insert(bisect_left(layers, i, key=place), placed[i])
        return layers

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

    def passed_on(self, layers: Iterable[Layer]) -> set[str]:
        """Tensors whose quantization, passed on by a layer folded anew, is not what it was."""
        before = {o.seen: o for layer in self.dirty.values() for o in layer.outputs}
        changed = set()
        for layer in layers:
            if not (is_transparent(layer.core) or moves_integers(layer.core) or layer.kind == "Relu"):
                continue
            for operand in layer.outputs:
                was = before.get(operand.seen)
                if was is None or was.quant is not operand.quant:
                    changed.add(operand.seen)
        return changed
