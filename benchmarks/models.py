"""Models to measure with: long QDQ chains, a detector with branches, and one with large inline weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

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


class _Detector:
    """Layers in QDQ form, named as the exporters of YOLO do."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(1)
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []
        self._read: dict[str, str] = {}

    def _constant(self, name: str, value: object) -> str:
        self.tensors.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def stored(self, name: str) -> str:
        """A scale and a zero point for a tensor."""
        self._constant(f"{name}_scale", np.float32(self.rng.uniform(0.004, 0.3)))
        self._constant(f"{name}_zero", np.int8(self.rng.choice([-128, -127, -20, 4])))
        return name

    def float_of(self, tensor: str) -> str:
        """A stored tensor, dequantized once for all that read it."""
        if tensor not in self._read:
            self._read[tensor] = f"{tensor}_f"
            scales = [tensor, f"{tensor}_scale", f"{tensor}_zero"]
            self.nodes.append(
                helper.make_node("DequantizeLinear", scales, [f"{tensor}_f"], name=f"{tensor}_dq")
            )
        return self._read[tensor]

    def op(
        self,
        name: str,
        kind: str,
        reads: Sequence[str],
        constants: Sequence[str] = (),
        parts: int = 1,
        **how: Any,
    ) -> list[str]:
        """An operator between stored tensors."""
        made = [f"{name}_output_{i}" for i in range(parts)]
        inputs = [*map(self.float_of, reads), *constants]
        self.nodes.append(helper.make_node(kind, inputs, [f"{one}_r" for one in made], name=name, **how))
        for one in map(self.stored, made):
            scales = [f"{one}_r", f"{one}_scale", f"{one}_zero"]
            self.nodes.append(helper.make_node("QuantizeLinear", scales, [one], name=f"{one}_q"))
        return made

    def conv(self, name: str, x: str, channels: tuple[int, int], kernel: int = 1, stride: int = 1) -> str:
        """A Conv and x * Sigmoid(x)."""
        y = self.plain_conv(f"{name}/conv/Conv", x, channels, kernel, stride)
        (gate,) = self.op(f"{name}/act/Sigmoid", "Sigmoid", [y])
        return self.op(f"{name}/act/Mul", "Mul", [y, gate])[0]

    def plain_conv(
        self, name: str, x: str, channels: tuple[int, int], kernel: int = 1, stride: int = 1
    ) -> str:
        """A Conv alone."""
        inside, outside = channels
        weights = self.rng.integers(-127, 128, (outside, inside, kernel, kernel), dtype=np.int8)
        scales = self.rng.uniform(0.01, 0.02, outside).astype(np.float32)
        self._constant(f"{name}_w", weights), self._constant(f"{name}_ws", scales)
        self._constant(f"{name}_wz", np.zeros(outside, np.int8))
        read = [f"{name}_w", f"{name}_ws", f"{name}_wz"]
        self.nodes.append(
            helper.make_node("DequantizeLinear", read, [f"{name}_wf"], name=f"{name}_wdq", axis=0)
        )
        pads = [kernel // 2] * 4
        return self.op(
            name, "Conv", [x], [f"{name}_wf"], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads
        )[0]

    def block(self, name: str, x: str, channels: tuple[int, int]) -> str:
        """Two halves, one of them through a residual bottleneck, joined."""
        half = channels[1] // 2
        first, second = self.op(
            f"{name}/Split", "Split", [self.conv(f"{name}/cv1", x, channels)],
            [self._constant(f"{name}_sizes", [half, half])], parts=2, axis=1,
        )  # fmt: skip
        inner = self.conv(f"{name}/m.0/cv1", second, (half, half), 3)
        inner = self.conv(f"{name}/m.0/cv2", inner, (half, half), 3)
        (third,) = self.op(f"{name}/m.0/Add", "Add", [second, inner])
        return self.conv(f"{name}/cv2", self.joined(name, [first, second, third]), (3 * half, channels[1]))

    def joined(self, name: str, parts: Sequence[str]) -> str:
        """A Concat of channels."""
        return self.op(f"{name}/Concat", "Concat", parts, axis=1)[0]

    def doubled(self, name: str, x: str) -> str:
        """Twice as high and wide."""
        scales = self._constant(f"{name}_factors", np.array([1, 1, 2, 2], np.float32))
        how: dict[str, Any] = {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        }
        return self.op(f"{name}/Resize", "Resize", [x], ["", scales], **how)[0]


def detector(path: Path, width: int = 16) -> Path:
    """A detector as YOLO is one, of some 200 int8 layers: residuals, halves that meet again, a neck between three sizes."""
    net, w = _Detector(), width
    x = net.conv("/model.0", net.stored("images"), (3, w), 3, 2)
    x = net.block("/model.2", net.conv("/model.1", x, (w, 2 * w), 3, 2), (2 * w, 2 * w))
    fine = net.block("/model.4", net.conv("/model.3", x, (2 * w, 4 * w), 3, 2), (4 * w, 4 * w))
    middle = net.block("/model.6", net.conv("/model.5", fine, (4 * w, 8 * w), 3, 2), (8 * w, 8 * w))
    coarse = net.block("/model.8", net.conv("/model.7", middle, (8 * w, 8 * w), 3, 2), (8 * w, 8 * w))
    middle = net.block(
        "/model.12", net.joined("/model.11", [net.doubled("/model.10", coarse), middle]), (16 * w, 4 * w)
    )
    fine = net.block(
        "/model.15", net.joined("/model.14", [net.doubled("/model.13", middle), fine]), (8 * w, 4 * w)
    )
    down = net.conv("/model.16", fine, (4 * w, 4 * w), 3, 2)
    middle = net.block("/model.18", net.joined("/model.17", [down, middle]), (8 * w, 4 * w))
    down = net.conv("/model.19", middle, (4 * w, 4 * w), 3, 2)
    coarse = net.block("/model.21", net.joined("/model.20", [down, coarse]), (12 * w, 8 * w))
    ends = []
    for i, (x, inside) in enumerate(((fine, 4 * w), (middle, 4 * w), (coarse, 8 * w))):
        for branch, outside in (("cv2", 64), ("cv3", 80)):
            name = f"/model.23/{branch}.{i}"
            y = net.conv(
                f"{name}/{branch}.{i}.1",
                net.conv(f"{name}/{branch}.{i}.0", x, (inside, outside), 3),
                (outside,) * 2,
                3,
            )
            end = net.plain_conv(f"{name}/{branch}.{i}.2/Conv", y, (outside, outside))
            shape = [1, outside, 28 >> i, 28 >> i]
            ends.append(helper.make_tensor_value_info(end, TensorProto.INT8, shape))
    graph = helper.make_graph(
        net.nodes,
        "detector",
        [helper.make_tensor_value_info("images", TensorProto.INT8, [1, 3, 224, 224])],
        ends,
        net.tensors,
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
