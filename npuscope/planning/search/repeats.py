"""Layers that repeat: what was found for one is all that is tried on the next one like it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

from npuscope.edits.edit import Edit
from npuscope.model.graph import Graph
from npuscope.model.tensors import Constant
from npuscope.npu.cost import Cost
from npuscope.npu.verdict import Placement
from npuscope.planning.plan import Step
from npuscope.record import dataclass
from npuscope.session import Session
from npuscope.snapshot import Snapshot

Verdicts = tuple[tuple[Placement, Cost | None, tuple[tuple[str, str], ...]], ...]
"""Of the layers in a window as the model has them: placement, price, and what is said of each, as (code, message)."""


@dataclass(frozen=True, slots=True)
class BestOfWindow:
    """The steps that were best in a window; none where nothing was worth it. `nodes` are the window's, by name."""

    nodes: tuple[str, ...]
    verdicts: Verdicts
    steps: tuple[Step, ...]

    def on(self, nodes: tuple[str, ...]) -> tuple[Edit, ...] | None:
        """The same edits in a window of the same signature; None where they may not mean the same there."""
        return on_other([step.edit for step in self.steps], self.nodes, nodes)

    def moved(self, nodes: tuple[str, ...]) -> tuple[Step, ...] | None:
        """The same steps there, as long as their words name nothing that lies here."""
        edits = self.on(nodes)
        if edits is None or any(node in step.why for step in self.steps for node in self.nodes):
            return None
        pairs = zip(self.steps, edits, strict=True)
        return tuple([replace(step, edit=edit, layer=edit.layer) for step, edit in pairs])


def on_other(
    edits: Sequence[Edit], nodes: tuple[str, ...], others: tuple[str, ...]
) -> tuple[Edit, ...] | None:
    """Edits in a window of these nodes, by name, as those in another one; None where they may not mean the same there."""
    renamed = dict(zip(nodes, others, strict=True))
    moved: list[Edit] = []
    for edit in edits:
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


def verdicts(session: Session, snapshot: Snapshot, nodes: tuple[str, ...]) -> Verdicts:
    """Those of the layers that hold some nodes; `snapshot` is the analysis of the session."""
    of_node, by_name = session.layers.of_node, snapshot.by_name
    names = dict.fromkeys([layer.name for node in nodes if (layer := of_node.get(node)) is not None])
    reports = [by_name[name] for name in names if name in by_name]
    return tuple([(r.placement, r.cost, tuple([(f.code, f.message) for f in r.findings])) for r in reports])


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
