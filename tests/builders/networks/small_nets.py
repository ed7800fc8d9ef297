"""Small quantized networks, layer by layer; the weights are drawn."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    """A QDQ chain from one input; every method takes and gives the name of a dequantized tensor."""

    def __init__(self, shape: tuple[int, ...], dtype: int = TensorProto.FLOAT) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.shape, self.dtype, self.random = shape, dtype, np.random.default_rng(0)

    def constant(self, name: str, values: np.ndarray) -> str:
        """An initializer."""
        self.initializers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, op: str, inputs: list[str], name: str, **attributes: object) -> str:
        """A node with one output, named as it is."""
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def quantized(self, source: str, scale: float, zero: int) -> str:
        """A Q and a DQ."""
        initializers = [
            self.constant(f"{source}_scale", np.float32(scale)),
            self.constant(f"{source}_zero", np.int8(zero)),
        ]
        stored = self.node("QuantizeLinear", [source, *initializers], f"{source}_q")
        return self.node("DequantizeLinear", [stored, *initializers], f"{source}_dq")

    def dequantized(self, name: str, values: np.ndarray, scale: float) -> str:
        """Stored constants, with one scale for each output channel."""
        count = values.shape[0]
        inputs = [
            self.constant(name, values),
            self.constant(f"{name}_scale", np.full(count, scale, np.float32)),
            self.constant(f"{name}_zero", np.zeros(count, values.dtype)),
        ]
        return self.node("DequantizeLinear", inputs, f"{name}_dq", axis=0)

    def weighted(
        self,
        op: str,
        name: str,
        source: str,
        shape: tuple[int, ...],
        zero: int,
        relu: bool = True,
        **attributes: object,
    ) -> str:
        """A Conv or Gemm with weights of that shape, a Relu if asked, and its Q and DQ."""
        weights = self.random.integers(-127, 128, shape).astype(np.int8)
        inputs = [
            source,
            self.dequantized(f"{name}_w", weights, 0.002),
            self.dequantized(f"{name}_b", np.zeros(shape[0], np.int32), 1e-5),
        ]
        made = self.node(op, inputs, name, **attributes)
        if relu:
            made = self.node("Relu", [made], f"{name}_relu")
        return self.quantized(made, 0.01, zero)

    def model(
        self, result: str, shape: tuple[int, ...], dtype: int = TensorProto.FLOAT, opset: int = 18
    ) -> onnx.ModelProto:
        """The whole; its last node writes the output."""
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("x", self.dtype, self.shape)],
            [helper.make_tensor_value_info(result, dtype, shape)],
            self.initializers,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
