"""What depends on constants alone is computed as numpy computes it, and is no layer."""

from __future__ import annotations

import contextlib
import tracemalloc
from typing import Any

import numpy as np
import pytest
from builders.tflite.files import File
from builders.tflite.operators import Case
from builders.tflite.reference import distances
from onnx import numpy_helper

from npuscope import tflite
from npuscope.model.errors import ModelError

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
    ("DIV", (A, B), {"options": "DivOptions"}, A / B),
    ("TILE", (A, ints(2, 1)), {}, np.tile(A, (2, 1))),
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


def unique(operands: tuple[Any, ...]) -> list[Any]:
    """Each object once, however often it is an operand."""
    return list({id(value): value for value in operands}.values())


def added(
    kind: str, operands: tuple[Any, ...], fields: dict[str, Any], shape: tuple[int, ...], dtype: str
) -> Any:
    """The model of x + KIND(operands)."""
    file = File()
    fields = dict(fields)
    source, result = file.tensor("x", shape, dtype), file.tensor("y", shape, dtype)
    made = file.tensor("made", shape, dtype)
    stored = {
        id(value): file.constant(f"c{i}", np.asarray(value)) for i, value in enumerate(unique(operands))
    }
    inputs = [stored[id(value)] for value in operands]
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
        ("CONCATENATION", (A[:1], A[1:]), {"options": "ConcatenationOptions", "fusedActivationFunction": 1}),
        ("TILE", (A, ints(1, -1)), {}),
        ("GATHER", (A, ints(7)), {"options": "GatherOptions", "axis": 0}),
        ("GATHER", (A, ints(0)), {"options": "GatherOptions", "axis": 1, "batchDims": 1}),
        ("SIN", (A,), {}),
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


RNG = np.random.default_rng(0)
SCALES = [0.01, 0.02, 0.03, 0.04, 0.05]
ONE, EACH = {"scale": 0.02}, {"scale": SCALES, "axis": 0}
FLAT, TURNED, FLOATS = (RNG.integers(-127, 128, (5, 12)).astype(np.int8) for _ in range(3))
REAL = (FLOATS * np.float32(0.01)).astype(np.float32)
TRAINED = {"options": "FakeQuantOptions", "min": -1.0, "max": 1.0, "numBits": 8}
WEIGHTS: dict[str, tuple[str, list[tuple[Any, dict[str, Any]]], dict[str, Any], dict[str, Any]]] = {
    "quantized": ("QUANTIZE", [(REAL, {})], ONE, {}),
    "quantized by channel": ("QUANTIZE", [(REAL, {})], EACH, {}),
    "uint8 quantized again": ("QUANTIZE", [((FLAT.view(np.uint8) ^ 128), {"scale": 0.02, "zero": 128})], ONE, {}),
    "turned": ("TRANSPOSE", [(TURNED.T, {"scale": SCALES, "axis": 1}), (ints(1, 0), {})], EACH, {}),
    "reshaped": ("RESHAPE", [(FLAT.reshape(5, 3, 4), EACH), (ints(5, 12), {})], EACH, {}),
    "stacked": ("PACK", [(row, ONE) for row in FLAT], ONE, {"options": "PackOptions", "axis": 0, "valuesCount": 5}),
    "joined": ("CONCATENATION", [(FLAT[:2], ONE), (FLAT[2:], ONE)], ONE, {"options": "ConcatenationOptions", "axis": 0}),
    "sliced": ("SLICE", [(np.concatenate([FLAT, TURNED]), ONE), (ints(3, 0), {}), (ints(5, 12), {})], ONE, {}),
    "gathered": ("GATHER", [(FLAT, ONE), (ints(4, 3, 2, 1, 0), {})], ONE, {"options": "GatherOptions", "axis": 0}),
}  # fmt: skip


COLUMN, LINE = np.zeros((4096, 1), np.int32), np.zeros((1, 4096), np.int32)


@pytest.mark.parametrize(
    ("kind", "operands", "fields"),
    [
        ("MUL", (COLUMN, LINE), {"options": "MulOptions"}),
        ("SELECT_V2", (COLUMN > 0, LINE, LINE), {}),
        ("CONCATENATION", (COLUMN,) * 2048, {"options": "ConcatenationOptions"}),
        ("PACK", (COLUMN,) * 2048, {"options": "PackOptions", "valuesCount": 2048}),
        ("GATHER", (LINE, np.zeros(2048, np.int32)), {"options": "GatherOptions"}),
    ],
)
def test_a_result_is_not_made_that_is_larger_than_the_file_states(
    kind: str, operands: tuple[Any, ...], fields: dict[str, Any]
) -> None:
    """A small file may ask for any number of values; at least 32 MB of them here."""
    tracemalloc.start()
    try:
        with contextlib.suppress(ModelError):  # what is wrong with it is said where it is converted
            added(kind, operands, fields, (1,), "int32")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20


