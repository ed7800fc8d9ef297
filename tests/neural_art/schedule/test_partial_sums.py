"""Sums that a convolution leaves in memory from one accumulation iteration to the next: those of one pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from builders.networks.zoo_cnns import dark_tiny

from npuscope.machine.machine import target, target_of
from npuscope.model.load import load
from npuscope.session import Session
from npuscope.snapshot import analyse


def test_they_take_the_memory_that_is_listed(tmp_path: Path) -> None:
    """DarkNet-Tiny, whose 3x3 of 128 channels need several iterations: 539 KiB in ST's table (3.0), 632 with the sums of all passes."""
    path = tmp_path / "model.onnx"
    path.write_bytes(dark_tiny())
    build = replace(target("3.0").build, optimization="3", scheduler="auto", epoch_controller=True)
    snapshot = analyse(Session.open(load(path), target_of(build)))
    assert snapshot.memory.activations_bytes == 539 * 1024
