"""Activations from uint8 to int8, which is what the NPU's compiler is tested with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from npuscope.edits.edit import Declaration, Declared, Edit, Exactness, Patch, Refusal
from npuscope.edits.toolkit.drafting import Draft, removed_with
from npuscope.edits.toolkit.rewiring import rewired
from npuscope.edits.toolkit.shared_grids import moved, moves
from npuscope.model.graph import Graph, Node
from npuscope.model.layers import DEQUANTIZE, QUANTIZE, Layer, Layers, is_qdq
from npuscope.model.tensors import Array, TensorType, dtype_number
from npuscope.record import dataclass

SHIFT = 128
"""int8 data and zero points lie this much below the uint8 ones that stand for the same numbers."""

POOLS_INT8_SINCE = 12
"""Opset from which MaxPool takes int8."""


EXAMPLE = """<ir_version: 8, opset_import: ["" : 13]>
g (uint8[1,4] x) => (uint8[1,4] y) <float s = {0.1}, uint8 z = {128}>
{ f = DequantizeLinear(x, s, z)
  [op] r = Relu(f)
  y = QuantizeLinear(r, s, z) }"""


@dataclass(frozen=True, slots=True)
class ActivationsInt8(Declared):
    """Turn every uint8 tensor between Q and DQ, and every uint8 constant before a DQ, into int8.

    1. Data and zero points are lowered by 128, scales stay: every real number is unchanged.
    2. Inputs and outputs of the graph stay uint8, so that the application feeds and reads the same: a DQ and a Q
       on the same scale change the type there.
    """

    declaration: ClassVar[Declaration] = Declaration(
        "activations-int8",
        Exactness.BIT_EXACT,
        "The same real numbers under other integers.",
        answers=("N102",),
        example=EXAMPLE,
    )

    @property
    def layer(self) -> str:
        """'': the whole model."""
        return ""

    @classmethod
    def for_layer(cls, layer: Layer) -> Iterator[Edit]:
        """It is the same for every layer."""
        yield cls()

    def describe(self) -> str:
        """'turn uint8 activations into int8'."""
        return "turn uint8 activations into int8"

    def patch(self, graph: Graph, layers: Layers) -> Patch | Refusal:
        """The int8 model, or why a tensor has to stay uint8."""
        stored = _stored(graph)
        if isinstance(stored, Refusal):
            return stored
        if not stored:
            return Refusal("the model has no uint8 activations between QuantizeLinear and DequantizeLinear")
        return _Change(graph, stored).patch()


def _stored(graph: Graph) -> set[str] | Refusal:
    """The uint8 tensors that Q write and DQ read, and those that are only moved in between."""
    stored: set[str] = set()
    pending = [_quantized_side(node) for node in graph.nodes if _changes(graph, node)]
    while pending:
        tensor = pending.pop()
        if tensor in stored:
            continue
        stored.add(tensor)
        maker = graph.producer(tensor)
        near = [graph.nodes[i] for i in graph.consumers.get(tensor, ())]
        if maker is not None and tensor not in graph.constants:
            near.append(maker)
        for node in near:
            if is_qdq(node):
                continue
            if not moves(node) or (node.op == "MaxPool" and graph.opset < POOLS_INT8_SINCE):
                return Refusal(
                    f"{node.name} ({node.op}) works on the uint8 tensor {tensor} itself",
                    "convert QLinear operators to QDQ form first",
                )
            if tensor in graph.inputs or tensor in graph.output_set:
                return Refusal(
                    f"{tensor} is a uint8 input or output of the model that {node.name} only moves"
                )
            pending += [name for name in (*moved(node), *node.outputs) if name]
    return stored


def _changes(graph: Graph, node: Node) -> bool:
    """A uint8 Q or DQ, other than one that changes the type at the border of the graph."""
    if not is_qdq(node) or not _is_uint8(graph, node):
        return False
    if node.op == QUANTIZE:
        before = graph.producer(node.input(0))
        near = [] if before is None else [before]
        border = node.output(0) in graph.output_set
    else:
        near = [graph.nodes[i] for i in graph.consumers.get(node.output(0), ())]
        border = node.input(0) in graph.inputs
    opposite = DEQUANTIZE if node.op == QUANTIZE else QUANTIZE
    signed = [is_qdq(n) and n.op == opposite and not _is_uint8(graph, n) for n in near]
    return not (border and signed and all(signed))


def _quantized_side(node: Node) -> str:
    return node.output(0) if node.op == QUANTIZE else node.input(0)


def _is_uint8(graph: Graph, node: Node) -> bool:
    """The Q or DQ makes or takes uint8 by a constant zero point; a Q without one makes uint8."""
    if node.input(2):
        zero = graph.constant(node.input(2))
        return zero is not None and zero.dtype == "uint8"
    return graph.type(_quantized_side(node)).dtype in ("uint8", "unknown")


class _Change:
    def __init__(self, graph: Graph, stored: set[str]) -> None:
        self.graph, self.stored = graph, stored
        self.draft = Draft(graph, graph.nodes[0])
        self.changed: dict[str, tuple[Node, ...]] = {}
        self.shifted: dict[str, str] = {}
        self.inner: dict[str, str] = {}
        """Graph input or output -> the int8 tensor that takes its place inside."""
        self.converted: set[str] = set()

    def patch(self) -> Patch:
        graph, draft = self.graph, self.draft
        for tensor in sorted(self.stored):
            if tensor in graph.inputs or tensor in graph.output_set:
                self.inner[tensor] = draft.name(f"{tensor}_int8")
            if tensor not in graph.constants:
                type_ = TensorType("int8", graph.type(tensor).shape)
                draft.types[self.inner.get(tensor, tensor)] = type_
        for node in graph.nodes:
            if not self.stored.isdisjoint((*node.inputs, *node.outputs)):
                self.changed[node.name] = self.changed_node(node)
        old = tuple(graph.nodes[graph.node_index[name]] for name in self.changed)
        patch = Patch(frozenset(), (), tuple(draft.constants), draft.types, self.changed)
        removed = removed_with(graph, old, list(patch.added)) - self.changed.keys()
        return Patch(removed, (), patch.constants, patch.types, patch.replace)

    def changed_node(self, node: Node) -> tuple[Node, ...]:
        inputs = tuple(self.inside(name) for name in node.inputs)
        outputs = tuple(self.inner.get(name, name) for name in node.outputs)
        if not is_qdq(node):
            return (rewired(node, inputs, outputs),)
        zero = self.zero(node.input(2)) if node.input(2) else self.lowest(node.input(1))
        inputs = (inputs[0], node.input(1), zero)
        fresh = rewired(node, inputs, outputs)
        if node.integer("output_dtype", 0) and node.op == QUANTIZE:
            fresh = rewired(node, inputs, outputs, output_dtype=dtype_number("int8"))
        border = _quantized_side(node)
        if border not in self.inner:
            return (fresh,)
        if node.op == DEQUANTIZE and border in self.graph.inputs and border not in self.converted:
            self.converted.add(border)
            return (*self.retyped(node, border, self.inner[border], "int8"), fresh)
        if node.op == QUANTIZE:
            return (fresh, *self.retyped(node, self.inner[border], border, "uint8"))
        return (fresh,)

    def inside(self, tensor: str) -> str:
        if tensor in self.inner:
            return self.inner[tensor]
        constant = self.graph.constant(tensor)
        if tensor in self.stored and constant is not None:
            return self.shift(tensor, constant.array())
        return tensor

    def zero(self, name: str) -> str:
        return self.shift(name, self.graph.constants[name].array())

    def shift(self, name: str, values: Array) -> str:
        if name not in self.shifted:
            self.shifted[name] = self.draft.constant(name, (values.astype(np.int16) - SHIFT).astype(np.int8))
        return self.shifted[name]

    def lowest(self, scale: str) -> str:
        """The zero point for a Q or DQ that leaves it out: 0, which is now -128."""
        key = f"{scale} zero point"
        if key not in self.shifted:
            shape = self.graph.constants[scale].shape if scale in self.graph.constants else ()
            self.shifted[key] = self.draft.constant(f"{scale}_zero_point", np.full(shape, -SHIFT, np.int8))
        return self.shifted[key]

    def retyped(self, like: Node, source: str, result: str, to: str) -> tuple[Node, ...]:
        """A DQ and a Q on the scale of `like`, from one type to the other."""
        draft, start = self.draft, len(self.draft.nodes)
        unsigned = like.inputs[1:3]
        signed = (like.input(1), self.zero(like.input(2)) if like.input(2) else self.lowest(like.input(1)))
        shape = self.graph.type(_quantized_side(like)).shape
        real = draft.name(f"{result}_{DEQUANTIZE}_Output")
        stored, wanted = (unsigned, signed) if to == "int8" else (signed, unsigned)
        real_type = TensorType(self.graph.type(like.input(1)).dtype, shape)
        base = f"{_quantized_side(like)}_to_{to}"
        draft.node(DEQUANTIZE, f"{base}_{DEQUANTIZE}", (source, *stored), ((real, real_type),), like.domain)
        draft.node(
            QUANTIZE, f"{base}_{QUANTIZE}", (real, *wanted), ((result, TensorType(to, shape)),), like.domain
        )
        return tuple(draft.nodes[start:])
