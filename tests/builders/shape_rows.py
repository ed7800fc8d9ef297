"""Nodes of one operator each, whose output has a shape that onnx infers too."""

from __future__ import annotations

from typing import Any

import numpy as np
from corpus.case import model, node
from onnx import ModelProto

MAP = (2, 6, 9, 7)


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


def real(*shape: int) -> Any:
    return np.ones(shape, np.float32)


# operator, shape of the data, further inputs, attributes, opset, outputs
ROWS: list[tuple[str, tuple[int | str, ...], tuple[Any, ...], dict[str, Any], int, int]] = [
    ("Relu", MAP, (), {}, 13, 1),
    ("Softmax", ("N", 4), (), {"axis": -1}, 13, 1),
    ("Cast", MAP, (), {"to": 7}, 13, 1),
    ("Add", MAP, (real(6, 1, 1),), {}, 13, 1),
    ("Add", ("N", 1, 4), (real(3, 1),), {}, 13, 1),
    ("Equal", MAP, (real(1),), {}, 13, 1),
    ("MatMul", (2, 3, 4), (real(4, 5),), {}, 13, 1),
    ("MatMul", (4,), (real(4, 5),), {}, 13, 1),
    ("MatMul", (2, 3, 4), (real(4),), {}, 13, 1),
    ("MatMul", (7, 1, 3, 4), (real(5, 4, 2),), {}, 13, 1),
    ("Gemm", (3, 4), (real(5, 4), real(5)), {"transB": 1}, 13, 1),
    ("Gemm", (4, 3), (real(4, 5),), {"transA": 1}, 13, 1),
    ("Conv", MAP, (real(4, 6, 3, 3),), {"pads": [1, 0, 2, 1], "strides": [2, 1], "dilations": [1, 2]}, 13, 1),
    ("Conv", MAP, (real(6, 2, 3, 3), real(6)), {"group": 3, "auto_pad": "SAME_UPPER", "strides": [2, 2]}, 13, 1),
    ("Conv", MAP, (real(4, 6, 3, 3),), {"auto_pad": "VALID", "strides": [2, 2]}, 13, 1),
    ("Conv", (1, 6, 20), (real(4, 6, 5),), {}, 13, 1),
    ("ConvTranspose", MAP, (real(6, 4, 3, 3),), {"strides": [2, 2], "output_padding": [1, 1], "pads": [1, 1, 1, 1]}, 13, 1),
    ("ConvTranspose", MAP, (real(6, 2, 3, 3),), {"group": 3, "dilations": [2, 2]}, 13, 1),
    ("ConvTranspose", MAP, (real(6, 4, 3, 3),), {"output_shape": [20, 15], "strides": [2, 2]}, 13, 1),
    ("MaxPool", MAP, (), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, 13, 2),
    ("AveragePool", MAP, (), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, 13, 1),
    ("AveragePool", MAP, (), {"kernel_shape": [3, 3], "auto_pad": "SAME_LOWER", "strides": [2, 2]}, 13, 1),
    ("GlobalAveragePool", MAP, (), {}, 13, 1),
    ("BatchNormalization", MAP, (real(6), real(6), real(6), real(6)), {}, 13, 1),
    ("LayerNormalization", (2, 3, 4), (real(4),), {}, 17, 1),
    ("ReduceMean", MAP, (), {"axes": [2, 3]}, 13, 1),
    ("ReduceMean", MAP, (), {"axes": [-1], "keepdims": 0}, 13, 1),
    ("ReduceSum", MAP, (ints(1, 2),), {"keepdims": 0}, 13, 1),
    ("ReduceMax", MAP, (ints(-2),), {}, 18, 1),
    ("ReduceSum", MAP, (), {"noop_with_empty_axes": 1}, 13, 1),
    ("ArgMax", MAP, (), {"axis": 1, "keepdims": 0}, 13, 1),
    ("TopK", MAP, (ints(3),), {"axis": 1}, 13, 2),
    ("Reshape", MAP, (ints(0, -1, 7),), {}, 13, 1),
    ("Reshape", ("N", 6, 4), (ints(0, 0, 2, -1),), {}, 13, 1),
    ("Reshape", (2, 0, 4), (ints(0, 4),), {"allowzero": 1}, 14, 1),
    ("Flatten", MAP, (), {"axis": 2}, 13, 1),
    ("Flatten", MAP, (), {"axis": -1}, 13, 1),
    ("Squeeze", (1, 3, 1, 4), (), {}, 13, 1),
    ("Squeeze", (1, 3, 1, 4), (ints(-2),), {}, 13, 1),
    ("Squeeze", (1, 3, 1, 4), (), {"axes": [0]}, 11, 1),
    ("Unsqueeze", (3, 4), (ints(0, -1),), {}, 13, 1),
    ("Unsqueeze", (3, 4), (), {"axes": [1]}, 11, 1),
    ("Transpose", MAP, (), {"perm": [0, 2, 3, 1]}, 13, 1),
    ("Transpose", MAP, (), {}, 13, 1),
    ("Concat", MAP, (real(2, 3, 9, 7), real(2, 1, 9, 7)), {"axis": 1}, 13, 1),
    ("Split", MAP, (ints(2, 4),), {"axis": 1}, 13, 2),
    ("Split", MAP, (), {"axis": 1}, 13, 3),
    ("Split", MAP, (), {"axis": 2, "num_outputs": 2}, 18, 2),
    ("Split", MAP, (), {"axis": 1, "split": [1, 5]}, 11, 2),
    ("Slice", MAP, (ints(1, -3), ints(100, -1), ints(1, 3)), {}, 13, 1),
    ("Slice", MAP, (ints(-1), ints(-100), ints(2), ints(-2)), {}, 13, 1),
    ("Slice", MAP, (), {"starts": [1], "ends": [3], "axes": [1]}, 9, 1),
    ("Gather", MAP, (ints(0, 2, 1),), {"axis": 1}, 13, 1),
    ("Gather", MAP, (np.int64(3),), {"axis": -1}, 13, 1),
    ("GatherND", MAP, (np.zeros((5, 2), np.int64),), {}, 13, 1),
    ("GatherElements", (3, 4), (np.zeros((2, 4), np.int64),), {}, 13, 1),
    ("Expand", (6, 1, 7), (ints(2, 1, 9, 1),), {}, 13, 1),
    ("Tile", (2, 3), (ints(2, 4),), {}, 13, 1),
    ("Pad", (2, 3), (ints(0, 1, 2, -1),), {}, 13, 1),
    ("Pad", (2, 3), (), {"pads": [0, 1, 2, 0]}, 9, 1),
    ("Pad", (2, 3, 4), (ints(1, 2), np.float32(0), ints(1)), {}, 18, 1),
    ("Resize", MAP, ("", np.array([1, 1, 2, 0.5], np.float32)), {}, 13, 1),
    ("Resize", MAP, ("", "", ints(2, 6, 5, 20)), {}, 13, 1),
    ("Upsample", MAP, (np.array([1, 1, 2, 2], np.float32),), {}, 9, 1),
    ("DepthToSpace", (1, 8, 3, 3), (), {"blocksize": 2}, 13, 1),
    ("SpaceToDepth", (1, 2, 6, 4), (), {"blocksize": 2}, 13, 1),
    ("Shape", MAP, (), {"start": 1, "end": -1}, 15, 1),
    ("OneHot", (3, 4), (np.int64(5), real(2)), {"axis": 1}, 13, 1),
    ("NonZero", MAP, (), {}, 13, 1),
    ("Einsum", (2, 3, 4), (real(2, 4, 5),), {"equation": "bij,bjk->bik"}, 13, 1),
    ("Einsum", (3, 3), (), {"equation": "ii"}, 13, 1),
    ("Einsum", (2, 5, 3, 4), (real(4, 6),), {"equation": "...ij,jk"}, 13, 1),
    ("Det", (2, 3, 3), (), {}, 13, 1),
    ("IsNaN", MAP, (), {}, 13, 1),
    ("CastLike", MAP, (ints(1),), {}, 15, 1),
    ("QuantizeLinear", MAP, (np.float32(1), np.int8(0)), {}, 13, 1),
    ("QuantizeLinear", MAP, (np.float32(1),), {"output_dtype": 3}, 21, 1),
    ("DynamicQuantizeLinear", MAP, (), {}, 13, 3),
    ("LSTM", (5, 2, 3), (real(1, 16, 3), real(1, 16, 4)), {"hidden_size": 4}, 14, 3),
    ("GRU", (5, 2, 3), (real(2, 12, 3), real(2, 12, 4)), {"hidden_size": 4, "direction": "bidirectional"}, 14, 2),
    ("RNN", (2, 5, 3), (real(1, 4, 3), real(1, 4, 4)), {"hidden_size": 4, "layout": 1}, 14, 2),
    ("GlobalMaxPool", ("N", 6, 9), (), {}, 13, 1),
    ("LpPool", MAP, (), {"kernel_shape": [2, 2], "dilations": [2, 1]}, 18, 1),
    ("ConvTranspose", MAP, (real(6, 4, 3, 3),), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 13, 1),
    ("ConvTranspose", MAP, (real(6, 4, 3, 3),), {"auto_pad": "VALID", "strides": [2, 2]}, 13, 1),
    ("DeformConv", MAP, (real(4, 6, 3, 3), real(2, 18, 7, 5)), {}, 19, 1),
    ("Upsample", MAP, (), {"scales": [1.0, 1.0, 2.0, 2.0]}, 8, 1),
    ("Upsample", MAP, (np.array([1, 1, 3, 1.5], np.float32),), {}, 9, 1),
    ("Resize", MAP, (np.array([1, 1, 2, 0.5], np.float32),), {}, 10, 1),
    ("Resize", MAP, ("", "", ints(20, 30)), {"axes": [3, 2]}, 18, 1),
    ("Resize", MAP, ("", "", ints(20, 30)), {"axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"}, 18, 1),
    ("Resize", MAP, ("", "", ints(20, 30)), {"axes": [2, 3], "keep_aspect_ratio_policy": "not_smaller"}, 18, 1),
    ("RoiAlign", MAP, (real(4, 4), ints(0, 0, 1, 1)), {"output_height": 3, "output_width": 5}, 16, 1),
    ("MaxUnpool", (1, 1, 2, 2), (np.zeros((1, 1, 2, 2), np.int64),), {"kernel_shape": [2, 2], "strides": [2, 2]}, 13, 1),
    ("CenterCropPad", MAP, (ints(5, 20),), {"axes": [2, -1]}, 18, 1),
    ("CenterCropPad", (4, 5), (ints(9, 3),), {}, 18, 1),
    ("RandomNormalLike", MAP, (), {}, 13, 1),
    ("RandomUniformLike", MAP, (), {"dtype": 10}, 13, 1),
    ("Compress", MAP, (np.array([True, False]),), {"axis": 1}, 13, 1),
    ("Compress", MAP, (np.array([True, False]),), {}, 13, 1),
    ("Unique", MAP, (), {}, 13, 4),
    ("Unique", MAP, (), {"axis": 1}, 13, 4),
    ("Size", MAP, (), {}, 13, 1),
    ("TopK", MAP, (), {"k": 3, "axis": 2}, 9, 2),
    ("MatMul", (4,), (real(4),), {}, 13, 1),
    ("GridSample", MAP, (real(2, 5, 4, 2),), {}, 16, 1),
    ("Where", (3, 1), (real(4),), {}, 13, 1),
    ("Dropout", MAP, (), {}, 13, 2),
]  # fmt: skip


def graph_of(row: tuple[Any, ...]) -> ModelProto:
    op, shape, more, attributes, opset, outputs = row
    names = [f"c{i}" if not isinstance(value, str) else "" for i, value in enumerate(more)]
    values_by_name = {name: value for name, value in zip(names, more, strict=True) if name}
    inputs = ["x", *names] if op != "Where" else ["b", "x", *names]
    kind = "int64" if op == "OneHot" else "float"
    options = {"x": (kind, shape), **({"b": ("bool", (3, 1))} if op == "Where" else {})}
    made = node(op, inputs, [f"y{i}" for i in range(outputs)], **attributes)
    return model([made], options, [f"y{i}" for i in range(outputs)], values_by_name, opset)
