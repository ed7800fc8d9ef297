"""Values that are folded are those of onnx's reference; what is not folded, or has no bound, has no value."""

from typing import Any

import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from npuscope.model.graph import Node
from npuscope.model.inference.evaluate import evaluate

DRAW = np.random.default_rng(7)
REAL = DRAW.normal(size=(2, 3, 4)).astype(np.float32)
OTHER = DRAW.normal(size=(3, 1)).astype(np.float32)
POSITIVE = np.abs(REAL) + np.float32(0.5)
WHOLE = DRAW.integers(-9, 10, (2, 3, 4))
DIVISOR = np.array([[-3], [2], [5]], np.int64)
TRUE = REAL > 0


def longs(*values: int) -> Any:
    return np.array(values, np.int64)


# operator, inputs (None for an absent one), attributes, opset
ROWS: list[tuple[str, tuple[Any, ...], dict[str, Any], int]] = [
    *[(op, (REAL,), {}, 20) for op in ["Abs", "Neg", "Sign", "Ceil", "Floor", "Round", "Exp", "Sin", "Cos", "Tanh", "Sigmoid", "Relu", "Identity", "LeakyRelu", "Softplus", "Softmax", "IsNaN", "Shape", "Size"]],
    *[(op, (POSITIVE,), {}, 20) for op in ("Sqrt", "Log", "Reciprocal")],
    *[(op, (REAL, OTHER), {}, 20) for op in ["Add", "Sub", "Mul", "Div", "Min", "Max", "Sum", "Mean", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"]],
    *[(op, (WHOLE, DIVISOR), {}, 20) for op in ("Add", "Mul", "Div", "Mod", "Max")],
    *[(op, (TRUE, ~TRUE[:1]), {}, 20) for op in ("And", "Or", "Xor")],
    *[(op, (REAL, longs(1)), {"keepdims": keep}, 20)
      for op in ["ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin", "ReduceMean", "ReduceL1", "ReduceL2", "ReduceSumSquare"] for keep in (0, 1)],
    ("ReduceSum", (REAL,), {"noop_with_empty_axes": 1}, 20),
    ("Mod", (REAL, OTHER), {"fmod": 1}, 20),
    ("Pow", (POSITIVE, OTHER), {}, 20),
    ("Not", (TRUE,), {}, 20),
    ("Clip", (REAL, np.float32(-0.2), np.float32(0.4)), {}, 20),
    ("Clip", (REAL, None, np.float32(0.4)), {}, 20),
    ("Clip", (REAL,), {"min": -0.25, "max": 0.5}, 10),
    ("Cast", (REAL,), {"to": 7}, 20),
    ("CastLike", (REAL, longs(1)), {}, 20),
    ("Reshape", (REAL, longs(0, -1)), {}, 20),
    ("Flatten", (REAL,), {"axis": -1}, 20),
    ("Squeeze", (REAL[:1], longs(0)), {}, 20),
    ("Unsqueeze", (REAL, longs(0, -1)), {}, 20),
    ("Transpose", (REAL,), {"perm": [2, 0, 1]}, 20),
    ("Concat", (REAL, REAL[:, :1]), {"axis": 1}, 20),
    ("Gather", (REAL, longs(-1, 0)), {"axis": -1}, 20),
    ("GatherElements", (REAL, np.zeros((2, 3, 1), np.int64) + 2), {"axis": 2}, 20),
    ("GatherND", (REAL, np.array([[0, 1], [1, -1]])), {}, 20),
    ("ScatterND", (REAL, np.array([[0], [1]]), REAL[::-1]), {}, 20),
    ("ScatterElements", (REAL, np.zeros((1, 1, 4), np.int64) + 1, REAL[:1, :1] + 9), {"axis": 1}, 20),
    ("Slice", (REAL, longs(-1, 0), longs(-9, 3), longs(2, 1), longs(-2, 1)), {}, 20),
    ("Expand", (OTHER, longs(2, 1, 4)), {}, 20),
    ("Tile", (OTHER, longs(2, 3)), {}, 20),
    ("Pad", (REAL, longs(0, 1, 0, 1, 0, 2), np.float32(7)), {}, 20),
    ("Where", (TRUE, REAL, OTHER), {}, 20),
    ("Range", (np.int64(7), np.int64(-2), np.int64(-3)), {}, 20),
    ("ConstantOfShape", (longs(2, 3),), {"value": helper.make_tensor("v", 1, [1], [2.5])}, 20),
    ("MatMul", (REAL, REAL.transpose(0, 2, 1)), {}, 20),
    ("Einsum", (REAL, OTHER), {"equation": "bij, ik -> bjk"}, 20),
    ("ArgMax", (REAL,), {"axis": -1, "keepdims": 0}, 20),
    ("ArgMin", (REAL,), {"axis": 1}, 20),
    ("OneHot", (longs(0, -1, 2), np.int64(4), np.float32([2, 9])), {"axis": 0}, 20),
    ("EyeLike", (OTHER @ OTHER.T,), {"k": -1}, 20),
    ("Trilu", (REAL,), {"upper": 0}, 20),
    ("Trilu", (REAL, np.int64(1)), {}, 20),
    ("CumSum", (REAL, np.int64(1)), {}, 20),
    ("QuantizeLinear", (REAL, np.float32([0.02, 0.1, 0.3]), np.int8([0, 3, -5])), {"axis": 1}, 20),
    ("DequantizeLinear", (WHOLE.astype(np.int8), np.float32(0.1), np.int8(3)), {}, 20),
]  # fmt: skip


def node(op: str, arrays: tuple[Any, ...], outputs: int = 1, **attributes: Any) -> Node:
    names = tuple(f"i{i}" if array is not None else "" for i, array in enumerate(arrays))
    made = tuple(f"o{i}" for i in range(outputs))
    return Node(op, op, "", names, made, helper.make_node(op, names, made, **attributes))


@pytest.mark.parametrize(
    ("op", "arrays", "attributes", "opset"), ROWS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_folded_value_is_the_references(
    op: str, arrays: tuple[Any, ...], attributes: dict[str, Any], opset: int
) -> None:
    one = node(op, arrays, **attributes)
    held = {name: np.asarray(array) for name, array in zip(one.inputs, arrays, strict=True) if name}
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for name, a in held.items()
    ]
    graph = helper.make_graph([one.proto], "g", inputs, [helper.make_empty_tensor_value_info("o0")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    (wanted,) = ReferenceEvaluator(model).run(None, held)
    found = evaluate(one, [None if a is None else np.asarray(a) for a in arrays], opset)
    assert found is not None and found[0].shape == wanted.shape
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5, atol=1e-6)


def test_fewer_indices_than_data_reach_its_first_part() -> None:
    """onnx's reference takes none such, onnxruntime does."""
    indices = longs(1, 0, 1).reshape(1, 3, 1)
    found = evaluate(node("GatherElements", (REAL, indices)), [REAL, indices], 20)
    assert found is not None and np.array_equal(found[0], REAL[[1, 0, 1], [0, 1, 2], 0].reshape(1, 3, 1))


def test_a_split_has_as_many_values_as_parts() -> None:
    found = evaluate(node("Split", (REAL,), 3, axis=2), [REAL], 18)
    assert found is not None and [part.shape[2] for part in found] == [2, 2, 0]


HUGE = 1 << 40

NO_VALUE: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], int]] = {
    "division by zero": ("Div", (WHOLE, longs(0)), {}, 20),
    "an infinite number as an integer": ("Cast", (np.float32([np.inf]),), {"to": 7}, 20),
    "a cast to no type": ("Cast", (REAL,), {"to": 99}, 20),
    "a step of 0": ("Slice", (REAL, longs(0), longs(2), longs(0), longs(0)), {}, 20),
    "a slice along no axis": ("Slice", (REAL, longs(0), longs(2), longs(7)), {}, 20),
    "an axis that is not there": ("Gather", (REAL, longs(0)), {"axis": 5}, 20),
    "ArgMax along no axis": ("ArgMax", (REAL,), {"axis": 5}, 20),
    "the last of equal ones": ("ArgMax", (REAL,), {"select_last_index": 1}, 20),
    "batches of indices": ("GatherND", (REAL, longs(0)), {"batch_dims": 1}, 20),
    "a scatter that adds": ("ScatterND", (REAL, longs(0), REAL[0]), {"reduction": "add"}, 20),
    "elements that add": ("ScatterElements", (REAL, WHOLE % 2, REAL), {"reduction": "add"}, 20),
    "letters without sizes": ("Einsum", (REAL,), {"equation": "...i->i"}, 20),
    "an old Softmax that flattens": ("Softmax", (REAL,), {"axis": 1}, 11),
    "EyeLike of a type": ("EyeLike", (OTHER,), {"dtype": 7}, 20),
    "pads that cut": ("Pad", (REAL, longs(0, -1, 0, 0, 0, 0)), {}, 20),
    "pads that reflect": ("Pad", (REAL, longs(0, 1, 0, 0, 0, 0)), {"mode": "reflect"}, 20),
    "a running sum backwards": ("CumSum", (REAL, np.int64(0)), {"reverse": 1}, 20),
    "blocks of scales": ("DequantizeLinear", (WHOLE, np.ones((2, 3, 2), np.float32)), {"block_size": 2}, 21),
    "a grid of floats": ("QuantizeLinear", (REAL, np.float32(1), np.float32(0)), {}, 20),
    "a product of rows": ("MatMul", (REAL[0, 0], REAL[0, 0]), {}, 20),
    "no shape to reshape to": ("Reshape", (REAL, REAL), {}, 20),
    "Expand without a bound": ("Expand", (OTHER, longs(HUGE, 1, 1)), {}, 20),
    "Tile without a bound": ("Tile", (OTHER, longs(HUGE, 1)), {}, 20),
    "Pad without a bound": ("Pad", (REAL, longs(HUGE, 0, 0, 0, 0, 0)), {}, 20),
    "Range without a bound": ("Range", (np.int64(0), np.int64(HUGE), np.int64(1)), {}, 20),
    "Range of no step": ("Range", (np.int64(0), np.int64(9), np.int64(0)), {}, 20),
    "ConstantOfShape without a bound": ("ConstantOfShape", (longs(HUGE, HUGE),), {}, 20),
    "OneHot without a bound": ("OneHot", (longs(0), np.int64(HUGE), np.float32([0, 1])), {}, 20),
    "a fill of integers": ("ConstantOfShape", (longs(2),), {"value": [1, 2]}, 20),
    "two fills": ("ConstantOfShape", (longs(2),), {"value": helper.make_tensor("v", 1, [2], [1, 2])}, 20),
    "an operator of no rule": ("Det", (REAL[:, :3, :3],), {}, 20),
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_VALUE)
def test_what_has_no_value_or_no_bound_is_not_folded(kind: str) -> None:
    op, arrays, attributes, opset = NO_VALUE[kind]
    assert evaluate(node(op, arrays, **attributes), [np.asarray(a) for a in arrays], opset) is None
