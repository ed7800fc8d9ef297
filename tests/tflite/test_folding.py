"""What depends on constants alone is computed as numpy computes it, and is no layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders.tflite.files import File
from onnx import numpy_helper

from npuscope import tflite

A, B = np.float32([[1, -2, 3], [4, 5, -6]]), np.float32([[2, 2, 0.5], [1, -1, 3]])
LONG = np.arange(24, dtype=np.int32).reshape(2, 3, 4)


def ints(*values: int) -> Any:
    return np.array(values, np.int32)


def strided(**fields: int) -> dict[str, Any]:
    return {"options": "StridedSliceOptions", **fields}


KEEP = {"options": "ReducerOptions", "keepDims": True}

ROWS: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = [
    ("ADD", (A, B), {"options": "AddOptions"}, A + B),
    ("SUB", (A, B), {"options": "SubOptions"}, A - B),
    ("MUL", (A, B), {"options": "MulOptions"}, A * B),
    ("MAXIMUM", (A, B), {}, np.maximum(A, B)),
    ("MINIMUM", (A, B), {}, np.minimum(A, B)),
    ("FLOOR_DIV", (LONG, ints(3)), {}, LONG // 3),
    ("FLOOR_MOD", (LONG, ints(3)), {}, LONG % 3),
    ("NEG", (A,), {}, -A),
    ("ABS", (A,), {}, abs(A)),
    ("SQRT", (abs(A),), {}, np.sqrt(abs(A))),
    ("RSQRT", (abs(A),), {}, 1 / np.sqrt(abs(A))),
    ("SELECT_V2", (A > 0, A, B), {}, np.where(A > 0, A, B)),
    ("SUM", (LONG, ints(1)), {}, LONG.sum(1)),
    ("REDUCE_MAX", (A, ints(1)), KEEP, A.max(1, keepdims=True)),
    ("REDUCE_MIN", (A, ints(0, 1)), {}, A.min()),
    ("REDUCE_PROD", (A, ints(0)), {}, A.prod(0)),
    ("MEAN", (A, ints(-1)), KEEP, A.mean(-1, keepdims=True)),
    ("CAST", (LONG,), {}, LONG.astype(np.float32)),
    ("CONCATENATION", (A, B), {"options": "ConcatenationOptions", "axis": 1}, np.concatenate([A, B], 1)),
    ("PACK", (A, B), {"options": "PackOptions", "axis": 1, "valuesCount": 2}, np.stack([A, B], 1)),
    ("GATHER", (LONG, ints(2, 0)), {"options": "GatherOptions", "axis": 1}, LONG[:, [2, 0]]),
    ("SLICE", (LONG, ints(0, 1, 1), ints(2, -1, 2)), {}, LONG[:, 1:, 1:3]),
    ("STRIDED_SLICE", (LONG, ints(0, 0, 3), ints(2, 3, 0), ints(1, 2, -1)), strided(), LONG[:, ::2, 3:0:-1]),
    ("STRIDED_SLICE", (LONG, ints(1, 9, 1), ints(9, 9, 9), ints(1, 1, 1)),
     strided(beginMask=2, endMask=7, shrinkAxisMask=1), LONG[1, :, 1:]),
    ("FILL", (ints(2, 3), np.float32(1.5)), {}, np.full((2, 3), 1.5, np.float32)),
    ("BROADCAST_TO", (ints(1, 2, 3), ints(2, 3)), {}, np.broadcast_to(ints(1, 2, 3), (2, 3))),
    ("RANGE", (np.int32(1), np.int32(9), np.int32(3)), {}, ints(1, 4, 7)),
    ("TRANSPOSE", (LONG, ints(2, 0, 1)), {}, LONG.transpose(2, 0, 1)),
    ("RESHAPE", (A, ints(3, 2)), {"options": "ReshapeOptions"}, A.reshape(3, 2)),
    ("DENSIFY", (A,), {}, A),
    ("RANK", (LONG,), {}, np.int32(3)),
    ("SHAPE", (LONG,), {}, ints(2, 3, 4)),
]  # fmt: skip


def added(
    kind: str, operands: tuple[Any, ...], fields: dict[str, Any], shape: tuple[int, ...], dtype: str
) -> Any:
    """The model of x + KIND(operands)."""
    file = File()
    fields = dict(fields)
    source, result = file.tensor("x", shape, dtype), file.tensor("y", shape, dtype)
    made = file.tensor("made", shape, dtype)
    inputs = [file.constant(f"c{i}", np.asarray(value)) for i, value in enumerate(operands)]
    file.operator(kind, inputs, [made], fields.pop("options", ""), **fields)
    file.operator("ADD", [source, made], [result], "AddOptions")
    return tflite.read(file.bytes([source], [result]))


@pytest.mark.parametrize(
    ("kind", "operands", "fields", "expected"),
    ROWS,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_constants_are_computed(kind: str, operands: Any, fields: dict[str, Any], expected: Any) -> None:
    wanted = np.asarray(expected)
    model = added(kind, operands, fields, wanted.shape, str(wanted.dtype))
    assert [node.op_type for node in model.graph.node] == ["Add"]
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    values = next(constants[name] for name in model.graph.node[0].input if name in constants)
    assert values.dtype == wanted.dtype
    np.testing.assert_allclose(values.reshape(wanted.shape), wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "operands", "fields"),
    [
        ("FILL", (ints(1 << 15, 1 << 15), np.float32(1)), {}),
        ("RANGE", (np.int32(0), np.int32(5), np.int32(0)), {}),
        ("MUL", (A, B), {"options": "MulOptions", "fusedActivationFunction": 1}),
        ("GATHER", (A, ints(7)), {"options": "GatherOptions", "axis": 0}),
        ("GATHER", (A, ints(0)), {"options": "GatherOptions", "axis": 1, "batchDims": 1}),
        ("TANH", (A,), {}),
        ("DEQUANTIZE", (A,), {}),
        ("BROADCAST_TO", (A, ints(1 << 15, 1 << 15)), {}),
        ("STRIDED_SLICE", (A, ints(0, 0), ints(1, 3), ints(1, 1)), strided(newAxisMask=1)),
        ("REDUCE_MAX", (np.ones((1 << 16, 2), np.float32), ints(0)), {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_has_no_bound_or_no_meaning_is_left_to_the_model(kind: str, operands: Any, fields: Any) -> None:
    shape = (1 << 15, 1 << 15) if kind == "FILL" else (2, 3)
    model = added(kind, operands, fields, shape, "int32" if kind == "RANGE" else "float32")
    assert len(model.graph.node) > 1
