"""What is inferred of a part of a model's sizes holds for the whole; a node that contradicts itself promises nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builders.shape_rows import MAP, ROWS, graph_of, ints, real
from onnx import helper, numpy_helper

from npuscope.model.graph import Graph
from npuscope.model.inference.infer import infer
from npuscope.model.inference.types import Shape, broadcast, tensor_type
from npuscope.model.load import index
from npuscope.model.tensors import UNKNOWN, Constant, TensorType

Types = dict[str, TensorType]
Hide = Callable[[TensorType], TensorType]


def rank(known: TensorType) -> TensorType:
    return TensorType(known.dtype, None)


def sizes(known: TensorType) -> TensorType:
    return TensorType(known.dtype, known.shape and (None,) * len(known.shape))


def names(known: TensorType) -> TensorType:
    return TensorType(known.dtype, known.shape and tuple(f"of {d}" for d in known.shape))


def every_other(known: TensorType) -> TensorType:
    return TensorType(
        known.dtype, known.shape and tuple(d if i % 2 else None for i, d in enumerate(known.shape))
    )


def everything(_: TensorType) -> TensorType:
    return UNKNOWN


def parts(row: tuple[Any, ...]) -> tuple[Graph, dict[str, Constant], Types]:
    """The graph of a row, its constants, and the types of its inputs."""
    made = graph_of(row)
    constants = {
        t.name: Constant.of(t.name, np.asarray(numpy_helper.to_array(t))) for t in made.graph.initializer
    }
    return (
        index(made, {}, {}, {"": row[4]}),
        constants,
        {v.name: tensor_type(v.type) for v in made.graph.input},
    )


UNSEEN = ("MaxUnpool", (1, 1, 2, 2), (np.zeros((1, 1, 2, 2), np.int64), ints(1, 1, 5, 5)), {"kernel_shape": [2, 2]}, 13, 1)  # fmt: skip
"""onnx's inference does not look at the sizes."""


@pytest.mark.parametrize("row", [*ROWS, UNSEEN], ids=lambda row: f"{row[0]} {row[1]} {row[3]}")
def test_what_is_inferred_of_less_holds_for_all_of_it(row: tuple[Any, ...]) -> None:
    graph, constants, declared = parts(row)
    whole = infer(graph.nodes, constants, declared, row[4]).types
    unstated = {name: TensorType(one.dtype, one.shape) for name, one in constants.items()}
    operands = {**declared, **unstated}
    for hide in (rank, sizes, names, every_other, everything):
        for name, operand in operands.items():
            stated = {key: value for key, value in constants.items() if key != name}
            known = {key: value for key, value in operands.items() if key not in stated} | {
                name: hide(operand)
            }
            compare(infer(graph.nodes, stated, known, row[4]).types, whole, graph)
        compare(
            infer(graph.nodes, {}, {key: hide(value) for key, value in operands.items()}, row[4]).types,
            whole,
            graph,
        )
    compare(infer(graph.nodes, {}, operands, row[4]).types, whole, graph)


def compare(found: Types, whole: Types, graph: Graph) -> None:
    for name in graph.outputs:
        less, all_of_it = found.get(name, UNKNOWN), whole[name]
        assert less.dtype in ("unknown", all_of_it.dtype)
        if less.shape is not None:
            assert all_of_it.shape is not None and len(less.shape) == len(all_of_it.shape)
            for dim, truth in zip(less.shape, all_of_it.shape, strict=True):
                assert dim is None or truth is None or dim in (truth, f"of {truth}")


