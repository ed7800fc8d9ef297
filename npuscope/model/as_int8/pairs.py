"""Where onnxruntime's quantizer puts Q/DQ pairs, operator by operator: what each marks, in the order of the graph.

Source: onnxruntime 1.20 to 1.32, quantization/registry.py (QDQRegistry) and quantization/operators/; held to the real
quantizer by tests/model/test_as_int8.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

import numpy as np

from npuscope.model.graph import Graph, Node
from npuscope.record import dataclass

FLOATS = frozenset({"float32", "float16"})

NOT_QUANTIZED = frozenset(
    {
        "Cast", "Constant", "ConstantOfShape", "DequantizeLinear", "GRU", "If", "LSTM", "Loop", "QuantizeLinear", "RNN",
        "Range", "Scan", "Shape", "Size",
    }
)  # fmt: skip
"""Operators whose tensors the quantizer is not asked to quantize: no values, or bodies of their own."""

ACTIVATION, WEIGHT, BIAS = "activation", "weight", "bias"

LAST_AXIS = -1
"""Of the weights of a MatMul: its output channels, whatever the rank."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How a tensor is quantized.

    1. `axis` is that of the scales of weights, None where there is one scale.
    2. `like` names the tensor whose scale and zero point it shares, '' where it has its own.
    """

    role: str
    axis: int | None = None
    like: str = ""


@dataclass(eq=False)
class Pairs:
    """What is marked so far, and the activations that go into the range of the layer before them."""

    graph: Graph
    symmetric: bool
    marks: dict[str, Mark] = field(default_factory=dict)
    removed: dict[str, str] = field(default_factory=dict)
    """Output of a Relu or Clip that goes -> the tensor it is put in the place of."""
    removed_nodes: set[str] = field(default_factory=set)
    """Names of the nodes that go."""

    def constant(self, name: str) -> bool:
        """The model holds its value: an initializer, or what a Constant writes."""
        if name not in self.graph.constants:
            return False
        producer = self.graph.producer(name)
        return producer is None or producer.op == "Constant"

    def value(self, name: str) -> bool:
        """A float tensor."""
        return bool(name) and self.graph.type(name).dtype in FLOATS

    def mark(self, name: str, role: str = ACTIVATION, axis: int | None = None) -> None:
        """Mark a float tensor that is not marked yet."""
        if self.value(name) and (name not in self.marks or axis is not None):
            self.marks[name] = Mark(role, axis)

    def share(self, name: str, like: str) -> None:
        """Mark a float tensor for the scale of another."""
        if self.value(name):
            self.marks[name] = Mark(ACTIVATION, None, like)

    def weights(self, name: str, axis: int) -> None:
        """Mark weights, a scale a channel where they have that axis."""
        rank = len(self.graph.constants[name].shape) if self.constant(name) else 0
        if -rank <= axis < rank:
            self.mark(name, WEIGHT, axis % rank)
        else:
            self.mark(name, WEIGHT)

    def bias(self, name: str) -> None:
        """Mark a constant bias."""
        if self.constant(name) and self.value(name):
            self.marks.setdefault(name, Mark(BIAS))

    def now(self, name: str) -> str:
        """What a tensor is called once activations are folded away."""
        first, removed = name, self.removed
        while first in removed:
            first = removed[first]
        while name in removed and removed[name] != first:  # a shorter way for those that ask next
            removed[name], name = first, removed[name]
        return first


def find_pairs(graph: Graph, symmetric: bool = False) -> Pairs:
    """What is quantized of a float graph."""
    pairs = Pairs(graph, symmetric)
    for node in graph.nodes:
        if node.op not in NOT_QUANTIZED:
            _OPERATORS.get(node.op, _every_tensor)(pairs, node)
    return pairs


def _every_tensor(pairs: Pairs, node: Node) -> None:
    for name in (*node.inputs, *node.outputs):
        pairs.mark(name)


def _weighted(pairs: Pairs, node: Node) -> None:
    pairs.mark(node.input(0))
    pairs.mark(node.output(0))
    axis = {"Conv": 0, "ConvTranspose": 1}.get(node.op, 0 if node.integer("transB", 0) else 1)
    pairs.weights(node.input(1), axis)
    pairs.bias(node.input(2))


def _product(pairs: Pairs, node: Node) -> None:
    for name in (*node.inputs, *node.outputs):
        if pairs.constant(name):
            pairs.weights(name, LAST_AXIS)
        else:
            pairs.mark(name)


def _activation(pairs: Pairs, node: Node) -> None:
    """A Relu or Clip: one that alone reads what it reads goes, into the range of the layer before it."""
    source, result = node.input(0), node.output(0)
    if source not in pairs.marks:
        return
    graph = pairs.graph
    inside = source in graph.producers and source not in graph.output_set
    alone = inside and len(graph.consumers.get(source, ())) == 1 and pairs.now(result) != source
    if not pairs.symmetric and alone:
        del pairs.marks[source]
        pairs.removed[source] = result
        pairs.removed_nodes.add(node.name)
    else:
        pairs.mark(source)
    pairs.mark(result)


def _as_its_input(pairs: Pairs, node: Node) -> None:
    """Moves values: quantized where its input is, on its input's scale."""
    if node.input(0) in pairs.marks:
        pairs.share(node.output(0), node.input(0))


