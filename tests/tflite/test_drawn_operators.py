"""Operators of any sizes, strides, windows and grids, beside the reference interpreter: at most one step apart, resized ones three."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builders.longer import suite_or_long
from builders.tflite.operators import SAME, VALID, Case
from builders.tflite.reference import distances
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("ai_edge_litert.interpreter")

SIZES = st.integers(1, 7)
ZEROS = st.one_of(st.sampled_from([-128, -127, 0, 127]), st.integers(-128, 127))
SCALES = st.sampled_from([0.003, 0.0235294122248888, 0.05, 0.11])
STEPS = st.integers(1, 3)
Draw = Callable[..., Any]


def entry(case: Case, draw: Draw, name: str, shape: tuple[int, ...]) -> int:
    """An input on a grid of its own."""
    return case.entry(name, shape, draw(SCALES), draw(ZEROS))


def reach(kernel: int, dilation: int) -> int:
    return (kernel - 1) * dilation + 1


def extent(size: int, kernel: int, step: int, padding: int, dilation: int = 1) -> int:
    return -(-size // step) if padding == SAME else (size - reach(kernel, dilation)) // step + 1


def windows(draw: Draw, dilated: bool = False) -> tuple[list[int], list[int], list[int], list[int], int]:
    """Sizes, kernel, steps and dilations of a window that fits."""
    padding = draw(st.sampled_from([SAME, VALID]))
    kernel = [draw(st.integers(1, 4)) for _ in "hw"]
    dilation = [draw(st.integers(1, 2)) if dilated else 1 for _ in "hw"]
    steps = [draw(STEPS) if dilation == [1, 1] else 1 for _ in "hw"]
    sizes = [
        draw(st.integers(reach(k, d) if padding == VALID else 1, reach(k, d) + 5))
        for k, d in zip(kernel, dilation, strict=True)
    ]
    return sizes, kernel, steps, dilation, padding


def weighted(case: Case, draw: Draw) -> tuple[list[int], list[int]]:
    depthwise = draw(st.booleans())
    sizes, kernel, steps, dilation, padding = windows(draw, dilated=True)
    ins, outs = draw(SIZES), draw(SIZES)
    scale, multiplier = draw(SCALES), draw(st.integers(1, 2))
    outs = ins * multiplier if depthwise else outs
    source = case.entry("in", (1, *sizes, ins), scale, draw(ZEROS))
    shape = (1, *kernel, outs) if depthwise else (outs, *kernel, ins)
    weights = case.weights("weights", shape, 3 if depthwise else 0)
    spread = scale * 0.01 * 127 * math.sqrt(kernel[0] * kernel[1] * (1 if depthwise else ins))
    result = case.act(
        "out",
        (
            1,
            *(extent(n, k, s, padding, d) for n, k, s, d in zip(sizes, kernel, steps, dilation, strict=True)),
            outs,
        ),
        max(spread / draw(st.sampled_from([2.0, 8.0])), 1e-3),
        draw(ZEROS),
    )
    fields: dict[str, Any] = {
        "strideH": steps[0], "strideW": steps[1], "padding": padding,
        "dilationHFactor": dilation[0], "dilationWFactor": dilation[1],
        "fusedActivationFunction": draw(st.integers(0, 3)),
    }  # fmt: skip
    if depthwise:
        fields["depthMultiplier"] = multiplier
    name = "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions"
    inputs = [source, weights, case.bias("bias", outs, scale)]
    case.operator("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", inputs, [result], name, **fields)
    return case.entries, [result]


def transposed(case: Case, draw: Draw) -> tuple[list[int], list[int]]:
    padding = draw(st.sampled_from([SAME, VALID]))
    kernel, steps = [draw(st.integers(1, 4)) for _ in "hw"], [draw(STEPS) for _ in "hw"]
    sizes = [draw(st.integers(1, 5)) for _ in "hw"]
    out = [
        n * s if padding == SAME else (n - 1) * s + max(k, s)
        for n, k, s in zip(sizes, kernel, steps, strict=True)
    ]
    if padding == SAME:
        out = [draw(st.integers((n - 1) * s + 1, n * s)) for n, s in zip(sizes, steps, strict=True)]
    ins, outs, scale = draw(SIZES), draw(SIZES), draw(SCALES)
    inputs = [
        case.integers("shape", [1, *out, outs]),
        case.weights("weights", (outs, *kernel, ins), 0),
        case.entry("in", (1, *sizes, ins), scale, draw(ZEROS)),
        *([case.bias("bias", outs, scale)] if draw(st.booleans()) else []),
    ]
    result = case.act("out", (1, *out, outs), scale * 0.5 * math.sqrt(ins), draw(ZEROS))
    fields = {"strideH": steps[0], "strideW": steps[1], "padding": padding}
    case.operator("TRANSPOSE_CONV", inputs, [result], "TransposeConvOptions", **fields)
    return case.entries, [result]


def pooled(case: Case, draw: Draw) -> tuple[list[int], list[int]]:
    sizes, kernel, steps, _, padding = windows(draw)
    grid = draw(SCALES), draw(ZEROS)
    channels = draw(SIZES)
    source = case.entry("in", (1, *sizes, channels), *grid)
    out = [extent(n, k, s, padding) for n, k, s in zip(sizes, kernel, steps, strict=True)]
    result = case.act("out", (1, *out, channels), *grid)
    fields = {
        "filterHeight": kernel[0], "filterWidth": kernel[1], "strideH": steps[0], "strideW": steps[1],
        "padding": padding, "fusedActivationFunction": draw(st.integers(0, 3)),
    }  # fmt: skip
    kind = draw(st.sampled_from(["AVERAGE_POOL_2D", "MAX_POOL_2D"]))
    case.operator(kind, [source], [result], "Pool2DOptions", **fields)
    return case.entries, [result]


def pairwise(case: Case, draw: Draw) -> tuple[list[int], list[int]]:
    kind = draw(st.sampled_from(["ADD", "SUB", "MUL"]))
    shape = tuple(draw(SIZES) for _ in range(draw(st.integers(1, 4))))
    other = tuple(n if draw(st.booleans()) else 1 for n in shape)[draw(st.integers(0, len(shape) - 1)) :]
    one, two = (draw(st.sampled_from([0.0235294122248888, 0.05, 0.11])) for _ in range(2))
    inputs = [case.entry("in0", shape, one, draw(ZEROS)), case.entry("in1", other, two, draw(ZEROS))]
    if draw(st.booleans()):
        inputs.reverse()
    scale = one * two * 90 if kind == "MUL" else max(one, two) * draw(st.sampled_from([1.0, 1.7]))
    result = case.act("out", shape, scale, draw(ZEROS))
    name = f"{kind.title()}Options"
    case.operator(kind, inputs, [result], name, fusedActivationFunction=draw(st.integers(0, 3)))
    return case.entries, [result]


def joined(case: Case, draw: Draw) -> tuple[list[int], list[int]]:
    rank = draw(st.integers(1, 4))
    axis = draw(st.integers(-rank, rank - 1))
    shape = [draw(SIZES) for _ in range(rank)]
    grid = draw(SCALES), draw(ZEROS)
    inputs, total = [], 0
    for i in range(draw(st.integers(1, 4))):
        part = [n if a != axis % rank else draw(SIZES) for a, n in enumerate(shape)]
        total += part[axis]
        inputs.append(case.entry(f"in{i}", tuple(part), *grid))
    shape[axis] = total
    result = case.act("out", tuple(shape), *grid)
    case.operator("CONCATENATION", inputs, [result], "ConcatenationOptions", axis=axis)
    return case.entries, [result]


def moved(case: Case, draw: Draw) -> tuple[list[int], list[int]]:
    """Movers of values: each element is one of the input, or the zero point."""
    kind = draw(
        st.sampled_from(["TRANSPOSE", "PAD", "MIRROR_PAD", "SLICE", "STRIDED_SLICE", "TILE", "REVERSE_V2"])
    )
    rank = draw(st.integers(1, 4))
    shape = [draw(SIZES) for _ in range(rank)]
    grid = draw(SCALES), draw(ZEROS)
    source, options, fields = case.entry("in", tuple(shape), *grid), "", {}
    if kind == "TRANSPOSE":
        order = list(draw(st.permutations(range(rank))))
        arguments, out = [order], [shape[a] for a in order]
    elif kind in ("PAD", "MIRROR_PAD"):
        mode = draw(st.integers(0, 1))
        most = [3 if kind == "PAD" else n if mode else n - 1 for n in shape]
        pads = [[draw(st.integers(0, m)), draw(st.integers(0, m))] for m in most]
        arguments, out = [pads], [n + sum(p) for n, p in zip(shape, pads, strict=True)]
        if kind == "MIRROR_PAD":
            options, fields = "MirrorPadOptions", {"mode": mode}
    elif kind == "SLICE":
        begin = [draw(st.integers(0, n - 1)) for n in shape]
        count = [draw(st.integers(1, n - b)) for n, b in zip(shape, begin, strict=True)]
        arguments, out = [begin, count], count
    elif kind == "STRIDED_SLICE":
        begin = [draw(st.integers(0, n - 1)) for n in shape]
        end = [draw(st.integers(b + 1, n)) for n, b in zip(shape, begin, strict=True)]
        step = [draw(STEPS) for _ in shape]
        arguments = [begin, end, step]
        out = [len(range(b, e, s)) for b, e, s in zip(begin, end, step, strict=True)]
        options = "StridedSliceOptions"
    elif kind == "TILE":
        times = [draw(st.integers(1, 3)) for _ in shape]
        arguments, out = [times], [n * t for n, t in zip(shape, times, strict=True)]
        options = "TileOptions"
    else:
        arguments, out = [[draw(st.integers(0, rank - 1))]], shape
    numbers = [case.integers(f"parameter{i}", values) for i, values in enumerate(arguments)]
    result = case.act("out", tuple(out), *grid)
    case.operator(kind, [source, *numbers], [result], options, **fields)
    return case.entries, [result]


def reduced(case: Case, draw: Draw) -> tuple[list[int], list[int]]:
    kind = draw(st.sampled_from(["MEAN", "REDUCE_MAX", "REDUCE_MIN"]))
    rank = draw(st.integers(2, 4))
    shape = [draw(SIZES) for _ in range(rank)]
    axes = sorted(draw(st.sets(st.integers(0, rank - 1), min_size=1, max_size=rank - 1)))
    keep = draw(st.booleans())
    grid = draw(SCALES), draw(ZEROS)
    source = case.entry("in", tuple(shape), *grid)
    out = [1 if a in axes else n for a, n in enumerate(shape) if keep or a not in axes]
    result = case.act("out", tuple(out), *grid)
    numbers = case.integers("axes", axes)
    case.operator(kind, [source, numbers], [result], "ReducerOptions", keepDims=keep)
    return case.entries, [result]


def resized(case: Case, draw: Draw) -> tuple[list[int], list[int]]:
    kind = draw(st.sampled_from(["NearestNeighbor", "Bilinear"]))
    sizes, out = [draw(SIZES) for _ in "hw"], [draw(st.integers(1, 12)) for _ in "hw"]
    grid, channels = (draw(SCALES), draw(ZEROS)), draw(SIZES)
    source = case.entry("in", (1, *sizes, channels), *grid)
    result = case.act("out", (1, *out, channels), *grid)
    mode = draw(st.sampled_from([{}, {"halfPixelCenters": True}, {"alignCorners": True}]))
    name = f"RESIZE_{'NEAREST_NEIGHBOR' if kind[0] == 'N' else 'BILINEAR'}"
    case.operator(name, [source, case.integers("size", out)], [result], f"Resize{kind}Options", **mode)
    return case.entries, [result]


def curved(case: Case, draw: Draw) -> tuple[list[int], list[int]]:
    kind, scale, zero = draw(
        st.sampled_from(
            [("LOGISTIC", 1 / 256, -128), ("TANH", 1 / 128, 0), ("RELU", 0.04, -128), ("RELU6", 6 / 255, -128),
             ("LEAKY_RELU", 0.05, 7), ("HARD_SWISH", 0.05, -100), ("SOFTMAX", 1 / 256, -128)]
        )
    )  # fmt: skip
    shape = tuple(draw(SIZES) for _ in range(draw(st.integers(1, 4))))
    source = case.entry("in", shape, draw(st.sampled_from([0.0235294122248888, 0.05, 0.11])), draw(ZEROS))
    result = case.act("out", shape, scale, zero)
    options = {
        "LEAKY_RELU": ("LeakyReluOptions", {"alpha": 0.2}),
        "SOFTMAX": ("SoftmaxOptions", {"beta": 1.0}),
    }
    name, fields = options.get(kind, ("", {}))
    case.operator(kind, [source], [result], name, **fields)
    return case.entries, [result]


RESIZED_APART = 3
"""Steps. The reference places a pixel to 1/1024 of the source's, so that the last of 12 is off by 12 / 2048 along each axis:
of a difference of 255 that is 1.5 steps an axis. onnxruntime places it in float."""

KINDS = (weighted, transposed, pooled, pairwise, joined, moved, reduced, resized, curved)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=suite_or_long(8, 375), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_drawn_operator_equals_the_reference(kind: Any, data: st.DataObject) -> None:
    case = Case("int8", maps=data.draw(st.booleans()))
    case.random = np.random.default_rng(data.draw(st.integers(0, 99)))
    for one in distances(case.bytes(*kind(case, data.draw))):
        assert one.steps <= (RESIZED_APART if kind is resized else 1), one
