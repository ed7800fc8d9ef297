"""Layers that repeat: what was found for one is all that is tried on the next one like it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from npuscope.edits.edit import Edit
from npuscope.model.graph import Graph
from npuscope.model.tensors import Constant
from npuscope.record import dataclass
from npuscope.session import Session


@dataclass(frozen=True, slots=True)
class EditsOfWindow:
    """The edits that were best in a window; none where nothing was worth it. `nodes` are the window's, by name."""

    nodes: tuple[str, ...]
    edits: tuple[Edit, ...]

    def on(self, nodes: tuple[str, ...]) -> tuple[Edit, ...] | None:
        """The same edits in a window of the same signature; None where they may not mean the same there."""
        renamed = dict(zip(self.nodes, nodes, strict=True))
        moved: list[Edit] = []
        for edit in self.edits:
            layer = _renamed(edit.layer, renamed)
            if not edit.declaration.same_by_shape or layer is None:
                return None
            value: Any = edit
            moved.append(replace(value, layer=layer))
        return tuple(moved)


def _renamed(layer: str, names: dict[str, str]) -> str | None:
    """The layer's name; of one that an edit made, as in 'Gemm_28_part0', the part before the ending."""
    for end in range(len(layer), 0, -1):
        if layer[:end] in names:
            return names[layer[:end]] + layer[end:]
    return None


def signature(near: Session, layer: str) -> Hashable:
    """Equal for two windows in which the same edits do the same to placement and time.

    Operators, attributes, shapes, zero points, and which scales are equal; names and values do not count.
    """
    graph = near.graph
    return (layer_position(graph, layer), *_Reader(graph).nodes())


def layer_position(graph: Graph, layer: str) -> int:
    """Where in the window the layer's operator stands."""
    return graph.node_index.get(layer, -1)


class _Reader:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.numbers: dict[object, int] = {}

    def nodes(self) -> tuple[Hashable, ...]:
        graph = self.graph
        return tuple(
            (
                node.op,
                node.domain,
                *(attribute.SerializeToString() for attribute in node.proto.attribute),
                *(self.tensor(name) for name in node.inputs),
                *((graph.types.get(name), name in graph.output_set) for name in node.outputs),
            )
            for node in graph.nodes
        )

    def tensor(self, name: str) -> Hashable:
        graph = self.graph
        if not name:
            return None
        constant = graph.constants.get(name)
        if constant is not None:
            return self.constant(constant)
        made = graph.producers.get(name, -1)
        if made >= 0:
            return made, graph.nodes[made].outputs.index(name)
        return self.number(name), graph.types.get(name)

    def constant(self, constant: Constant) -> Hashable:
        if constant.size > 1:
            return constant.dtype, constant.shape
        value = _bytes(constant)
        same = self.number(value) if constant.dtype.startswith("float") else value
        return constant.dtype, constant.shape, same

    def number(self, value: object) -> int:
        return self.numbers.setdefault(value, len(self.numbers))


def _bytes(constant: Constant) -> Hashable:
    proto = constant.proto
    if constant.value is not None:
        return constant.value.tobytes()
    if proto is None or constant.span is not None:
        return constant.array().tobytes()
    return proto.raw_data or (*proto.float_data, *proto.int32_data, *proto.int64_data)
