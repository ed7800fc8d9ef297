"""How the compiler maps a convolution on the CONV accelerators: the legal tilings, and the one it takes.

Source: FACTS 2.3, 2.4, 3.3 and 7.2; most of it inferred from the graphs that atonn 1.0 to 1.1.3 printed
(docs/accuracy-cost.md has the present agreement). Register widths are documented (ATON).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, lru_cache
from operator import attrgetter
from typing import NamedTuple

from npuscope.machine.machine import Target
from npuscope.model.convolution import Convolution
from npuscope.neural_art.mapping.capacity import Capacity, capacity, kernel_depth, largest_divisor, of_one_tap
from npuscope.neural_art.mapping.row_kernels import along_rows
from npuscope.neural_art.mapping.sizes import COEFFICIENT_BYTES
from npuscope.npu.cost import Tiling, epochs_of
from npuscope.record import record

FULL_RANGE_LOW = -128
"""The int8 zero point of a tensor without negative values: stored unsigned with zero point 0, it needs no FSUB."""


@record()
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
        ports, most = (("feat", self.feat), ("weights", self.weights), (out, self.out)), self.cycles
        return tuple([name for name, cycles in ports if cycles == most])


def simd_mode(zero_point: int | None) -> str:
    """'8x8' where features need no subtraction before the multiply, else '16x8' (FACTS 3.3)."""
    return "8x8" if zero_point in (0, FULL_RANGE_LOW) else "16x8"


class _Way(NamedTuple):
    """A tiling that is tried, and what each port has to do in a step of it; most are dropped."""

    deep1x1: bool
    dss2: bool
    group: int
    accelerators: int
    iterations: int
    batch_depth: int
    kernels_per_pass: int
    passes: int
    stationary: bool
    steps: int
    feat: int
    weights: int
    out: int
    cycles: int
    """Of a step: each sub-mask is tiled alone."""

    @property
    def preference(self) -> tuple[int, ...]:
        """The best way of a mode has the least."""
        steps = self.steps
        return (steps * self.cycles, self.dss2, steps * self.feat, self.deep1x1, -self.group)

    @property
    def order(self) -> tuple[int, ...]:
        """The order of choice. Partial sums through memory are avoided even where they are faster (timeseries_conv2d, 4.0).

        Of Deep1x1 and plain that take as long, the one whose features come in sooner: 30 of 30, Deep1x1 where they are read for
        each pass (yolov8_face, 2.2; 27 of st_yolo_x_480, 3.0; a YamNet-1024, 4.0.1), plain where they stay (timeseries_conv2d, 4.0).
        """
        return (self.iterations > 1, *self.preference)

    def tiling(self, simd: str, held: Capacity) -> Tiling:
        """With what the capacity of a CA says."""
        return Tiling(
            simd,
            self.deep1x1,
            self.dss2,
            self.accelerators,
            self.iterations,
            self.batch_depth,
            self.kernels_per_pass,
            self.passes,
            self.stationary,
            self.group,
            held.parts,
            held.stripes,
        )


@lru_cache(maxsize=1 << 15)
def choose(conv: Convolution, simd: str, target: Target) -> Tiling | None:
    """The tiling the compiler takes, None where there is no legal one."""
    conv = along_rows(conv)
    held = capacity(conv, simd, target)
    ways = list(_ways(conv, simd, target, held))
    if len(ways) < 2:
        return ways[0].tiling(simd, held) if ways else None
    version = target.toolchain
    if not version.deep1x1_only_if_faster:
        ways = [way for way in ways if way.deep1x1] or ways
    if not version.inflation_only_if_faster:
        ways = [way for way in ways if way.group < conv.group] or ways
    best = min(ways, key=_ORDER).tiling(simd, held)
    return in_groups(best, conv, target) if target.groups_depthwise and conv.depthwise else best


_ORDER = attrgetter("order")
_PREFERENCE = attrgetter("preference")


GROUPED = (4, 2)
"""Channels that depthwise weights are brought together by from 3.0 on with -O3, the most first."""


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
        if stored * pool.freq_ratio / pool.byte_width > cycles:
            continue
        grouped = replace(
            tiling, group=conv.group // block, batch_depth=block, kernels_per_pass=block, passes=1
        )
        if work(grouped, conv).cycles <= cycles:
            return grouped
    return tiling


def best_deep1x1(conv: Convolution, simd: str, target: Target) -> Tiling | None:
    """The best tiling in Deep1x1, None where it has no legal one."""
    conv = along_rows(conv)
    held = capacity(conv, simd, target)
    allowed = [way for way in _ways(conv, simd, target, held) if way.deep1x1]
    return min(allowed, key=_PREFERENCE).tiling(simd, held) if allowed else None


def tilings(conv: Convolution, simd: str, target: Target) -> Iterator[Tiling]:
    """The best legal tiling in each mode and for each grouping of the weights."""
    held = capacity(conv, simd, target)
    for way in _ways(along_rows(conv), simd, target, held):
        yield way.tiling(simd, held)


def _ways(conv: Convolution, simd: str, target: Target, held: Capacity) -> Iterator[_Way]:
    limits = target.limits
    if max(conv.kernel) > limits.kernel_register:
        return
    map_bytes, room = tile_bytes(conv, 1, simd), limits.stationary_bytes
    sizes = _Sizes.of(conv, held.stripes, held.taps)
    for group, deepest, deep, dss2 in _modes(conv, simd, target, held):
        depths = _depths(
            conv.in_channels // group,
            deepest,
            target.tiling.max_in_series,
            limits.accumulation_iterations,
            fewest_in_series(target, len(held.parts)),
        )
        if not depths:
            continue
        if deep and conv.input_size[1] * depths[0][2] > target.tiling.deep1x1_line_buffer:
            continue  # not tried with fewer channels at a time either (st_yolo_x_480, 3.0)
        per_pass = largest_divisor(conv.out_channels // group, held.kernels)
        passes = conv.out_channels // group // per_pass
        best: _Way | None = None
        for series, iterations, depth in depths:
            stationary = not deep and depth * map_bytes <= room
            feat, weights, out = sizes.ports(
                deep, dss2, group, series, iterations, 1 if stationary else passes
            )
            cycles = max(feat, weights, out)
            # That fewer CAs would let another sub-mask run beside it does not count.
            if best is None or cycles <= best.cycles:
                fewer = best is not None
                best = _Way(
                    deep, dss2, group, series, iterations, depth, per_pass, passes, stationary,
                    epochs_of(len(held.parts), series), feat, weights, out, cycles,
                )  # fmt: skip
                if fewer:
                    break
        assert best is not None
        yield best


def fewest_in_series(target: Target, parts: int) -> bool:
    """Fewer CAs with partial sums through memory are tried; not for sub-masks from 4.0 on.

    Five kernels of 8x1 on a map of eight rows, eight taps of 48 channels that each take two CAs (N6Net with a full band, 4.0.1:
    LarocheC/eco8-neaixt), an epoch for two of them. In a TC-ResNet8 (2.2, AbhiMalappa/tinybench) three of nine share one.
    """
    return target.fewest_accelerators and (parts == 1 or not target.toolchain.whole_sub_mask_sums)


def _modes(
    conv: Convolution, simd: str, target: Target, held: Capacity
) -> Iterator[tuple[int, int, bool, bool]]:
    """(groups, deepest batch, Deep1x1, DSS2) to try."""
    bounds, plain = target.tiling, held.depth
    for group in _groups(conv, simd, target, held):
        yield group, plain, False, False
    if dss2_refusal(conv, simd, target) is None:
        yield conv.group // DSS2_BLOCK, plain, False, True
    single = conv if target.toolchain.whole_sub_mask_sums else of_one_tap(conv, held)
    if deep1x1_refusal(single, simd, None, target) is None:
        yield conv.group, bounds.depth_deep1x1, True, False


def tile_bytes(conv: Convolution, channels: int, simd: str) -> int:
    """Bytes of the features one CA works on; 16x8 holds 16 bits of each."""
    return channels * math.prod(conv.input_size) * (1 if simd == "8x8" else 2)


DEEP1X1_BLOCK = 3
"""Deep1x1 streams so many channels and weights a cycle (FACTS 2.4.4)."""

DSS2_BLOCK = 2
"""DSS2 takes the weights of two channels at a time (inflated to [C, 2, 3, 3] in mobilenet_v2_128)."""


def features_a_cycle(deep1x1: bool, dss2: bool) -> int:
    """Of one CA."""
    return DEEP1X1_BLOCK if deep1x1 else DSS2_BLOCK if dss2 else 1


def weights_a_cycle(deep1x1: bool) -> int:
    """Of all CAs."""
    return DEEP1X1_BLOCK if deep1x1 else 1


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
    """Why Deep1x1 cannot be used, None where it can."""
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


def _groups(conv: Convolution, simd: str, target: Target, held: Capacity) -> Iterator[int]:
    """Numbers of groups the weights may be brought to: as they are, and inflated to blocks (FACTS 2.2).

    Only whole blocks are filled: 24 to 96 channels are brought to groups of 8 in blazeface_128, 28, 36 and 42 stay as
    they are. Sub-masks of a larger kernel stay, too (seen in ocr_det_160 and mobilefacenet_qop).
    """
    yield conv.group
    if conv.depthwise and conv.out_channels == conv.in_channels and len(held.parts) == 1:
        widest = target.tiling.inflated_group if simd == "8x8" else target.toolchain.inflated_group_16x8
        block = min(widest, held.depth)
        if block > 1 and conv.in_channels % block == 0:
            yield conv.group // block


@lru_cache(maxsize=1 << 15)
def _depths(
    ich: int, deepest: int, series_limit: int, most_iterations: int, fewest: bool
) -> tuple[tuple[int, int, int], ...]:
    """(CAs in series, accumulation iterations, batch depth), ICH being their product: the first, then those that are tried instead.

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
        if ich // series // depth <= most_iterations
    ]
    if not legal:
        return ()
    first = min(legal, key=lambda one: (one[1], one[0]))
    return (first, *(one for one in legal if fewest and one[0] < first[0]))


