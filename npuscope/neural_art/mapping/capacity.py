"""What an accelerator takes at a time: sub-masks of a kernel, kernels, channels, columns of a map.

Source: FACTS 2.2 to 2.4; most of it inferred from the graphs that atonn 1.0 to 1.1.3 printed.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution
from npuscope.neural_art.mapping.row_kernels import ROW_DEPTH_TAPS, along_rows, macs_of_row, row_taps
from npuscope.npu.cost import Tiling


class Capacity(NamedTuple):
    """What a CA takes of a convolution at a time. The numbers of channels that are convolved have no say in it.

    1. `parts` are the (rows, columns) of the sub-masks, of a map that lies along rows; `taps` those of the largest.
    2. `kernels` and `depth` are the most kernels and channels at a time; `stripes` those of columns a map is cut in.
    """

    parts: tuple[tuple[int, int], ...]
    taps: int
    kernels: int
    depth: int
    stripes: int


def capacity(conv: Convolution, simd: str, target: Target) -> Capacity:
    """What a CA takes of a convolution at a time."""
    return _capacity(_window(conv, target), simd, target)


class _Window(NamedTuple):
    """What the capacity for a convolution depends on, along rows: thousands that differ in their channels share it."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    columns: int
    turned: bool
    deep: bool
    """A turned one has more channels than a CA takes three taps of."""


def _window(conv: Convolution, target: Target) -> _Window:
    row = along_rows(conv)
    deep = row.turned and row.in_channels // row.group > ROW_DEPTH_TAPS // target.limits.kernel_height
    return _Window(row.kernel, row.stride, row.input_size[1], row.turned, deep)


@lru_cache(maxsize=1 << 12)
def _capacity(window: _Window, simd: str, target: Target) -> Capacity:
    parts = _parts(window, target)
    return Capacity(
        parts,
        max(map(math.prod, parts)),
        _most_kernels(window, parts, simd, target),
        _depth(window, parts, simd, target),
        _stripes(window, simd, target),
    )


# -- kernels


def most_kernels(conv: Convolution, simd: str, target: Target) -> int:
    """Kernels a CA works on at once (FACTS 2.4.2): as many as its multipliers allow for a kernel's rows and columns.

    With a stride a column of features falls in fewer windows: the 3x5 sub-masks of blazeface_128, stride 2, run 8 at a
    time as 3x3 kernels do; 3x6 with stride 1 cannot.
    """
    return capacity(conv, simd, target).kernels


def _most_kernels(window: _Window, parts: tuple[tuple[int, int], ...], simd: str, target: Target) -> int:
    bounds = target.tiling
    largest = max(parts, key=math.prod)
    if largest == (1, 1):
        return bounds.kernels_pointwise
    most, macs = _multipliers(simd, target)
    if window.kernel[0] == 1:
        return min(bounds.kernels_pointwise, macs_of_row(window.stride[1], largest[1], macs, target))
    return min(most, _at_once(largest, window.stride[1], macs))


def _multipliers(simd: str, target: Target) -> tuple[int, int]:
    """(kernels of several rows, MACs) a CA does at a time, at most."""
    bounds = target.tiling
    return (bounds.kernels_8x8, bounds.macs_8x8) if simd == "8x8" else (bounds.kernels_16x8, bounds.macs_16x8)


