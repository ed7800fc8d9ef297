"""Layers: what the compiler sees. An operator with the Q/DQ around it folded in, or a QLinear operator.

1. A DequantizeLinear belongs to the first operator that reads it, a QuantizeLinear to the operator that feeds it.
2. A constant made by a node belongs to the layer that first reads it.
3. A Q or DQ that no operator claims is a layer of its own: a border of the graph, or a change of scale.
4. Each node is in exactly one layer, or in `Layers.unattached`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from weakref import ref

from npuscope.garbage import without_collections
from npuscope.model.after_edits.difference import changed_names
from npuscope.model.after_edits.refolding import Refolded, refold
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
from npuscope.model.same_tensor import through
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

    @cached_property
    def through(self) -> Layers:
        """As a compiler sees them that leaves an Identity or Dropout out."""
        return through(self)


def fold(graph: Graph, previous: tuple[Graph, Layers] | None = None) -> Layers:
    """The layers of a graph; those that an edit of the `previous` graph did not touch are the same objects."""
    if previous is not None:
        before, known = previous
        again = refold(graph, before, known.layers, known.of_node, known.unattached)
        if again is not None:
            layers = _layers(graph, again.layers, again.unattached)
            if graph.single_writers and before.single_writers:
                _take_over(graph, known, layers, again)
            return layers
    with without_collections():
        folding = Folding(graph, range(len(graph.nodes)))
        made = folding.run()
        return _layers(graph, [made[i] for i in sorted(made)], sorted(folding.unclaimed))


def _layers(graph: Graph, layers: Iterable[Layer], unattached: Iterable[int]) -> Layers:
    return Layers(tuple(layers), tuple([graph.nodes[i].name for i in unattached]), graph.output_set)


def _take_over(graph: Graph, before: Layers, after: Layers, made: Refolded) -> None:
    """Let `after` know who writes and reads what by `before`, and by the layers that are gone and those made of them."""
    known, tables = vars(before), vars(after)
    other = (*made.gone, *made.fresh)
    tables[_ORIGIN] = (
        ref(before),
        {key for layer in other for keys in (_own_name, _own_nodes, _written, _read) for key in keys(layer)},
    )
    for name, keys in (("by_name", _own_name), ("of_node", _own_nodes), ("writers", _written)):
        if name in known:
            table = tables[name] = dict(known[name])
            for layer in made.gone:
                for key in keys(layer):
                    table.pop(key, None)
            for layer in made.fresh:
                table.update(dict.fromkeys(keys(layer), layer))
    if "readers" in known:
        readers = tables["readers"] = dict(known["readers"])
        gone = {id(layer) for layer in made.gone}
        fresh: dict[str, list[Layer]] = {tensor: [] for layer in made.gone for tensor in _read(layer)}
        for layer in made.fresh:
            for tensor in set(_read(layer)):
                fresh.setdefault(tensor, []).append(layer)
        for tensor, new in fresh.items():
            left = [layer for layer in readers.get(tensor, ()) if id(layer) not in gone]
            left += new
            left.sort(key=lambda layer: graph.node_index[layer.name])
            readers[tensor] = tuple(left)
            if not left:
                del readers[tensor]


_ORIGIN = "origin"
_TABLES = ("by_name", "of_node", "writers", "readers")


def changed_layers(now: Layers, before: Layers) -> set[str]:
    """Names of layers that are another object in each, or in one alone."""
    names, was = now.by_name, before.by_name
    origin, keys = vars(now).get(_ORIGIN, (None, ()))
    if origin is None or origin() is not before:
        return changed_names(names, was)
    return {key for key in keys if names.get(key) is not was.get(key)}


def changed_keys(now: Layers, before: Layers) -> set[str]:
    """Names of layers, nodes and tensors of which `now` may say anything else than `before`."""
    if now is before:
        return set()
    origin, keys = vars(now).get(_ORIGIN, (None, ()))
    if origin is not None and origin() is before:
        return set(keys)
    return {key for name in _TABLES for key in changed_names(getattr(now, name), getattr(before, name))}


def _own_name(layer: Layer) -> Sequence[str]:
    return (layer.name,)


def _own_nodes(layer: Layer) -> Sequence[str]:
    return layer.nodes


def _written(layer: Layer) -> Sequence[str]:
    return [tensor for o in layer.outputs for tensor in (o.seen, o.tensor)]


def _read(layer: Layer) -> Sequence[str]:
    return [tensor for o in layer.inputs for tensor in (o.tensor, o.seen)]
