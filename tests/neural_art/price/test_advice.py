"""Advice is what the tiling itself gives for the channels and modes it names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from npuscope.machine.machine import target
from npuscope.model.convolution import Convolution
from npuscope.neural_art.mapping.tiling import choose, work
from npuscope.neural_art.price.advice import WORTH, advice
from npuscope.npu.cost import Cost

TARGET = target("2.1")


def gemm(ich: int, och: int) -> Convolution:
    return Convolution(ich, och, 1, (1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (1, 1), (1, 1))


def test_a_vector_times_a_matrix_is_limited_by_its_weights() -> None:
    advised = advice(gemm(256, 1024), 5, None, TARGET)
    assert advised.limit == "weight port: 262 144 weights, 1 a cycle, each used once"
    assert advised.best == 87_382
    assert advised.mode == "8x8 with Deep1x1"


def test_what_has_no_tiling_is_told_the_next_channels_that_have() -> None:
    advised = advice(gemm(257, 1024), 5, None, TARGET)
    assert advised.limit.startswith("no legal tiling")
    (inputs,) = (better for better in advised.better if better.inputs)
    assert inputs.channels == 258


def test_what_is_best_already_is_left_alone() -> None:
    advised = advice(gemm(256, 1024), 0, None, TARGET)
    assert advised.best is None


def test_memory_that_is_slower_is_named() -> None:
    tiling = choose(gemm(256, 1024), "16x8", TARGET)
    cost = Cost(262_144, 262_144, 1_610_000, 0.7, "octoFlash", ("weights",), tiling)
    assert advice(gemm(256, 1024), 5, cost, TARGET).limit == (
        "octoFlash: its bytes take 1 610 000 cycles, the accelerators alone 262 144"
    )


@pytest.mark.parametrize("zero", [0, 5, None])
@pytest.mark.parametrize("version", ["2.1", "4.0"])
def test_every_figure_is_the_tilings_own(zero: int | None, version: str) -> None:
    judged_for = target(version)
    simd = "8x8" if zero == 0 else "16x8"
    for ich, och, size in ((53, 53, 14), (96, 24, 56), (40, 160, 7), (3, 16, 32), (1280, 1001, 1), (1, 1, 1)):
        conv = replace(
            gemm(ich, och), kernel=(3, 3), input_size=(size + 2, size + 2), output_size=(size, size)
        )
        for shape in (conv, replace(gemm(ich, och), input_size=(size, size), output_size=(size, size))):
            advised = advice(shape, zero, None, judged_for)
            tiling = choose(shape, simd, judged_for)
            assert advised.limit
            for better in advised.better:
                wider = (
                    replace(shape, in_channels=better.channels)
                    if better.inputs
                    else replace(shape, out_channels=better.channels)
                )
                there = choose(wider, simd, judged_for)
                assert there is not None
                assert work(there, wider).cycles == better.cycles
                if tiling is not None:
                    assert better.cycles <= WORTH * work(tiling, shape).cycles
            if advised.best is not None and tiling is not None:
                assert advised.best <= WORTH * work(tiling, shape).cycles
            if advised.best is not None:
                assert advised.channels is not None
                wider = replace(shape, in_channels=advised.channels[0], out_channels=advised.channels[1])
                there = choose(wider, "8x8", judged_for)
                assert there is not None and work(there, wider).cycles == advised.best
                assert all(advised.best <= better.cycles for better in advised.better)


def test_the_best_joins_channels_and_mode() -> None:
    """257 inputs, zero point 5: 258 alone are legal, 8x8 alone is not; together 258 take Deep1x1."""
    conv = gemm(257, 1024)
    advised = advice(conv, 5, None, TARGET)
    (inputs,) = (better for better in advised.better if better.inputs)
    assert advised.channels is not None and advised.channels[0] > 257 and advised.best is not None
    assert advised.mode.startswith("8x8 with Deep1x1, ") and "inputs" in advised.mode
    assert advised.best < inputs.cycles / 2


def test_channels_of_groups_stay() -> None:
    depthwise = Convolution(53, 53, 53, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (14, 14), (14, 14))
    advised = advice(depthwise, 5, None, TARGET)
    assert advised.better == () and advised.channels in (None, (53, 53))


def test_what_channels_alone_give_is_not_said_twice() -> None:
    advised = advice(gemm(257, 257), 0, None, TARGET)
    assert [better.channels for better in advised.better] == [258] and advised.best is None
