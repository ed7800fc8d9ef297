"""A drawn network of `style_twins` as TFLite: channels last, a tensor's grid and its layer's work the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from builders.tflite.files import File
from builders.tflite.operators import SAME, VALID, strides, window

Shape = tuple[int, ...]
PLAIN = {
    "Add": ("ADD", "AddOptions"),
    "Mul": ("MUL", "MulOptions"),
    "Sigmoid": ("LOGISTIC", ""),
    "LeakyRelu": ("LEAKY_RELU", "LeakyReluOptions"),
    "Softmax": ("SOFTMAX", "SoftmaxOptions"),
}
"""Operators that need no parameters: the kind, and the type of its options."""


class TfliteTwin(File):
    """Has the methods of `Twin`; shapes and axes are given channels first. `layers` maps its names to the file's."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: dict[str, Shape] = {}
        self.grids: dict[str, tuple[float, int]] = {}
        self.numbers: dict[str, int] = {}
        self.layers: dict[str, str] = {}
        self.count = 0

    def initializer(self, value: Any) -> Any:
        """A parameter is written by the operator that has it."""
        return value

    def written(self, name: str, real: str, grid: tuple[float, int], shape: Shape) -> str:
        """A tensor; it needs no QuantizeLinear."""
        self.shapes[name], self.grids[name] = shape, grid
        last = (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape
        self.numbers[name] = self.tensor(name, last, "int8", *grid)
        return name

    def layer(self, name: str, kind: str, inputs: list[int], options: str = "", **fields: Any) -> str:
        """An operator; the file's layers are numbered by its operators."""
        self.layers[name] = f"{kind}_{len(self.graph.operators)}"
        self.operator(kind, inputs, [self.numbers[name]], options, **fields)
        return name

    def integers(self, values: Any) -> int:
        return self.constant(f"p{len(self.graph.tensors)}", np.asarray(values, np.int32))

    def named(self, op: str, shape: Shape, grid: tuple[float, int]) -> str:
        self.count += 1
        return self.written(f"{op}_{self.count}", "", grid, shape)

    def apply(
        self,
        op: str,
        sources: list[str],
        shape: Shape,
        grid: tuple[float, int] | None = None,
        parameters: tuple[Any, ...] = (),
        **attributes: Any,
    ) -> str:
        """An operator of activations, of those that one TFLite operator says."""
        name = self.named(op, shape, grid or self.grids[sources[0]])
        inputs = [self.numbers[source] for source in sources]
        if op in PLAIN:
            fields = {"LeakyRelu": {"alpha": 0.1}, "Softmax": {"beta": 1.0}}.get(op, {})
            return self.layer(name, PLAIN[op][0], inputs, PLAIN[op][1], **fields)
        if op == "GlobalAveragePool":
            return self.layer(name, "MEAN", [*inputs, self.integers([1, 2])], "ReducerOptions", keepDims=True)
        if op in ("MaxPool", "AveragePool"):
            kind = "MAX_POOL_2D" if op == "MaxPool" else "AVERAGE_POOL_2D"
            (size, _), (step, _) = attributes["kernel_shape"], attributes["strides"]
            padding = SAME if any(attributes["pads"]) else VALID
            return self.layer(name, kind, inputs, "Pool2DOptions", **window(size, step, padding))
        if op == "Resize":
            way = {"nearest": "NearestNeighbor", "linear": "Bilinear"}[attributes["mode"]]
            kind = {"nearest": "RESIZE_NEAREST_NEIGHBOR", "linear": "RESIZE_BILINEAR"}[attributes["mode"]]
            return self.layer(name, kind, [*inputs, self.integers(shape[2:])], f"Resize{way}Options")
        if op == "Concat":
            return self.layer(name, "CONCATENATION", inputs, "ConcatenationOptions", axis=3)
        if op == "Pad":
            around = [[0, parameters[0][4 + axis]] for axis in (0, 2, 3, 1)]
            return self.layer(name, "PAD", [*inputs, self.integers(around)], "PadOptions")
        if op == "Slice":
            ends = self.integers([1, *shape[2:], shape[1]])
            inputs += [self.integers([0] * 4), ends, self.integers([1] * 4)]
            return self.layer(name, "STRIDED_SLICE", inputs, "StridedSliceOptions")
        assert op == "Reshape", op
        inputs.append(self.integers(shape))
        return self.layer(name, "RESHAPE", inputs, "ReshapeOptions", newShape=list(shape))

    def weighted(
        self, op: str, source: str, weight: Shape, shape: Shape, grid: tuple[float, int], **attributes: Any
    ) -> str:
        """A Conv or a Gemm."""
        name, outputs = self.named(op, shape, grid), weight[0]
        bias = np.ones(outputs, np.int32), [self.grids[source][0] * 0.01] * outputs
        inputs = [self.numbers[source], 0, self.constant(f"{name}_b", bias[0], scale=bias[1])]
        if op == "Gemm":
            inputs[1] = self.constant(f"{name}_w", np.ones(weight, np.int8), scale=0.01)
            return self.layer(name, "FULLY_CONNECTED", inputs, "FullyConnectedOptions")
        depthwise = attributes["group"] > 1
        last = (1, *weight[2:], outputs) if depthwise else (outputs, *weight[2:], weight[1])
        scales = [0.01] * outputs
        inputs[1] = self.constant(
            f"{name}_w", np.ones(last, np.int8), scale=scales, axis=3 if depthwise else 0
        )
        fields = strides(attributes["strides"][0])
        if depthwise:
            return self.layer(
                name, "DEPTHWISE_CONV_2D", inputs, "DepthwiseConv2DOptions", depthMultiplier=1, **fields
            )
        return self.layer(name, "CONV_2D", inputs, "Conv2DOptions", **fields)

    def file(self, ends: list[str]) -> bytes:
        """From the input to what is read last."""
        return self.bytes([self.numbers["input"]], [self.numbers[end] for end in ends])