N = None
# operator, shape of the data, further inputs, attributes, opset, outputs; the shape of the first output
OWN: list[tuple[str, tuple[int | str, ...], tuple[Any, ...], dict[str, Any], int, int, Shape | None]] = [
    ("Flatten", MAP, (), {"axis": 5}, 13, 1, (N, N)),
    ("Squeeze", MAP, (ints(4),), {}, 13, 1, N),
    ("Squeeze", ("N", 1, 3), (), {}, 13, 1, N),
    ("Unsqueeze", MAP, (ints(9),), {}, 13, 1, N),
    ("Unsqueeze", MAP, (ints(0, 0),), {}, 13, 1, N),
    ("Unsqueeze", MAP, (ints(*range(70)),), {}, 13, 1, N),
    ("Reshape", MAP, (ints(*[1] * 70),), {}, 13, 1, N),
    ("Reshape", MAP, (ints(5, -1),), {}, 13, 1, (5, N)),
    ("Reshape", (2, 0, 4), (ints(0, -1),), {}, 13, 1, (2, 0)),
    ("Reshape", MAP, (), {"shape": [2, -1]}, 4, 1, (2, 378)),
    ("Reshape", ("N", 6), (ints(4, -1),), {}, 13, 1, (4, N)),
    ("Transpose", MAP, (), {"perm": [0, 1, 1, 2]}, 13, 1, N),
    ("Transpose", MAP, (), {"perm": [0, 1]}, 13, 1, N),
    ("Concat", MAP, (real(2, 3),), {"axis": 1}, 13, 1, N),
    ("Concat", MAP, (real(*MAP),), {"axis": 4}, 13, 1, N),
    ("Split", MAP, (), {"axis": 7}, 13, 2, N),
    ("Split", MAP, (ints(2, 2, 2),), {"axis": 1}, 13, 2, (2, N, 9, 7)),
    ("Slice", MAP, (ints(0), ints(2), ints(4)), {}, 13, 1, (N, N, N, N)),
    ("Slice", MAP, (ints(0), ints(2, 3)), {}, 13, 1, (N, N, N, N)),
    ("Slice", MAP, (ints(0), ints(2), ints(0, 1)), {}, 13, 1, (N, N, N, N)),
    ("Slice", MAP, (ints(0), ints(2), ints(1), ints(0)), {}, 13, 1, (2, N, 9, 7)),
    ("Gather", MAP, (ints(0),), {"axis": -5}, 13, 1, N),
    ("GatherND", MAP, (np.zeros((5, 6), np.int64),), {}, 13, 1, N),
    ("GatherND", MAP, (np.int64(0),), {}, 13, 1, N),
    ("Tile", MAP, (ints(1, 2),), {}, 13, 1, (N, N, N, N)),
    ("Tile", (2, 3), (ints(-1, 2),), {}, 13, 1, (N, 6)),
    ("Pad", (2, 3), (ints(0, 1, 2),), {}, 13, 1, (N, N)),
    ("Pad", (2, 3), (ints(1, 2), np.float32(0), ints(2)), {}, 18, 1, (N, N)),
    ("Pad", (2, 3), (ints(0, -2, 0, -2),), {}, 13, 1, (2, N)),
    ("Expand", MAP, (ints(5, 1),), {}, 13, 1, N),
    ("Resize", MAP, ("", "", ints(2, 3)), {"axes": [2, 4]}, 18, 1, (N, N, N, N)),
    ("Resize", MAP, ("", "", ints(2, 3)), {}, 13, 1, (N, N, N, N)),
    ("Resize", MAP, ("", np.array([1, 1, 2], np.float32)), {}, 13, 1, (N, N, N, N)),
    ("Resize", MAP, ("", np.array([1, 1, np.inf, np.nan], np.float32)), {}, 13, 1, (2, 6, N, N)),
    ("Resize", MAP, (real(8), np.array([1, 1, 2, 2], np.float32)),
     {"coordinate_transformation_mode": "tf_crop_and_resize"}, 13, 1, (N, N, N, N)),
    ("DepthToSpace", (1, 8, 3), (), {"blocksize": 2}, 13, 1, N),
    ("DepthToSpace", (1, 9, 3, 3), (), {"blocksize": 2}, 13, 1, (1, N, 6, 6)),
    ("SpaceToDepth", (1, 9, 3, 3), (), {"blocksize": 0}, 13, 1, N),
    ("SpaceToDepth", (1, 2, 7, 4), (), {"blocksize": 2}, 13, 1, (1, 8, N, 2)),
    ("GridSample", MAP, (real(2, 5, 2),), {}, 16, 1, N),
    ("AffineGrid", (2, 2, 3), (ints(2, 3, 5, 7),), {}, 20, 1, (2, 5, 7, 2)),
    ("AffineGrid", (2, 2, 3), (ints(2, 3, 5),), {}, 20, 1, N),
    ("MaxUnpool", (1, 1, 2, 2), (np.zeros((1, 1, 2, 2), np.int64), ints(1, 1, 5, 5)), {"kernel_shape": [2, 2]}, 13, 1, (1, 1, 5, 5)),
    ("MaxUnpool", MAP, (np.zeros(MAP, np.int64),), {"kernel_shape": [2]}, 13, 1, N),
    ("MaxUnpool", MAP, (np.zeros(MAP, np.int64),), {"kernel_shape": [2, 2], "strides": [2]}, 13, 1, N),
    ("CenterCropPad", MAP, (ints(3, 3),), {"axes": [1, 4]}, 18, 1, (N, N, N, N)),
    ("CenterCropPad", MAP, (ints(3),), {}, 18, 1, (N, N, N, N)),
    ("OneHot", (3, 4), (np.int64(5), real(2)), {"axis": 3}, 13, 1, N),
    ("OneHot", (3, 4), (np.float32(np.inf), real(2)), {}, 13, 1, (3, 4, N)),
    ("Compress", MAP, (np.array([True]),), {"axis": 4}, 13, 1, N),
    ("Unique", MAP, (), {"axis": 4}, 13, 1, N),
    ("TopK", MAP, (ints(3),), {"axis": 4}, 13, 2, N),
    ("TopK", MAP, (ints(-3),), {"axis": 1}, 13, 2, (2, N, 9, 7)),
    ("ReduceSum", MAP, (ints(4),), {}, 13, 1, N),
    ("ArgMax", MAP, (), {"axis": -5}, 13, 1, N),
    ("MatMul", (2, 3, 4), (real(3, 4, 5),), {}, 13, 1, N),
    ("MatMul", (), (real(4, 5),), {}, 13, 1, N),
    ("Gemm", (2, 3, 4), (real(4, 5),), {}, 13, 1, N),
    ("Conv", (3,), (real(4, 6, 3, 3),), {}, 13, 1, N),
    ("Conv", MAP, (real(4, 6, 3, 3),), {"strides": [1]}, 13, 1, N),
    ("Conv", MAP, (real(4, 6, 3, 3),), {"pads": [1, 1]}, 13, 1, N),
    ("Conv", MAP, (real(4, 6, 3, 3),), {"strides": [0, 1]}, 13, 1, (2, 4, N, 5)),
    ("Conv", (1, 6, 2, 8), (real(4, 6, 3, 3),), {}, 13, 1, (1, 4, N, 6)),
    ("ConvTranspose", (6, 4), (real(6, 4),), {}, 13, 1, N),
    ("ConvTranspose", MAP, (real(6, 4, 3, 3),), {"dilations": [1]}, 13, 1, N),
    ("ConvTranspose", MAP, (real(6, 4, 3, 3),), {"pads": [9, 9, 9, 9]}, 13, 1, (2, 4, N, N)),
    ("MaxPool", MAP, (), {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1, "pads": [1, 1, 1, 1]}, 13, 2, (2, 6, 4, 3)),
    ("MaxPool", (3,), (), {"kernel_shape": [2]}, 13, 1, N),
    ("GlobalAveragePool", (3,), (), {}, 13, 1, N),
    ("LayerNormalization", MAP, (real(7),), {"axis": 4}, 17, 1, MAP),
    ("LSTM", (5, 2), (real(1, 16, 3), real(1, 16, 4)), {"hidden_size": 4}, 14, 1, N),
    ("LSTM", (5, 2, 3), (real(1, 16, 3), real(1, 16, 4)), {}, 14, 1, (5, 1, 2, N)),
    ("Einsum", (2, 3), (), {"equation": "ijk->i"}, 13, 1, N),
    ("Einsum", (2, 3), (), {"equation": "i->i"}, 13, 1, N),
    ("Einsum", (2, 3), (), {"equation": "ij->k"}, 13, 1, N),
    ("Einsum", (2, 3), (), {"equation": "ij,jk->ik"}, 13, 1, N),
    ("Einsum", (2, 3), (real(4, 5),), {"equation": "...,...->..."}, 13, 1, N),
    ("Det", (3,), (), {}, 13, 1, N),
    ("Where", (3, 1), (real(4, 4),), {}, 13, 1, N),
]  # fmt: skip


