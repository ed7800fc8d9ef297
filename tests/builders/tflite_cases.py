"""One small file for each operator: name -> what to build."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from builders.tflite_files import File

Build = Callable[["Case"], tuple[list[int], list[int]]]
SAME, VALID = 0, 1
RELU, RELU_N1, RELU6 = 1, 2, 3


class Case(File):
    """A file in int8 or float; `maps` reads its inputs through a 1x1 pool, so that they are held channels first."""

    def __init__(self, dtype: str, maps: bool = False) -> None:
        super().__init__()
        self.dtype, self.maps, self.random = dtype, maps, np.random.default_rng(7)
        self.entries: list[int] = []

    def act(self, name: str, shape: tuple[int, ...], scale: float = 0.05, zero: int = 3) -> int:
        """An activation."""
        if self.dtype == "float32":
            return self.tensor(name, shape, "float32")
        return self.tensor(name, shape, self.dtype, scale, 0 if self.dtype == "int16" else zero)

    def entry(self, name: str, shape: tuple[int, ...], scale: float = 0.05, zero: int = 3) -> int:
        """An input."""
        made = self.act(name, shape, scale, zero)
        self.entries.append(made)
        if not self.maps or len(shape) != 4:
            return made
        pooled = self.act(f"{name}_pooled", shape, scale, zero)
        self.operator("MAX_POOL_2D", [made], [pooled], "Pool2DOptions", **window(1, 1))
        return pooled

    def weights(self, name: str, shape: tuple[int, ...], axis: int) -> int:
        """Weights, a scale for each channel."""
        values = self.random.integers(-127, 128, shape)
        if self.dtype == "float32":
            return self.constant(name, (values * 0.01).astype(np.float32))
        scales = [0.01 + 0.001 * i for i in range(shape[axis])]
        return self.constant(name, values.astype(np.int8), scale=scales, axis=axis)

    def bias(self, name: str, size: int, source: float = 0.05) -> int:
        """A bias with the scales of `weights`."""
        values = self.random.integers(-300, 300, size)
        if self.dtype == "float32":
            return self.constant(name, (values * 0.001).astype(np.float32))
        scales = [source * (0.01 + 0.001 * i) for i in range(size)]
        return self.constant(
            name, values.astype(np.int64 if self.dtype == "int16" else np.int32), scale=scales
        )

    def known(self, name: str, values: Any, scale: float = 0.03, zero: int = 1) -> int:
        """A constant operand, from the real values."""
        real = np.asarray(values, np.float32)
        if self.dtype == "float32":
            return self.constant(name, real)
        zero = 0 if self.dtype == "int16" else zero
        limits = np.iinfo(self.dtype)
        stored = np.clip(np.round(real / scale) + zero, limits.min, limits.max).astype(self.dtype)
        return self.constant(name, stored, scale=scale, zero=zero)

    def integers(self, name: str, values: Any) -> int:
        """A parameter."""
        return self.constant(name, np.asarray(values, np.int32))


def window(size: int, stride: int, padding: int = VALID, activation: int = 0) -> dict[str, int]:
    """Fields of Pool2DOptions."""
    return {
        "filterHeight": size, "filterWidth": size, "strideH": stride, "strideW": stride, "padding": padding,
        "fusedActivationFunction": activation,
    }  # fmt: skip


def strides(step: int, padding: int = SAME, activation: int = 0, dilation: int = 1) -> dict[str, int]:
    """Fields of the convolutions' options."""
    return {
        "strideH": step, "strideW": step, "padding": padding, "fusedActivationFunction": activation,
        "dilationHFactor": dilation, "dilationWFactor": dilation,
    }  # fmt: skip


def simple(
    kind: str, shapes: list[tuple[int, ...]], out: tuple[int, ...], options: str = "",
    scale: float = 0.05, zero: int = 3, entry_scale: float = 0.05, entry_zero: int = 3, **fields: Any
) -> Build:  # fmt: skip
    """An operator of activations only."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        inputs = [case.entry(f"in{i}", shape, entry_scale, entry_zero) for i, shape in enumerate(shapes)]
        result = case.act("out", out, scale, zero)
        case.operator(kind, inputs, [result], options, **fields)
        return case.entries, [result]

    return build


def with_integers(
    kind: str, shape: tuple[int, ...], parameters: list[Any], out: tuple[int, ...], options: str = "",
    first: bool = False, scale: float = 0.05, **fields: Any
) -> Build:  # fmt: skip
    """An operator of one activation and integer parameters behind it (or before it)."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        source = case.entry("in", shape)
        numbers = [case.integers(f"parameter{i}", values) for i, values in enumerate(parameters)]
        result = case.act("out", out, scale)
        case.operator(kind, [*numbers, source] if first else [source, *numbers], [result], options, **fields)
        return case.entries, [result]

    return build


