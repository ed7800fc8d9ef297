"""What one node of an older form is written out with: its attributes, what is known of its operands, the nodes made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper

from npuscope.model.errors import ModelError
from npuscope.model.graph import Graph, attribute_value
from npuscope.model.tensors import Array, dtype_number

MOST_READ = 1 << 10
"""Elements of a constant operand that is read."""


class NoFormError(Exception):
    """The node has no form in the newer opset; why, in a clause."""


class Names:
    """Names of tensors that are taken."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def free(self, name: str) -> str:
        """A name, with a number where another tensor has it."""
        made, number = name, 1
        while made in self._taken:
            number += 1
            made = f"{name}#{number}"
        self._taken.add(made)
        return made


class Writing:
    """The newer form of `node`, a copy that may be changed.

    `made` are the nodes to put before it, in order, `constants` what they read.

    `graph` finds what is known of the operands, the first time it is asked for.
    """

    def __init__(self, node: NodeProto, names: Names, graph: Callable[[], Graph]) -> None:
        self.node = node
        self.made: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._names = names
        self._graph = graph
        self._attributes = {attribute.name: attribute for attribute in node.attribute}

    def input(self, position: int) -> str:
        """The name of an input, '' where it is absent."""
        return self.node.input[position] if position < len(self.node.input) else ""

    def integer(self, name: str, default: int) -> int:
        """An int attribute, or the default."""
        value = self._value(name, AttributeProto.INT)
        return default if value is None else value

    def real(self, name: str, default: float) -> float:
        """A float attribute, or the default."""
        value = self._value(name, AttributeProto.FLOAT)
        return default if value is None else value

    def integers(self, name: str) -> list[int]:
        """An ints attribute, empty where it is absent."""
        return self._value(name, AttributeProto.INTS) or []

    def reals(self, name: str) -> list[float]:
        """A floats attribute, empty where it is absent."""
        return self._value(name, AttributeProto.FLOATS) or []

    def text(self, name: str) -> str:
        """A string attribute, '' where it is absent."""
        value = self._value(name, AttributeProto.STRING)
        return "" if value is None else value.decode("utf-8", "replace")

    def has(self, name: str) -> bool:
        """The node carries the attribute."""
        return name in self._attributes

    def _value(self, name: str, kind: int) -> Any:
        attribute = self._attributes.get(name)
        return attribute_value(attribute) if attribute is not None and attribute.type == kind else None

    def shape(self, tensor: str) -> tuple[object, ...] | None:
        """What is known of a tensor's sizes; None where its rank is not."""
        return self._graph().type(tensor).shape

    def value(self, tensor: str) -> Array | None:
        """The values of a small constant, None for anything else."""
        try:
            return self._graph().value(tensor, MOST_READ)
        except ModelError:  # in a file that is not there
            return None

    def element(self, tensor: str) -> int:
        """ONNX's number of a tensor's element type, float32 where it is not known."""
        dtype = self._graph().type(tensor).dtype
        return TensorProto.FLOAT if dtype == "unknown" else dtype_number(dtype)

    @property
    def _base(self) -> str:
        return next((name for name in self.node.output if name), self.node.name) or self.node.op_type

    def drop(self, *names: str) -> None:
        """Take attributes off the node."""
        kept = [attribute for attribute in self.node.attribute if attribute.name not in names]
        if len(kept) != len(self.node.attribute):
            copies = [AttributeProto.FromString(attribute.SerializeToString()) for attribute in kept]
            del self.node.attribute[:]
            self.node.attribute.extend(copies)

    def put(self, name: str, value: object) -> None:
        """Set an attribute of the node."""
        self.drop(name)
        kind = AttributeProto.INTS if value == [] else None  # of nothing no type can be told
        self.node.attribute.append(helper.make_attribute(name, value, attr_type=kind))

    def constant(self, array: Array) -> str:
        """The name of a new constant. It is no node: before opset 9 a Constant is float alone."""
        name = self._names.free(f"{self._base}_constant")
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def number(self, value: float) -> str:
        """A single number of the type of the node's data."""
        dtype = helper.tensor_dtype_to_np_dtype(self.element(self.input(0)))
        return self.constant(np.array(value, dtype))

    def make(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node before the last one; the tensor it writes."""
        name = self._names.free(f"{self._base}_{op}")
        self.made.append(helper.make_node(op, inputs, [name], name, **attributes))
        return name

    def last(self, op: str, *inputs: str, **attributes: object) -> None:
        """The node that writes what the older one wrote, under its name."""
        self.node.op_type = op
        self.node.input[:] = inputs
        del self.node.attribute[:]
        self.node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
