"""The model that a row of a table of channel counts stands for."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from npuscope.planning.channels import GEMM, Shape


def one_layer(shape: Shape, channels: int) -> ModelProto:
    """The model a row stands for: int8 in, int8 out, Q/DQ around one operator; weights are ones."""
    inputs, outputs = shape.sides(channels)
    rows = shape.size[1]
    gemm = shape.op == GEMM
    source = (rows, inputs) if gemm else (1, inputs, *shape.size)
    result = (rows, outputs) if gemm else (1, outputs, *shape.output_size)
    weights = weights_of(shape, inputs, outputs)
    stored = {
        "s": np.float32(0.1),
        "zx": np.int8(shape.zero_point),
        "zero": np.int8(0),
        "w": np.ones(weights, np.int8),
        "b": np.zeros(outputs, np.int32),
        "zb": np.int32(0),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "zx"], ["xf"], name="x_dq"),
        helper.make_node("DequantizeLinear", ["w", "s", "zero"], ["wf"], name="w_dq"),
        helper.make_node("DequantizeLinear", ["b", "s", "zb"], ["bf"], name="b_dq"),
        helper.make_node(shape.op, ["xf", "wf", "bf"], ["yf"], name=shape.op),
        helper.make_node("QuantizeLinear", ["yf", "s", "zero"], ["y"], name="y_q"),
    ]
    nodes[3].attribute.extend(attributes_of(shape, inputs))
    graph = helper.make_graph(
        nodes,
        "one layer",
        [helper.make_tensor_value_info("x", TensorProto.INT8, source)],
        [helper.make_tensor_value_info("y", TensorProto.INT8, result)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def weights_of(shape: Shape, inputs: int, outputs: int) -> tuple[int, ...]:
    if shape.op == GEMM:
        return outputs, inputs
    return (outputs, 1 if shape.depthwise else inputs, *shape.kernel)


def attributes_of(shape: Shape, inputs: int) -> list[object]:
    if shape.op == GEMM:
        return [helper.make_attribute("transB", 1)]
    return [
        helper.make_attribute("kernel_shape", shape.kernel),
        helper.make_attribute("strides", shape.stride),
        helper.make_attribute("dilations", shape.dilation),
        helper.make_attribute("pads", shape.pads),
        helper.make_attribute("group", inputs if shape.depthwise else 1),
    ]
