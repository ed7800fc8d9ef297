"""Layers: what the compiler sees. An operator with the Q/DQ around it folded in, or a QLinear operator.

1. A DequantizeLinear belongs to the first operator that reads it, a QuantizeLinear to the operator that feeds it.
2. A constant made by a node belongs to the layer that first reads it.
3. A Q or DQ that no operator claims is a layer of its own: a border of the graph, or a change of scale.
4. Each node is in exactly one layer, or in `Layers.unattached`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from npuscope.garbage import without_collections
from npuscope.model.folding import Folding
from npuscope.model.graph import Graph
from npuscope.model.layer import (
    ACTIVATIONS,
    DEQUANTIZE,
    FLOATS,
    PARAMETERS,
    PASSES_SCALE_ON,
    QLINEAR,
    QUANTIZE,
    WEIGHTED,
    Layer,
    Operand,
    is_qdq,
    is_transparent,
    moves_integers,
    quantization_inputs,
)
from npuscope.model.refolding import refold
from npuscope.record import dataclass

__all__ = [
    "ACTIVATIONS",
    "DEQUANTIZE",
    "FLOATS",
    "PARAMETERS",
    "PASSES_SCALE_ON",
    "QLINEAR",
    "QUANTIZE",
    "WEIGHTED",
    "Layer",
    "Layers",
    "Operand",
    "fold",
    "is_qdq",
    "is_transparent",
    "moves_integers",
    "quantization_inputs",
]


@dataclass(frozen=True, eq=False)
class Layers:
    """All layers of a graph, in graph order."""

    layers: tuple[Layer, ...]
    unattached: tuple[str, ...]
    results: frozenset[str] = frozenset()
    """Tensors that are outputs of the graph, beside those that layers read."""

    @cached_property
    def by_name(self) -> Mapping[str, Layer]:
        """Layer name -> layer."""
        return {layer.name: layer for layer in self.layers}

    @cached_property
    def of_node(self) -> Mapping[str, Layer]:
        """ONNX node name -> the layer that holds it."""
        return {node: layer for layer in self.layers for node in layer.nodes}

    @cached_property
    def writers(self) -> Mapping[str, Layer]:
        """Tensor (stored or seen) -> the layer that writes it."""
        return {t: layer for layer in self.layers for o in layer.outputs for t in (o.seen, o.tensor)}

    @cached_property
    def readers(self) -> Mapping[str, tuple[Layer, ...]]:
        """Tensor (stored or seen) -> the layers that read it as an activation, once each."""
        readers: dict[str, list[Layer]] = {}
        for layer in self.layers:
            for operand in layer.inputs:
                stored, seen = operand.tensor, operand.seen
                for tensor in (stored,) if stored == seen else (stored, seen):
                    known = readers.get(tensor)
                    if known is None:
                        readers[tensor] = [layer]
                    elif known[-1] is not layer:
                        known.append(layer)
        return {tensor: tuple(layers) for tensor, layers in readers.items()}


def fold(graph: Graph, previous: tuple[Graph, Layers] | None = None) -> Layers:
    """The layers of a graph; those that an edit of the `previous` graph did not touch are the same objects."""
    if previous is not None:
        before, layers = previous
        again = refold(graph, before, layers.layers, layers.of_node)
        if again is not None:
            by_index, claimed = again
            return _layers(graph, by_index, claimed)
    with without_collections():
        folding = Folding(graph)
        return _layers(graph, folding.run(range(len(graph.nodes))), folding.claimed)


def _layers(graph: Graph, by_index: Mapping[int, Layer], claimed: set[int]) -> Layers:
    unattached = (
        tuple(node.name for i, node in enumerate(graph.nodes) if i not in claimed)
        if len(claimed) < len(graph.nodes)
        else ()
    )
    return Layers(tuple(by_index[i] for i in sorted(by_index)), unattached, graph.output_set)
