"""TFLite files built with the runtime's own schema, which the reader under test does not use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

TYPES = {
    "float32": 0,
    "float16": 1,
    "int32": 2,
    "uint8": 3,
    "int64": 4,
    "bool": 6,
    "int16": 7,
    "int8": 9,
    "resource": 13,
    "int4": 17,
    "int2": 19,
    "uint4": 20,
}


class File:
    """Tensors and operators; `bytes` writes the file."""

    def __init__(self) -> None:
        pytest.importorskip("flatbuffers")
        self.schema: Any = pytest.importorskip("ai_edge_litert.schema_py_generated")
        self.model = self.schema.ModelT()
        self.model.version = 3
        self.model.description = "a test"
        self.model.buffers = [self.schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = self.schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.graph.name = "main"
        self.model.subgraphs = [self.graph]

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str = "int8",
        scale: float | list[float] | None = None,
        zero: int = 0,
        axis: int = 0,
        data: Any = None,
    ) -> int:
        """A tensor, constant with `data`."""
        made = self.schema.TensorT()
        made.name, made.shape, made.type = name, list(shape), TYPES[dtype]
        if scale is not None:
            scales = scale if isinstance(scale, list) else [scale]
            made.quantization = self.schema.QuantizationParametersT()
            made.quantization.scale = scales
            made.quantization.zeroPoint = [zero] * len(scales)
            made.quantization.quantizedDimension = axis
        if data is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            made.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def constant(self, name: str, data: Any, **quantization: Any) -> int:
        """A constant of an array's type and shape."""
        array = np.asarray(data)
        return self.tensor(name, array.shape, str(array.dtype), data=array, **quantization)

    def operator(
        self,
        kind: str,
        inputs: list[int],
        outputs: list[int],
        options: str = "",
        custom: str = "",
        version: int = 1,
        **fields: Any,
    ) -> None:
        """An operator with its options, by the schema's names."""
        code = self.schema.OperatorCodeT()
        code.builtinCode = getattr(self.schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = version
        if custom:
            code.customCode = custom
        self.model.operatorCodes.append(code)
        made = self.schema.OperatorT()
        made.opcodeIndex = len(self.model.operatorCodes) - 1
        made.inputs, made.outputs = inputs, outputs
        if options:
            made.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            made.builtinOptions = getattr(self.schema, f"{options}T")()
            for key, value in fields.items():
                setattr(made.builtinOptions, key, value)
        self.graph.operators.append(made)

    def bytes(self, inputs: list[int], outputs: list[int]) -> bytes:
        """The file."""
        import flatbuffers

        self.graph.inputs, self.graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