def work(tiling: Tiling, conv: Convolution) -> Work:
    """Cycles of each port (FACTS 7.2), over all steps of a kernel that is run in sub-masks."""
    conv = along_rows(conv)
    sizes, steps = _Sizes.of(conv, tiling.stripes, _taps(tiling.parts or (conv.kernel,))), tiling.steps
    feat, weights, out = sizes.ports(
        tiling.deep1x1, tiling.dss2, tiling.group, tiling.accelerators, tiling.iterations,
        1 if tiling.stationary else tiling.passes,
    )  # fmt: skip
    return Work(steps * feat, steps * weights, steps * out, tiling.iterations > 1)


def multiplied_cycles(tiling: Tiling, conv: Convolution) -> int:
    """Cycles in which the features pass the multipliers, once for each pass, even where they are fetched only once.

    inferred: with them the sixteen 5x1 of two N6Net v2 take what the board does (LarocheC/eco8-neaixt, 4.0.1: 131,072 cycles each
    of 128 channels, 49,152 of 96; their weights take 81,920 and 46,080, which is all that the compiler estimates).
    """
    conv = along_rows(conv)
    sizes = _Sizes.of(conv, tiling.stripes, _taps(tiling.parts or (conv.kernel,)))
    feat, _, _ = sizes.ports(
        tiling.deep1x1, tiling.dss2, tiling.group, tiling.accelerators, tiling.iterations, tiling.passes
    )
    return tiling.steps * feat