def _since(opset: int) -> Callable[[Pairs, Node], None]:
    def marks(pairs: Pairs, node: Node) -> None:
        if pairs.graph.opset >= opset:
            _as_its_input(pairs, node)

    return marks


def _pad(pairs: Pairs, node: Node) -> None:
    for name in node.inputs:
        pairs.mark(name)
    if _pads_on_its_scale(pairs.graph, node):
        pairs.share(node.output(0), node.input(0))
    else:
        pairs.mark(node.output(0))


def _pads_on_its_scale(graph: Graph, node: Node) -> bool:
    if node.text("mode", "constant") != "constant":
        return True
    if not node.input(2):
        return True
    value = graph.value(node.input(2), 1)
    return value is not None and bool(np.all(np.asarray(value, np.float64) == 0))


def _split(pairs: Pairs, node: Node) -> None:
    pairs.mark(node.input(0))
    for name in node.outputs:
        pairs.share(name, node.input(0))


def _where(pairs: Pairs, node: Node) -> None:
    if node.input(1) in pairs.marks and node.input(2) in pairs.marks:
        for name in node.outputs:
            pairs.mark(name)


def _gather(pairs: Pairs, node: Node) -> None:
    source = node.input(0)
    if pairs.constant(source):
        pairs.mark(source)
    _as_its_input(pairs, node)


def _norm(pairs: Pairs, node: Node) -> None:
    pairs.mark(node.input(0))
    if pairs.constant(node.input(1)):
        pairs.weights(node.input(1), 1)
    else:
        pairs.mark(node.input(1))
    pairs.bias(node.input(2))
    for name in node.outputs:
        pairs.mark(name)


_OPERATORS: Mapping[str, Callable[[Pairs, Node], None]] = {
    "AveragePool": _as_its_input,
    "BatchNormalization": _norm,
    "Clip": _activation,
    "Conv": _weighted,
    "ConvTranspose": _weighted,
    "Flatten": _as_its_input,
    "Gather": _gather,
    "GatherElements": _gather,
    "Gemm": _weighted,
    "InstanceNormalization": _norm,
    "LayerNormalization": _norm,
    "MatMul": _product,
    "MaxPool": _since(12),
    "Pad": _pad,
    "Relu": _activation,
    "Reshape": _as_its_input,
    "Resize": _since(11),
    "Slice": _as_its_input,
    "Split": _split,
    "Squeeze": _as_its_input,
    "TopK": _as_its_input,
    "Transpose": _as_its_input,
    "Unsqueeze": _as_its_input,
    "Where": _where,
}
