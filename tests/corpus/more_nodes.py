"""More nodes that are not valid, or whose integers have no scale; and quantizers of other tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper

from corpus.case import OPENS, Case, model, node, quantized, saved
from corpus.nodes import MAP, ints, real

KERNEL = {"w": real(4, 16, 3, 3)}
SEQUENCE = (5, 1, 8)


def _recurrent(op: str, w: tuple[int, ...], r: tuple[int, ...], **attributes: Any) -> ModelProto:
    made = node(op, ["x", "w", "r"], **{"hidden_size": 4, **attributes})
    return model([made], {"x": ("float", SEQUENCE)}, ["y"], {"w": real(*w), "r": real(*r)})


INVALID: dict[str, ModelProto] = {
    "Split with num_outputs that differ": quantized("Split", MAP, outputs=3, opset=18, axis=1, num_outputs=2),
    "Split with both lengths and num_outputs": quantized(
        "Split", MAP, "k", constants={"k": ints(8, 8)}, outputs=2, opset=18, axis=1, num_outputs=2),
    "DepthToSpace in no such order": quantized("DepthToSpace", MAP, blocksize=2, mode="XYZ"),
    "Resize of no such mode": quantized("Resize", MAP, "", "k", constants={"k": real(4)}, mode="bicubic"),
    "Conv with no such padding": quantized("Conv", MAP, "w", constants=KERNEL, auto_pad="SAME"),
    "Conv with two paddings": quantized("Conv", MAP, "w", constants=KERNEL, auto_pad="SAME_UPPER", pads=[1] * 4),
    "Conv with a window larger than its data": quantized("Conv", (1, 16, 2, 2), "w", constants=KERNEL),
    "MaxPool with a window larger than its data": quantized("MaxPool", MAP, kernel_shape=[9, 9]),
    "MaxPool that pads by its window": quantized("MaxPool", MAP, kernel_shape=[2, 2], pads=[2] * 4),
    "ConvTranspose with three output paddings": quantized(
        "ConvTranspose", MAP, "w", constants={"w": real(16, 4, 3, 3)}, output_padding=[1, 1, 1]),
    "Slice that names an axis twice": quantized(
        "Slice", MAP, *"abc", constants={"a": ints(0, 0), "b": ints(4, 4), "c": ints(1, 1)}),
    "Tile with two repeats": quantized("Tile", MAP, "k", constants={"k": ints(1, 2)}),
    "TopK of more than there is": quantized("TopK", MAP, "k", constants={"k": ints(99)}, outputs=2, axis=1),
    "Einsum of another rank": quantized("Einsum", MAP, equation="ij->i"),
    "Einsum of sizes that differ": quantized("Einsum", (1, 64), "k", constants={"k": real(32, 4)}, equation="ij,jk->ik"),
    "GatherND of item 99": quantized("GatherND", MAP, "k", constants={"k": np.array([[0, 99]])}),
    "GatherElements of item 99": quantized("GatherElements", MAP, "k", constants={"k": np.full((1, 1, 1, 1), 99)}, axis=1),
    "ScatterND with other updates": quantized(
        "ScatterND", MAP, "k", "u", constants={"k": np.array([[0, 0]]), "u": real(3, 8, 8)}),
    "Resize with scales and sizes": quantized(
        "Resize", MAP, "", "k", "n", constants={"k": np.array([1, 1, 2, 2], np.float32), "n": ints(1, 16, 16, 16)}),
    "InstanceNormalization of rank 2": quantized("InstanceNormalization", (1, 8), *"ab", constants={n: real(8) for n in "ab"}),
    "LRN over no channels": quantized("LRN", MAP, size=0),
    "LSTM with other weights": _recurrent("LSTM", (1, 16, 7), (1, 16, 4)),
    "GRU with other recurrent weights": _recurrent("GRU", (1, 12, 8), (1, 12, 5)),
    "RNN with one direction of two": _recurrent("RNN", (1, 4, 8), (1, 4, 4), direction="bidirectional"),
}  # fmt: skip


def _qlinear(op: str, scales: int) -> ModelProto:
    data, weight = ((1, 8, 8, 8), (4, 8, 3, 3)) if op == "QLinearConv" else ((4, 8), (8, 16))
    constants = {"s": np.float32(0.1), "z": np.int8(0), "w": np.ones(weight, np.int8),
            "ws": real(scales), "wz": np.zeros(scales, np.int8)}  # fmt: skip
    made = node(op, ["x", "s", "z", "w", "ws", "wz", "s", "z"])
    return model([made], {"x": ("int8", data)}, ["y"], constants)


def _stated(output: Any) -> ModelProto:
    made = quantized("Relu", MAP)
    made.graph.output[0].CopyFrom(output)
    return made


def _two_shapes() -> ModelProto:
    made = quantized("Conv", MAP, "w", constants=KERNEL)
    made.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 16, 5, 5]))
    return made


def _without_scales() -> Iterator[tuple[str, ModelProto]]:
    pool = node("MaxPool", ["x"], kernel_shape=[2, 2])
    yield "MaxPool", model([pool], {"x": ("uint8", MAP)})
    yield "Concat", model([node("Concat", ["x", "v"], axis=1)], {"x": ("int8", MAP), "v": ("int8", MAP)})
    computed = node("QLinearConv", ["x", "s", "z", "w", "one", "z", "one", "z"])
    constants = {"z": np.int8(0), "w": np.ones((4, 16, 3, 3), np.int8), "one": np.float32(0.1)}
    yield (
        "QLinearConv by an input",
        model([computed], {"x": ("int8", MAP), "s": ("float", ())}, ["y"], constants),
    )


QUANTIZERS = (
    ("FixedPerTensorAffine", "MQBench_custom", "MQBench"),
    ("FixedPerTensorAffine", "", "MQBench"),
    ("FakeQuantize", "", "OpenVINO"),
    ("QcQuantizeOp", "aimet", "AIMET"),
    ("fake_quantize_per_tensor_affine", "quantization", "PyTorch"),
    ("quantize_affine", "torchao", "torchao"),
)


def _foreign(op: str, domain: str) -> ModelProto:
    nodes = [
        node(op, ["x"], ["f"], domain=domain),
        node(op, ["k"], ["w"], domain=domain),
        node("Conv", ["f", "w"], ["y"]),
    ]
    return model(
        nodes, {"x": ("float", MAP)}, ["y"], {"k": real(4, 16, 1, 1)}, domains=[domain] if domain else []
    )


def cases() -> Iterator[Case]:
    for name, made in INVALID.items():
        yield Case(f"form: {name}", saved(made), "N114")
    yield Case("scales: more than a QLinearConv has outputs", saved(_qlinear("QLinearConv", 8)), "N114")
    yield Case("scales: as many as a QLinearConv has outputs", saved(_qlinear("QLinearConv", 4)), OPENS)
    yield Case("scales: of the rows of a QLinearMatMul", saved(_qlinear("QLinearMatMul", 8)), "N114")
    yield Case("scales: of the columns of a QLinearMatMul", saved(_qlinear("QLinearMatMul", 16)), OPENS)
    other = helper.make_tensor_value_info("y0", TensorProto.FLOAT, MAP)
    yield Case("stated: an output of another type", saved(_stated(other)), "N114")
    smaller = helper.make_tensor_value_info("y0", TensorProto.INT8, (1, 4, 8, 8))
    yield Case("stated: an output of another shape", saved(_stated(smaller)), OPENS)
    yield Case(
        "stated: open sizes as -1",
        saved(_stated(helper.make_tensor_value_info("y0", 3, (-1, 16, -1, 8)))),
        OPENS,
    )
    yield Case("stated: an initializer of another shape", saved(_two_shapes()), "N114")
    for name, made in _without_scales():
        yield Case(f"scales: none for {name}", saved(made), "N115")
    for op, domain, _ in QUANTIZERS:
        yield Case(f"quantizers: {op} of {domain or 'no domain'}", saved(_foreign(op, domain)), "N313")
