"""Energy as the compiler estimates it."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from builders.models import gemm_qdq

from npuscope.machine.machine import target
from npuscope.machine.variants import without_external_memory
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.snapshot import analyse


def test_energy_is_the_sum_of_units_streams_and_memories(tmp_path: Path) -> None:
    path = tmp_path / "gemm.onnx"
    onnx.save(gemm_qdq(256, 1024, 5), path)
    flash = analyse(Session.open(load(path), target("2.1")))
    inside = analyse(Session.open(load(path), without_external_memory(target("2.1"))))
    assert flash.summary.millijoules == pytest.approx(sum(e.millijoules for e in flash.epochs))
    # 268,288 bytes, 6 cycles each at a third of 110 mW and two streams of 5.331 mW: far more than the CA's 16.6 mW
    moved = 6 * 268_288 * (0.33 * 110 + 2 * 5.331)
    assert flash.summary.millijoules == pytest.approx(moved / 1e9, rel=0.15)
    assert inside.summary.millijoules < 0.3 * flash.summary.millijoules
