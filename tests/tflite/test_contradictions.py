"""Operators whose operands contradict them are refused with a line; those without a form in ONNX stay, and say why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders.tflite.operators import (
    MAP,
    RELU,
    SAME,
    VALID,
    Build,
    Case,
    several,
    simple,
    strides,
    window,
    with_integers,
)

from npuscope import tflite
from npuscope.model.errors import ModelError
from npuscope.tflite.convert import DOMAIN, REASON_KEY, UNSCALED_KEY


def convolved(
    kind: str,
    source: tuple[int, ...],
    kernel: tuple[int, ...],
    out: tuple[int, ...],
    bias: int = 0,
    **fields: Any,
) -> Build:
    """A convolution or dense layer with these weights and options."""
    options = {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions", "TRANSPOSE_CONV": "TransposeConvOptions",
               "FULLY_CONNECTED": "FullyConnectedOptions"}[kind]  # fmt: skip

    def build(case: Case) -> tuple[list[int], list[int]]:
        data, weights = (
            case.entry("in", source),
            case.weights("weights", kernel, 3 if kind.startswith("DEPTH") else 0),
        )
        inputs = [data, weights, *([case.bias("bias", bias)] if bias else [])]
        if kind == "TRANSPOSE_CONV":
            inputs = [case.integers("shape", out), weights, data]
        result = case.act("out", out)
        case.operator(kind, inputs, [result], options, **fields)
        return case.entries, [result]

    return build


def one_by_one(**fields: Any) -> dict[str, Any]:
    return strides(1, VALID) | fields


def joined(*shapes: tuple[int, ...], out: tuple[int, ...], axis: int = 1) -> Build:
    return simple("CONCATENATION", list(shapes), out, "ConcatenationOptions", axis=axis)


def lstm(
    gates: int = 3, ranks: int = 2, biases: int = 3, shape: tuple[int, ...] = (2, 5, 4), **more: Any
) -> Build:
    """A sequence LSTM of three units; `more` are options, `projection` and `shared` what it has of other forms."""
    projection, shared = more.pop("projection", False), more.pop("shared", False)
    uneven = more.pop("uneven", False)

    def build(case: Case) -> tuple[list[int], list[int]]:
        source, absent = case.entry("in", shape), -1

        def known(name: str, *size: int) -> int:
            return case.known(name, np.ones(size[:ranks] if len(size) > 1 else size))

        weights = [known(f"w{i}", gates + (uneven and i == 2), 4) for i in range(4)]
        recurrent = [known(f"r{i}", 3, 3) for i in range(4)]
        offsets = [known(f"b{i}", biases) for i in range(4)]
        if shared:
            weights[0] = absent
        state, cell = case.act("state", (2, 3)), case.act("cell", (2, 3))
        for number in (state, cell):
            case.graph.tensors[number].isVariable = True
        result = case.act("out", (*shape[:-1], 3))
        inputs = [
            source,
            *weights,
            *recurrent,
            *[absent] * 3,
            *offsets,
            *([known("p", 3, 3)] if projection else [absent]),
            absent,
        ]
        options = {"fusedActivationFunction": 4, "cellClip": 10.0} | more
        case.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", [*inputs, state, cell, *[absent] * 4], [result],
                      "UnidirectionalSequenceLSTMOptions", **options)  # fmt: skip
        return case.entries, [result]

    return build


def strided(begin: list[int], end: list[int], steps: list[int], out: tuple[int, ...], **fields: Any) -> Build:
    return with_integers("STRIDED_SLICE", MAP, [begin, end, steps], out, "StridedSliceOptions", **fields)


REFUSED: dict[str, tuple[Build, str]] = {
    "weights of other channels": (convolved("CONV_2D", MAP, (6, 1, 1, 3), (1, 6, 8, 6), **one_by_one()), "convolves 4 channels with a kernel of 3"),
    "a convolution of rows": (convolved("CONV_2D", (1, 4), (6, 1, 1, 4), (1, 6), **one_by_one()), "convolves 'in', which has 2 axes"),
    "a stride of 0": (convolved("CONV_2D", MAP, (6, 1, 1, 4), (1, 6, 8, 6), **one_by_one(strideH=0)), "states a stride, dilation or window of 0×1"),
    "weights of three axes": (convolved("CONV_2D", MAP, (6, 1, 4), (1, 6, 8, 6), **one_by_one()), "states weights of 3 axes in 'weights'"),
    "a bias of other scales": (convolved("CONV_2D", MAP, (6, 1, 1, 4), (1, 6, 8, 6), bias=5, **one_by_one()), "states 6 scales for 5 values of the bias"),
    "depthwise kernels of no multiple": (convolved("DEPTHWISE_CONV_2D", MAP, (1, 1, 1, 6), (1, 6, 8, 6), **one_by_one()), "convolves each of 4 channels with 6 kernels"),
    "a transposed kernel of other channels": (convolved("TRANSPOSE_CONV", MAP, (6, 1, 1, 3), (1, 6, 8, 6), strideH=1, strideW=1), "convolves 4 channels with a kernel of 3"),
    "more rows than are computed": (convolved("TRANSPOSE_CONV", MAP, (6, 1, 1, 4), (1, 9, 8, 6), strideH=1, strideW=1, padding=SAME), "writes 9 values where 6 are computed"),
    "rows of another length": (convolved("FULLY_CONNECTED", (1, 10), (6, 4), (2, 6)), "multiplies 10 values with rows of 4"),
    "rows of another number": (convolved("FULLY_CONNECTED", (2, 4), (6, 4), (3, 6)), "writes 2×6 values to a tensor of another size"),
    "a pool of rows": (simple("MAX_POOL_2D", [(1, 4)], (1, 4), "Pool2DOptions", **window(1, 1)), "on 2 axes"),
    "a block of 0": (simple("SPACE_TO_DEPTH", [MAP], (1, 3, 4, 16), "SpaceToDepthOptions", blockSize=0), "states a block of 0"),
    "a resize of nothing": (with_integers("RESIZE_BILINEAR", (1, 0, 8, 4), [[2, 2]], (1, 2, 2, 4), "ResizeBilinearOptions"), "resizes a tensor of no values"),
    "pads of other axes": (with_integers("PAD", MAP, [[[0, 0], [1, 1]]], MAP, "PadOptions"), "pads 4 axes by 4 amounts"),
    "a mirror of more than there is": (with_integers("MIRROR_PAD", MAP, [[[0, 0], [7, 0], [0, 0], [0, 0]]], (1, 13, 8, 4), "MirrorPadOptions", mode=1), "mirrors more values than there are"),
    "a mean to three axes": (with_integers("MEAN", MAP, [[1, 2]], (1, 2, 2), "ReducerOptions"), "writes 3 axes"),
    "a reshape to other values": (with_integers("RESHAPE", MAP, [[1, 190]], (1, 190), "ReshapeOptions"), "reshapes 192 values to 190"),
    "an order of three axes": (with_integers("TRANSPOSE", MAP, [[0, 1, 1, 3]], MAP, "TransposeOptions"), "states the permutation [0, 1, 1, 3] of 4 axes"),
    "parts of other ranks": (joined((1, 4), (1, 2, 4), out=(1, 8)), "joins tensors of different ranks"),
    "two axes to split": (several("SPLIT", MAP, [(1, 3, 8, 4)] * 2, [[1, 2]], "SplitOptions", first=True, numSplits=2), "states 2 axes for"),
    "parts of fewer axes": (several("SPLIT", MAP, [(3, 8, 4)] * 2, [1], "SplitOptions", first=True, numSplits=2), "splits 4 axes into a different number"),
    "a slice of other axes": (with_integers("SLICE", MAP, [[0, 0], [1, 1]], MAP, "SliceOptions"), "slices 4 axes with 2 start positions"),
    "a step of 0": (strided([0], [1], [0], MAP), "steps by 0"),
    "starts without ends": (strided([0, 0], [1], [1, 1], MAP), "slices with 2 starts and 1 ends"),
    "two ellipses": (strided([0, 0, 0], [1, 1, 1], [1, 1, 1], MAP, ellipsisMask=5), "slices with 2 ellipses"),
    "a slice of more axes": (strided([0] * 5, [1] * 5, [1] * 5, MAP), "slices 4 axes with 5 start positions"),
    "parts that are not there": (several("UNPACK", (3, 4), [(4,)] * 2, [], "UnpackOptions", num=2), "unpacks 3 parts into 2"),
    "a tile of other axes": (with_integers("TILE", MAP, [[1, 2]], MAP, "TileOptions"), "tiles 4 axes 2 times"),
    "blocks of too many axes": (with_integers("SPACE_TO_BATCH_ND", MAP, [[2, 2, 2, 2], [[0, 0]] * 4], MAP, "SpaceToBatchNDOptions"), "states block sizes for 4 of 4 axes"),
    "blocks of nothing": (with_integers("SPACE_TO_BATCH_ND", MAP, [[0, 2], [[0, 0]] * 2], MAP, "SpaceToBatchNDOptions"), "states blocks of [0, 2]"),
    "blocks that do not divide": (with_integers("SPACE_TO_BATCH_ND", MAP, [[4, 2], [[0, 0]] * 2], MAP, "SpaceToBatchNDOptions"), "splits [6, 8] into blocks of [4, 2]"),
    "a batch of no blocks": (with_integers("BATCH_TO_SPACE_ND", (3, 6, 8, 4), [[2, 2], [[0, 0]] * 2], MAP, "BatchToSpaceNDOptions"), "joins a batch of 3 from blocks of [2, 2]"),
    "blocks of another size": (with_integers("SPACE_TO_BATCH_ND", MAP, [[2, 2], [[0, 0]] * 2], (4, 3, 4, 5), "SpaceToBatchNDOptions"), "writes 192 values to a tensor of another size"),
    "two axes of the largest": (with_integers("ARG_MAX", MAP, [[1, 2]], (1, 4), "ArgMaxOptions"), "states 2 axes for"),
    "an LSTM of rows": (lstm(shape=(5, 4)), "on 2 axes"),
    "gates of other units": (lstm(gates=2), "states weights of"),
    "gates of one axis": (lstm(ranks=1), "states weights of 1 axes"),
    "gates of different sizes": (lstm(uneven=True), "states gates of different sizes"),
    "biases of other units": (lstm(biases=2), "states biases of"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_an_operator_that_contradicts_its_operands_is_refused(name: str) -> None:
    build, words = REFUSED[name]
    case = Case("int8", maps=name == "a mean to three axes")
    with pytest.raises(ModelError) as error:
        tflite.read(case.bytes(*build(case)))
    assert words in str(error.value) and "\n" not in str(error.value)


def shuffled(case: Case) -> tuple[list[int], list[int]]:
    return convolved("FULLY_CONNECTED", (2, 4), (6, 4), (2, 6), weightsFormat=1)(case)


def of_inputs(
    kind: str, types: tuple[str, ...], out: str, options: str = "", shapes: Any = None, **fields: Any
) -> Build:
    """An operator of plain inputs of these types."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        sizes = shapes or [MAP] * len(types)
        inputs = [
            case.tensor(f"in{i}", size, dtype)
            for i, (dtype, size) in enumerate(zip(types, sizes, strict=True))
        ]
        result = case.tensor("out", MAP, out)
        case.operator(kind, inputs, [result], options, **fields)
        return inputs, [result]

    return build


