"""Models to measure with: long QDQ chains, and one with large inline weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper


def qdq_chain(path: Path, layers: int, channels: int = 16) -> Path:
    """A chain of int8 1x1 Conv, residual Add and Sigmoid layers in QDQ form; about 4 nodes a layer."""
    rng = np.random.default_rng(0)
    nodes: list[NodeProto] = []
    tensors = [
        numpy_helper.from_array(np.array(0.05, np.float32), "s"),
        numpy_helper.from_array(np.array(3, np.int8), "z"),
        numpy_helper.from_array(np.zeros(channels, np.int8), "wz"),
    ]
    tensor = "x"
    for i in range(layers):
        prefix = f"/block{i // 30}/layer{i}"
        nodes.append(helper.make_node("DequantizeLinear", [tensor, "s", "z"], [f"f{i}"], name=f"{prefix}/dq"))
        kind = ("Conv", "Sigmoid", "Add")[i % 3]
        reads = [f"f{i}"]
        if kind == "Conv":
            weights = rng.integers(-127, 128, (channels, channels, 1, 1), dtype=np.int8)
            tensors += [
                numpy_helper.from_array(weights, f"w{i}"),
                numpy_helper.from_array(rng.uniform(0.01, 0.02, channels).astype(np.float32), f"ws{i}"),
            ]
            nodes.append(
                helper.make_node(
                    "DequantizeLinear", [f"w{i}", f"ws{i}", "wz"], [f"wf{i}"], name=f"{prefix}/w", axis=0
                )
            )
            reads.append(f"wf{i}")
        elif kind == "Add":
            reads.append(f"f{i - 1}")
        nodes.append(helper.make_node(kind, reads, [f"r{i}"], name=f"{prefix}/{kind}"))
        nodes.append(helper.make_node("QuantizeLinear", [f"r{i}", "s", "z"], [f"q{i}"], name=f"{prefix}/q"))
        tensor = f"q{i}"
    shape = [1, channels, 16, 16]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.INT8, shape)],
        [helper.make_tensor_value_info(tensor, TensorProto.INT8, shape)],
        tensors,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def inline_weights(path: Path, megabytes: int) -> Path:
    """A chain of float Gemm whose weights lie in the file."""
    width = 2048
    count = max(1, megabytes * 1_000_000 // (width * width * 4))
    weights = np.zeros((width, width), np.float32)
    nodes, tensors, tensor = [], [], "x"
    for i in range(count):
        tensors.append(numpy_helper.from_array(weights, f"w{i}"))
        nodes.append(helper.make_node("Gemm", [tensor, f"w{i}"], [f"y{i}"], name=f"gemm{i}"))
        tensor = f"y{i}"
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, width])],
        [helper.make_tensor_value_info(tensor, TensorProto.FLOAT, [1, width])],
        tensors,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path