class _Sizes(NamedTuple):
    """What a convolution, of a map along rows, has for the ports of the accelerators, however it is tiled."""

    features: int
    """Columns that neighbouring stripes share are counted twice, as a kernel reaches over them."""
    channels: int
    taps: int
    """Weights of all kernels, of one channel and in the largest sub-mask."""
    results: int

    @staticmethod
    def of(conv: Convolution, stripes: int, taps: int) -> _Sizes:
        """`taps` are those of the largest sub-mask."""
        height, width = conv.input_size
        rows, columns = conv.output_size
        if stripes > 1:
            width += (stripes - 1) * (conv.kernel[1] - 1) * conv.dilation[1]
        return _Sizes(
            conv.batch * conv.in_channels * height * width,
            conv.in_channels,
            conv.out_channels * taps,
            conv.batch * conv.out_channels * rows * columns,
        )

    def ports(
        self, deep1x1: bool, dss2: bool, group: int, accelerators: int, iterations: int, reads: int
    ) -> tuple[int, int, int]:
        """Cycles of a step for features that are read so many times, for weights and for results."""
        feat = self.features // accelerators * reads
        weights = self.taps * (self.channels // group)
        feat, weights = -(-feat // features_a_cycle(deep1x1, dss2)), -(-weights // weights_a_cycle(deep1x1))
        return feat, weights, self.results * iterations


@lru_cache(maxsize=1 << 10)
def _taps(parts: tuple[tuple[int, int], ...]) -> int:
    """Weights of the largest sub-mask, rows times columns."""
    return max(rows * columns for rows, columns in parts)


@cache
def divisors(number: int) -> tuple[int, ...]:
    """All divisors, largest first; of a huge number those below 65 536 and what they leave."""
    small = [d for d in range(1, min(math.isqrt(number), 1 << 16) + 1) if number % d == 0]
    return tuple(sorted({*small, *(number // d for d in small)}, reverse=True))
