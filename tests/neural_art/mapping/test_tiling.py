"""The tiling of a convolution: cases read off compiler graphs, and what must hold for all."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import pytest
from builders.strategies import MODES, SIMD, TOOLCHAIN, conv, convolutions
from hypothesis import given

from npuscope.machine.machine import target
from npuscope.model.convolution import Convolution
from npuscope.neural_art.mapping.capacity import kernel_depth, most_kernels, submasks
from npuscope.neural_art.mapping.row_kernels import along_rows
from npuscope.neural_art.mapping.tiling import choose, divisors, simd_mode, tilings, work

# The compiler's own figures: conv_costs of mobilenet_v2_128 (3.0), ocr_det_160 (2.2), mobilefacenet_qop and
# ssd_mobilenet_v1_256 (2.1), blazeface_128 (2.2), as the tables of docs/accuracy-cost.md name them.
CASES = [
    # toolchain, convolution, zero point, cycles, SIMD, Deep1x1, DSS2, choked ports
    ("3.0", conv(3, 8, (128, 128), (3, 3), (2, 2)), 0, 49_152, "8x8", False, False, ("feat",)),
    ("3.0", conv(8, 48, (64, 64)), 3, 196_608, "16x8", False, False, ("out",)),
    ("3.0", conv(48, 48, (64, 64), (3, 3), (2, 2), 48), -128, 98_304, "8x8", False, True, ("feat",)),
    ("3.0", conv(48, 16, (32, 32)), -128, 16_384, "8x8", True, False, ("feat", "out")),
    ("3.0", conv(80, 16, (32, 32)), -128, 20_480, "8x8", False, False, ("feat",)),
    ("3.0", conv(16, 64, (16, 16)), 0, 16_384, "8x8", False, False, ("out",)),
    ("3.0", conv(16, 96, (16, 16)), 7, 24_576, "16x8", False, False, ("out",)),
    ("3.0", conv(272, 48, (4, 4)), -128, 4_352, "8x8", True, False, ("weights",)),
    ("3.0", conv(48, 328, (4, 4)), 5, 15_744, "16x8", False, False, ("weights",)),
    # timeseries_conv2d, Core 4.0: plain would take 8,320, but with partial sums through memory
    ("4.0", conv(128, 64, (5, 13)), -128, 11_094, "8x8", True, False, ("feat",)),
    ("4.0", conv(64, 64, (5, 13)), -128, 4_160, "8x8", False, False, ("out",)),
    # tcn_calculator, Core 4.0: one row, 16 channels and 8 kernels at a time, sums through memory on one CA
    ("4.0", conv(256, 256, (1, 32), (1, 3)), -4, 196_608, "16x8", False, False, ("weights",)),
    # N6Net, Core 4.0.1: MAC of a cycle as its author prints them, 24, 108, 128 and 100; the last is bound by partial sums
    ("4.0", replace(conv(96, 96, (257, 6), (1, 6)), pads=(0, 0, 0, 0), output_size=(257, 1)), 3, 592_128, "16x8", False, False, ("feat",)),
    ("4.0", conv(96, 96, (257, 1), (3, 1)), 3, 65_792, "16x8", False, False, ("feat",)),
    ("4.0", conv(96, 96, (128, 1), (5, 1)), -128, 46_080, "8x8", False, False, ("weights",)),
    ("4.0", conv(80, 80, (128, 1), (5, 1)), -128, 40_960, "8x8", False, False, ("acc",)),
    # st_yolo_x_480: equally fast, Deep1x1 wins; too wide for Deep1x1, partial sums instead
    ("3.0", conv(32, 16, (120, 120)), -128, 230_400, "8x8", True, False, ("out",)),
    ("3.0", conv(128, 32, (60, 60)), -128, 230_400, "8x8", False, False, ("feat", "acc")),
    # yolov8_face: 16 bits of a row of 160 leave room for four channels
    ("2.2", conv(16, 32, (160, 160), (3, 3)), -127, 819_200, "16x8", False, False, ("feat", "out")),
    ("2.2", conv(48, 192), -128, 3_072, "8x8", True, False, ("weights",)),
    ("2.2", conv(384, 360, (5, 5)), 11, 138_240, "16x8", False, False, ("weights",)),
    ("2.1", conv(256, 128, (14, 14)), 5, 100_352, "16x8", False, False, ("feat", "acc")),
    ("2.1", conv(257, 257), 2, None, "16x8", False, False, ()),
    ("2.1", conv(256, 1024), 5, 262_144, "16x8", False, False, ("weights",)),
    ("2.1", conv(256, 1024), 0, 87_382, "8x8", True, False, ("weights",)),
    # a yolov8n of 320 (talgarph1/solar-node-ai-docs), read when no rule was left to write: 41 of 41, these are its kinds
    ("2.1", conv(3, 16, (320, 320), (3, 3), (2, 2)), 0, 614_400, "8x8", False, False, ("feat",)),
    ("2.1", conv(16, 16, (80, 80), (3, 3)), -124, 204_800, "16x8", False, False, ("feat",)),
    ("2.1", conv(48, 32, (80, 80)), -124, 307_200, "16x8", False, False, ("feat",)),
    ("2.1", conv(64, 64, (40, 40)), -120, 102_400, "16x8", False, False, ("feat", "out")),
    ("2.1", conv(128, 64, (40, 40)), -113, 204_800, "16x8", False, False, ("feat", "acc")),
    ("2.1", conv(128, 256, (20, 20), (3, 3), (2, 2)), -120, 819_200, "16x8", False, False, ("feat",)),
    ("2.1", conv(384, 128, (20, 20)), -120, 307_200, "16x8", False, False, ("feat",)),
    ("2.1", conv(64, 4, (20, 20)), -122, 6_400, "16x8", False, False, ("feat",)),
    ("2.1", conv(128, 128, (10, 10), (3, 3)), -123, 147_456, "16x8", False, False, ("weights",)),
    ("2.1", conv(384, 256, (10, 10)), -123, 102_400, "16x8", False, False, ("acc",)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("toolchain", "geometry", "zero_point", "cycles", "simd", "deep", "dss2", "choked"), CASES
)
def test_the_compilers_own_figures(
    toolchain: str,
    geometry: Convolution,
    zero_point: int,
    cycles: int | None,
    simd: str,
    deep: bool,
    dss2: bool,
    choked: tuple[str, ...],
) -> None:
    assert simd_mode(zero_point) == simd
    tiling = choose(geometry, simd, target(toolchain))
    if cycles is None:
        assert tiling is None
        return
    assert tiling is not None
    done = work(tiling, geometry)
    assert (done.cycles, tiling.deep1x1, tiling.dss2) == (cycles, deep, dss2)
    assert set(done.choked) == set(choked)


@pytest.mark.parametrize(
    ("size", "stride", "parts"),
    [
        ((3, 3), 1, [(3, 3)]),
        ((5, 5), 1, [(3, 5), (2, 5)]),
        ((7, 7), 2, [(3, 7), (3, 7), (1, 7)]),
        ((7, 7), 1, [(3, 6), (3, 1), (3, 6), (3, 1), (1, 6), (1, 1)]),
        ((1, 9), 1, [(1, 6), (1, 3)]),
    ],
)
def test_kernels_larger_than_the_accelerators_are_cut(
    size: tuple[int, int], stride: int, parts: list[tuple[int, int]]
) -> None:
    tiling = choose(conv(8, 16, (64, 64), size, (stride, stride)), "8x8", target("2.2"))
    assert tiling is not None
    assert list(tiling.parts) == parts


def test_submasks_run_side_by_side_and_are_added_last() -> None:
    small, large = conv(3, 32, (64, 64), (3, 3)), conv(3, 32, (64, 64), (7, 7))
    cycles = []
    for one in (small, large):
        tiling = choose(one, "8x8", target("2.2"))
        assert tiling is not None
        cycles.append(work(tiling, one).cycles)
    # six parts, four at a time, and their sum: conv2d_32f_7x7 took 142, 133 and 132 us on the board at 1 GHz
    assert cycles == [131_072, 3 * 131_072]


def test_wide_maps_take_fewer_channels_then_stripes() -> None:
    machine = target("4.0")
    narrow = choose(conv(16, 16, (8, 256), (3, 3)), "8x8", machine)
    wide = choose(conv(16, 16, (8, 600), (3, 3)), "8x8", machine)
    widest = choose(conv(16, 16, (8, 5000), (3, 3)), "8x8", machine)
    flat = choose(conv(16, 16, (1, 5000), (1, 3)), "8x8", machine)
    assert narrow is not None and wide is not None and widest is not None and flat is not None
    assert 600 * wide.batch_depth <= machine.limits.line_buffer
    assert (narrow.stripes, wide.stripes, widest.stripes, flat.stripes) == (1, 1, 3, 1)


@pytest.mark.parametrize(
    ("toolchain", "geometry", "shares"),
    [
        ("4.0", conv(256, 256, (1, 32), (1, 3)), (1, 16, 16)),  # tcn_calculator
        (
            "3.0",
            conv(48, 272, (4, 4)),
            (2, 1, 24),
        ),  # mobilenet_v2_128: bound by weights, yet no sums through memory
        ("3.0", conv(128, 32, (60, 60)), (4, 2, 16)),  # st_yolo_x_480: fewer would be slower
    ],
)
def test_channels_go_to_accelerators_or_iterations(
    toolchain: str, geometry: Convolution, shares: tuple[int, int, int]
) -> None:
    tiling = choose(geometry, "8x8" if geometry.in_channels == 128 else "16x8", target(toolchain))
    assert tiling is not None
    assert (tiling.accelerators, tiling.iterations, tiling.batch_depth) == shares


@given(convolutions(), SIMD, TOOLCHAIN)
def test_tiling_factors_multiply_to_the_channels(geometry: Convolution, simd: str, toolchain: str) -> None:
    machine = target(toolchain)
    tiling = choose(geometry, simd, machine)
    if tiling is None:
        return
    channels = tiling.accelerators * tiling.iterations * tiling.batch_depth
    assert channels * tiling.group == geometry.in_channels
    assert tiling.kernels_per_pass * tiling.passes * tiling.group == geometry.out_channels
    assert tiling.iterations <= machine.limits.accumulation_iterations
    assert sum(rows * columns for rows, columns in tiling.parts) == math.prod(geometry.kernel)
    assert not (tiling.deep1x1 and tiling.simd != "8x8")


@given(convolutions(), SIMD, TOOLCHAIN)
def test_no_tiling_beats_the_bounds_of_the_machine(geometry: Convolution, simd: str, toolchain: str) -> None:
    machine = target(toolchain)
    tiling = choose(geometry, simd, machine)
    if tiling is None:
        return
    done = work(tiling, geometry)
    if max(geometry.kernel) <= 3 and min(geometry.input_size) >= 3:  # elsewhere most taps fall on padding
        most = machine.units.conv * (72 if simd == "8x8" else 36)  # MAC a cycle (documented: DOC2.1-pm)
        assert done.cycles * most >= geometry.macs // 2  # DSS2 takes two rows at a time
    assert done.cycles >= math.prod(geometry.output_size) * geometry.out_channels
    assert done.choked


@given(convolutions(), SIMD, TOOLCHAIN)
def test_more_channels_never_take_fewer_weight_cycles(
    geometry: Convolution, simd: str, toolchain: str
) -> None:
    if geometry.group != 1:
        return
    machine = target(toolchain)
    doubled = conv(
        geometry.in_channels * 2, geometry.out_channels, geometry.input_size, geometry.kernel, geometry.stride
    )
    one, two = choose(geometry, simd, machine), choose(doubled, simd, machine)
    if one is None or two is None or one.deep1x1 != two.deep1x1:
        return
    assert work(two, doubled).weights >= work(one, geometry).weights


@given(convolutions(), TOOLCHAIN)
def test_8x8_is_never_slower_than_16x8_on_as_many_accelerators(geometry: Convolution, toolchain: str) -> None:
    """In 8x8 a deeper batch fits: fewer CAs may take it, or it no longer stays in them, and 16x8 may be the faster one."""
    machine = target(toolchain)
    plain = [[t for t in tilings(geometry, simd, machine) if not t.deep1x1 and not t.dss2] for simd in MODES]
    for narrow, wide in product(*plain):
        if narrow.group != wide.group or narrow.accelerators < wide.accelerators:
            continue
        if wide.stationary and not narrow.stationary:
            continue
        assert work(narrow, geometry).cycles <= work(wide, geometry).cycles


@given(convolutions(), SIMD, TOOLCHAIN)
def test_sums_stay_in_the_accelerators_where_they_can_on_as_few_as_can_be(
    geometry: Convolution, simd: str, toolchain: str
) -> None:
    """Also where more of them would be faster: 99 of the 99 convolutions of the compiler's graphs where they would."""
    machine = target(toolchain)
    depth = kernel_depth(geometry, simd, machine)
    for tiling in tilings(geometry, simd, machine):
        if tiling.deep1x1 or tiling.iterations > 1:
            continue
        channels = geometry.in_channels // tiling.group
        fewer = (n for n in range(1, tiling.accelerators) if channels % n == 0)
        assert not any(channels // n <= depth for n in fewer)


def test_kernels_that_no_register_holds_have_no_tiling() -> None:
    assert choose(conv(8, 8, (512, 512), (255, 3)), "8x8", target("4.0")) is not None
    assert choose(conv(8, 8, (512, 512), (256, 3)), "8x8", target("4.0")) is None


def test_divisors() -> None:
    assert divisors((1 << 61) - 1) == ((1 << 61) - 1, 1)
    assert divisors(12) == (12, 6, 4, 3, 2, 1)
    assert divisors(257) == (257, 1)


@pytest.mark.parametrize(
    ("kernel", "stride", "simd", "most"),
    [
        ((3, 3), 1, "8x8", 8),
        ((3, 3), 1, "16x8", 4),
        ((3, 6), 1, "8x8", 4),
        ((3, 6), 1, "16x8", 2),
        ((5, 5), 2, "8x8", 8),  # blazeface_128: sub-masks of 3x5, 24 kernels in three passes
        ((3, 12), 2, "8x8", 4),
        ((1, 1), 1, "8x8", 24),
        ((3, 1), 1, "16x8", 12),  # a row, turned: six of FaceNet (muazzamaqeel/BA-EmbeddedAI, 2.2), in 8x8
        ((1, 3), 1, "16x8", 12),  # 36 / 3, as three of N6Net, 4.0.1 (LarocheC/eco8-neaixt)
        ((1, 6), 1, "16x8", 6),
        ((1, 9), 2, "8x8", 7),  # four of 32 in a TC-ResNet8, 2.2
        ((1, 5), 1, "8x8", 7),  # 4 of 32 and 6 of 48 (FRIENDA256/stm32N6_AI, 2.2)
        ((1, 5), 2, "8x8", 12),  # 12 of 48 (the same)
        ((1, 3), 2, "8x8", 12),  # 8 of 64 (the same)
    ],
)
def test_kernels_share_the_multipliers(kernel: tuple[int, int], stride: int, simd: str, most: int) -> None:
    """72 MAC a cycle in 8x8, half of it in 16x8 (DOC2.1-pm)."""
    made = Convolution(
        16, 24, 1, kernel, (stride, stride), (1, 1), (0, 0, 0, 0), (64, 64),
        ((64 - kernel[0]) // stride + 1, (64 - kernel[1]) // stride + 1),
    )  # fmt: skip
    assert most_kernels(made, simd, target("2.2")) == most


@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "parts"),
    [
        (10, 9, 1, [(3, 1)] * 3),  # TC-ResNet8 (AbhiMalappa/tinybench, 2.2)
        (24, 9, 1, [(1, 1)] * 9),
        (48, 9, 1, [(1, 1)] * 9),
        (24, 9, 2, [(9, 1)]),
        (96, 8, 1, [(1, 1)] * 8),  # N6Net with a full band (LarocheC/eco8-neaixt, 4.0.1)
        (96, 5, 1, [(5, 1)]),
        (1, 7, 1, [(3, 1), (3, 1), (1, 1)]),
    ],
)
def test_kernels_of_a_map_of_one_column(
    channels: int, kernel: int, stride: int, parts: list[tuple[int, int]]
) -> None:
    """Such a convolution is run with its kernel along a row; one wider than that is cut in threes, or tap by tap."""
    made = Convolution(
        channels, 32, 1, (kernel, 1), (stride, 1), (1, 1), (kernel // 2, 0, kernel // 2, 0), (49, 1), (-(-49 // stride), 1)
    )  # fmt: skip
    assert list(submasks(made, target("2.2"))) == parts
    tiling = choose(made, "8x8", target("2.2"))
    assert tiling is not None
    assert [part[::-1] for part in tiling.parts] == parts
    assert tiling == choose(along_rows(made), "8x8", target("2.2"))


@given(convolutions(), SIMD, TOOLCHAIN)
def test_no_tiling_is_faster_than_the_accelerators(geometry: Convolution, simd: str, toolchain: str) -> None:
    """What lies in the padding is multiplied for nothing: it counts as features here.

    Features that stay are counted once however many passes use them; the compiler's graphs have no such layer above
    the peak, and whether it would print one is not known.
    """
    machine = target(toolchain)
    tiling = choose(geometry, simd, machine)
    if tiling is not None and not tiling.stationary:
        height, width = (
            size + geometry.pads[i] + geometry.pads[i + 2] for i, size in enumerate(geometry.input_size)
        )
        padded = replace(geometry, input_size=(height, width), pads=(0, 0, 0, 0))
        peak = machine.units.conv * (machine.tiling.macs_8x8 if simd == "8x8" else machine.tiling.macs_16x8)
        assert work(tiling, padded).cycles * peak >= geometry.macs * 0.99


@pytest.mark.parametrize(("channels", "group"), [(24, 3), (96, 12), (28, 28), (36, 36), (42, 42)])
def test_depthwise_weights_fill_whole_blocks_or_none(channels: int, group: int) -> None:
    """blazeface_128 (2.2): groups of 8, or the weights as they are."""
    tiling = choose(conv(channels, channels, (32, 32), (3, 3), group=channels), "8x8", target("2.2"))
    assert tiling is not None and tiling.group == group