def weighted(kind: str, operands: Any, grid: dict[str, Any], fields: dict[str, Any], parts: int = 1) -> bytes:
    """A dense layer in int8 of weights that an operator makes of constants."""
    case, fields = Case("int8"), dict(fields)
    x, y = case.tensor("x", (2, 12), "int8", 0.05, 3), case.tensor("y", (2, 5), "int8", 0.3, -4)
    inputs = [case.constant(f"c{i}", value, **given) for i, (value, given) in enumerate(operands)]
    made = [
        case.tensor(f"w{i}", (5, 12), "int8", grid["scale"], 0, grid.get("axis", 0)) for i in range(parts)
    ]
    case.operator(kind, inputs, made, fields.pop("options", ""), **fields)
    case.operator("FULLY_CONNECTED", [x, made[-1], -1], [y], "FullyConnectedOptions")
    return case.bytes([x], [y])


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_of_constants_alone_are_weights(name: str) -> None:
    data = weighted(*WEIGHTS[name])
    kinds = [node.op_type for node in tflite.read(data).graph.node if "Linear" not in node.op_type]
    assert kinds == ["Gemm"]
    for one in distances(data):
        assert one.steps <= 1 and one.equal >= 0.9, one


@pytest.mark.parametrize(
    ("kind", "operands", "fields"),
    [
        ("SPLIT", [(np.int32(0), {}), (np.concatenate([TURNED, FLAT]), ONE)], {"options": "SplitOptions", "numSplits": 2}),
        ("SPLIT_V", [(np.concatenate([TURNED, FLAT]), ONE), (ints(5, 5), {}), (np.int32(0), {})], {"options": "SplitVOptions", "numSplits": 2}),
        ("UNPACK", [(np.stack([TURNED, FLAT]), ONE)], {"options": "UnpackOptions", "axis": 0, "num": 2}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_part_of_a_constant_is_weights(kind: str, operands: Any, fields: Any) -> None:
    data = weighted(kind, operands, ONE, fields, 2)
    assert [node.op_type for node in tflite.read(data).graph.node if "Linear" not in node.op_type] == ["Gemm"]
    for one in distances(data):
        assert one.steps <= 1 and one.equal >= 0.9, one


def test_weights_of_trained_quantization_are_int8() -> None:
    file = File()
    x, y = file.tensor("x", (2, 12), "float32"), file.tensor("y", (2, 5), "float32")
    kernel, made = file.constant("c", REAL), file.tensor("w", (5, 12), "float32")
    fields = dict(TRAINED)
    file.operator("FAKE_QUANT", [kernel], [made], fields.pop("options"), **fields)
    file.operator("FULLY_CONNECTED", [x, made, -1], [y], "FullyConnectedOptions")
    data = file.bytes([x], [y])
    assert [node.op_type for node in tflite.read(data).graph.node] == ["DequantizeLinear", "Gemm"]
    for one in distances(data):
        assert one.steps < 1e-5, one


@pytest.mark.parametrize(
    ("kind", "operands", "grid"),
    [
        ("CONCATENATION", [(FLAT[:2], ONE), (FLAT[2:], {"scale": 0.03})], ONE),
        ("TRANSPOSE", [(TURNED.T, {"scale": SCALES, "axis": 1}), (ints(1, 0), {})], ONE),
        ("TRANSPOSE", [(TURNED.T, ONE), (ints(1, 0), {})], {"scale": 0.03}),
        (
            "RESHAPE",
            [(FLAT.reshape(12, 5), {"scale": SCALES, "axis": 1}), (ints(5, 12), {})],
            {"scale": SCALES},
        ),
        ("QUANTIZE", [(FLAT.astype(np.int32), {})], ONE),
        ("SLICE", [(FLAT, EACH), (ints(0, 0), {}), (ints(5, 12), {})], EACH),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_constants_of_other_grids_are_left_to_the_model(kind: str, operands: Any, grid: Any) -> None:
    fields = {"options": "ConcatenationOptions", "axis": 0} if kind == "CONCATENATION" else {}
    nodes = tflite.read(weighted(kind, operands, grid, fields)).graph.node
    assert any(node.op_type == "FULLY_CONNECTED" for node in nodes)
