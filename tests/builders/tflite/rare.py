"""One small file for each operator that few files hold: name -> (type of the activations, what to build)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from builders.tflite.operators import MAP, RELU, SAME, VALID, Build, Case, window


@dataclass(frozen=True)
class T:
    """A tensor: an input, or a constant where it has values."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    values: Any = None
    scale: float = 0.0
    zero: int = 0


def f(*shape: int) -> T:
    return T(shape)


def i(*shape: int) -> T:
    return T(shape, "int32")


def q(*shape: int, scale: float = 0.05, zero: int = 3) -> T:
    return T(shape, "int8", None, scale, zero)


def k(values: Any, dtype: str = "int32") -> T:
    array = np.asarray(values, dtype)
    return T(array.shape, dtype, array)


def drawn(*shape: int, dtype: str = "float32") -> T:
    random = np.random.default_rng(sum(shape))
    return k(random.uniform(-1, 1, shape), dtype)


def of(kind: str, inputs: list[T | None], outputs: list[T], options: str = "", **fields: Any) -> Build:
    """A file of one operator."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        numbers: list[int] = []
        for place, one in enumerate(inputs):
            if one is None:
                numbers.append(-1)
            elif one.values is not None:
                numbers.append(case.constant(f"constant{place}", one.values))
            else:
                quant = (one.scale, one.zero) if one.scale else ()
                numbers.append(case.tensor(f"in{place}", one.shape, one.dtype, *quant))
                case.entries.append(numbers[-1])
        results = [
            case.tensor(f"out{place}", one.shape, one.dtype, *((one.scale, one.zero) if one.scale else ()))
            for place, one in enumerate(outputs)
        ]
        case.operator(kind, numbers, results, options, **fields)
        return case.entries, results

    return build


def of_negatives(kind: str, divisor: int, options: str) -> Build:
    """An operator on integers from -5 to -2."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        source = case.tensor("in", (3, 5), "int32")
        less, by = (
            case.constant("five", np.array([5], np.int32)),
            case.constant("by", np.array([divisor], np.int32)),
        )
        below, result = case.tensor("below", (3, 5), "int32"), case.tensor("out", (3, 5), "int32")
        case.operator("SUB", [source, less], [below], "SubOptions")
        case.operator(kind, [below, by], [result], options)
        return [source], [result]

    return build


