"""How the compiler maps a convolution on the CONV accelerators: the legal tilings, and the one it takes.

Source: FACTS 2.3, 2.4, 3.3 and 7.2; most of it inferred from the graphs that atonn 1.0 to 1.1.3 printed
(docs/accuracy-cost.md has the present agreement). Register widths are documented (ATON).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution
from npuscope.neural_art.mapping.row_kernels import ROW_DEPTH_TAPS, along_rows, macs_of_row, row_taps
from npuscope.npu.cost import Tiling

FULL_RANGE_LOW = -128
"""The int8 zero point of a tensor without negative values: stored unsigned with zero point 0, it needs no FSUB."""


@dataclass(frozen=True, slots=True)
class Work:
    """Cycles each port of the accelerators needs with ideal memory; the largest sets the time."""

    feat: int
    weights: int
    out: int
    accumulates: bool

    @property
    def cycles(self) -> int:
        """Compute cycles."""
        return max(self.feat, self.weights, self.out)

    @property
    def choked(self) -> tuple[str, ...]:
        """The ports that set the time, as the compiler prints them."""
        out = "acc" if self.accumulates else "out"
        ports = (("feat", self.feat), ("weights", self.weights), (out, self.out))
        return tuple(name for name, cycles in ports if cycles == self.cycles)


def simd_mode(zero_point: int | None, unsigned: bool = False) -> str:
    """'8x8' where features need no subtraction before the multiply, else '16x8' (FACTS 3.3)."""
    return "8x8" if zero_point in ((0,) if unsigned else (0, FULL_RANGE_LOW)) else "16x8"


@lru_cache(maxsize=1 << 15)
def choose(conv: Convolution, simd: str, target: Target) -> Tiling | None:
    """The tiling the compiler takes, None where there is no legal one."""
    conv = along_rows(conv)
    candidates = list(tilings(conv, simd, target))
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    version = target.toolchain
    deep = [t for t in candidates if t.deep1x1]
    if deep and not version.deep1x1_only_if_faster:
        candidates = deep
    if not version.inflation_only_if_faster:
        inflated = [t for t in candidates if t.group < conv.group]
        candidates = inflated or candidates
    best = min(candidates, key=lambda t: _order(t, conv))
    return in_groups(best, conv, target) if target.groups_depthwise and conv.depthwise else best


GROUPED = (4, 2)
"""Channels that depthwise weights are brought together by from 3.0 on with -O3, the most first."""

COEFFICIENT_BYTES = 6
"""Bytes of the scale and the bias of a channel."""


def in_groups(tiling: Tiling, conv: Convolution, target: Target) -> Tiling:
    """Depthwise weights in the largest groups whose weights, zeros included, are read while the features are.

    52 of 52 of st_yolo_x_480 (3.0: by four, by two on maps of 15x15) and five of a YamNet-256 (4.0.1, aleksMuhicFri2/
    stm32n6-edge-audio-classifier: the last stays as it is); the 17 of mobilenet_v2_128 (3.0) were built without -O3. A pool is read
    at the compiler's rate: octoFlash takes six cycles a byte.
    """
    if len(tiling.parts) > 1 or conv.out_channels != conv.in_channels:
        return tiling
    pool, cycles = target.weight_pools[0], work(tiling, conv).cycles
    deepest = kernel_depth(conv, tiling.simd, target)
    for block in GROUPED:
        if block > deepest or conv.group % block or conv.group // block >= tiling.group:
            continue
        stored = conv.out_channels * (block * math.prod(conv.kernel) + COEFFICIENT_BYTES)
        grouped = replace(
            tiling, group=conv.group // block, batch_depth=block, kernels_per_pass=block, passes=1
        )
        if stored * pool.freq_ratio / pool.byte_width <= cycles and work(grouped, conv).cycles <= cycles:
            return grouped
    return tiling


def best_in_mode(
    conv: Convolution, simd: str, target: Target, deep1x1: bool = False, dss2: bool = False
) -> Tiling | None:
    """The best tiling in a mode, None where the mode has no legal one."""
    conv = along_rows(conv)
    allowed = [t for t in tilings(conv, simd, target) if t.deep1x1 == deep1x1 and t.dss2 == dss2]
    return min(allowed, key=lambda t: _preference(t, conv), default=None)


def _preference(tiling: Tiling, conv: Convolution) -> tuple[int, ...]:
    done = work(tiling, conv)
    return (done.cycles, tiling.dss2, done.feat, tiling.deep1x1, -tiling.group)


def _order(tiling: Tiling, conv: Convolution) -> tuple[int, ...]:
    """The order of choice. Partial sums through memory are avoided even where they are faster (timeseries_conv2d, 4.0).

    Of Deep1x1 and plain that take as long, the one whose features come in sooner: 30 of 30, Deep1x1 where they are read for
    each pass (yolov8_face, 2.2; 27 of st_yolo_x_480, 3.0; a YamNet-1024, 4.0.1), plain where they stay (timeseries_conv2d, 4.0).
    """
    return (tiling.iterations > 1, *_preference(tiling, conv))


def tilings(conv: Convolution, simd: str, target: Target) -> Iterator[Tiling]:
    """The best legal tiling in each mode and for each grouping of the weights."""
    if max(conv.kernel) > target.limits.kernel_register:
        return
    parts, most, cut_in = (
        submasks(conv, target),
        most_kernels(conv, simd, target),
        stripes(conv, simd, target),
    )
    for group, deepest, deep, dss2 in _modes(conv, simd, target, decomposed=len(parts) > 1):
        per_pass = largest_divisor(conv.out_channels // group, most)
        depths = _depths(conv.in_channels // group, deepest, target.tiling.max_in_series, target)
        if deep and depths and conv.input_size[1] * depths[0][2] > target.toolchain.deep1x1_line_buffer:
            continue  # not tried with fewer channels at a time either (st_yolo_x_480, 3.0)
        if not depths:
            continue

        def made(
            series: int, iterations: int, channels: int, group: int = group, deep: bool = deep,
            dss2: bool = dss2, per_pass: int = per_pass,
        ) -> Tiling:  # fmt: skip
            return Tiling(
                simd=simd,
                deep1x1=deep,
                dss2=dss2,
                accelerators=series,
                iterations=iterations,
                batch_depth=channels,
                kernels_per_pass=per_pass,
                passes=conv.out_channels // group // per_pass,
                stationary=not deep and tile_bytes(conv, channels, simd) <= target.limits.stationary_bytes,
                group=group,
                parts=parts,
                stripes=cut_in,
            )

        best = made(*depths[0])
        # Each sub-mask is tiled alone: that fewer CAs would let another one run beside it does not count.
        most_cycles = work(best, conv).cycles / best.steps if len(depths) > 1 else 0
        fewer = sorted((one for one in depths[1:] if one[0] < best.accelerators), key=lambda one: one[0])
        ways = (made(*one) for one in fewer)
        yield next((way for way in ways if work(way, conv).cycles / way.steps <= most_cycles), best)


def _modes(
    conv: Convolution, simd: str, target: Target, decomposed: bool
) -> Iterator[tuple[int, int, bool, bool]]:
    """(groups, deepest batch, Deep1x1, DSS2) to try."""
    bounds = target.tiling
    plain = kernel_depth(conv, simd, target)
    for group in _groups(conv, simd, target, decomposed):
        yield group, plain, False, False
    if dss2_refusal(conv, simd, target) is None:
        yield conv.group // DSS2_BLOCK, plain, False, True
    if deep1x1_refusal(conv, simd, None, target) is None:
        yield conv.group, bounds.depth_deep1x1, True, False


def most_kernels(conv: Convolution, simd: str, target: Target) -> int:
    """Kernels a CA works on at once (FACTS 2.4.2): as many as its multipliers allow for a kernel's rows and columns.

    With a stride a column of features falls in fewer windows: the 3x5 sub-masks of blazeface_128, stride 2, run 8 at a
    time as 3x3 kernels do; 3x6 with stride 1 cannot.
    """
    bounds = target.tiling
    conv = along_rows(conv)
    largest = max(submasks(conv, target), key=math.prod)
    if largest == (1, 1):
        return bounds.kernels_pointwise
    most, macs = (
        (bounds.kernels_8x8, bounds.macs_8x8) if simd == "8x8" else (bounds.kernels_16x8, bounds.macs_16x8)
    )
    if conv.kernel[0] == 1:
        return min(bounds.kernels_pointwise, macs_of_row(conv, largest[1], macs, target))
    return min(most, _at_once(largest, conv, macs))


def _at_once(part: tuple[int, int], conv: Convolution, macs: int) -> int:
    return max(1, macs // (part[0] * -(-part[1] // conv.stride[1])))


def kernels_of_parts(conv: Convolution, tiling: Tiling, target: Target) -> tuple[int, ...]:
    """Kernels per pass of each sub-mask, which are the batches their results are written in: a small one works on more."""
    bounds = target.tiling
    most, macs = (
        (bounds.kernels_8x8, bounds.macs_8x8)
        if tiling.simd == "8x8"
        else (bounds.kernels_16x8, bounds.macs_16x8)
    )
    each = conv.out_channels // tiling.group
    if along_rows(conv).turned:
        limit = bounds.kernels_pointwise
        return tuple(largest_divisor(each, min(limit, macs // row_taps(part[1]))) for part in tiling.parts)
    return tuple(
        largest_divisor(
            each,
            min(bounds.kernels_pointwise, macs_of_row(conv, part[1], macs, target))
            if part[0] == 1
            else min(most, _at_once(part, conv, macs)),
        )
        for part in tiling.parts
    )


def line_columns(simd: str, target: Target) -> int:
    """Columns x channels that a line buffer holds: half as many where each takes 16 bits (yolov8_face, width 160)."""
    return target.limits.line_buffer // (1 if simd == "8x8" else 2)


def kernel_depth(conv: Convolution, simd: str, target: Target) -> int:
    """Most channels at a time: a kernel taller than one row keeps whole rows in the line buffer (FACTS 2.3).

    A kernel of one row needs none: 16 of 256 channels at a time in tcn_calculator (4.0, 1x3), and as many taps of others.
    A taller one's channels and taps are as many as a CA multiplies: 8 of 3x3, 4 of the 3x5 sub-masks of gg-cnn (2.2), whose
    width would allow 8.
    """
    conv = along_rows(conv)
    largest = max(map(math.prod, submasks(conv, target)))
    if conv.kernel[0] == 1:
        return min(target.tiling.depth_pointwise, ROW_DEPTH_TAPS // row_taps(largest))
    return max(
        1,
        min(
            target.tiling.depth_kernel,
            target.tiling.macs_8x8 // largest,
            line_columns(simd, target) // conv.input_size[1],
        ),
    )


def stripes(conv: Convolution, simd: str, target: Target) -> int:
    """Column stripes a map is cut in, because even one channel of it is wider than the line buffer."""
    return 1 if conv.kernel[0] == 1 else -(-conv.input_size[1] // line_columns(simd, target))


def submasks(conv: Convolution, target: Target) -> tuple[tuple[int, int], ...]:
    """The (rows, columns) of the kernels a larger kernel is cut in (FACTS 2.2 and 2.3); one where it fits."""
    limits, row = target.limits, along_rows(conv)
    widest = limits.kernel_width if row.stride[1] == 1 else limits.kernel_width_strided
    if not row.turned:
        return _submasks(row.kernel, limits.kernel_height, widest)
    if row.kernel[1] <= widest:
        parts: tuple[tuple[int, int], ...] = (row.kernel,)
    else:
        # What one CA takes of three taps is cut in threes, more channels tap by tap (TC-ResNet8, 2.2: 10 channels, and 24,
        # 32 and 48; 4.0.1: a depthwise 7x1 in three, 96 channels of 8x1 in eight).
        deep = row.in_channels // row.group > ROW_DEPTH_TAPS // limits.kernel_height
        parts = _submasks((1, row.kernel[1]), 1, 1 if deep else limits.kernel_height)
    return parts if conv.turned else tuple((rows, columns) for columns, rows in parts)


@lru_cache(maxsize=1 << 10)
def _submasks(kernel: tuple[int, int], highest: int, widest: int) -> tuple[tuple[int, int], ...]:
    rows, columns = _cut(kernel[0], highest), _cut(kernel[1], widest)
    return tuple((row, column) for row in rows for column in columns)


def _cut(size: int, most: int) -> list[int]:
    return [min(most, size - start) for start in range(0, size, most)]


def tile_bytes(conv: Convolution, channels: int, simd: str) -> int:
    """Bytes of the features one CA works on; 16x8 holds 16 bits of each."""
    return channels * math.prod(conv.input_size) * (1 if simd == "8x8" else 2)


DSS2_BLOCK = 2
"""DSS2 takes the weights of two channels at a time (inflated to [C, 2, 3, 3] in mobilenet_v2_128)."""


def dss2_refusal(conv: Convolution, simd: str, target: Target) -> str | None:
    """Why the depthwise mode that takes two features a cycle cannot be used, None where it can (FACTS 2.4.5)."""
    if not conv.depthwise or conv.stride != (2, 2) or conv.in_channels % DSS2_BLOCK:
        return "it is for depthwise convolutions of stride 2x2 on an even number of channels"
    if conv.kernel != (3, 3) or conv.dilation != (1, 1):
        return f"it needs a 3x3 kernel, this is {conv.kernel[0]}x{conv.kernel[1]}"
    if not target.toolchain.dss2:
        return f"Core {target.toolchain.version} does not use it"
    return None if simd == "8x8" else "it needs 8x8"


def deep1x1_refusal(conv: Convolution, simd: str, zero_point: int | None, target: Target) -> str | None:
    """Why Deep1x1 cannot be used, None where it can; it streams three channels and weights a cycle (FACTS 2.4.4)."""
    least = target.tiling.deep1x1_above_channels
    if conv.kernel != (1, 1):
        return f"the kernel is {conv.kernel[0]}x{conv.kernel[1]}"
    if simd != "8x8":
        return (
            "the zero point is not known"
            if zero_point is None
            else f"input zero point {zero_point} needs FSUB"
        )
    if conv.stride != (1, 1):
        return f"stride {conv.stride[0]}x{conv.stride[1]}"
    if conv.group != 1:
        return f"{conv.group} groups"
    if any(conv.pads):
        return "padded"
    return (
        None if conv.in_channels > least else f"{conv.in_channels} input channels, it needs more than {least}"
    )


def _groups(conv: Convolution, simd: str, target: Target, decomposed: bool) -> Iterator[int]:
    """Numbers of groups the weights may be brought to: as they are, and inflated to blocks (FACTS 2.2).

    Only whole blocks are filled: 24 to 96 channels are brought to groups of 8 in blazeface_128, 28, 36 and 42 stay as
    they are. Sub-masks of a larger kernel stay, too (seen in ocr_det_160 and mobilefacenet_qop).
    """
    yield conv.group
    if conv.depthwise and conv.out_channels == conv.in_channels and not decomposed:
        widest = target.tiling.inflated_group if simd == "8x8" else target.toolchain.inflated_group_16x8
        block = min(widest, kernel_depth(conv, simd, target))
        if block > 1 and conv.in_channels % block == 0:
            yield conv.group // block


def _depths(ich: int, deepest: int, series_limit: int, target: Target) -> list[tuple[int, int, int]]:
    """(CAs in series, accumulation iterations, batch depth), ICH being their product, in the compiler's order.

    First the fewest iterations with the fewest CAs (FACTS 2.4.3), even where more CAs would be faster (99 of 99; 2.1 to
    3.0); with -O3 then fewer CAs with more iterations, which are taken where they cost nothing (ocr_det_160, ssd_mobilenet_v1_256 and
    face_landmark_192 23 of 23, a YamNet-1024 of 4.0.1 six of six, tcn_calculator), without it never (mobilenet_v2_128 six of six,
    the Gemm of mobilefacenet_qop). Empty where no depth is legal.
    """
    legal = [
        (series, ich // series // depth, depth)
        for series in range(1, series_limit + 1)
        if ich % series == 0
        for depth in (largest_divisor(ich // series, deepest),)
        if ich // series // depth <= target.limits.accumulation_iterations
    ]
    legal.sort(key=lambda one: (one[1], one[0]))
    return legal if target.fewest_accelerators else legal[:1]


def work(tiling: Tiling, conv: Convolution) -> Work:
    """Cycles of each port (FACTS 7.2), over all steps of a kernel that is run in sub-masks."""
    conv = along_rows(conv)
    feat_rate = 3 if tiling.deep1x1 else 2 if tiling.dss2 else 1
    weight_rate = 3 if tiling.deep1x1 else 1
    height, width = conv.input_size
    if tiling.stripes > 1:  # neighbouring stripes share the columns a kernel reaches over
        width += (tiling.stripes - 1) * (conv.kernel[1] - 1) * conv.dilation[1]
    features = conv.batch * conv.in_channels * height * width // tiling.accelerators
    feat = features * (1 if tiling.stationary else tiling.passes)
    weights = conv.out_channels * (conv.in_channels // tiling.group) * _taps(tiling.parts or (conv.kernel,))
    out = conv.batch * conv.out_channels * math.prod(conv.output_size) * tiling.iterations
    steps = tiling.steps
    return Work(
        steps * -(-feat // feat_rate), steps * -(-weights // weight_rate), steps * out, tiling.iterations > 1
    )


@lru_cache(maxsize=1 << 10)
def _taps(parts: tuple[tuple[int, int], ...]) -> int:
    """Weights of the largest sub-mask, rows times columns."""
    return max(rows * columns for rows, columns in parts)


@cache
def divisors(number: int) -> tuple[int, ...]:
    """All divisors, largest first; of a huge number those below 65 536 and what they leave."""
    small = [d for d in range(1, min(math.isqrt(number), 1 << 16) + 1) if number % d == 0]
    return tuple(sorted({*small, *(number // d for d in small)}, reverse=True))


def largest_divisor(number: int, bound: int) -> int:
    """The largest divisor of `number` that is not above `bound`."""
    for divisor in range(min(number, bound), 1, -1):
        if number % divisor == 0:
            return divisor
    return 1
