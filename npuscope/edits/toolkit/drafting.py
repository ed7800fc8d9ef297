"""New nodes for a layer: named after it, in its scope, with the types of what they write."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, helper

from npuscope.edits.edit import Patch, Refusal
from npuscope.model.graph import Graph, Node
from npuscope.model.inference.moved import moves_constant
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Layer, Layers, is_qdq
from npuscope.model.tensors import Array, Constant, TensorType
from npuscope.record import dataclass

_SCOPE_KEY = "namespace"


def layer_named(layers: Layers, name: str) -> Layer | Refusal:
    """The layer of that name."""
    layer = layers.by_name.get(name)
    return (
        layer
        if layer is not None
        else Refusal(f"the model has no layer {name!r}", "take a name that the check lists")
    )


@dataclass(frozen=True, slots=True)
class Grid:
    """The quantization a Q and a DQ share, by the names their inputs carry. `zero_point` '' = 0."""

    scale: str
    zero_point: str
    stored: str
    """Element type of the quantized tensor."""
    real: str
    """Element type of the dequantized tensor."""
    like: Node
    """A Q or DQ on the same grid: its domain and attributes are taken over."""


@dataclass(eq=False)
class Draft:
    """The nodes, constants and types of a patch under construction."""

    graph: Graph
    pattern: Node
    """The node whose scope the new ones take."""
    nodes: list[Node] = field(default_factory=list)
    constants: list[Constant] = field(default_factory=list)
    types: dict[str, TensorType] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    _zeros: dict[str, str] = field(default_factory=dict)

    def patch(self, removed: frozenset[str]) -> Patch:
        """The patch that puts these nodes in the place of those that go."""
        return Patch(removed, tuple(self.nodes), tuple(self.constants), self.types)

    def __post_init__(self) -> None:
        for node in self.graph.with_bodies:
            for body in node.subgraphs:
                self.taken |= names_in(body)

    def name(self, wanted: str) -> str:
        """`wanted`, or the first of wanted_2, wanted_3... that nothing in the graph is called."""
        name, count = wanted, 1
        while self.is_taken(name):
            count += 1
            name = f"{wanted}_{count}"
        self.taken.add(name)
        return name

    def is_taken(self, name: str) -> bool:
        """Some node or tensor has this name."""
        graph = self.graph
        return (
            name in self.taken
            or name in graph.node_index
            or name in graph.producers
            or name in graph.consumers
            or name in graph.constants
            or name in graph.types
            or name in graph.inputs
            or name in graph.output_set
        )

    def constant(self, wanted: str, value: Array) -> str:
        """Add a constant and return its name."""
        constant = Constant.of(self.name(wanted), np.asarray(value))
        self.constants.append(constant)
        self.types[constant.name] = TensorType(constant.dtype, constant.shape)
        return constant.name

    def node(
        self,
        op: str,
        wanted: str,
        inputs: tuple[str, ...],
        outputs: tuple[tuple[str, TensorType], ...],
        domain: str = "",
        **attributes: Any,
    ) -> Node:
        """Add a node that writes tensors of these names and types."""
        proto = helper.make_node(op, (), (), domain=domain or None, **attributes)
        return self.add(proto, wanted, inputs, outputs)

    def copy(
        self, node: Node, wanted: str, inputs: tuple[str, ...], outputs: tuple[tuple[str, TensorType], ...]
    ) -> Node:
        """Add a node with the attributes of another."""
        proto = NodeProto()
        proto.CopyFrom(node.proto)
        del proto.metadata_props[:]
        return self.add(proto, wanted, inputs, outputs)

    def add(
        self,
        proto: NodeProto,
        wanted: str,
        inputs: tuple[str, ...],
        outputs: tuple[tuple[str, TensorType], ...],
    ) -> Node:
        """Add a prepared node under a name of its own."""
        name = self.name(wanted)
        proto.name = name
        proto.input[:] = inputs
        proto.output[:] = [output for output, _ in outputs]
        for entry in self.pattern.proto.metadata_props:
            if entry.key == _SCOPE_KEY:
                proto.metadata_props.add(key=entry.key, value=entry.value)
        written = tuple(output for output, _ in outputs)
        node = Node(name, proto.op_type, proto.domain, inputs, written, proto)
        self.nodes.append(node)
        self.types.update(outputs)
        return node

    def quantized(self, tensor: str, type_: TensorType, grid: Grid, wanted: str = "", into: str = "") -> str:
        """Put `tensor` through a Q and a DQ and return what the DQ writes; names follow onnxruntime's habit.

        They are made of `wanted` instead of `tensor` where that is given; the DQ writes `into` where that is.
        """
        parameters = (grid.scale, grid.zero_point or self._zero(grid))
        base = wanted or tensor
        stored = self.name(f"{base}_{QUANTIZE}_Output")
        real = into or self.name(f"{base}_{DEQUANTIZE}_Output")
        quantize = _border(QUANTIZE, grid.like)
        self.add(
            quantize,
            f"{base}_{QUANTIZE}",
            (tensor, *parameters),
            ((stored, TensorType(grid.stored, type_.shape)),),
        )
        dequantize = _border(DEQUANTIZE, grid.like)
        self.add(
            dequantize,
            f"{base}_{DEQUANTIZE}",
            (stored, *parameters),
            ((real, TensorType(grid.real, type_.shape)),),
        )
        return real

    def _zero(self, grid: Grid) -> str:
        """A zero point for a grid that leaves it out: without one a Q would write uint8."""
        if grid.scale not in self._zeros:
            scale = self.graph.constants[grid.scale].array()
            wanted = f"{self.pattern.name}_zero_point"
            self._zeros[grid.scale] = self.constant(wanted, np.zeros(scale.shape, grid.stored))
        return self._zeros[grid.scale]

    def grid(self, wanted: str, scale: float, zero_point: int, like: Grid) -> Grid:
        """A new grid of the same types as another."""
        real = self.graph.constants[like.scale].array().dtype
        return Grid(
            self.constant(f"{wanted}_scale", np.asarray(scale, real)),
            self.constant(f"{wanted}_zero_point", np.asarray(zero_point, like.stored)),
            like.stored,
            like.real,
            like.like,
        )


def _border(op: str, like: Node) -> NodeProto:
    """A Q or DQ of the same domain as `like`, and with its attributes where it is of the same operator."""
    proto = NodeProto()
    if like.op == op:
        proto.CopyFrom(like.proto)
        del proto.metadata_props[:]
    else:
        proto.op_type, proto.domain = op, like.domain
    return proto


def grid_of(graph: Graph, node: Node) -> Grid:
    """The grid of a Q or DQ."""
    stored, real = (1, 0) if node.op == QUANTIZE else (0, 1)
    names = (node.input(0), node.output(0))
    return Grid(
        node.input(1), node.input(2), graph.type(names[stored]).dtype, graph.type(names[real]).dtype, node
    )


def names_in(body: GraphProto) -> set[str]:
    """All node and tensor names in a subgraph and in those below it."""
    names = {tensor.name for tensor in (*body.initializer, *body.input, *body.output)}
    for proto in body.node:
        names |= {proto.name, *proto.input, *proto.output}
        for attribute in proto.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    names |= names_in(inner)
    return names


def removed_with(graph: Graph, core: tuple[Node, ...], inserted: list[Node]) -> frozenset[str]:
    """Names of `core` and of the nodes before it that only made constants for it and now make them for none."""
    removed = {node.name: node for node in core}
    still_read = {name for node in inserted for name in node.inputs}
    pending = [name for node in core for name in node.inputs]
    while pending:
        node = graph.producer(pending.pop())
        if node is None or node.name in removed or not _from_constants(graph, node):
            continue
        outputs = [name for name in node.outputs if name]
        readers = {graph.nodes[i].name for name in outputs for i in graph.consumers.get(name, ())}
        if (
            still_read.isdisjoint(outputs)
            and graph.output_set.isdisjoint(outputs)
            and readers <= removed.keys()
        ):
            removed[node.name] = node
            pending += node.inputs
    return frozenset(removed)


def set_axis(node: Node, axis: int | None) -> None:
    """Let the scales of a Q or DQ lie along an axis; None where there is one scale."""
    if axis is None:
        return
    for attribute in node.proto.attribute:
        if attribute.name == "axis":
            attribute.i = axis
            return
    node.proto.attribute.append(helper.make_attribute("axis", axis))


def _from_constants(graph: Graph, node: Node) -> bool:
    """A Constant, or a Q or DQ of a constant, or the DQ of such a Q, or what brings one into another shape."""
    if node.op == "Constant" or moves_constant(graph, node):
        return True
    before: Node | None = node
    for _ in range(2):
        if before is None or not is_qdq(before):
            return False
        if before.input(0) in graph.constants:
            return True
        before = graph.producer(before.input(0))
    return False