def conv(
    kernel: tuple[int, int], step: int, padding: int = SAME, activation: int = 0, dilation: int = 1,
    size: tuple[int, int] = (9, 10), group: int = 1
) -> Build:  # fmt: skip
    def build(case: Case) -> tuple[list[int], list[int]]:
        source = case.entry("in", (1, *size, 4))
        weights = case.weights("weights", (6, *kernel, 4 // group), 0)
        inputs = [source, weights, case.bias("bias", 6)]
        result = case.act("out", (1, *extents(size, kernel, step, padding, dilation), 6), 0.06, -20)
        case.operator(
            "CONV_2D", inputs, [result], "Conv2DOptions", **strides(step, padding, activation, dilation)
        )
        return case.entries, [result]

    return build


def depthwise(kernel: tuple[int, int], step: int, multiplier: int = 1, dilation: int = 1) -> Build:
    def build(case: Case) -> tuple[list[int], list[int]]:
        size, count = (8, 7), 4 * multiplier
        inputs = [case.entry("in", (1, *size, 4)), case.weights("weights", (1, *kernel, count), 3)]
        inputs.append(case.bias("bias", count))
        result = case.act("out", (1, *extents(size, kernel, step, SAME, dilation), count), 0.04, 0)
        fields = strides(step, SAME, RELU6, dilation) | {"depthMultiplier": multiplier}
        case.operator("DEPTHWISE_CONV_2D", inputs, [result], "DepthwiseConv2DOptions", **fields)
        return case.entries, [result]

    return build


def extents(
    size: tuple[int, int], kernel: tuple[int, int], step: int, padding: int, dilation: int
) -> list[int]:
    """Sizes of a convolution's output."""
    reach = [(k - 1) * dilation + 1 for k in kernel]
    if padding == SAME:
        return [-(-n // step) for n in size]
    return [(n - r) // step + 1 for n, r in zip(size, reach, strict=True)]


def transpose_conv(kernel: int, step: int, padding: int, out: int, bias: bool = True) -> Build:
    def build(case: Case) -> tuple[list[int], list[int]]:
        shape = case.integers("shape", [1, out, out, 3])
        weights = case.weights("weights", (3, kernel, kernel, 4), 0)
        inputs = [shape, weights, case.entry("in", (1, 5, 5, 4)), *([case.bias("bias", 3)] if bias else [])]
        result = case.act("out", (1, out, out, 3), 0.06, 5)
        fields = {"strideH": step, "strideW": step, "padding": padding}
        case.operator("TRANSPOSE_CONV", inputs, [result], "TransposeConvOptions", **fields)
        return case.entries, [result]

    return build


def dense(shape: tuple[int, ...], out: tuple[int, ...], activation: int = 0, keep: bool = False) -> Build:
    def build(case: Case) -> tuple[list[int], list[int]]:
        weights = case.weights("weights", (out[-1], 12), 0)
        result = case.act("out", out, 0.1, -4)
        inputs = [case.entry("in", shape), weights, case.bias("bias", out[-1])]
        case.operator(
            "FULLY_CONNECTED", inputs, [result], "FullyConnectedOptions",
            fusedActivationFunction=activation, keepNumDims=keep,
        )  # fmt: skip
        return case.entries, [result]

    return build


def with_known(
    kind: str, shape: tuple[int, ...], values: Any, out: tuple[int, ...], options: str = "", first: bool = False,
    scale: float = 0.05, **fields: Any
) -> Build:  # fmt: skip
    """An operator of an activation and a constant operand."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        inputs = [case.entry("in", shape), case.known("constant", values)]
        result = case.act("out", out, scale)
        case.operator(kind, inputs[::-1] if first else inputs, [result], options, **fields)
        return case.entries, [result]

    return build


def several(
    kind: str, shape: tuple[int, ...], outs: list[tuple[int, ...]], parameters: list[Any], options: str,
    first: bool = False, **fields: Any
) -> Build:  # fmt: skip
    """An operator of several outputs."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        source = case.entry("in", shape)
        numbers = [case.integers(f"parameter{i}", values) for i, values in enumerate(parameters)]
        results = [case.act(f"out{i}", out) for i, out in enumerate(outs)]
        case.operator(kind, [*numbers, source] if first else [source, *numbers], results, options, **fields)
        return case.entries, results

    return build


def position(kind: str, axis: int, shape: tuple[int, ...]) -> Build:
    def build(case: Case) -> tuple[list[int], list[int]]:
        inputs = [case.entry("in", shape), case.integers("axis", axis)]
        out = tuple(size for i, size in enumerate(shape) if i != axis % len(shape))
        result = case.tensor("out", out, "int32")
        fields = {"outputType": 2}
        case.operator(
            kind, inputs, [result], "ArgMaxOptions" if kind == "ARG_MAX" else "ArgMinOptions", **fields
        )
        return case.entries, [result]

    return build


MAP = (1, 6, 8, 4)
HALF = (1, 3, 4, 4)
KEEP = {"options": "ReducerOptions", "keepDims": True}
DROP = {"options": "ReducerOptions", "keepDims": False}
UNIT = {"scale": 1 / 256, "zero": -128}
SLICED = {"options": "StridedSliceOptions"}

CASES: dict[str, Build] = {
    "conv 3x3": conv((3, 3), 1),
    "conv 3x3 stride 2 relu6": conv((3, 3), 2, activation=RELU6),
    "conv 5x3 valid relu": conv((5, 3), 1, VALID, RELU),
    "conv dilated": conv((3, 3), 1, dilation=2, activation=RELU_N1),
    "conv 1x1": conv((1, 1), 1),
    "conv in groups": conv((3, 3), 1, group=2),
    "depthwise 3x3": depthwise((3, 3), 1),
    "depthwise 5x5 stride 2": depthwise((5, 5), 2),
    "depthwise multiplier": depthwise((3, 3), 1, multiplier=2),
    "depthwise dilated": depthwise((3, 3), 1, dilation=2),
    "transpose conv same": transpose_conv(3, 2, SAME, 10),
    "transpose conv odd": transpose_conv(3, 2, SAME, 9),
    "transpose conv valid": transpose_conv(2, 2, VALID, 10, bias=False),
    "transpose conv small kernel": transpose_conv(1, 2, SAME, 10),
    "dense": dense((2, 12), (2, 5)),
    "dense relu": dense((1, 12), (1, 7), RELU),
    "dense of a map": dense((1, 2, 3, 2), (1, 5)),
    "dense keeps axes": dense((1, 3, 12), (1, 3, 5), RELU, keep=True),
    "average pool": simple("AVERAGE_POOL_2D", [MAP], HALF, "Pool2DOptions", **window(3, 2, SAME)),
    "max pool": simple("MAX_POOL_2D", [MAP], HALF, "Pool2DOptions", **window(3, 2, SAME, RELU)),
    "add": simple("ADD", [MAP, MAP], MAP, "AddOptions", scale=0.09),
    "add relu": simple("ADD", [MAP, MAP], MAP, "AddOptions", scale=0.09, fusedActivationFunction=RELU),
    "add broadcast": simple("ADD", [MAP, (1, 1, 1, 4)], MAP, "AddOptions", scale=0.09),
    "add of three axes": simple("ADD", [MAP, (6, 8, 4)], MAP, "AddOptions", scale=0.09),
    "mul": simple("MUL", [MAP, MAP], MAP, "MulOptions", scale=0.2),
    "mul by channel": with_known("MUL", MAP, [0.5, -0.25, 1.5, 2.0], MAP, "MulOptions", scale=0.1),
    "mul by a number": with_known("MUL", MAP, 1.5, MAP, "MulOptions", scale=0.1),
    "mul of a row": simple("MUL", [MAP, (1, 4)], MAP, "MulOptions", scale=0.2),
    "sub": simple("SUB", [MAP, MAP], MAP, "SubOptions", scale=0.09),
    "sub from a constant": with_known("SUB", (1, 6), [[1.0] * 6], (1, 6), "SubOptions", first=True, scale=0.1),
    "maximum": simple("MAXIMUM", [MAP, MAP], MAP),
    "minimum": simple("MINIMUM", [MAP, MAP], MAP),
    "concatenation": simple("CONCATENATION", [MAP, MAP], (1, 6, 8, 8), "ConcatenationOptions", axis=3),
    "concatenation of rows": simple("CONCATENATION", [MAP, MAP], (1, 12, 8, 4), "ConcatenationOptions", axis=-3),
    "split": several("SPLIT", MAP, [(1, 6, 8, 2)] * 2, [3], "SplitOptions", first=True, numSplits=2),
    "split_v": several("SPLIT_V", MAP, [(1, 6, 8, 1), (1, 6, 8, 3)], [[1, 3], -1], "SplitVOptions", numSplits=2),
    "slice": with_integers("SLICE", MAP, [[0, 1, 0, 1], [1, 3, -1, 2]], (1, 3, 8, 2)),
    "strided slice": with_integers(
        "STRIDED_SLICE", MAP, [[0, 1, 0, 0], [1, 6, 8, 3], [1, 2, 1, 2]], (1, 3, 8, 2), **SLICED
    ),
    "strided slice masks": with_integers(
        "STRIDED_SLICE", MAP, [[0, 5, 1, 0], [0, 0, -1, 0], [1, -1, 1, 1]], (1, 6, 6, 4),
        beginMask=9, endMask=11, **SLICED
    ),
    "strided slice of a row": with_integers(
        "STRIDED_SLICE", MAP, [[0, -2, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]], (1, 8, 4),
        beginMask=13, endMask=13, shrinkAxisMask=2, **SLICED
    ),
    "strided slice of a channel": with_integers(
        "STRIDED_SLICE", MAP, [[0, 0, 0, 1], [0, 0, 0, 2], [1, 1, 1, 1]], (1, 6, 8),
        beginMask=7, endMask=7, shrinkAxisMask=8, **SLICED
    ),
    "pad": with_integers("PAD", MAP, [[[0, 0], [1, 2], [0, 1], [0, 0]]], (1, 9, 9, 4)),
    "pad channels": with_integers("PAD", MAP, [[[0, 0], [0, 0], [0, 0], [0, 4]]], (1, 6, 8, 8)),
    "mirror pad": with_integers(
        "MIRROR_PAD", MAP, [[[0, 0], [2, 1], [1, 1], [0, 0]]], (1, 9, 10, 4), "MirrorPadOptions", mode=0
    ),
    "mirror pad symmetric": with_integers(
        "MIRROR_PAD", MAP, [[[0, 0], [1, 1], [0, 1], [0, 0]]], (1, 8, 9, 4), "MirrorPadOptions", mode=1
    ),
    "reshape to rows": with_integers("RESHAPE", MAP, [[1, 192]], (1, 192), "ReshapeOptions"),
    "reshape keeps channels": with_integers("RESHAPE", MAP, [[1, 48, 4]], (1, 48, 4), "ReshapeOptions"),
    "reshape anchors": with_integers("RESHAPE", MAP, [[1, 96, 2]], (1, 96, 2), "ReshapeOptions"),
    "reshape to a map": with_integers("RESHAPE", (1, 48), [[1, 4, 4, 3]], (1, 4, 4, 3), "ReshapeOptions"),
    "reshape to channels": with_integers("RESHAPE", (1, 8), [[1, 1, 1, 8]], (1, 1, 1, 8), "ReshapeOptions"),
    "squeeze": simple("SQUEEZE", [(1, 1, 8, 4)], (1, 8, 4), "SqueezeOptions", squeezeDims=[1]),
    "expand dims": with_integers("EXPAND_DIMS", (1, 8, 4), [1], (1, 1, 8, 4)),
    "transpose": with_integers("TRANSPOSE", MAP, [[0, 2, 1, 3]], (1, 8, 6, 4)),
    "transpose to planes": with_integers("TRANSPOSE", MAP, [[0, 3, 1, 2]], (1, 4, 6, 8)),
    "transpose rows": with_integers("TRANSPOSE", (3, 5), [[1, 0]], (5, 3)),
    "mean of a map": with_integers("MEAN", MAP, [[1, 2]], (1, 4), **DROP),
    "mean of a map, kept": with_integers("MEAN", MAP, [[1, 2]], (1, 1, 1, 4), **KEEP),
    "mean of channels": with_integers("MEAN", MAP, [[3]], (1, 6, 8), scale=0.043, **DROP),
    "mean of rows": with_integers("MEAN", MAP, [[1]], (1, 8, 4), scale=0.043, **DROP),
    "sum": with_integers("SUM", MAP, [[1, 2]], (1, 1, 1, 4), scale=0.9, **KEEP),
    "reduce max": with_integers("REDUCE_MAX", MAP, [[1, 2]], (1, 4), **DROP),
    "reduce min": with_integers("REDUCE_MIN", MAP, [[3]], (1, 6, 8, 1), **KEEP),
    "softmax": simple("SOFTMAX", [(1, 9)], (1, 9), "SoftmaxOptions", **UNIT, beta=1.0),
    "softmax of channels": simple("SOFTMAX", [MAP], MAP, "SoftmaxOptions", **UNIT, beta=1.0),
    "log softmax": simple("LOG_SOFTMAX", [(1, 9)], (1, 9), "LogSoftmaxOptions", scale=16 / 256, zero=127),
    "logistic": simple("LOGISTIC", [MAP], MAP, **UNIT),
    "tanh": simple("TANH", [MAP], MAP, scale=1 / 128, zero=0),
    "relu": simple("RELU", [MAP], MAP),
    "relu6": simple("RELU6", [MAP], MAP, scale=0.047),
    "relu_n1_to_1": simple("RELU_N1_TO_1", [MAP], MAP),
    "leaky relu": simple("LEAKY_RELU", [MAP], MAP, "LeakyReluOptions", alpha=0.1),
    "prelu": with_known("PRELU", MAP, [[[0.25, -0.1, 0.5, 0.01]]], MAP),
    "hard swish": simple("HARD_SWISH", [MAP], MAP, "HardSwishOptions"),
    "gather": with_integers("GATHER", MAP, [[2, 0]], (1, 6, 8, 2), "GatherOptions", axis=3),
    "pack": simple("PACK", [(1, 6, 4)] * 2, (1, 2, 6, 4), "PackOptions", axis=1, valuesCount=2),
    "unpack": several("UNPACK", (1, 2, 6, 4), [(1, 6, 4)] * 2, [], "UnpackOptions", axis=1, num=2),
    "space to depth": simple("SPACE_TO_DEPTH", [MAP], (1, 3, 4, 16), "SpaceToDepthOptions", blockSize=2),
    "depth to space": simple("DEPTH_TO_SPACE", [MAP], (1, 12, 16, 1), "DepthToSpaceOptions", blockSize=2),
    "batch matmul": simple("BATCH_MATMUL", [(1, 3, 5), (1, 5, 4)], (1, 3, 4), "BatchMatMulOptions", scale=0.3),
    "batch matmul turned": simple(
        "BATCH_MATMUL", [(1, 3, 5), (1, 4, 5)], (1, 3, 4), "BatchMatMulOptions", scale=0.3, adjY=True
    ),
    "arg max": position("ARG_MAX", 1, (1, 9)),
    "arg max of channels": position("ARG_MAX", -1, MAP),
    "arg min": position("ARG_MIN", 1, MAP),
    "tile": with_integers("TILE", MAP, [[1, 2, 1, 2]], (1, 12, 8, 8), "TileOptions"),
    "reverse": with_integers("REVERSE_V2", MAP, [[2]], MAP),
    "l2 normalization": simple("L2_NORMALIZATION", [MAP], MAP, "L2NormOptions", scale=1 / 128, zero=0),
    "broadcast": with_integers("BROADCAST_TO", (1, 1, 1, 4), [[1, 6, 8, 4]], MAP, version=2),
}  # fmt: skip

for _kind in ("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"):
    _options = "ResizeNearestNeighborOptions" if "NEAREST" in _kind else "ResizeBilinearOptions"
    for _name, _out in (("twice", (12, 16)), ("uneven", (9, 5))):
        for _mode in ({}, {"halfPixelCenters": True}, {"alignCorners": True}):
            CASES[f"{_kind.lower()} {_name} {next(iter(_mode), '')}".strip()] = with_integers(
                _kind, MAP, [list(_out)], (1, *_out, 4), _options, **_mode
            )


def dilated(depthwise_: bool = False, joined: bool = True) -> Build:
    """SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND: what dilation was before converters joined them."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        source = case.entry("in", (1, 6, 7, 4))
        block, amounts = case.integers("block", [2, 2]), case.integers("pads", [[2, 2], [2, 3]])
        spread = case.act("spread", (4, 5, 6, 4))
        case.operator("SPACE_TO_BATCH_ND", [source, block, amounts], [spread], "SpaceToBatchNDOptions")
        kind, options = "CONV_2D", "Conv2DOptions"
        shape, axis, more = (5, 3, 3, 4), 0, {}
        if depthwise_:
            kind, options = "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions"
            shape, axis, more = (1, 3, 3, 4), 3, {"depthMultiplier": 1}
        outs = shape[axis]
        made = case.act("made", (4, 3, 4, outs), 0.06, -20)
        inputs = [spread, case.weights("weights", shape, axis), case.bias("bias", outs)]
        case.operator(kind, inputs, [made], options, **strides(1, VALID, RELU), **more)
        crops = case.integers("crops", [[0, 0], [0, 1]])
        result = case.act("out", (1, 6, 7, outs), 0.06, -20)
        case.operator("BATCH_TO_SPACE_ND", [made, block, crops], [result], "BatchToSpaceNDOptions")
        return case.entries, [result] if joined else [made, result]

    return build


CASES["dilated by batches"] = dilated()
CASES["depthwise dilated by batches"] = dilated(depthwise_=True)
CASES["dilated by batches that are read"] = dilated(joined=False)
CASES["space to batch"] = with_integers("SPACE_TO_BATCH_ND", MAP, [[3, 2], [[0, 0], [2, 0]]], (6, 2, 5, 4))
CASES["space to batch of rows"] = with_integers("SPACE_TO_BATCH_ND", (1, 6, 4), [[3], [[1, 2]]], (3, 3, 4))
CASES["batch to space"] = with_integers("BATCH_TO_SPACE_ND", (6, 2, 5, 4), [[3, 2], [[0, 0], [2, 0]]], MAP)
CASES["batch to space of rows"] = with_integers("BATCH_TO_SPACE_ND", (3, 3, 4), [[3], [[1, 2]]], (1, 6, 4))

FLOAT_CASES: dict[str, Build] = {
    "div": simple("DIV", [MAP, (1, 1, 1, 4)], MAP, "DivOptions"),
    "abs": simple("ABS", [MAP], MAP),
    "neg": simple("NEG", [MAP], MAP),
    "exp": simple("EXP", [MAP], MAP),
    "square": simple("SQUARE", [MAP], MAP),
    "squared difference": simple("SQUARED_DIFFERENCE", [MAP, (1, 1, 1, 4)], MAP),
    "floor": simple("FLOOR", [MAP], MAP),
    "gelu": simple("GELU", [MAP], MAP, "GeluOptions", approximate=False),
}  # fmt: skip
"""Operators tried on floats only: the reference has no int8 kernel, or none that a test can feed."""


def padded_with_value(case: Case) -> tuple[list[int], list[int]]:
    """PADV2 with a value other than zero."""
    inputs = [case.entry("in", MAP), case.integers("paddings", [[0, 0], [1, 1], [1, 1], [0, 0]])]
    inputs.append(case.known("value", -1.5, 0.05, 3))
    result = case.act("out", (1, 8, 10, 4))
    case.operator("PADV2", inputs, [result], "PadV2Options")
    return case.entries, [result]


CASES["padv2"] = padded_with_value


def cast_to(dtype: str) -> Build:
    """CAST, of a float or an int32 input."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        source = case.tensor("in", MAP, "float32" if dtype == "int32" else "int32")
        case.entries.append(source)
        result = case.tensor("out", MAP, dtype)
        case.operator("CAST", [source], [result])
        return case.entries, [result]

    return build


FLOAT_CASES["cast to int32"] = cast_to("int32")


def sequence_lstm(time_major: bool = False) -> Build:
    """As Keras writes it: four gates, no projection, a cell clip of 10."""

    def build(case: Case) -> tuple[list[int], list[int]]:
        source, absent = case.entry("in", (2, 5, 4)), -1
        gates = [case.known(f"w{i}", case.random.uniform(-1, 1, (3, 4))) for i in range(4)]
        recurrent = [case.known(f"r{i}", case.random.uniform(-1, 1, (3, 3))) for i in range(4)]
        biases = [case.known(f"b{i}", case.random.uniform(-1, 1, 3)) for i in range(4)]
        states = [case.act(name, (5 if time_major else 2, 3)) for name in ("state", "cell")]
        for number in states:
            case.graph.tensors[number].isVariable = True
        result = case.act("out", (2, 5, 3))
        inputs = [
            source,
            *gates,
            *recurrent,
            absent,
            absent,
            absent,
            *biases,
            absent,
            absent,
            *states,
            *[absent] * 4,
        ]
        case.operator(
            "UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [result], "UnidirectionalSequenceLSTMOptions",
            fusedActivationFunction=4, cellClip=10.0, timeMajor=time_major,
        )  # fmt: skip
        return case.entries, [result]

    return build


FLOAT_CASES["sequence lstm"] = sequence_lstm()
FLOAT_CASES["sequence lstm, time first"] = sequence_lstm(time_major=True)
FLOAT_CASES["cast to float"] = cast_to("float32")
