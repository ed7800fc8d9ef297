"""Conv1d and what lies between them, as the compiler reported them of networks made to ask it (LarocheC/stm32n6-stt, 4.0.1)."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.networks.audio_nets import taps
from builders.public_builds import BUILDS, compiled
from builders.scheduled import ops

COUNTS = {
    1: 7,
    **dict.fromkeys(range(2, 7), 4),
    **dict.fromkeys(range(7, 13), 3),
    **dict.fromkeys(range(13, 16), 5),
}
"""Taps of a depthwise Conv1d of 256 channels and 200 positions behind a Relu -> epochs."""

ASKED = {
    (8, 200, 7): 3, (64, 200, 7): 3, (512, 200, 7): 3, (256, 64, 7): 3, (256, 400, 7): 3, (1, 32, 7): 2,
    (256, 32, 3, 1): 1, (256, 32, 3, 2): 1, (256, 32, 3, 3): 1, (256, 32, 3, 4): 1, (256, 200, 3, 2): 4,
    (256, 200, 7, 1, False): 3,
    **{(256, 200, count): epochs for count, epochs in COUNTS.items() if count > 1},
}  # fmt: skip
"""Channels, positions, taps, convolutions, with a Relu or without -> epochs. Of one tap two of seven are in software: not known."""


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_epochs_of_a_relu_and_a_depthwise_convolution(asked: tuple[int, ...], tmp_path: Path) -> None:
    assert len(compiled(taps(*asked), tmp_path, "4.0", "3", "").epochs) == ASKED[asked]


def test_sub_masks_take_the_stream_and_are_added_two_at_a_time(tmp_path: Path) -> None:
    """network.c: epoch 1 has the Relu and three accelerators; its epoch table has three outputs, of which the next two add."""
    epochs = compiled(taps(256, 200, 7), tmp_path, "4.0", "3", "").epochs
    assert [(e.op, e.layers, [i.kind for i in e.inserted]) for e in epochs] == [
        ("Conv", ("relu", "deep0"), []),
        ("Add", (), ["Add"]),
        ("Add", (), ["Add", "Add"]),
    ]


def test_rows_are_copied_before_and_behind_a_relu(tmp_path: Path) -> None:
    """network.csv of q800_real, epochs 13 to 18: a plain convolution, a copy, the Relu, a copy, the next two convolutions."""
    epochs = ops(BUILDS["letters"].compiled(tmp_path))
    assert epochs[11:17] == ["hw Conv", "hw Reshape", "hw Relu", "hw Identity", "hw Conv", "hw Conv"]


BLOCK = [
    *((0, 64_000), (51_200, 51_200), (0, 64_000), (51_200, 51_200), (136_534, 393_216)),
    *((0, 64_000), (51_200, 51_200), (2_731, 49_152), (2_731, 49_152), (51_200, 51_200)),
]
"""(compute cycles, cycles) of epochs 338 to 347 of its network.csv."""


def test_cycles_of_rows(tmp_path: Path) -> None:
    epochs = BUILDS["letters"].compiled(tmp_path).epochs
    assert [(e.compute_cycles, e.cycles) for e in epochs[336:346]] == BLOCK
    assert sum(e.cycles for e in epochs) == pytest.approx(91_893_226, rel=0.01)
    assert sum(e.compute_cycles for e in epochs) == pytest.approx(38_926_622, rel=0.005)