def padded_at_run_time(case: Case) -> tuple[list[int], list[int]]:
    value = case.entry("value", (1,))
    inputs = [case.entry("in", MAP), case.integers("paddings", [[0, 0], [1, 1], [1, 1], [0, 0]]), value]
    result = case.act("out", (1, 8, 10, 4))
    case.operator("PADV2", inputs, [result], "PadV2Options")
    return case.entries, [result]


def scales_across(case: Case) -> tuple[list[int], list[int]]:
    weights = case.weights("weights", (6, 1, 1, 4), 3)
    result = case.act("out", (1, 6, 8, 6))
    case.operator("CONV_2D", [case.entry("in", MAP), weights, -1], [result], "Conv2DOptions", **one_by_one())
    return case.entries, [result]


def computed_weights(case: Case) -> tuple[list[int], list[int]]:
    source, weights = case.entry("in", MAP), case.act("weights", (6, 1, 1, 4))
    given = case.entry("given", (6, 1, 1, 4))
    case.operator("TANH", [given], [weights])
    result = case.act("out", (1, 6, 8, 6))
    case.operator("CONV_2D", [source, weights, -1], [result], "Conv2DOptions", **one_by_one())
    return case.entries, [result]


def two_operands(case: Case) -> tuple[list[int], list[int]]:
    source, result = case.entry("in", MAP), case.act("out", MAP)
    case.operator("ADD", [source], [result], "AddOptions")
    return case.entries, [result]


