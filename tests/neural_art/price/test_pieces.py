"""A Slice of the last dimension: its routine fetches piece by piece, each as a frame of its own."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from builders.tflite.yolo import pose

from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.npu.verdict import Placement
from npuscope.session import Session
from npuscope.snapshot import analyse

SOONEST = 33 / 900e6
"""Seconds of a piece: 33 cycles of the NPU's RAM."""


def test_the_slices_of_a_pose_take_as_long_as_their_pieces(tmp_path: Path) -> None:
    """YOLOv8n pose at 192 x 192: 12,852 pairs and as many single bytes, then 756 rows of 65, and two of the boxes."""
    path = tmp_path / "pose.tflite"
    path.write_bytes(pose(192))
    snapshot = analyse(Session.open(load(path), target("2.0")))
    counts = {}
    for epoch in snapshot.epochs:
        if epoch.op == "Slice" and epoch.placement is Placement.HYBRID:
            layer = snapshot.by_name[epoch.layers[0]].layer
            assert layer.output is not None and layer.output.dims is not None
            pieces = math.prod(layer.output.dims[:-1])
            counts[layer.name] = pieces
            work = epoch.milliseconds - epoch.start_milliseconds
            if pieces > 10_000:
                assert work == pytest.approx(pieces * SOONEST * 1e3)
    assert sorted(counts.values()) == [756, 756, 756, 756, 12_852, 12_852]
