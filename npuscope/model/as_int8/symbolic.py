"""A float model with the Q/DQ pairs that quantizing it would put in: names and places are those of the real model."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from npuscope.model.as_int8.pairs import ACTIVATION, BIAS, FLOATS, Mark, Pairs, find_pairs
from npuscope.model.as_int8.signs import MOST_READ, never_negative
from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph, Node
from npuscope.model.layer import DEQUANTIZE, QUANTIZE, is_qdq
from npuscope.model.load import Source
from npuscope.model.tensors import Constant, TensorType
from npuscope.record import dataclass

LOW = -128
"""The zero point of a tensor without negative values."""

SOME_ZERO = 5
"""Stands for a zero point that is not known: neither 0 nor -128, which only luck or --symmetric gives."""

NOTE = (
    "Judged as if quantized (int8 activations, int8 weights per channel, {kind}): no scale is known, a zero point only "
    "where it follows from the operators."
)


def as_int8(source: Source, symmetric: bool = False) -> Source:
    """The source of a float model as if `npuscope quantize` had made it int8. Nothing is run, no weights are read.

    1. `symmetric`: every zero point is 0. Else it is -128 where no negative value can be, and not known elsewhere.
    2. The graph can be judged and edited, neither run nor written. Raises ModelError for a model that holds Q/DQ or
       computes nothing in float.
    """
    graph = source.graph
    if any(is_qdq(node) for node in graph.nodes):
        raise ModelError(f"{source.path}: holds Q/DQ already; give the float model it was made from")
    if not any(graph.type(name).dtype in FLOATS for node in graph.nodes for name in node.outputs):
        raise ModelError(f"{source.path}: has no float operators that could be quantized")
    pairs = find_pairs(graph, symmetric)
    made = _Symbolic(graph, pairs, never_negative(graph)).build()
    note = NOTE.format(kind="symmetric" if symmetric else "asymmetric")
    return replace(source, graph=made, notes=(note, *source.notes))


def mostly_float(graph: Graph) -> bool:
    """A model to quantize: it holds no Q/DQ, and most of its operators write float values."""
    if any(is_qdq(node) for node in graph.nodes):
        return False
    working = [node for node in graph.nodes if node.op != "Constant" and node.outputs]
    in_float = sum(any(graph.type(name).dtype in FLOATS for name in node.outputs) for node in working)
    return 2 * in_float > len(working)


def zero_points_at_0(graph: Graph) -> Graph:
    """The graph with 0 for every zero point that is not known."""
    zeros = {
        name: Constant.of(name, np.zeros_like(constant.array()))
        for name in graph.assumed
        if (constant := graph.constants.get(name)) is not None and constant.dtype == "int8"
    }
    return replace(graph, constants={**graph.constants, **zeros}, assumed=graph.assumed - zeros.keys())


@dataclass(eq=False)
class _Symbolic:
    graph: Graph
    pairs: Pairs
    no_negative: frozenset[str]
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Constant] = field(default_factory=dict)
    types: dict[str, TensorType] = field(default_factory=dict)
    derived: dict[str, Constant] = field(default_factory=dict)
    assumed: set[str] = field(default_factory=set)
    grids: dict[str, tuple[str, str]] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)
    """Result of a Concat -> the tensor whose scale all its parts have."""
    nearer: dict[str, str] = field(default_factory=dict)
    """Activation -> one that its scale comes from, as near to the first of them as it was known to be."""
    taken: set[str] = field(default_factory=set)

    def build(self) -> Graph:
        graph, pairs = self.graph, self.pairs
        self.constants, self.types = dict(graph.constants), dict(graph.types)
        self.derived = dict(graph.derived)
        for name, mark in pairs.marks.items():
            if pairs.constant(name):
                self.constant(name, mark)
        for name in graph.inputs:
            if name in pairs.marks:
                self.pair(name, name)
        for node in graph.nodes:
            if node.name in pairs.removed_nodes or (node.op == "Constant" and node.output(0) in pairs.marks):
                continue
            if node.op == "Concat" and node.standard:
                self.join(node)
            written = tuple(pairs.now(name) if name else "" for name in node.outputs)
            inner = tuple(self.written(name) for name in written)
            self.nodes.append(_rewired(node, tuple(self.read(name) for name in node.inputs), inner))
            for name, raw in zip(written, inner, strict=True):
                if name in pairs.marks and not pairs.constant(name):
                    self.types[raw] = graph.type(name)
                    self.pair(name, raw)
        return replace(
            graph,
            nodes=tuple(self.nodes),
            constants=self.constants,
            types=self.types,
            derived=self.derived,
            as_int8=True,
            assumed=frozenset(self.assumed),
        )

    def read(self, name: str) -> str:
        """What a reader of a tensor reads instead."""
        name = self.pairs.now(name)
        mark = self.pairs.marks.get(name)
        if mark is None or mark.role == BIAS or name in self.graph.output_set:
            return name
        return f"{name}_{DEQUANTIZE}_Output"

    def written(self, name: str) -> str:
        """What the writer of a tensor writes instead: an output of the graph keeps its name behind its DQ."""
        marked = (
            name in self.pairs.marks and name in self.graph.output_set and name not in self.graph.constants
        )
        return f"{name}_{QUANTIZE}_Input" if marked else name

    def constant(self, name: str, mark: Mark) -> None:
        """Int8 weights, or an int32 bias, and the DQ behind them."""
        dtype = "int32" if mark.role == BIAS else "int8"
        constant = self.graph.constants[name]
        stored, read = self.name(f"{name}_quantized"), self.read(name)
        size = constant.shape[mark.axis] if mark.axis is not None else 1
        zero = 0 if mark.role != ACTIVATION else self.zero_of_constant(constant)
        grid = self.grid(name, zero, dtype, size if mark.axis is not None else None)
        self.constants[stored] = Constant.of(stored, np.broadcast_to(np.array(1, dtype), constant.shape))
        self.types[stored] = TensorType(dtype, constant.shape)
        self.types[read] = TensorType("float32", constant.shape)
        if mark.role == BIAS:
            self.constants.pop(name)
        elif mark.role == ACTIVATION:
            self.derived[read] = constant
        self.border(DEQUANTIZE, name, (stored, *grid), read, mark.axis)

    def pair(self, name: str, raw: str) -> None:
        """The Q and DQ of an activation, which a node writes as `raw`."""
        stored = f"{name}_{QUANTIZE}_Output"
        real = name if raw != name else f"{name}_{DEQUANTIZE}_Output"
        shape = self.graph.type(name).shape
        grid = self.grid_of(name)
        self.types[stored], self.types[real] = TensorType("int8", shape), self.graph.type(name)
        self.border(QUANTIZE, name, (raw, *grid), stored)
        self.border(DEQUANTIZE, name, (stored, *grid), real)

    def border(
        self, op: str, name: str, inputs: tuple[str, ...], output: str, axis: int | None = None
    ) -> None:
        attributes: dict[str, Any] = {} if axis is None else {"axis": axis}
        called = self.name(f"{name}_{op}")
        proto = helper.make_node(op, inputs, (output,), called, **attributes)
        self.nodes.append(Node(called, op, "", inputs, (output,), proto))

    def grid_of(self, name: str) -> tuple[str, str]:
        """Scale and zero point of an activation: of the tensor it shares them with, where it does."""
        first = self.root(name)
        return self.grid(first, LOW if first in self.no_negative else None, "int8")

    def root(self, name: str) -> str:
        """The tensor that an activation takes its scale from, in the end."""
        passed: dict[str, None] = {}
        while name not in passed:
            passed[name] = None
            like = (
                self.nearer.get(name)
                or self.pairs.now(self.pairs.marks[name].like)
                or self.shared.get(name, "")
            )
            if like not in self.pairs.marks:
                passed.popitem()
                self.nearer.update(dict.fromkeys(passed, name))
                break
            name = like
        return name

    def join(self, node: Node) -> None:
        """Parts of one scale, such as a tensor and what MaxPool makes of it, span its range together as well."""
        parts = {self.pairs.now(name) for name in node.inputs if name}
        result = self.pairs.now(node.output(0))
        if (
            result in self.pairs.marks
            and parts <= self.pairs.marks.keys()
            and not parts & self.graph.constants.keys()
        ):
            roots = {self.root(name) for name in parts}
            if len(roots) == 1:
                self.shared[result] = roots.pop()

    def grid(self, name: str, zero: int | None, dtype: str, size: int | None = None) -> tuple[str, str]:
        if name in self.grids:
            return self.grids[name]
        known = 0 if self.pairs.symmetric or dtype == "int32" else zero
        scale, zero_name = self.name(f"{name}_scale"), self.name(f"{name}_zero_point")
        shape = () if size is None else (size,)
        # Any values would do; tensors with a scale of their own must not share one by chance.
        value = np.float32(1 + (len(self.grids) + 1) / (1 << 20))
        self.hold(scale, np.full(shape, value, np.float32))
        self.hold(zero_name, np.full(shape, SOME_ZERO if known is None else known, dtype))
        self.assumed.add(scale)
        if known is None:
            self.assumed.add(zero_name)
        self.grids[name] = scale, zero_name
        return self.grids[name]

    def zero_of_constant(self, constant: Constant) -> int | None:
        if constant.size > MOST_READ:
            return None
        values = constant.array()
        return LOW if bool((values >= 0).all()) else None

    def hold(self, name: str, value: np.ndarray) -> None:
        self.constants[name] = Constant.of(name, value)
        self.types[name] = TensorType(self.constants[name].dtype, value.shape)

    def name(self, wanted: str) -> str:
        """`wanted`, longer where something in the graph is called so."""
        graph = self.graph
        while (
            wanted in self.taken
            or wanted in graph.types
            or wanted in graph.constants
            or wanted in graph.node_index
        ):
            wanted += "_"
        self.taken.add(wanted)
        return wanted


def _rewired(node: Node, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Node:
    if inputs == node.inputs and outputs == node.outputs:
        return node
    proto = NodeProto()
    proto.CopyFrom(node.proto)
    proto.input[:], proto.output[:] = inputs, outputs
    return Node(node.name, node.op, node.domain, inputs, outputs, proto)
