"""Operators that few files hold, beside the reference interpreter, floats to rounding and integers exactly."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from builders.tflite.operators import Case, simple
from builders.tflite.rare import RARE, B, T, drawn, f, i, k, of, q
from builders.tflite.reference import distances

from npuscope import tflite
from npuscope.tflite.convert import DOMAIN, REASON_KEY, convert
from npuscope.tflite.schema import parse

pytest.importorskip("ai_edge_litert.interpreter")

# The reference kernel of the former leaves the last channel of its window out, the latter has none; the fast ones do not.
FAST = {"local response", "segment sum"}


@pytest.mark.parametrize("name", sorted(RARE))
def test_a_rare_operator_equals_the_reference(name: str) -> None:
    case = Case("float32")
    data = case.bytes(*RARE[name](case))
    onnx.checker.check_model(convert(parse(data), len(data)), full_check=True)
    made = [one for seed in (0, 1) for one in distances(data, seed, fast=name in FAST)]
    assert made
    for one in made:
        assert one.steps < 1e-5, one


def test_reductions_before_an_operator_of_a_newer_opset_are_of_it_too() -> None:
    """GELU is of opset 20, where the axes of a ReduceMax are an input; it stands behind one."""
    case = Case("float32")
    source = case.entry("in", (2, 6))
    reduced, result = case.act("reduced", (2, 1)), case.act("out", (2, 1))
    axes = case.integers("axes", [1])
    case.operator("REDUCE_MAX", [source, axes], [reduced], "ReducerOptions", keepDims=True)
    case.operator("GELU", [reduced], [result], "GeluOptions")
    data = case.bytes([source], [result])
    model = convert(parse(data), len(data))
    onnx.checker.check_model(model, full_check=True)
    assert [len(node.input) for node in model.graph.node] == [2, 1]
    assert max(one.steps for one in distances(data)) < 1e-5


def rows_of_scales(case: Case) -> tuple[list[int], list[int]]:
    rows, table = case.tensor("rows", (2,), "int32"), case.weights("table", (5, 4), 0)
    result = case.act("out", (2, 4))
    case.operator("EMBEDDING_LOOKUP", [rows, table], [result])
    return [rows], [result]


KEPT = {
    "adds quantized values up": of("SCATTER_ND", [k([[1]]), q(1, 4), k([5, 4])], [q(5, 4)], "ScatterNdOptions"),
    "adds truth values up": of("SCATTER_ND", [k([[1]]), k([[True]], B), k([5, 1])], [k(np.zeros((5, 1)), B)], "ScatterNdOptions"),
    "writes quantized values": of("ONE_HOT", [i(2), k(3), k(1), k(0)], [q(2, 3)], "OneHotOptions", axis=-1),
    "a block of over a million places": of("DYNAMIC_UPDATE_SLICE", [f(1100, 1000), f(1100, 1000), i(2)], [f(1100, 1000)], "DynamicUpdateSliceOptions"),
    "brings quantized rows together": of("UNSORTED_SEGMENT_SUM", [q(2, 4), k([0, 1]), k(2)], [q(2, 4)], "UnsortedSegmentSumOptions"),
    "sums quantized values up as they run": of("CUMSUM", [q(2, 4), k(1)], [q(2, 4)], "CumsumOptions"),
    "writes stored zeros beside a quantized diagonal": of("MATRIX_DIAG", [q(2, 4)], [q(2, 4, 4)], "MatrixDiagOptions"),
    "what is left of divisions of quantized values": of("FLOOR_MOD", [q(2, 4), q(2, 4)], [q(2, 4)], "FloorModOptions"),
    "sorts quantized values into buckets": of("BUCKETIZE", [q(2, 4)], [i(2, 4)], "BucketizeOptions", boundaries=[0.0]),
    "finds angles of int8": of("ATAN2", [q(2, 4), q(2, 4)], [q(2, 4)], "ATan2Options"),
    "fills a quantized tensor with stored zeros": of("ZEROS_LIKE", [q(2, 4)], [q(2, 4)], "ZerosLikeOptions"),
    "convolves three axes of other than floats": of("CONV_3D", [f(1, 5, 6, 7, 3), f(2, 3, 3, 3, 4)], [f(1, 4, 4, 5, 4)], "Conv3DOptions", padding=1, strideD=1, strideW=1, strideH=1),
    "looks rows up, each with a scale of its own": rows_of_scales,
    "shifts uint8": of("RIGHT_SHIFT", [T((2, 4), "uint8"), k(np.ones((2, 4)), "uint8")], [T((2, 4), "uint8")], "RightShiftOptions"),
    "works on other than maps of floats": simple("L2_POOL_2D", [(1, 6, 8, 4)], (1, 3, 4, 4), "Pool2DOptions", strideH=2, strideW=2, filterWidth=2, filterHeight=2),
}  # fmt: skip


@pytest.mark.parametrize("words", KEPT)
def test_a_form_that_onnx_has_not_stays_and_says_why(words: str) -> None:
    case = Case("int8")
    nodes = tflite.read(case.bytes(*KEPT[words](case))).graph.node
    (kept,) = [node for node in nodes if node.domain == DOMAIN]
    assert any(entry.key == REASON_KEY and words in entry.value for entry in kept.metadata_props)


REFUSED = {
    "writes 1 axes by TOPK_V2_0": of("TOPK_V2", [f(2, 9), k(3)], [f(3), i(3)], "TopKV2Options"),
    "writes 1 axes by ONE_HOT_0": of("ONE_HOT", [i(2), k(3), k(1), k(0)], [i(2)], "OneHotOptions"),
    "puts 2 axes into 1": of("DYNAMIC_UPDATE_SLICE", [f(4), f(2, 2), i(2)], [f(4)], "DynamicUpdateSliceOptions"),
    "turns the rows themselves around": of("REVERSE_SEQUENCE", [f(4, 5), k([1, 5, 3, 2])], [f(4, 5)], "ReverseSequenceOptions"),
    "writes 1 axes by MATRIX_DIAG_0": of("MATRIX_DIAG", [f(4)], [f(4)], "MatrixDiagOptions"),
    "convolves 5x4x5 axes": of("CONV_3D", [f(1, 5, 6, 7, 3), drawn(2, 3, 3, 4)], [f(1, 4, 4, 5, 4)], "Conv3DOptions"),
    "a stride or dilation of 0×0×0": of("CONV_3D", [f(1, 5, 6, 7, 3), f(2, 3, 3, 3, 4)], [f(1, 4, 4, 5, 4)], "Conv3DOptions"),
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_what_contradicts_itself_is_refused(words: str) -> None:
    case = Case("float32")
    data = case.bytes(*REFUSED[words](case))
    with pytest.raises(Exception, match=words):
        tflite.read(data)
