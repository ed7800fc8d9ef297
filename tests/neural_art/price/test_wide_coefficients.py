"""Scales and offsets of more channels than ARITH holds: one of each for every column of the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders.networks.mobilenets import mobilenet_v2
from builders.networks.small_nets import Net

from npuscope.machine.machine import target
from npuscope.machine.variants import with_epoch_controller
from npuscope.model.load import load
from npuscope.npu.cost import Cost
from npuscope.session import Session
from npuscope.snapshot import analyse


def pointwise(channels: int, side: int, scales: int, folder: Path, version: str = "3.0") -> Cost:
    net = Net((1, 112, side, side))
    x = net.quantized("x", 0.02, -128)
    weights = np.ones((channels, 112, 1, 1), np.int8)
    if scales > 1:
        weight = net.dequantized("w", weights, 0.002)
    else:
        stored = [
            net.constant("w", weights),
            net.constant("w_scale", np.float32(0.002)),
            net.constant("w_zero", np.int8(0)),
        ]
        weight = net.node("DequantizeLinear", stored, "w_dq")
    made = net.quantized(net.node("Conv", [x, weight], "conv", kernel_shape=[1, 1]), 0.02, 3)
    path = folder / "conv.onnx"
    path.write_bytes(net.model(made, (1, channels, side, side)).SerializeToString())
    cost = analyse(Session.open(load(path), target(version))).by_name["conv"].cost
    assert cost is not None
    return cost


@pytest.mark.parametrize(
    ("channels", "side", "scales", "streamed", "held"),
    [
        # network.c of a MobileNetV2 (3.0): 1280x1x4 scales and as many offsets, 10,240 bytes each
        (1280, 4, 1280, 2 * 10_240, 0),
        (1280, 7, 1280, 4 * 7 * 1280, 0),
        (1280, 7, 1, 2 * 7 * 1280, 0),
        (512, 7, 512, 0, 6 * 512),
        (512, 7, 1, 0, 4 * 512),
    ],
)
def test_bytes(channels: int, side: int, scales: int, streamed: int, held: int, tmp_path: Path) -> None:
    cost = pointwise(channels, side, scales, tmp_path)
    assert (cost.streamed_bytes - 112 * channels, cost.coefficient_bytes) == (streamed, held)


def test_two_vectors_take_twice_as_long_as_one_where_they_bind(tmp_path: Path) -> None:
    """A value each cycle of the cache: 112,896 offsets of an epoch of mobilenet_v2_224 took 0.29 ms (2.2)."""
    both, offsets = (pointwise(576, 28, scales, tmp_path, "2.2").milliseconds for scales in (576, 1))
    assert offsets == pytest.approx(576 * 28 * 28 / 400e6 * 1e3, rel=0.03)
    assert both == pytest.approx(2 * offsets, rel=0.03)


@pytest.mark.parametrize(
    ("width", "version", "kib"), [(1.0, "3.0", 3813.97), (0.35, "3.0", 1685.0), (1.4, "2.0", 7315.69)]
)
def test_weights_of_sts_tables(width: float, version: str, kib: float, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(mobilenet_v2(width, 224, 1000))
    machine = with_epoch_controller(target(version))
    found = analyse(Session.open(load(path), machine)).memory.weights_bytes / 1024
    assert found == pytest.approx(kib, rel=0.006)
