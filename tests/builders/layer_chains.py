"""Models of two layers with weights and quantized operators between them, as onnxruntime's quantizer writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper

from builders.edit_checks import opened
from builders.weighted_layers import Array, Builder, saved
from npuscope.session import Session

BETWEEN = (
    "Relu",
    "Sigmoid",
    "LeakyRelu",
    "MaxPool",
    "AveragePool",
    "depthwise",
    "Mul",
    "float Mul",
    "PRelu",
    "residual",
    "Transpose",
    "Clip",
)
"""Operators that handle each channel alone."""

MOVERS = ("Transpose", "MaxPool")
"""Those that only move values."""

HEADS = ("Conv", "pool Gemm", "Flatten Gemm", "Reshape MatMul", "Squeeze MatMul")
"""What reads the channels in the end."""


@dataclass(frozen=True)
class ChainSpec:
    """x [1, first, size, size] -> Conv `A` -> `between` -> `head`, whose last layer is `B` -> y."""

    first: int = 3
    channels: int = 5
    last: int = 4
    size: int = 3
    kernel: int = 1
    between: tuple[str, ...] = ()
    head: str = "Conv"
    zero_point: int = 5
    per_channel: bool = True
    opset: int = 13
    seed: int = 0


@st.composite
def chains(draw: st.DrawFn) -> ChainSpec:
    return ChainSpec(
        first=draw(st.integers(1, 6)),
        channels=draw(st.integers(2, 12)),
        last=draw(st.integers(1, 6)),
        size=draw(st.integers(2, 4)),
        kernel=draw(st.sampled_from((1, 3))),
        between=tuple(draw(st.lists(st.sampled_from(BETWEEN), max_size=3))),
        head=draw(st.sampled_from(HEADS)),
        zero_point=draw(st.sampled_from((-128, 0, 5, -19))),
        per_channel=draw(st.booleans()),
        opset=draw(st.sampled_from((13, 17))),
        seed=draw(st.integers(0, 99)),
    )


class Chain(Builder):
    """Builds a chain; `last` is the tensor written last, behind its DQ."""

    def __init__(self, spec: ChainSpec) -> None:
        super().__init__()
        self.spec, self.rng = spec, np.random.default_rng(spec.seed)
        self.grids: dict[str, tuple[float, int]] = {}

    def grid(self, tensor: str, scale: float, zero: int) -> list[str]:
        return [
            self.constant(f"{tensor}_scale", np.array(scale, np.float32)),
            self.constant(f"{tensor}_zero_point", np.array(zero, np.int8)),
        ]

    def pair(self, tensor: str, scale: float, zero: int) -> str:
        names = self.grid(tensor, scale, zero)
        self.node("QuantizeLinear", f"{tensor}_QuantizeLinear", [tensor, *names], f"{tensor}_q")
        self.grids[f"{tensor}_dq"] = (scale, zero)
        return self.node(
            "DequantizeLinear", f"{tensor}_DequantizeLinear", [f"{tensor}_q", *names], f"{tensor}_dq"
        )

    def moved(self, tensor: str, source: str) -> str:
        """The Q and DQ of a tensor that holds values of another, on its grid, as the quantizer sets them."""
        return self.pair(tensor, *self.grids[source])

    def weights(self, name: str, shape: tuple[int, ...], axis: int) -> str:
        count = shape[axis] if self.spec.per_channel else 1
        scale: Array = self.rng.uniform(0.004, 0.02, count).astype(np.float32)
        zero: Array = np.zeros(count, np.int8)
        per: dict[str, Any] = {"axis": axis}
        if not self.spec.per_channel:
            scale, zero, per = scale.reshape(()), zero.reshape(()), {}
        values = self.rng.integers(-127, 128, shape).astype(np.int8)
        return self.dequantized(self.constant(name, values), scale, zero, **per)

    def bias(self, name: str, count: int) -> str:
        per: dict[str, Any] = {"axis": 0} if self.spec.per_channel else {}
        scale = np.full(count if self.spec.per_channel else (), 1e-3, np.float32)
        values = self.rng.integers(-300, 300, count).astype(np.int32)
        return self.dequantized(self.constant(name, values), scale, np.zeros(scale.shape, np.int32), **per)

    def middle(self, op: str, index: int, source: str, channels: int) -> tuple[str, int]:
        name = f"M{index}"
        if op == "depthwise":
            weight = self.weights(f"{name}_w", (channels, 1, 3, 3), 0)
            inputs = [source, weight, self.bias(f"{name}_b", channels)]
            self.node("Conv", name, inputs, f"{name}_o", group=channels, kernel_shape=[3, 3], pads=[1] * 4)
        elif op == "Mul":
            values = self.rng.integers(-90, 90, (channels, 1, 1)).astype(np.int8)
            other = self.dequantized(
                self.constant(f"{name}_c", values), np.array(0.02, np.float32), np.array(3, np.int8)
            )
            self.node("Mul", name, [other, source], f"{name}_o")
        elif op == "float Mul":
            values = self.rng.uniform(-1, 1, (1, channels, 1, 1)).astype(np.float32)
            self.node("Mul", name, [source, self.constant(f"{name}_c", values)], f"{name}_o")
        elif op == "PRelu":
            slope = self.rng.uniform(-1, 1, (channels, 1, 1)).astype(np.float32)
            self.node("PRelu", name, [source, self.constant(f"{name}_c", slope)], f"{name}_o")
        elif op == "residual":
            self.node("Tanh", f"{name}_t", [source], f"{name}_s")
            self.node("Add", name, [source, self.pair(f"{name}_s", 0.008, 0)], f"{name}_o")
        elif op == "Transpose":
            self.node("Transpose", f"{name}_t", [source], f"{name}_s", perm=[0, 2, 3, 1])
            moved = self.moved(f"{name}_s", source)
            self.node("Transpose", name, [moved], f"{name}_o", perm=[0, 3, 1, 2])
        elif op in ("MaxPool", "AveragePool"):
            self.node(op, name, [source], f"{name}_o", kernel_shape=[2, 2], pads=[0, 0, 1, 1])
        elif op == "Clip":
            bounds = [
                self.constant(f"{name}_{i}", np.array(v, np.float32)) for i, v in enumerate((-1.5, 2.5))
            ]
            self.node("Clip", name, [source, *bounds], f"{name}_o")
        else:
            self.node(op, name, [source], f"{name}_o")
        if op in MOVERS:
            return self.moved(f"{name}_o", source), channels
        return self.pair(f"{name}_o", self.rng.uniform(0.02, 0.06), int(self.rng.integers(-20, 20))), channels

    def head(self, source: str) -> tuple[str, list[int]]:
        """The tensor B writes, and its shape."""
        spec = self.spec
        area, channels = spec.size * spec.size, spec.channels
        if spec.head == "Conv":
            weight = self.weights("B_w", (spec.last, channels, 1, 1), 0)
            return self.node("Conv", "B", [source, weight, self.bias("B_b", spec.last)], "B_o"), [
                1,
                spec.last,
                spec.size,
                spec.size,
            ]
        if spec.head in ("pool Gemm", "Squeeze MatMul"):
            source, area = self.pair(self.node("GlobalAveragePool", "P", [source], "P_o"), 0.03, 1), 1
        if spec.head == "Reshape MatMul":
            shape = self.constant("R_shape", np.array([0, channels * area], np.int64))
            self.node("Reshape", "R", [source, shape], "R_o")
        elif spec.head == "Squeeze MatMul":
            self.node("Squeeze", "R", [source, self.constant("R_axes", np.array([2, 3], np.int64))], "R_o")
        else:
            self.node("Flatten", "R", [source], "R_o")
        flat = self.moved("R_o", source)
        if spec.head.endswith("MatMul"):
            weight = self.weights("B_w", (channels * area, spec.last), 1)
            return self.node("MatMul", "B", [flat, weight], "B_o"), [1, spec.last]
        weight = self.weights("B_w", (spec.last, channels * area), 0)
        return self.node("Gemm", "B", [flat, weight, self.bias("B_b", spec.last)], "B_o", transB=1), [
            1,
            spec.last,
        ]


def chain(spec: ChainSpec) -> onnx.ModelProto:
    """The model."""
    build = Chain(spec)
    names = build.grid("x", 0.03, spec.zero_point)
    source = build.node("DequantizeLinear", "x_DequantizeLinear", ["x", *names], "x_dq")
    weight = build.weights("A_w", (spec.channels, spec.first, spec.kernel, spec.kernel), 0)
    inputs = [source, weight, build.bias("A_b", spec.channels)]
    build.node("Conv", "A", inputs, "A_o", kernel_shape=[spec.kernel] * 2, pads=[spec.kernel // 2] * 4)
    at, channels = build.pair("A_o", 0.04, -7), spec.channels
    for index, op in enumerate(spec.between):
        at, channels = build.middle(op, index, at, channels)
    output, shape = build.head(at)
    ends = build.grid("y", 0.05, 2)
    build.node("QuantizeLinear", "y_QuantizeLinear", [output, *ends], "y")
    graph = helper.make_graph(
        build.nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.INT8, [1, spec.first, spec.size, spec.size])],
        [helper.make_tensor_value_info("y", TensorProto.INT8, shape)],
        build.initializers,
    )
    # AveragePool and MaxPool keep the size: stride 1, one pad at each end.
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", spec.opset)], ir_version=8)
    return onnx.shape_inference.infer_shapes(made, strict_mode=True)


def repeated(path: Path, zero_points: tuple[int, ...]) -> Session:
    """One chain of Conv after another with their own names and weights."""
    build = Chain(ChainSpec(channels=6))
    at = build.node("DequantizeLinear", "x_dq", ["x", *build.grid("x", 0.03, 3)], "x_f")
    for number, zero_point in enumerate(zero_points):
        name = f"block{number}/Conv"
        weight = build.weights(f"w{number}", (6, 6, 1, 1), 0)
        build.node("Conv", name, [at, weight], f"o{number}", kernel_shape=[1, 1])
        at = build.pair(f"o{number}", 0.04 + number / 1000, zero_point)
    build.node("QuantizeLinear", "y_q", [at, *build.grid("y", 0.05, 2)], "y")
    graph = helper.make_graph(
        build.nodes, "blocks",
        [helper.make_tensor_value_info("x", TensorProto.INT8, [1, 6, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.INT8, [1, 6, 4, 4])],
        build.initializers,
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return opened(saved(onnx.shape_inference.infer_shapes(made), path))
