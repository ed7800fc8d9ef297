"""Sums of 24 bits of the sub-masks of a large kernel, and where they lie (ST's model zoo tables, 3.0)."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.networks.stem_nets import Branched

from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.neural_art.schedule.dataflow import Buffer
from npuscope.neural_art.schedule.memory import allocate
from npuscope.session import Session
from npuscope.snapshot import Snapshot, analyse


def stem(channels: int, pad: int, folder: Path, version: str) -> Snapshot:
    chain = Branched(224)
    chain.window(channels, (7, 7), (pad, pad), 2)
    chain.halved()
    path = folder / "stem.onnx"
    path.write_bytes(chain.classified(10))
    return analyse(Session.open(load(path), target(version)))


def outside(snapshot: Snapshot) -> int:
    return next(pool.activations for pool in snapshot.memory.pools if pool.name == "hyperRAM")


@pytest.mark.parametrize(
    ("channels", "pad", "kib"),
    [(96, 0, 6683.06), (96, 1, 6806.25), (128, 1, 9075.0)],
    ids=["SqueezeNet 1.0", "SqueezeNext x1.5", "SqueezeNext x2"],
)
def test_two_sums_of_three_bytes_lie_outside_the_chip(
    channels: int, pad: int, kib: float, tmp_path: Path
) -> None:
    assert outside(stem(channels, pad, tmp_path, "3.0")) / 1024 == pytest.approx(kib, abs=0.005)


@pytest.mark.parametrize(("channels", "kib"), [(16, 0.0), (64, 4704.0)], ids=["ResNet18 x0.25", "ResNet18"])
def test_sums_that_fit_beside_each_other_stay_on_the_chip(channels: int, kib: float, tmp_path: Path) -> None:
    """ST's table (3.0) lists no external RAM for the first."""
    assert outside(stem(channels, 3, tmp_path, "3.0")) / 1024 == pytest.approx(kib, abs=0.005)


def test_they_take_the_time_that_the_tables_show(tmp_path: Path) -> None:
    """SqueezeNext x1: 87.07 ms, of which all but 11 are the stem's."""
    assert stem(64, 1, tmp_path, "3.0").summary.milliseconds == pytest.approx(87.07 - 11, rel=0.1)


def test_before_3_0_they_have_two_bytes(tmp_path: Path) -> None:
    snapshot = stem(64, 1, tmp_path, "2.2")
    sums = [move.size for epoch in snapshot.epochs for move in epoch.moves if "#sum" in move.tensor]
    assert sums and set(sums) == {2 * 64 * 110 * 110}


@pytest.mark.parametrize(("size", "pools"), [(1_200_000, ["cpuRAM2", "npuRAM3"]), (1_500_000, ["hyperRAM"])])
def test_sums_of_one_kernel_lie_over_neighbouring_banks_where_both_fit(size: int, pools: list[str]) -> None:
    memory = allocate([Buffer(name, size, 0, 1, True) for name in "ab"], {}, 2, target("3.0"))
    assert [share.pool for share in memory.buffers["a"]] == pools