@pytest.mark.parametrize("row", OWN, ids=lambda row: f"{row[0]} {row[1]} {row[3]}")
def test_what_can_be_said_of_a_node_that_onnx_refuses_or_infers_otherwise_than_it_runs(
    row: tuple[Any, ...],
) -> None:
    graph, constants, declared = parts(row[:6])
    found = infer(graph.nodes, constants, declared, row[4]).types.get("y0", UNKNOWN)
    assert found.shape == row[6]


CONSTANTS: dict[str, tuple[Any, str, tuple[int, ...] | None]] = {
    "value_float": (1.5, "float32", ()),
    "value_int": (3, "int64", ()),
    "value_floats": ([1.5, 2.5], "float32", (2,)),
    "value_ints": ([1, 2, 3], "int64", (3,)),
    "value": (helper.make_tensor("v", 3, [2, 1], [1, 2]), "int8", (2, 1)),
    "value_strings": (["a"], "unknown", None),
}


@pytest.mark.parametrize("attribute", CONSTANTS)
def test_a_constant_node_has_the_shape_of_its_attribute(attribute: str) -> None:
    value, dtype, shape = CONSTANTS[attribute]
    made = helper.make_model(
        helper.make_graph(
            [helper.make_node("Constant", [], ["y"], **{attribute: value})],
            "g",
            [],
            [helper.make_empty_tensor_value_info("y")],
        )
    )
    graph = index(made, {}, {}, {"": 13})
    found = infer(graph.nodes, {}, {}, 13).types.get("y", UNKNOWN)
    assert (found.dtype, found.shape) == (dtype, shape)


