"""The sentences that say why a tiling was chosen."""

from __future__ import annotations

import pytest
from builders.strategies import SIMD, TOOLCHAIN, conv, convolutions
from hypothesis import given

from npuscope.machine.machine import target
from npuscope.model.convolution import Convolution
from npuscope.neural_art.mapping.tiling import choose, simd_mode
from npuscope.neural_art.price.explain import explain

CASES = [
    ("2.1", conv(256, 1024), 5, "Deep1x1 not available: input zero point 5 needs FSUB"),
    ("2.1", conv(256, 1024), 5, "24 kernels per pass would need OCH divisible by 24, it is 1 024"),
    ("2.1", conv(256, 1024), 0, "Deep1x1: three channels and three weights a cycle"),
    ("4.0", conv(16, 96, (16, 16)), -128, "Deep1x1 not available: 16 input channels, it needs more than 24"),
    ("4.0", conv(80, 16, (32, 32)), 0, "Deep1x1 would take 27 307 cycles, plain 20 480"),
    (
        "4.0",
        conv(48, 48, (64, 64), (3, 3), (2, 2), 48),
        -128,
        "DSS2: depthwise with stride 2 takes two features",
    ),
    ("2.2", conv(48, 48, (64, 64), (3, 3), (2, 2), 48), 0, "DSS2 not available: Core 2.2 does not use it"),
    ("4.0", conv(48, 48, (64, 64), (3, 3), (2, 2), 48), 9, "DSS2 not available: it needs 8x8"),
    (
        "2.1",
        conv(48, 48, (64, 64), (3, 3), (1, 1), 48),
        0,
        "inflated to blocks of 8: 3 456 weights instead of 432",
    ),
    ("2.2", conv(8, 16, (64, 64), (5, 5)), 0, "kernel 5x5 is run as 3x5 + 2x5, two at a time"),
    ("4.0", conv(64, 64, (64, 64), (5, 5)), 9, "kernel 5x5 is run as 3x5 + 2x5, one after the other"),
    ("4.0", conv(8, 16, (64, 64), (3, 3), dilation=(2, 2)), 0, "dilation 2x2: run without dilation"),
    ("4.0", conv(8, 16, (64, 64), (7, 7), dilation=(2, 2)), 0, "padding 6 is more than the CA's 3"),
    ("4.0", conv(16, 16, (8, 5000), (3, 3)), 0, "3 column stripes: a row of 5000 is longer"),
    ("4.0", conv(384, 360, (5, 5)), 11, "384 input channels = "),
    ("4.0", conv(16, 64, (16, 16)), 0, "features are read once: 4 096 B in each CA"),
    ("4.0", conv(16, 64, (16, 16)), 5, "features are read 4 times: 8 192 B in each CA, 5 120 would stay"),
]


@pytest.mark.parametrize(("toolchain", "geometry", "zero_point", "sentence"), CASES)
def test_notes_carry_the_layers_own_numbers(
    toolchain: str, geometry: Convolution, zero_point: int, sentence: str
) -> None:
    machine = target(toolchain)
    tiling = choose(geometry, simd_mode(zero_point), machine)
    assert tiling is not None
    notes = explain(tiling, geometry, zero_point, machine).notes
    assert any(sentence in note for note in notes), notes


@given(convolutions(), SIMD, TOOLCHAIN)
def test_every_tiling_can_be_explained(geometry: Convolution, simd: str, toolchain: str) -> None:
    machine = target(toolchain)
    tiling = choose(geometry, simd, machine)
    if tiling is not None:
        notes = explain(tiling, geometry, 0 if simd == "8x8" else 5, machine).notes
        assert notes and all(note and not note.endswith(".") for note in notes)