B = "bool"
SUM = {"options": "ReducerOptions"}
ROW = {"strideD": 1, "strideH": 1, "strideW": 1}
RARE: dict[str, Build] = {
    "top k": of("TOPK_V2", [f(2, 9), k(3)], [f(2, 3), i(2, 3)], "TopKV2Options"),
    "top k of int8": of("TOPK_V2", [q(2, 9), k(3)], [q(2, 3), i(2, 3)], "TopKV2Options"),
    "top k of integers": of("TOPK_V2", [i(2, 9), k(4)], [i(2, 4), i(2, 4)], "TopKV2Options"),
    "embedding lookup": of("EMBEDDING_LOOKUP", [i(5), drawn(4, 6)], [f(5, 6)]),
    "one hot": of("ONE_HOT", [i(2, 3), k(4), k(1.5, "float32"), k(-0.5, "float32")], [f(2, 3, 4)], "OneHotOptions", axis=-1),
    "one hot in front": of("ONE_HOT", [i(2, 3), k(3), k(1), k(0)], [i(3, 2, 3)], "OneHotOptions", axis=0),
    "one hot of nothing": of("ONE_HOT", [k([[0, -1, 2], [7, 1, -3]]), k(4), f(), k(0.0, "float32")], [f(2, 3, 4)], "OneHotOptions", axis=-1),
    "scatter": of("SCATTER_ND", [k([[1], [3], [1]]), f(3, 4), k([5, 4])], [f(5, 4)], "ScatterNdOptions"),
    "scatter of integers": of("SCATTER_ND", [k([[0, 1], [2, 2]]), i(2), k([3, 4])], [i(3, 4)], "ScatterNdOptions"),
    "sparse to dense": of("SPARSE_TO_DENSE", [k([[0, 1], [2, 3]]), k([3, 4]), f(2), k(0.25, "float32")], [f(3, 4)], "SparseToDenseOptions"),
    "sparse to dense of one value": of("SPARSE_TO_DENSE", [k([1, 3]), k([5]), f(), k(0.0, "float32")], [f(5)], "SparseToDenseOptions"),
    "update slice": of("DYNAMIC_UPDATE_SLICE", [f(4, 5), f(2, 3), k([1, 2])], [f(4, 5)], "DynamicUpdateSliceOptions"),
    "update slice at run time": of("DYNAMIC_UPDATE_SLICE", [f(6, 5), f(4, 3), i(2)], [f(6, 5)], "DynamicUpdateSliceOptions"),
    "segment sum": of("SEGMENT_SUM", [f(5, 3), k([0, 0, 1, 2, 2])], [f(3, 3)], "SegmentSumOptions"),
    "unsorted segment sum": of("UNSORTED_SEGMENT_SUM", [f(5, 3), k([2, 0, 1, 2, 0]), k(4)], [f(4, 3)], "UnsortedSegmentSumOptions"),
    "unsorted segment product": of("UNSORTED_SEGMENT_PROD", [f(5, 3), k([2, 0, 1, 2, 0]), k(4)], [f(4, 3)], "UnsortedSegmentProdOptions"),
    "unsorted segment maximum": of("UNSORTED_SEGMENT_MAX", [f(5, 3), k([2, 0, 1, 2, 0]), k(3)], [f(3, 3)], "UnsortedSegmentMaxOptions"),
    "unsorted segment minimum": of("UNSORTED_SEGMENT_MIN", [i(5, 3), k([2, 0, 1, 2, 0]), k(4)], [i(4, 3)], "UnsortedSegmentMinOptions"),
    "reverse sequence": of("REVERSE_SEQUENCE", [f(4, 5, 3), k([1, 5, 3, 2])], [f(4, 5, 3)], "ReverseSequenceOptions", seqDim=1, batchDim=0),
    "reverse sequence of the last axis": of("REVERSE_SEQUENCE", [f(4, 3, 5), k([1, 5, 3, 2])], [f(4, 3, 5)], "ReverseSequenceOptions", seqDim=2, batchDim=0),
    "running sum": of("CUMSUM", [f(3, 5), k(1)], [f(3, 5)], "CumsumOptions"),
    "running sum without itself, backwards": of("CUMSUM", [i(3, 5), k(-2)], [i(3, 5)], "CumsumOptions", exclusive=True, reverse=True),
    "diagonal": of("MATRIX_DIAG", [f(2, 4)], [f(2, 4, 4)], "MatrixDiagOptions"),
    "diagonal of integers": of("MATRIX_DIAG", [i(2, 4)], [i(2, 4, 4)], "MatrixDiagOptions"),
    "diagonal put": of("MATRIX_SET_DIAG", [f(2, 4, 5), f(2, 4)], [f(2, 4, 5)], "MatrixSetDiagOptions"),
    "diagonal put in a tall one": of("MATRIX_SET_DIAG", [f(2, 5, 3), f(2, 3)], [f(2, 5, 3)], "MatrixSetDiagOptions"),
    "floor div of integers": of("FLOOR_DIV", [i(3, 5), k([-3])], [i(3, 5)], "FloorDivOptions"),
    "floor mod of negative ones": of_negatives("FLOOR_MOD", 3, "FloorModOptions"),
    "floor mod of negative ones by one": of_negatives("FLOOR_MOD", -3, "FloorModOptions"),
    "floor div of floats": of("FLOOR_DIV", [f(3, 5), k([0.3], "float32")], [f(3, 5)], "FloorDivOptions"),
    "floor div of negative ones": of_negatives("FLOOR_DIV", 3, "FloorDivOptions"),
    "floor div of negative ones by one": of_negatives("FLOOR_DIV", -3, "FloorDivOptions"),
    "floor mod of an input": of("FLOOR_MOD", [i(3, 5), k([-3])], [i(3, 5)], "FloorModOptions"),
    "floor mod of floats": of("FLOOR_MOD", [f(3, 5), k([0.3], "float32")], [f(3, 5)], "FloorModOptions"),
    "floor mod of floats by a negative one": of("FLOOR_MOD", [f(3, 5), k([-0.3], "float32")], [f(3, 5)], "FloorModOptions"),
    "right shift": of("RIGHT_SHIFT", [i(3, 5), k(np.full((3, 5), 1))], [i(3, 5)], "RightShiftOptions"),
    "exclusive or": of("BITWISE_XOR", [i(3, 5), k(np.full((3, 5), 6))], [i(3, 5)], "BitwiseXorOptions"),
    "any": of("REDUCE_ANY", [T(MAP, B), k([1, 2])], [T((1, 4), B)], keepDims=False, **SUM),
    "all": of("REDUCE_ALL", [T(MAP, B), k([3])], [T((1, 6, 8, 1), B)], keepDims=True, **SUM),
    "buckets": of("BUCKETIZE", [f(3, 5)], [i(3, 5)], "BucketizeOptions", boundaries=[-0.5, 0.0, 0.25]),
    "buckets of integers": of("BUCKETIZE", [i(3, 5)], [i(3, 5)], "BucketizeOptions", boundaries=[1.0, 3.0]),
    "a choice of rows": of("SELECT", [T((3,), B), f(3, 4, 5), f(3, 4, 5)], [f(3, 4, 5)], "SelectOptions"),
    "gather of each row": of("GATHER", [f(3, 5, 2), i(3, 4)], [f(3, 4, 2)], "GatherOptions", axis=1, batchDims=1),
    "gather of each row in int8": of("GATHER", [q(3, 5, 2), k([[0, 4], [2, 2], [3, 1]])], [q(3, 2, 2)], "GatherOptions", axis=1, batchDims=1),
    "gather of one of each row": of("GATHER", [f(3, 5), k([1, 4, 0])], [f(3)], "GatherOptions", axis=1, batchDims=1),
    "angles": of("ATAN2", [f(6, 8), f(6, 8)], [f(6, 8)], "ATan2Options"),
    "angles on the axes": of("ATAN2", [f(4), k([0.0, -1.0, 0.0, 1.0], "float32")], [f(4)], "ATan2Options"),
    "zeros": of("ZEROS_LIKE", [f(3, 5)], [f(3, 5)], "ZerosLikeOptions"),
    "filled": of("FILL", [k([3, 5]), f()], [f(3, 5)], "FillOptions"),
    "l2 pool": of("L2_POOL_2D", [f(*MAP)], [f(1, 3, 4, 4)], "Pool2DOptions", **window(3, 2, SAME)),
    "l2 pool relu": of("L2_POOL_2D", [f(*MAP)], [f(1, 5, 7, 4)], "Pool2DOptions", **window(2, 1, VALID, RELU)),
    "local response": of("LOCAL_RESPONSE_NORMALIZATION", [f(*MAP)], [f(*MAP)], "LocalResponseNormalizationOptions", radius=1, bias=1.5, alpha=0.4, beta=0.75),
    "convolution of three axes": of("CONV_3D", [f(1, 5, 6, 7, 3), drawn(2, 3, 3, 3, 4), drawn(4)], [f(1, 3, 6, 4, 4)], "Conv3DOptions", padding=SAME, strideD=2, strideW=2, strideH=1, fusedActivationFunction=RELU),
    "convolution of three axes, valid": of("CONV_3D", [f(2, 5, 6, 7, 3), drawn(2, 3, 2, 3, 4)], [f(2, 4, 4, 6, 4)], "Conv3DOptions", padding=VALID, **ROW),
    "transposed convolution of three axes": of("CONV_3D_TRANSPOSE", [k([1, 6, 6, 8, 4]), drawn(2, 3, 3, 4, 3), f(1, 3, 3, 4, 3)], [f(1, 6, 6, 8, 4)], "Conv3DOptions", padding=SAME, strideD=2, strideW=2, strideH=2),
    "transposed convolution of three axes, valid": of("CONV_3D_TRANSPOSE", [k([1, 6, 7, 9, 4]), drawn(2, 3, 3, 4, 3), f(1, 3, 3, 4, 3), drawn(4)], [f(1, 6, 7, 9, 4)], "Conv3DOptions", padding=VALID, strideD=2, strideW=2, strideH=2),
}  # fmt: skip
