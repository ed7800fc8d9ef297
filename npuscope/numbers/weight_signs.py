"""Integer weights as onnxruntime multiplies them exactly: with the sign of the activations.

onnxruntime's kernels for uint8 activations and int8 weights add two products in 16 bits on x64 CPUs without VNNI:
255 x 127 twice is more than 32767, and saturates, whatever the optimization level. Its ConvInteger misreads uint8
weights beside int8 activations, and QLinear operators have no kernel for them. Both go with weights of the
activations' own type: 128 more, or less, in the weights and in their zero point leaves every difference of the two,
and so every sum, as it was.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import field

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from npuscope.model.errors import ModelError
from npuscope.model.tensors import dtype_number
from npuscope.record import dataclass

TypeOf = Callable[[str], str]
"""Name of a tensor -> its element type, 'unknown' where nobody knows it."""

HALF = 128
"""Between int8 and uint8 of the same place."""

INT8, UINT8 = TensorProto.INT8, TensorProto.UINT8
_STANDARD, _MICROSOFT = ("", "ai.onnx"), "com.microsoft"


@dataclass(frozen=True, slots=True)
class _Places:
    """Where an operator has its operands. `x_zero` is None where the activations are quantized inside, to uint8."""

    weight: int
    weight_zero: int
    x_zero: int | None


_QLINEAR = _Places(weight=3, weight_zero=5, x_zero=2)
_INTEGER = _Places(weight=1, weight_zero=3, x_zero=2)
OPERATORS = {
    **{(domain, op): _QLINEAR for domain in _STANDARD for op in ("QLinearConv", "QLinearMatMul")},
    **{(domain, op): _INTEGER for domain in _STANDARD for op in ("ConvInteger", "MatMulInteger")},
    (_MICROSOFT, "QLinearConv"): _QLINEAR,
    (_MICROSOFT, "QGemm"): _QLINEAR,
    (_MICROSOFT, "MatMulIntegerToFloat"): _Places(weight=1, weight_zero=5, x_zero=4),
    (_MICROSOFT, "DynamicQuantizeMatMul"): _Places(weight=1, weight_zero=3, x_zero=None),
}


def match_weight_signs(model: ModelProto, type_of: TypeOf) -> None:
    """Give the weights of every integer product in the model, bodies of control flow included, the sign of its
    activations. Products whose types are not known stay as they are.
    """
    _Scope(model.graph, ChainMap(), type_of, _names(model.graph)).rewrite()


@dataclass(slots=True)
class _Scope:
    """A graph, and what the graphs around it hold."""

    graph: GraphProto
    tensors: ChainMap[str, TensorProto]
    type_of: TypeOf
    names: set[str]
    flipped: MutableMapping[str, str] = field(default_factory=dict)
    """Tensor -> the same tensor of the other sign."""
    before: list[NodeProto] = field(default_factory=list)
    """Nodes that go before the next one."""

    def rewrite(self) -> None:
        self.tensors = self.tensors.new_child({tensor.name: tensor for tensor in self.graph.initializer})
        nodes: list[NodeProto] = []
        changed = False
        for node in self.graph.node:
            for body in _bodies(node):
                _Scope(body, self.tensors, self.type_of, self.names).rewrite()
            places = OPERATORS.get((node.domain, node.op_type))
            if places is not None and self._match(node, places):
                changed = True
            nodes += [*self.before, node]
            self.before.clear()
        if changed:
            copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
            del self.graph.node[:]
            self.graph.node.extend(copies)

    def _match(self, node: NodeProto, places: _Places) -> bool:
        """Whether the node's weights had to change."""
        if len(node.input) <= places.weight:
            return False
        weight, zero = node.input[places.weight], _input(node, places.weight_zero)
        wanted: int = UINT8
        if places.x_zero is not None:
            wanted = self._type(node.input[0], _input(node, places.x_zero))
        present = self._type(weight, zero)
        if {wanted, present} != {INT8, UINT8}:
            return False
        node.input[places.weight] = self._flip(weight, present)
        node.input.extend([""] * (places.weight_zero + 1 - len(node.input)))
        node.input[places.weight_zero] = self._flip(zero, present) if zero else self._shifted_zero(wanted)
        return True

    def _type(self, *names: str) -> int:
        """The element type of the first that has one: a tensor and its zero point have the same."""
        for name in names:
            if name in self.tensors:
                return self.tensors[name].data_type
            if name and (dtype := self.type_of(name)) in ("int8", "uint8"):
                return dtype_number(dtype)
        return TensorProto.UNDEFINED

    def _flip(self, name: str, present: int) -> str:
        if name in self.flipped:
            return self.flipped[name]
        wanted = UINT8 if present == INT8 else INT8
        flipped = self.flipped[name] = self._name(f"{name}_{'u8' if wanted == UINT8 else 's8'}")
        tensor = self.tensors.get(name)
        if tensor is not None and tensor.data_location != TensorProto.EXTERNAL:
            values = _array(tensor).view(np.uint8) ^ np.uint8(HALF)
            array = values if wanted == UINT8 else values.view(np.int8)
            self.graph.initializer.append(numpy_helper.from_array(array, flipped))
            return flipped
        wide, moved = self._name(f"{flipped}_wide"), self._name(f"{flipped}_moved")
        half = self._name(f"{flipped}_half")
        offset = np.array(HALF if wanted == UINT8 else -HALF, np.int32)
        self.graph.initializer.append(numpy_helper.from_array(offset, half))
        self.before += [
            helper.make_node("Cast", [name], [wide], name=self._name(wide), to=TensorProto.INT32),
            helper.make_node("Add", [wide, half], [moved], name=self._name(moved)),
            helper.make_node("Cast", [moved], [flipped], name=self._name(flipped), to=wanted),
        ]
        return flipped

    def _shifted_zero(self, wanted: int) -> str:
        """The zero point of weights that had none, which is 0."""
        name = self._name("zero_u8" if wanted == UINT8 else "zero_s8")
        value = np.array(HALF, np.uint8) if wanted == UINT8 else np.array(-HALF, np.int8)
        self.graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def _name(self, wanted: str) -> str:
        """A name that nothing in the model has."""
        name, number = wanted, 1
        while name in self.names:
            number += 1
            name = f"{wanted}_{number}"
        self.names.add(name)
        return name


def _array(tensor: TensorProto) -> np.ndarray:
    try:
        return np.atleast_1d(numpy_helper.to_array(tensor)).reshape(tuple(tensor.dims))
    except ValueError as error:
        raise ModelError(f"{tensor.name!r} does not hold as many values as its shape says") from error


def _input(node: NodeProto, index: int) -> str:
    return node.input[index] if index < len(node.input) else ""


def _bodies(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _names(graph: GraphProto) -> set[str]:
    """Of all nodes and tensors, bodies included."""
    names = {value.name for values in (graph.input, graph.output, graph.initializer) for value in values}
    for node in graph.node:
        names |= {node.name, *node.input, *node.output}
        for body in _bodies(node):
            names |= _names(body)
    return names