def _at_once(part: tuple[int, int], stride: int, macs: int) -> int:
    return max(1, macs // (part[0] * -(-part[1] // stride)))


def kernels_of_parts(conv: Convolution, tiling: Tiling, target: Target) -> tuple[int, ...]:
    """Kernels per pass of each sub-mask, which are the batches their results are written in: a small one works on more."""
    limit = target.tiling.kernels_pointwise
    most, macs = _multipliers(tiling.simd, target)
    each = conv.out_channels // tiling.group
    if along_rows(conv).turned:
        return tuple(largest_divisor(each, min(limit, macs // row_taps(part[1]))) for part in tiling.parts)
    stride = conv.stride[1]
    return tuple(
        largest_divisor(
            each,
            min(limit, macs_of_row(stride, part[1], macs, target))
            if part[0] == 1
            else min(most, _at_once(part, stride, macs)),
        )
        for part in tiling.parts
    )


# -- channels and columns


def line_columns(simd: str, target: Target) -> int:
    """Columns x channels that a line buffer holds: half as many where each takes 16 bits (yolov8_face, width 160)."""
    return target.limits.line_buffer // (1 if simd == "8x8" else 2)


def kernel_depth(conv: Convolution, simd: str, target: Target) -> int:
    """Most channels at a time: a kernel taller than one row keeps whole rows in the line buffer (FACTS 2.3).

    A kernel of one row needs none: 16 of 256 channels at a time in tcn_calculator (4.0, 1x3), and as many taps of others.
    A taller one's channels and taps are as many as a CA multiplies: 8 of 3x3, 4 of the 3x5 sub-masks of gg-cnn (2.2), whose
    width would allow 8.
    """
    return capacity(conv, simd, target).depth


def _depth(window: _Window, parts: tuple[tuple[int, int], ...], simd: str, target: Target) -> int:
    largest = max(map(math.prod, parts))
    if window.kernel[0] == 1:
        return min(target.tiling.depth_pointwise, ROW_DEPTH_TAPS // row_taps(largest))
    return max(
        1,
        min(
            target.tiling.depth_kernel,
            target.tiling.macs_8x8 // largest,
            line_columns(simd, target) // window.columns,
        ),
    )


def _stripes(window: _Window, simd: str, target: Target) -> int:
    """Column stripes a map is cut in, because even one channel of it is wider than the line buffer."""
    return 1 if window.kernel[0] == 1 else -(-window.columns // line_columns(simd, target))


# -- sub-masks


def submasks(conv: Convolution, target: Target) -> tuple[tuple[int, int], ...]:
    """The (rows, columns) of the kernels a larger kernel is cut in (FACTS 2.2 and 2.3); one where it fits."""
    window = _window(conv, target)
    parts = _parts(window, target)
    turned_here = window.turned and not conv.turned
    return tuple((rows, columns) for columns, rows in parts) if turned_here else parts


@lru_cache(maxsize=1 << 12)
def _parts(window: _Window, target: Target) -> tuple[tuple[int, int], ...]:
    limits = target.limits
    widest = limits.kernel_width if window.stride[1] == 1 else limits.kernel_width_strided
    if not window.turned:
        return _cut_in(window.kernel, limits.kernel_height, widest)
    if window.kernel[1] <= widest:
        return (window.kernel,)
    # What one CA takes of three taps is cut in threes, more channels tap by tap (TC-ResNet8, 2.2: 10 channels, and 24,
    # 32 and 48; 4.0.1: a depthwise 7x1 in three, 96 channels of 8x1 in eight).
    return _cut_in((1, window.kernel[1]), 1, 1 if window.deep else limits.kernel_height)


def _cut_in(kernel: tuple[int, int], highest: int, widest: int) -> tuple[tuple[int, int], ...]:
    if math.prod(kernel) > LARGEST_CUT:
        return (kernel,)
    rows, columns = _cut(kernel[0], highest), _cut(kernel[1], widest)
    return tuple((row, column) for row in rows for column in columns)


def of_one_tap(conv: Convolution, held: Capacity) -> Convolution:
    """A kernel that is cut tap by tap, as one of its sub-masks, a 1x1 that needs no border; others as they are.

    Ten 7x1 of 128 channels in FaceNet (muazzamaqeel/BA-EmbeddedAI, 2.2): each tap on one CA in Deep1x1 mode, 21,846 cycles as
    printed. From 4.0 on the taps of N6Net take two CAs each, which Deep1x1 would not need.
    """
    if len(held.parts) < 2 or held.taps > 1:
        return conv
    return replace(conv, kernel=(1, 1), pads=(0, 0, 0, 0))


LARGEST_CUT = 1 << 20
"""Taps of one kernel. No unit takes a larger one in parts or whole: none is cut, however a file states its size."""


def _cut(size: int, most: int) -> list[int]:
    return [min(most, size - start) for start in range(0, size, most)]


def narrow_submasks(conv: Convolution, target: Target) -> tuple[tuple[int, int], ...]:
    """Sub-masks one column wide that a large depthwise kernel leaves beside wider ones: before 3.0 no unit takes them."""
    if not conv.depthwise or target.toolchain.narrow_sub_masks or along_rows(conv).turned:
        return ()
    parts = submasks(conv, target)
    narrow = tuple(part for part in parts if part[1] == 1)
    return narrow if len(narrow) < len(parts) else ()


def row_too_wide(conv: Convolution, target: Target) -> bool:
    """A kernel of one row, on a map of one row, wider than the accelerators': before 3.0 it is not cut in sub-masks.

    Both 1x7 of 24 channels of an eight-channel network (FRIENDA256/stm32N6_AI, 2.2) are whole float kernels between a
    DequantizeLinear and a Cast, beside an 8x9 in six sub-masks; a Conv1d of nine taps is cut along its rows (TC-ResNet8). No report
    prints dilations: that no SpaceToDepth stands before them, as before all dilated ones seen, is why these are taken for plain.
    On a map of 8x8 1x7 of 128 channels is cut in six columns and one (ten of ten in FaceNet, muazzamaqeel/BA-EmbeddedAI, 2.2).
    """
    if conv.kernel[0] != 1 or conv.input_size[0] > 1 or conv.depthwise or along_rows(conv).turned:
        return False
    return len(submasks(conv, target)) > 1 and not target.toolchain.narrow_sub_masks


# -- divisors


def largest_divisor(number: int, bound: int) -> int:
    """The largest divisor of `number` that is not above `bound`."""
    for divisor in range(min(number, bound), 1, -1):
        if number % divisor == 0:
            return divisor
    return 1