KEPT: dict[str, tuple[str, Build, str, bool]] = {
    "a quantizer to no scale": ("int8", of_inputs("QUANTIZE", ("float32",), "int8"), "quantizes to a tensor without a scale", True),
    "no scale to dequantize by": ("int8", of_inputs("DEQUANTIZE", ("int8",), "float32"), "dequantizes a tensor without a scale", True),
    "no scale to compute with": ("int8", of_inputs("TANH", ("int8",), "int8"), "computes on 'in0', int8 without a scale", True),
    "shuffled weights": ("int8", shuffled, "stores its weights shuffled", False),
    "scales along the input channels": ("int8", scales_across, "has its weights' scales along axis 3", True),
    "weights of the run": ("int8", computed_weights, "reads weights that are computed at run time", False),
    "an operand that is not there": ("int8", two_operands, "has too few operands", False),
    "a border of the run": ("int8", padded_at_run_time, "pads with a value that is computed at run time", False),
    "batches of indices": ("int8", with_integers("GATHER", MAP, [[[0]]], (1, 6, 1, 4), "GatherOptions", axis=2, batchDims=1), "gathers behind its batch dimensions", False),
    "an activation of its own": ("int8", simple("ADD", [MAP, MAP], MAP, "AddOptions", fusedActivationFunction=5), "has the fused activation", False),
    "an activation of no name": ("int8", simple("ADD", [MAP, MAP], MAP, "AddOptions", fusedActivationFunction=77), "has the fused activation 77", False),
    "a projection": ("float32", lstm(projection=True), "has peepholes, a projection or a layer normalization", False),
    "an LSTM of another activation": ("float32", lstm(fusedActivationFunction=RELU), "has another activation, or clips its cell state", False),
    "an LSTM that clips": ("float32", lstm(cellClip=2.0), "has another activation, or clips its cell state", False),
    "gates that are shared": ("float32", lstm(shared=True), "shares gates, or computes its weights", False),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_an_operator_without_a_form_stays_and_says_why(name: str) -> None:
    dtype, build, words, unscaled = KEPT[name]
    case = Case(dtype)
    nodes = [node for node in tflite.read(case.bytes(*build(case))).graph.node if node.domain == DOMAIN]
    (said,) = [{entry.key: entry.value for entry in node.metadata_props} for node in nodes]
    assert words in said[REASON_KEY]
    assert (UNSCALED_KEY in said) == unscaled
