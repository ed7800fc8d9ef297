"""ONNX nodes, constants and names; what an operator wrote can be taken back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper

from npuscope.tflite.flatbuffer import Array, DamagedError
from npuscope.tflite.schema import Operator, Quantization

ELEMENT_TYPES = {
    "float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "float64": TensorProto.DOUBLE,
    "bfloat16": TensorProto.BFLOAT16, "int8": TensorProto.INT8, "uint8": TensorProto.UINT8,
    "int16": TensorProto.INT16, "uint16": TensorProto.UINT16, "int32": TensorProto.INT32,
    "uint32": TensorProto.UINT32, "int64": TensorProto.INT64, "uint64": TensorProto.UINT64,
    "bool": TensorProto.BOOL, "string": TensorProto.STRING, "complex64": TensorProto.COMPLEX64,
    "complex128": TensorProto.COMPLEX128, "int4": TensorProto.INT8, "int2": TensorProto.INT8,
}  # fmt: skip
_UNTYPED = TensorProto.UNDEFINED
_LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


class Writer:
    """Builds the graph of a ModelProto."""

    def __init__(self, taken: Iterable[str], borders: Iterable[str], budget: int) -> None:
        self.model = ModelProto()
        self.proto = self.model.graph
        self.proto.name = "main"
        self._borders = frozenset(borders)
        self.operator: Operator | None = None
        self.opset = 17
        """ST's front end reads opsets up to 20; a wider one is taken only where a type needs it."""
        self._taken = set(taken)
        self._own: set[str] = set()
        self._node_names: set[str] = set()
        self._node_counts: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._parameters: dict[tuple[str, int], list[str]] = {}
        self._budget = budget
        self._journal: list[tuple[dict[Any, Any], Any]] = []

    # --- taking back

    def note(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        """An entry that `take_back` removes again."""
        table[key] = value
        self._journal.append((table, key))

    def mark(self) -> tuple[int, int, int]:
        """A state to come back to."""
        self._journal.clear()
        return len(self.proto.node), len(self.proto.initializer), len(self.proto.value_info)

    def take_back(self, mark: tuple[int, int, int]) -> None:
        """Remove what was written since `mark`."""
        nodes, initializers, types = mark
        del self.proto.node[nodes:], self.proto.initializer[initializers:], self.proto.value_info[types:]
        for table, key in self._journal:
            table.pop(key, None)
        self._journal.clear()

    # --- nodes

    def node(
        self,
        op: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        name: str,
        domain: str = "",
        **attributes: Any,
    ) -> None:
        """A node, with the operator of the file it comes from in its metadata."""
        made = self.proto.node.add(
            op_type=op,
            name=_unused(name, self._node_names, self._node_counts),
            domain=domain,
            input=inputs,
            output=outputs,
        )
        for key, value in attributes.items():
            if value is not None:
                made.attribute.append(helper.make_attribute(key, value))
        if self.operator is not None:
            made.metadata_props.add(key="tflite.operator", value=self.operator.kind)
            made.metadata_props.add(key="tflite.index", value=str(self.operator.index))

    @property
    def owner(self) -> str:
        """What the nodes of the operator at hand are named after."""
        return self.operator.name if self.operator is not None else "border"

    def reshape(self, source: str, result: str, shape: Sequence[int], name: str) -> None:
        """A Reshape to a constant shape."""
        target = self.initializer(f"{result}_shape", np.array(shape, np.int64))
        self.node("Reshape", [source, target], [result], name)

    def quantize(
        self, real: str, stored: str, quant: Quantization, dtype: str, owner: str, node: str | None = None
    ) -> None:
        """A QuantizeLinear."""
        inputs = [real, *self._quantization(quant, dtype, owner)]
        attributes: dict[str, Any] = {"axis": quant.axis} if quant.per_channel else {}
        self.node("QuantizeLinear", inputs, [stored], node or f"{self.owner}_quantize", **attributes)

    def dequantize(
        self,
        stored: str,
        real: str,
        quant: Quantization,
        dtype: str,
        axis: int,
        owner: str,
        node: str | None = None,
    ) -> None:
        """A DequantizeLinear."""
        inputs = [stored, *self._quantization(quant, dtype, owner)]
        attributes: dict[str, Any] = {"axis": axis} if quant.per_channel else {}
        self.node("DequantizeLinear", inputs, [real], node or f"{self.owner}_dequantize", **attributes)

    def _quantization(self, quant: Quantization, dtype: str, owner: str) -> list[str]:
        key = (owner, id(quant))
        known = self._parameters.get(key)
        if known is not None:
            return known
        if dtype == "int16":
            self.opset = 21
        if not quant.scale.min() > 0:
            raise DamagedError(f"states a scale of 0 for '{owner}'")
        parameters = {"scale": quant.scale}
        if dtype != "int32":
            least, most = _LIMITS[dtype]
            zero = quant.zero_point
            if zero.min() < least or zero.max() > most:
                raise DamagedError(f"states zero point {int(zero.min())} for '{owner}', which is {dtype}")
            parameters["zero_point"] = zero.astype(dtype)
        made = [
            self.initializer(f"{owner}_{kind}", array if quant.per_channel else array.reshape(()))
            for kind, array in parameters.items()
        ]
        self.note(self._parameters, key, made)
        return made

    # --- constants, names, types

    def spend(self, amount: int) -> None:
        """Count the bytes of constants made. Raises DamagedError where they are many times the file."""
        self._budget -= amount
        if self._budget < 0:
            raise DamagedError("uses the same constants so often that they come to many times its own size")

    def initializer(self, name: str, array: Array, own: str | None = None) -> str:
        """A constant of the ONNX graph; the first one of a tensor bears its `own` name. Raises DamagedError."""
        self.spend(array.nbytes)
        if own is not None and own not in self._own:
            self._own.add(own)
            name = own
        else:
            name = self.fresh(name)
        data = np.ascontiguousarray(array)
        element = helper.np_dtype_to_tensor_dtype(data.dtype)
        self.proto.initializer.add(name=name, data_type=element, dims=array.shape, raw_data=data.tobytes())
        return name

    def fresh(self, name: str) -> str:
        """A tensor's name: `name`, or with a number behind it where it is taken."""
        return _unused(name, self._taken, self._counts)

    def state(self, name: str, dtype: str, shape: Sequence[int]) -> None:
        """Record a tensor's type; those of inputs and outputs are with them."""
        element = ELEMENT_TYPES.get(dtype, _UNTYPED)
        if element != _UNTYPED and name not in self._borders:
            self.proto.value_info.append(helper.make_tensor_value_info(name, element, shape))


def _unused(name: str, taken: set[str], counts: dict[str, int]) -> str:
    """`name`, or with a number behind it where it is taken; it is taken from now on."""
    made = name
    while made in taken:
        count = counts[name] = counts.get(name, 0) + 1
        made = f"{name}_{count}"
    taken.add(made)
    return made
