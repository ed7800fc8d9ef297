"""Features pass the multipliers once for each pass, even where they are fetched only once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from builders.networks.audio_nets import masks

from npuscope.machine.board import board
from npuscope.machine.machine import target, target_of
from npuscope.machine.variants import without_external_memory
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.snapshot import analyse


@pytest.mark.parametrize(
    ("channels", "estimated", "multiplied", "milliseconds"),
    # N6Net v2 (LarocheC/eco8-neaixt, 4.0.1, STM32N6570-DK, no external memory): what the board took
    [(96, 46_080, 49_152, 1.154), (128, 81_920, 131_072, 2.597)],
)
def test_an_n6net(
    channels: int, estimated: int, multiplied: int, milliseconds: float, tmp_path: Path
) -> None:
    path = tmp_path / "masks.onnx"
    path.write_bytes(masks(channels))
    build = replace(
        target("4.0").build,
        optimization="3",
        scheduler="auto",
        board=board("STM32N6570-DK"),
        epoch_controller=True,
    )
    snapshot = analyse(Session.open(load(path), without_external_memory(target_of(build))))
    cost = snapshot.by_name["old00"].cost
    assert cost is not None and cost.tiling is not None and cost.tiling.stationary
    assert (cost.compute_cycles, cost.busy_cycles, cost.busiest) == (estimated, multiplied, "feat")
    assert snapshot.summary.milliseconds == pytest.approx(milliseconds, rel=0.03)
