"""Models of one layer that lacks a quantization: float constants, a float output, or no Q/DQ at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto

from builders.weighted_layers import Builder

Array = NDArray[Any]

LAYER = "/net/Layer"
"""The layer's name."""


@dataclass(frozen=True)
class Float:
    """One layer. `quantized_in` and `quantized_out` say whether a Q/DQ stands before and behind it."""

    op: str = "PRelu"
    shape: tuple[int, ...] = (1, 6, 4, 4)
    quantized_in: bool = True
    quantized_out: bool = True
    activation: str = ""
    constant_first: bool = False
    attributes: dict[str, Any] = field(default_factory=dict, hash=False)
    opset: int = 13
    zero_point: int = 5
    seed: int = 0


UNARY = ("Sigmoid", "Tanh", "HardSigmoid", "Relu", "LeakyRelu", "GlobalAveragePool", "MaxPool", "HardSwish")
CONSTANT = ("PRelu", "Sub", "Add", "Mul", "Div")
WEIGHTED = ("Conv", "Gemm", "MatMul")


@st.composite
def floats(draw: st.DrawFn) -> Float:
    op = draw(st.sampled_from(UNARY + CONSTANT + WEIGHTED))
    is_unary = op in UNARY  # otherwise its constant is what makes it float
    quantized_in = draw(st.booleans())
    return Float(
        op=op,
        shape=(2, 6) if op == "Gemm" else (1, 6, 4, 4),
        quantized_in=quantized_in,
        quantized_out=draw(st.booleans()) and not (is_unary and quantized_in),
        activation=draw(st.sampled_from(("", "Relu"))) if op in WEIGHTED else "",
        constant_first=op in ("Sub", "Add", "Mul") and draw(st.booleans()),
        opset=draw(st.sampled_from((11, 13, 17))) if op != "HardSwish" else 14,
        zero_point=draw(st.sampled_from((-128, 0, 5))),
        seed=draw(st.integers(0, 1000)),
    )


def constant_of(spec: Float) -> Array:
    """The layer's float constant."""
    rng = np.random.default_rng(spec.seed)
    channels = spec.shape[1]
    if spec.op == "Div":
        return np.float32(rng.choice([-1, 1]) * rng.uniform(0.5, 4))
    if spec.op in CONSTANT:
        return rng.uniform(-1, 1, (channels, 1, 1)).astype(np.float32)
    shapes = {"Conv": (5, channels, 3, 3), "Gemm": (5, channels), "MatMul": (spec.shape[-1], 5)}
    return rng.normal(0, 0.3, shapes[spec.op]).astype(np.float32)


def float_model(spec: Float) -> onnx.ModelProto:
    """x -> [Q -> DQ ->] layer [-> activation] [-> Q -> DQ] -> y; x and y are float."""
    build = Builder()
    rng = np.random.default_rng(spec.seed + 1)
    scale = build.constant("x_scale", np.float32(0.03))
    zero = build.constant("x_zero_point", np.int8(spec.zero_point))
    source = "x"
    if spec.quantized_in:
        build.node("QuantizeLinear", "x_QuantizeLinear", ["x", scale, zero], "x_q")
        source = build.node("DequantizeLinear", "x_DequantizeLinear", ["x_q", scale, zero], "x_dq")
    inputs = [source]
    attributes = dict(spec.attributes)
    if spec.op in CONSTANT + WEIGHTED:
        inputs.append(build.constant("c", constant_of(spec)))
    if spec.constant_first:
        inputs.reverse()
    if spec.op == "Conv":
        inputs.append(build.constant("b", rng.normal(0, 0.5, 5).astype(np.float32)))
        attributes |= {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    elif spec.op == "Gemm":
        inputs.append(build.constant("b", rng.normal(0, 0.5, 5).astype(np.float32)))
        attributes["transB"] = 1
    elif spec.op == "MaxPool":
        attributes["kernel_shape"] = [2, 2]
    bare = spec.quantized_out or bool(spec.activation)
    last = build.node(spec.op, LAYER, inputs, "out" if bare else "y", **attributes)
    if spec.activation:
        last = build.node(spec.activation, "/net/After", [last], "after" if spec.quantized_out else "y")
    if spec.quantized_out:
        grid = [build.constant("y_scale", np.float32(0.05)), build.constant("y_zero_point", np.int8(-7))]
        build.node("QuantizeLinear", "y_QuantizeLinear", [last, *grid], "y_q")
        build.node("DequantizeLinear", "y_DequantizeLinear", ["y_q", *grid], "y")
    return build.model(spec.shape, TensorProto.FLOAT, opset=spec.opset)
