"""Models of one Conv, Gemm or MatMul in QDQ form, as onnxruntime's quantizer writes them, in all their variety."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from npuscope.model.load import Source, load

Array = NDArray[Any]


@dataclass(frozen=True)
class Spec:
    """One layer. `kind` is conv1, conv2, gemm, matmul or matmul_left (the constant on the left).

    A Gemm has its bias in one of `BIAS_SHAPES`, M its rows and N its channels.
    """

    kind: str = "gemm"
    ich: int = 12
    och: int = 10
    group: int = 1
    rows: int = 1
    size: int = 5
    kernel: int = 1
    stride: int = 1
    pad: int = 0
    dilation: int = 1
    zero_point: int = 5
    out_zero_point: int = -3
    dtype: str = "int8"
    per_channel: bool = True
    negative_axis: bool = False
    float_weights: bool = False
    trans_a: bool = False
    trans_b: bool = True
    alpha: float = 1.0
    beta: float = 1.0
    bias: str = "int32"
    bias_shape: str = "N"
    activation: str = ""
    batch: int = 0
    opset: int = 13
    seed: int = 0


BIAS_SHAPES = ("N", "1,N", "M,1", "1", "")

NAME = "/net/head/Layer"
"""The layer's name; its scope is in it."""


@st.composite
def specs(
    draw: st.DrawFn, kinds: tuple[str, ...] = ("conv1", "conv2", "gemm", "matmul", "matmul_left")
) -> Spec:
    kind = draw(st.sampled_from(kinds))
    conv = kind.startswith("conv")
    kernel = draw(st.integers(1, 3)) if conv else 1
    signed = draw(st.booleans())
    zero = draw(st.sampled_from((-128, 0, 5, -19, 127)))
    och = draw(st.integers(2, 40))
    return Spec(
        kind=kind,
        ich=draw(st.integers(2, 40)),
        och=och,
        rows=draw(st.integers(1, 4) | st.just(och)),
        size=draw(st.integers(kernel * 2, 9)),
        kernel=kernel,
        stride=draw(st.integers(1, 2)) if conv else 1,
        pad=draw(st.integers(0, kernel // 2)),
        dilation=draw(st.integers(1, 2)) if conv else 1,
        zero_point=zero if signed else zero + 128,
        out_zero_point=draw(st.sampled_from((-128, 0, -3, 11))) + (0 if signed else 128),
        dtype="int8" if signed else "uint8",
        per_channel=draw(st.booleans()),
        negative_axis=draw(st.booleans()),
        float_weights=draw(st.booleans()),
        trans_a=draw(st.booleans()),
        trans_b=draw(st.booleans()),
        alpha=draw(st.sampled_from((1.0, 1.0, 0.5, -2.0))),
        beta=draw(st.sampled_from((1.0, 0.25))),
        bias=draw(st.sampled_from(("", "int32", "float"))),
        bias_shape=draw(st.sampled_from(BIAS_SHAPES)) if kind == "gemm" else "N",
        activation=draw(st.sampled_from(("", "", "Relu", "Clip"))),
        batch=draw(st.integers(0, 2)),
        opset=draw(st.sampled_from((13, 13, 17, 21))),
        seed=draw(st.integers(0, 1000)),
    )


def sizes(total: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Any two to four sizes that sum to `total`."""
    cuts = st.sets(st.integers(1, total - 1), min_size=1, max_size=min(3, total - 1))
    return cuts.map(lambda c: tuple(int(d) for d in np.diff([0, *sorted(c), total])))


class Builder:
    """Collects nodes and initializers."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: Array) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def node(self, op: str, name: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        return output

    def dequantized(self, tensor: str, scale: Array, zero: Array, **attributes: Any) -> str:
        inputs = [
            tensor,
            self.constant(f"{tensor}_scale", scale),
            self.constant(f"{tensor}_zero_point", zero),
        ]
        return self.node(
            "DequantizeLinear", f"{tensor}_DequantizeLinear", inputs, f"{tensor}_dq", **attributes
        )

    def model(
        self, shape: Sequence[int], kind: int = TensorProto.INT8, opset: int = 13, output: str = "y"
    ) -> onnx.ModelProto:
        """All of it, from "x" of that shape to the output, with inferred shapes."""
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", kind, shape)],
            [helper.make_tensor_value_info(output, kind, None)],
            self.initializers,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        return onnx.shape_inference.infer_shapes(made, strict_mode=True)


def model(spec: Spec) -> onnx.ModelProto:
    """The model: x (quantized) -> DQ -> layer [-> activation] -> Q -> DQ -> Q -> y."""
    rng = np.random.default_rng(spec.seed)
    build = Builder()
    in_scale = np.float32(rng.uniform(0.01, 0.05))
    shape, out_axis = weight_shape(spec)
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    count = spec.och if spec.per_channel else 1
    scales = rng.uniform(0.002, 0.02, count).astype(np.float32)
    taps = weights.size // spec.och // max(1, int(np.prod(shape[:-2])) if spec.kind == "matmul" else 1)
    out_scale = np.float32(scales.max() * in_scale * 74 * 74 * np.sqrt(taps) * abs(spec.alpha) / 30)

    build.constant("x_scale", in_scale)
    build.constant("x_zero_point", np.array(spec.zero_point, spec.dtype))
    build.node("DequantizeLinear", "x_DequantizeLinear", ["x", "x_scale", "x_zero_point"], "x_dq")
    axis: dict[str, int] = {}
    if spec.per_channel:
        axis = {"axis": out_axis - len(shape) if spec.negative_axis else out_axis}
    scale = scales if spec.per_channel else scales[0]
    zero = np.zeros(np.shape(scale), np.int8)
    if spec.float_weights:
        wide = scales.reshape([-1 if i == out_axis else 1 for i in range(len(shape))]) if axis else scale
        build.constant("w_float", (weights * wide).astype(np.float32))
        build.constant("w_scale", scale)
        build.constant("w_zero_point", zero)
        parameters = ["w_scale", "w_zero_point"]
        build.node("QuantizeLinear", "w_QuantizeLinear", ["w_float", *parameters], "w", **axis)
        build.node("DequantizeLinear", "w_DequantizeLinear", ["w", *parameters], "w_dq", **axis)
    else:
        build.dequantized(build.constant("w", weights), scale, zero, **axis)

    inputs = ["w_dq", "x_dq"] if spec.kind == "matmul_left" else ["x_dq", "w_dq"]
    if spec.bias and not spec.kind.startswith("matmul"):
        numbers = bias_shape(spec)
        if spec.bias == "float":
            bias = rng.normal(0, 20 * out_scale, numbers).astype(np.float32)
            inputs.append(build.constant("b", bias))
        else:
            biases = rng.integers(-20000, 20000, numbers).astype(np.int32)
            several = spec.per_channel and spec.bias_shape.endswith("N")
            per = {"axis": len(numbers) - 1} if several else {}
            of_bias = np.asarray(in_scale * (scale if several else np.max(scale)), np.float32)
            build.constant("b", np.asarray(biases, np.int32))
            build.dequantized("b", of_bias, np.zeros(np.shape(of_bias), np.int32), **per)
            inputs.append("b_dq")
    build.node(
        spec.kind.split("_")[0].rstrip("12").title().replace("Matmul", "MatMul"),
        NAME,
        inputs,
        "sum",
        **attributes(spec),
    )
    last = "sum"
    if spec.activation == "Relu":
        last = build.node("Relu", "/net/head/Relu", ["sum"], "activated")
    elif spec.activation == "Clip":
        bounds = [build.constant("low", np.float32(0)), build.constant("high", np.float32(out_scale * 90.3))]
        last = build.node("Clip", "/net/head/Clip", ["sum", *bounds], "activated")
    build.constant("y_scale", out_scale)
    build.constant("y_zero_point", np.array(spec.out_zero_point, spec.dtype))
    build.node("QuantizeLinear", "y_QuantizeLinear", [last, "y_scale", "y_zero_point"], "y")
    kind = TensorProto.INT8 if spec.dtype == "int8" else TensorProto.UINT8
    return build.model(input_shape(spec), kind, opset=spec.opset)


def weight_shape(spec: Spec) -> tuple[tuple[int, ...], int]:
    """The shape, and the axis of output channels."""
    if spec.kind.startswith("conv"):
        return (spec.och, spec.ich // spec.group, *[spec.kernel] * int(spec.kind[-1])), 0
    if spec.kind == "gemm":
        return ((spec.och, spec.ich), 0) if spec.trans_b else ((spec.ich, spec.och), 1)
    if spec.kind == "matmul":
        batch = (2,) if spec.batch == 2 else ()
        return (*batch, spec.ich, spec.och), len(batch) + 1
    return (spec.och, spec.ich), 0


def bias_shape(spec: Spec) -> tuple[int, ...]:
    sizes = {"N": spec.och, "M": spec.rows}
    return tuple(sizes.get(part, 1) for part in spec.bias_shape.split(",") if part)


def input_shape(spec: Spec) -> tuple[int, ...]:
    if spec.kind.startswith("conv"):
        return (1, spec.ich, *[spec.size] * int(spec.kind[-1]))
    if spec.kind == "gemm":
        return (spec.ich, spec.rows) if spec.trans_a else (spec.rows, spec.ich)
    batch = (2,) * min(spec.batch, 1)
    return (*batch, spec.ich, spec.rows) if spec.kind == "matmul_left" else (*batch, spec.rows, spec.ich)


def attributes(spec: Spec) -> dict[str, Any]:
    if spec.kind.startswith("conv"):
        rank = int(spec.kind[-1])
        return {
            "kernel_shape": [spec.kernel] * rank,
            "strides": [spec.stride] * rank,
            "dilations": [spec.dilation] * rank,
            "pads": [spec.pad] * 2 * rank,
            "group": spec.group,
        }
    if spec.kind == "gemm":
        return {
            "transA": int(spec.trans_a),
            "transB": int(spec.trans_b),
            "alpha": spec.alpha,
            "beta": spec.beta,
        }
    return {}


def saved(made: onnx.ModelProto, folder: Path, name: str = "model.onnx") -> Source:
    """Write a model and open it."""
    onnx.save(made, folder / name)
    return load(folder / name)
