"""One small file for each operator: name -> what to build."""

from __future__ import annotations

from builders.tflite.operators import (
    MAP,
    RELU,
    RELU6,
    RELU_N1,
    SAME,
    VALID,
    Build,
    cast_to,
    conv,
    dense,
    depthwise,
    dilated,
    padded_with_value,
    position,
    sequence_lstm,
    several,
    simple,
    transpose_conv,
    window,
    with_integers,
    with_known,
)

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
    "strided slice behind an ellipsis": with_integers(
        "STRIDED_SLICE", MAP, [[0, 3], [0, 0], [1, -2]], (1, 6, 8, 2), ellipsisMask=1, endMask=2, **SLICED
    ),
    "strided slice of the last behind an ellipsis": with_integers(
        "STRIDED_SLICE", MAP, [[0, 0, -1], [0, 0, 0], [1, 1, 1]], (1, 6, 8), endMask=1, ellipsisMask=2,
        shrinkAxisMask=4, **SLICED
    ),
    "strided slice that adds an axis": with_integers(
        "STRIDED_SLICE", (6, 8, 4), [[0, 0, 1, 0], [1, 0, 7, 0], [1, 1, 2, 1]], (1, 6, 3, 4),
        newAxisMask=1, beginMask=10, endMask=10, **SLICED
    ),
    "strided slice that adds one and drops one": with_integers(
        "STRIDED_SLICE", MAP, [[0, 2, 0, 0, 0], [0, 3, 0, 0, 0], [1, 1, 1, 1, 1]], (1, 8, 1, 4),
        beginMask=21, endMask=21, shrinkAxisMask=2, newAxisMask=8, **SLICED
    ),
    "pad": with_integers("PAD", MAP, [[[0, 0], [1, 2], [0, 1], [0, 0]]], (1, 9, 9, 4)),
    "pad channels": with_integers("PAD", MAP, [[[0, 0], [0, 0], [0, 0], [0, 4]]], (1, 6, 8, 8)),
    "mirror pad": with_integers(
        "MIRROR_PAD", MAP, [[[0, 0], [2, 1], [1, 1], [0, 0]]], (1, 9, 10, 4), "MirrorPadOptions", mode=0
    ),
    "mirror pad symmetric": with_integers(
        "MIRROR_PAD", MAP, [[[0, 0], [1, 1], [0, 1], [0, 0]]], (1, 8, 9, 4), "MirrorPadOptions", mode=1
    ),
    "mirror pad symmetric by several": with_integers(
        "MIRROR_PAD", MAP, [[[0, 0], [3, 2], [1, 0], [0, 2]]], (1, 11, 9, 6), "MirrorPadOptions", mode=1
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

CASES["dilated by batches"] = dilated()
CASES["depthwise dilated by batches"] = dilated(depthwise_=True)
CASES["convolved in batches with a border each"] = dilated(padding=SAME)
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

CASES["padv2"] = padded_with_value
FLOAT_CASES["cast to int32"] = cast_to("int32")
FLOAT_CASES["sequence lstm"] = sequence_lstm()
FLOAT_CASES["sequence lstm, time first"] = sequence_lstm(time_major=True)
FLOAT_CASES["cast to float"] = cast_to("float32")
