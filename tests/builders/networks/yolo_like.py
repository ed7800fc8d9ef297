"""A detector in small, int8 in QDQ form: residual blocks, long skips into Concats, a Softmax that the CPU runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper


class _Net:
    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.nodes: list[NodeProto] = []
        self.tensors = [
            numpy_helper.from_array(np.array(0.04, np.float32), "s"),
            numpy_helper.from_array(np.array(-3, np.int8), "z"),
        ]

    def q(self, tensor: str, name: str) -> str:
        """Quantize a tensor and give it back in float."""
        self.nodes.append(
            helper.make_node("QuantizeLinear", [tensor, "s", "z"], [f"{tensor}_q"], f"{name}_q")
        )
        self.nodes.append(
            helper.make_node("DequantizeLinear", [f"{tensor}_q", "s", "z"], [f"{tensor}_d"], f"{name}_d")
        )
        return f"{tensor}_d"

    def op(self, kind: str, inputs: list[str], name: str, **attributes: object) -> str:
        tensor = f"{name}_output_0"
        self.nodes.append(helper.make_node(kind, inputs, [tensor], name, **attributes))
        return self.q(tensor, name)

    def conv(self, source: str, name: str, before: int, after: int, kernel: int = 3, stride: int = 1) -> str:
        """A Conv with its SiLU, as YOLO has it."""
        weight = self.rng.integers(-127, 128, (after, before, kernel, kernel), dtype=np.int8)
        self.tensors += [
            numpy_helper.from_array(weight, f"{name}.w"),
            numpy_helper.from_array(np.full(after, 0.01, np.float32), f"{name}.ws"),
            numpy_helper.from_array(np.zeros(after, np.int8), f"{name}.wz"),
        ]
        self.nodes.append(
            helper.make_node(
                "DequantizeLinear",
                [f"{name}.w", f"{name}.ws", f"{name}.wz"],
                [f"{name}.wf"],
                f"{name}.wd",
                axis=0,
            )
        )
        pad = kernel // 2
        result = self.op(
            "Conv", [source, f"{name}.wf"], f"{name}/conv/Conv", strides=[stride] * 2, pads=[pad] * 4
        )
        gate = self.op("Sigmoid", [result], f"{name}/act/Sigmoid")
        return self.op("Mul", [result, gate], f"{name}/act/Mul")


def yolo_like(path: Path, size: int = 64, residuals: int = 2) -> Path:
    """Write a model of ten blocks: /model.4/Concat joins a near and a far tensor, each /model.2/m.N an Add."""
    net = _Net()
    x = net.q("images", "images")
    x = net.conv(x, "/model.0", 3, 16, stride=2)
    x = net.conv(x, "/model.1", 16, 32, stride=2)
    for i in range(residuals):
        y = net.conv(x, f"/model.2/m.{i}/cv1", 32, 16)
        y = net.conv(y, f"/model.2/m.{i}/cv2", 16, 32)
        x = net.op("Add", [x, y], f"/model.2/m.{i}/Add")
    far = x
    x = net.conv(x, "/model.3", 32, 64, stride=2)
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    net.tensors.append(scales)
    up = net.op("Resize", [x, "", "scales"], "/model.5/Resize", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")  # fmt: skip
    x = net.op("Concat", [up, far], "/model.6/Concat", axis=1)
    x = net.conv(x, "/model.7", 96, 64)
    x = net.conv(x, "/model.8", 64, 16, kernel=1)
    net.nodes.append(helper.make_node("Softmax", [x], ["scores"], "/model.9/dfl/Softmax", axis=1))
    last = net.q("scores", "/model.9/dfl/scores")
    graph = helper.make_graph(
        net.nodes,
        "detector",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, 16, size // 4, size // 4])],
        net.tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