@pytest.mark.parametrize(
    ("start", "limit", "delta", "length"),
    [(0, 7, 2, 4), (7, 0, 2, 0), (7, 0, -2, 4), (0, 7, 0, None), (0.0, 1.0, 0.3, 4), (0.0, 1.0, 0.0, None), (0.0, np.inf, 1.0, None)],
)  # fmt: skip
def test_the_length_of_a_range(start: float, limit: float, delta: float, length: int | None) -> None:
    kind = np.int64 if isinstance(start, int) else np.float32
    constants = {n: Constant.of(n, np.array(v, kind)) for n, v in (("s", start), ("l", limit), ("d", delta))}
    graph = index(
        helper.make_model(
            helper.make_graph([helper.make_node("Range", ["s", "l", "d"], ["y"])], "g", [], [])
        ),
        {},
        {},
        {"": 13},
    )
    assert infer(graph.nodes, constants, {}, 13).types["y"].shape == (length,)


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        ((3, 1), (4,), (3, 4)), ((2,), (3,), None), (("N", 1), (1, "M"), ("N", "M")), (("N",), ("N",), ("N",)),
        (("N",), (4,), (4,)), ((4,), (None,), (4,)), (("N",), ("M",), (None,)), ((None,), (None, 2), (None, 2)), (None, (2,), None),
    ],
)  # fmt: skip
def test_two_shapes_that_are_broadcast(first: Shape | None, second: Shape | None, both: Shape | None) -> None:
    assert broadcast(first, second) == broadcast(second, first) == both
