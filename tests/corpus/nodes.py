"""Nodes that are not valid: of another opset, with shapes that contradict one another, with scales that do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import ModelProto, helper

from corpus.case import OPENS, Case, model, node, quantized, saved, weights

MAP = (1, 16, 8, 8)
I64 = np.int64


def ints(*values: int) -> Any:
    return np.array(values, I64)


def real(*shape: int) -> Any:
    return np.ones(shape, np.float32)


OLD_FORMS: dict[str, ModelProto] = {
    "Clip with bounds as attributes": quantized("Clip", MAP, min=0.0, max=6.0),
    "Slice with attributes": quantized("Slice", MAP, starts=[0], ends=[4], axes=[1]),
    "Pad with attributes": quantized("Pad", MAP, pads=[0] * 8),
    "Split with lengths as an attribute": quantized("Split", MAP, outputs=2, axis=1, split=[8, 8]),
    "Squeeze with axes as an attribute": quantized("Squeeze", MAP, axes=[0]),
    "Unsqueeze with axes as an attribute": quantized("Unsqueeze", MAP, axes=[0]),
    "Upsample, which is gone": quantized("Upsample", MAP, "k", constants={"k": real(4)}, mode="nearest"),
    "Dropout with a ratio as an attribute": quantized("Dropout", MAP, ratio=0.5),
    "ReduceSum with axes as an attribute": quantized("ReduceSum", MAP, axes=[2, 3]),
    "ReduceMean of opset 18 with an attribute": quantized("ReduceMean", MAP, axes=[2, 3], opset=18),
    "ReduceMax of opset 20 with an attribute": quantized("ReduceMax", MAP, axes=[2, 3], opset=20),
    "BatchNormalization with spatial": quantized(
        "BatchNormalization", MAP, *"abcd", constants={n: real(16) for n in "abcd"}, spatial=1),
    "Reshape with a shape as an attribute": quantized("Reshape", MAP, shape=[1, -1]),
    "Resize with one input": quantized("Resize", MAP, "k", constants={"k": real(4)}, opset=10, coordinate_transformation_mode="x"),
    "Gelu before opset 20": quantized("Gelu", MAP),
    "HardSwish before opset 14": quantized("HardSwish", MAP),
    "LayerNormalization before opset 17": quantized("LayerNormalization", MAP, "k", constants={"k": real(8)}),
    "GroupNormalization before opset 18": quantized("GroupNormalization", MAP, "a", "b", constants={n: real(16) for n in "ab"}),
    "Mish before opset 18": quantized("Mish", MAP),
    "CenterCropPad before opset 18": quantized("CenterCropPad", MAP, "k", constants={"k": ints(1, 16, 4, 4)}),
    "an operator ONNX never had": quantized("Fancy", MAP),
    "an operator of 10,000 letters": quantized("F" * 10000, MAP),
    "DequantizeLinear with an axis in opset 12": quantized("Relu", MAP, opset=12),
    "PRelu with one input": quantized("PRelu", MAP),
    "Add with one input": quantized("Add", MAP),
    "Add with three inputs": quantized("Add", MAP, "a", "b", constants={"a": real(1), "b": real(1)}),
    "Concat without inputs": model([node("Concat", [], ["y"], axis=0)], {"x": ("float", (1,))}),
    "Concat without an axis": quantized("Concat", MAP),
    "Conv with one input": quantized("Conv", MAP),
    "Conv with an absent weight": quantized("Conv", MAP, "", constants={}),
    "Conv with four inputs": quantized("Conv", MAP, *"abc", constants={"a": real(4, 16, 1, 1), "b": real(4), "c": real(4)}),
    "Relu with two outputs": quantized("Relu", MAP, outputs=2),
    "Relu of integers in opset 13": model([node("Relu", ["x"])], {"x": ("int32", (1, 4))}),
    "Add of two types": model([node("Add", ["x", "v"])], {"x": ("float", (4,)), "v": ("double", (4,))}),
    "MatMul of bytes": model([node("MatMul", ["x", "v"])], {"x": ("bool", (4, 4)), "v": ("bool", (4, 4))}),
    "Cast to no type": quantized("Cast", MAP, to=0),
    "Cast to type 999": quantized("Cast", MAP, to=999),
    "Cast without a type": quantized("Cast", MAP),
    "an axis that is text": quantized("Softmax", MAP, axis="last"),
    "an axis that is a float": quantized("Softmax", MAP, axis=1.0),
    "an axis that is a list": quantized("Softmax", MAP, axis=[1]),
    "strides that are one number": quantized("MaxPool", MAP, kernel_shape=[2, 2], strides=2),
    "a mode that is a number": quantized("Resize", MAP, "", "k", constants={"k": real(4)}, mode=3),
    "an attribute ONNX does not have": quantized("Relu", MAP, colour=1),
    "a tensor for an axis": quantized("Softmax", MAP, axis=helper.make_tensor("t", 1, [1], [1.0])),
}  # fmt: skip
OLD_FORMS.pop("DequantizeLinear with an axis in opset 12")

SHAPES: dict[str, ModelProto] = {
    "Conv with other channels": weights((4, 8, 1, 1)),
    "Conv with weights of rank 2": weights((4, 16)),
    "Conv with weights of rank 5": weights((4, 16, 1, 1, 1)),
    "Conv with groups that do not divide": quantized("Conv", MAP, "w", constants={"w": real(5, 8, 1, 1)}, group=2),
    "Conv with no groups": quantized("Conv", MAP, "w", constants={"w": real(4, 16, 1, 1)}, group=0),
    "Conv with minus one groups": quantized("Conv", MAP, "w", constants={"w": real(4, 16, 1, 1)}, group=-1),
    "Conv with another kernel": quantized("Conv", MAP, "w", constants={"w": real(4, 16, 1, 1)}, kernel_shape=[3, 3]),
    "Conv with three strides": quantized("Conv", MAP, "w", constants={"w": real(4, 16, 1, 1)}, strides=[1, 1, 1]),
    "Conv with a stride of 0": quantized("Conv", MAP, "w", constants={"w": real(4, 16, 1, 1)}, strides=[0, 1]),
    "Conv with a stride of -1": quantized("Conv", MAP, "w", constants={"w": real(4, 16, 1, 1)}, strides=[-1, 1]),
    "Conv with two pads": quantized("Conv", MAP, "w", constants={"w": real(4, 16, 1, 1)}, pads=[1, 1]),
    "Conv with negative pads": quantized("Conv", MAP, "w", constants={"w": real(4, 16, 1, 1)}, pads=[-1, 0, 0, 0]),
    "Conv with dilations of 0": quantized("Conv", MAP, "w", constants={"w": real(4, 16, 1, 1)}, dilations=[0, 1]),
    "Conv with a long bias": quantized("Conv", MAP, "w", "b", constants={"w": real(4, 16, 1, 1), "b": real(5)}),
    "Conv with a bias of rank 2": quantized("Conv", MAP, "w", "b", constants={"w": real(4, 16, 1, 1), "b": real(1, 4)}),
    "ConvTranspose with other channels": quantized("ConvTranspose", MAP, "w", constants={"w": real(4, 16, 1, 1)}),
    "ConvTranspose with a long bias": quantized(
        "ConvTranspose", MAP, "w", "b", constants={"w": real(16, 4, 1, 1), "b": real(5)}),
    "Gemm of rank 3": quantized("Gemm", (1, 2, 3), "w", constants={"w": real(3, 4)}),
    "Gemm of other sizes": quantized("Gemm", (1, 3), "w", constants={"w": real(4, 4)}),
    "Gemm with a long bias": quantized("Gemm", (1, 3), "w", "b", constants={"w": real(3, 4), "b": real(5)}),
    "MatMul of other sizes": quantized("MatMul", (1, 3), "w", constants={"w": real(4, 4)}),
    "MatMul of a number": quantized("MatMul", (1, 3), "w", constants={"w": np.float32(1)}),
    "MatMul of other batches": quantized("MatMul", (2, 3, 3), "w", constants={"w": real(5, 3, 3)}),
    "Add that does not broadcast": quantized("Add", MAP, "k", constants={"k": real(1, 5, 1, 1)}),
    "Mul that does not broadcast": quantized("Mul", MAP, "k", constants={"k": real(7)}),
    "PRelu with long slopes": quantized("PRelu", MAP, "k", constants={"k": real(15, 1, 1)}),
    "Concat of other sizes": quantized("Concat", MAP, "k", constants={"k": real(1, 16, 8, 7)}, axis=1),
    "Concat of other ranks": quantized("Concat", MAP, "k", constants={"k": real(1, 16, 8)}, axis=1),
    "Concat along axis 4": quantized("Concat", MAP, axis=4),
    "Reshape to more values": quantized("Reshape", MAP, "k", constants={"k": ints(1, 1025)}),
    "Reshape to a part": quantized("Reshape", MAP, "k", constants={"k": ints(-1, 7)}),
    "Reshape with two open sizes": quantized("Reshape", MAP, "k", constants={"k": ints(-1, -1)}),
    "Reshape to -2": quantized("Reshape", MAP, "k", constants={"k": ints(-2, 4)}),
    "Reshape that keeps a fifth size": quantized("Reshape", MAP, "k", constants={"k": ints(1, 1, 1, 1, 0)}),
    "Transpose of another rank": quantized("Transpose", MAP, perm=[1, 0]),
    "Transpose with an axis twice": quantized("Transpose", MAP, perm=[0, 1, 1, 2]),
    "BatchNormalization of other channels": quantized(
        "BatchNormalization", MAP, *"abcd", constants={n: real(15) for n in "abcd"}),
    "InstanceNormalization of other channels": quantized(
        "InstanceNormalization", MAP, "a", "b", constants={n: real(15) for n in "ab"}),
    "Softmax along axis 9": quantized("Softmax", MAP, axis=9),
    "Flatten at axis 9": quantized("Flatten", MAP, axis=9),
    "Squeeze of a size of 16": quantized("Squeeze", MAP, "k", constants={"k": ints(1)}),
    "Squeeze of axis 7": quantized("Squeeze", MAP, "k", constants={"k": ints(7)}),
    "Unsqueeze of an axis twice": quantized("Unsqueeze", MAP, "k", constants={"k": ints(0, 0)}),
    "ReduceSum over axis 9": quantized("ReduceSum", MAP, "k", constants={"k": ints(9)}),
    "Split into other lengths": quantized("Split", MAP, "k", constants={"k": ints(8, 9)}, outputs=2, axis=1),
    "Split into three of two": quantized("Split", MAP, "k", constants={"k": ints(8, 4, 4)}, outputs=2, axis=1),
    "Split that does not divide": quantized("Split", MAP, outputs=3, axis=1),
    "Split along axis 5": quantized("Split", MAP, outputs=2, axis=5),
    "Pad with six pads": quantized("Pad", MAP, "k", constants={"k": ints(0, 0, 0, 0, 0, 0)}),
    "Pad that takes more than there is": quantized("Pad", MAP, "k", constants={"k": ints(0, 0, -9, 0, 0, 0, 0, 0)}),
    "Resize with three scales": quantized("Resize", MAP, "", "k", constants={"k": real(3)}),
    "Resize by a negative scale": quantized("Resize", MAP, "", "k", constants={"k": np.array([1, 1, -2, 2], np.float32)}),
    "Resize by 0": quantized("Resize", MAP, "", "k", constants={"k": np.array([1, 1, 0, 2], np.float32)}),
    "Resize to nothing": quantized("Resize", MAP, "", "k", constants={"k": np.array([0.9, 1, 2, 2], np.float32)}),
    "Slice with lengths that differ": quantized("Slice", MAP, *"ab", constants={"a": ints(0, 0), "b": ints(4)}),
    "Slice of axis 9": quantized("Slice", MAP, *"abc", constants={"a": ints(0), "b": ints(4), "c": ints(9)}),
    "Slice with a step of 0": quantized(
        "Slice", MAP, *"abcd", constants={"a": ints(0), "b": ints(4), "c": ints(1), "d": ints(0)}),
    "Gather of item 99": quantized("Gather", MAP, "k", constants={"k": ints(99)}, axis=1),
    "Gather along axis 9": quantized("Gather", MAP, "k", constants={"k": ints(0)}, axis=9),
    "Expand that does not broadcast": quantized("Expand", MAP, "k", constants={"k": ints(1, 5, 8, 8)}),
    "DepthToSpace that does not divide": quantized("DepthToSpace", MAP, blocksize=3),
    "DepthToSpace in blocks of 0": quantized("DepthToSpace", MAP, blocksize=0),
    "SpaceToDepth that does not divide": quantized("SpaceToDepth", MAP, blocksize=3),
    "MaxPool of rank 2": quantized("MaxPool", (1, 4), kernel_shape=[2]),
    "AveragePool with three sizes": quantized("AveragePool", MAP, kernel_shape=[2, 2, 2]),
    "AveragePool of a window of 0": quantized("AveragePool", MAP, kernel_shape=[0, 2]),
    "GlobalAveragePool of rank 2": quantized("GlobalAveragePool", (1, 4)),
}  # fmt: skip

SCALES: dict[str, tuple[ModelProto, str]] = {
    "scales along a missing default axis": (weights((4, 16, 1, 1), 525), "N114"),
    "scales along input channels": (weights((4, 16, 1, 1), 16, axis=1), "N106"),
    "scales along kernel rows": (weights((4, 16, 3, 3), 3, axis=2), "N106"),
    "scales along axis 9": (weights((4, 16, 1, 1), 4, axis=9), "N114"),
    "more scales than channels": (weights((4, 16, 1, 1), 5, axis=0), "N114"),
    "fewer zero points than scales": (weights((4, 16, 1, 1), 4, axis=0, zeros=3), "N114"),
    "valid scales per channel": (weights((4, 16, 1, 1), 4, axis=0), OPENS),
    "valid scales along axis -4": (weights((4, 16, 1, 1), 4, axis=-4), OPENS),
}


def _scale(value: Any, zero: Any) -> ModelProto:
    made = quantized("Relu", MAP)
    del made.graph.initializer[:]
    from onnx import numpy_helper

    made.graph.initializer.extend(
        [numpy_helper.from_array(np.asarray(value), "s"), numpy_helper.from_array(np.asarray(zero), "z")]
    )
    return made


NUMBERS: dict[str, tuple[Any, Any, str]] = {
    "of 0": (np.float32(0), np.int8(0), "N113"),
    "of infinity": (np.float32(np.inf), np.int8(0), "N113"),
    "of NaN": (np.float32(np.nan), np.int8(0), "N113"),
    "negative": (np.float32(-1), np.int8(0), "N113"),
    "without elements": (np.zeros(0, np.float32), np.int8(0), "N114"),
    "of rank 2": (np.ones((2, 2), np.float32), np.zeros((2, 2), np.int8), "N114"),
    "of 64 bits": (np.float64(0.1), np.int8(0), "N114"),
    "that is an integer": (np.int64(1), np.int8(0), "N114"),
    "with a zero point of another type": (np.float32(0.1), np.uint8(0), "N114"),
    "with a float zero point": (np.float32(0.1), np.float32(0), "N114"),
    "that cannot be told from 0": (np.float32(1e-45), np.int8(0), OPENS),
}


def cases() -> Iterator[Case]:
    for name, made in OLD_FORMS.items():
        yield Case(f"form: {name}", saved(made), "N114")
    for name, made in SHAPES.items():
        yield Case(f"shapes: {name}", saved(made), "N114")
    for name, (made, expected) in SCALES.items():
        yield Case(f"scales: {name}", saved(made), expected)
    for name, (scale, zero, expected) in NUMBERS.items():
        yield Case(f"scales: one {name}", saved(_scale(scale, zero)), expected)
    yield from _without_scales()
    for op, tool in QUANTIZERS:
        yield Case(f"quantizers: {op}", saved(_foreign(op, tool)), "N313")


QUANTIZERS = (
    ("FakeQuantize", "org.openvinotoolkit"),
    ("Quant", "qonnx.custom_op.general"),
    ("BipolarQuant", "onnx.brevitas"),
    ("ExtendedQuantizeLinear", "com.amd.quark"),
    ("VitisQuantizeLinear", "com.vai.quantize"),
    ("fake_quantize_moving_average", "paddle"),
    ("MyQuantizer", "my.ops"),
    ("Fancy", "my.ops"),
)


def _foreign(op: str, domain: str) -> ModelProto:
    made = node(op, ["x", "k"], ["f"])
    made.domain = domain
    nodes = [made, node("Conv", ["f", "w"], ["y"])]
    constants = {"k": real(1), "w": real(4, 16, 1, 1)}
    return model(nodes, {"x": ("float", MAP)}, ["y"], constants, domains=[domain])


def _without_scales() -> Iterator[Case]:
    for op in ("Add", "Sub", "Mul", "Div"):
        made = model([node(op, ["x", "v"])], {"x": ("int8", MAP), "v": ("int8", MAP)}, opset=14)
        yield Case(f"scales: none for {op}", saved(made), "N115")
    for op in ("Relu", "Abs", "Neg"):
        yield Case(
            f"scales: none for {op}", saved(model([node(op, ["x"])], {"x": ("int8", MAP)}, opset=14)), "N115"
        )
    for which in ("scale", "zero point"):
        computed = "Abs" if which == "scale" else "Neg"
        kind = "float" if which == "scale" else "int8"
        nodes = [
            node(computed, ["p"], ["c"]),
            node(
                "DequantizeLinear",
                ["x", "c" if which == "scale" else "s", "z" if which == "scale" else "c"],
                ["f"],
            ),
            node("Relu", ["f"], ["y"]),
        ]
        constants = {"s": np.float32(0.1), "z": np.int8(0)}
        made = model(nodes, {"x": ("int8", MAP), "p": (kind, ())}, ["y"], constants)
        yield Case(f"scales: a {which} that is computed", saved(made), "N115")
