"""A node of a graph, and the reading of nodes from what was parsed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Any

import onnx
from onnx import AttributeProto, FunctionProto, NodeProto

from npuscope.record import record

ONNX_DOMAINS = frozenset({"", "ai.onnx"})


@record(eq=False)
class Node:
    """One ONNX node. `name` is unique in its graph; an absent optional input is ''; a `bare` one is known to have no attributes."""

    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    proto: NodeProto
    bare: bool = False
    _plain: tuple[bytes, ...] | None = field(default=None, init=False, repr=False)

    @property
    def plain_attributes(self) -> tuple[bytes, ...] | None:
        """The attributes as the file holds them; None where one is neither a number, a word nor a list of numbers."""
        if self.bare:
            return ()
        if self._plain is None:
            attributes = self.proto.attribute
            if not PLAIN.issuperset([attribute.type for attribute in attributes]):
                return None
            self._plain = tuple([attribute.SerializeToString() for attribute in attributes])  # type: ignore[misc]
        return self._plain

    def attribute(self, name: str) -> Any:
        """The attribute's Python value, or None where the node does not carry it."""
        for attribute in () if self.bare else self.proto.attribute:
            if attribute.name == name:
                return attribute_value(attribute)
        return None

    def integer(self, name: str, default: int) -> int:
        """An int attribute, or the default where it is absent or of another type."""
        value = self.attribute(name)
        return value if isinstance(value, int) else default

    def integers(self, name: str) -> tuple[int, ...] | None:
        """An ints attribute, or None where it is absent or of another type."""
        value = self.attribute(name)
        if isinstance(value, list) and all(isinstance(item, int) for item in value):
            return tuple(value)
        return None

    def text(self, name: str, default: str) -> str:
        """A string attribute, or the default."""
        value = self.attribute(name)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else default

    def input(self, position: int) -> str:
        """The name of an input, '' where it is absent."""
        return self.inputs[position] if position < len(self.inputs) else ""

    def output(self, position: int) -> str:
        """The name of an output, '' where it is absent."""
        return self.outputs[position] if position < len(self.outputs) else ""

    @property
    def standard(self) -> bool:
        """An operator of ONNX itself."""
        return self.domain in ONNX_DOMAINS

    @property
    def subgraphs(self) -> tuple[onnx.GraphProto, ...]:
        """The bodies of If, Loop and Scan."""
        return tuple(bodies_of(self.proto))


PLAIN = frozenset(
    {
        AttributeProto.INT,
        AttributeProto.FLOAT,
        AttributeProto.STRING,
        AttributeProto.INTS,
        AttributeProto.FLOATS,
    }
)
"""Types of attributes that hold numbers or a word."""


def bodies_of(node: NodeProto) -> list[onnx.GraphProto]:
    """The graphs among the attributes of a node."""
    attributes = node.attribute
    if not attributes:  # as most are
        return []
    bodies = [a.g for a in attributes if a.type == AttributeProto.GRAPH]
    return bodies + [g for a in attributes if a.type == AttributeProto.GRAPHS for g in a.graphs]


def nodes_and_bodies(graph: onnx.GraphProto) -> Iterator[NodeProto]:
    """The nodes of a graph, and those of the bodies in it."""
    pending = [graph]
    while pending:
        current = pending.pop()
        yield from current.node
        for node in current.node:
            pending += bodies_of(node)


def attribute_value(attribute: AttributeProto) -> Any:
    """The Python value; None for a type without one here."""
    kind = attribute.type
    if kind == AttributeProto.INT:
        return attribute.i
    if kind == AttributeProto.INTS:
        return list(attribute.ints)
    if kind == AttributeProto.FLOAT:
        return attribute.f
    if kind == AttributeProto.FLOATS:
        return list(attribute.floats)
    if kind == AttributeProto.STRING:
        return attribute.s
    if kind == AttributeProto.STRINGS:
        return list(attribute.strings)
    if kind == AttributeProto.TENSOR:
        return attribute.t
    return None


def nodes_of(graph: onnx.GraphProto | FunctionProto) -> tuple[Node, ...]:
    """The nodes of a parsed graph. A name is read anew from each message: one object for it saves a third of the memory."""
    one: dict[str, str] = {}
    same = one.setdefault
    protos = graph.node[:]
    nodes = []
    for name, proto in zip(unique_names(protos), protos, strict=True):
        op, domain, inputs, outputs = proto.op_type, proto.domain, proto.input[:], proto.output[:]
        nodes.append(
            Node(
                name,
                same(op, op),
                same(domain, domain),
                tuple(map(same, inputs, inputs)),
                tuple(map(same, outputs, outputs)),
                proto,
                not proto.attribute,
            )
        )
    return tuple(nodes)


def unique_names(protos: Sequence[NodeProto]) -> list[str]:
    """A name for each node: its own, or op and index where it has none; a repeated one gets a suffix."""
    names = [proto.name for proto in protos]
    taken = set(names)
    if len(taken) == len(names) and "" not in taken:  # as it mostly is
        return names
    taken.clear()
    names.clear()
    repeats: dict[str, int] = {}
    for i, proto in enumerate(protos):
        name = proto.name
        if name and name not in taken:
            taken.add(name)
            names.append(name)
            continue
        base = name = name or f"{proto.op_type}_{i}"
        while name in taken:
            repeats[base] = repeats.get(base, 1) + 1
            name = f"{base}#{repeats[base]}"
        taken.add(name)
        names.append(name)
    return names
