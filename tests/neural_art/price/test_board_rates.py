"""What external RAM, a Resize and a Transpose take on the board (ST's model zoo tables)."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.networks.small_nets import Net

from npuscope.machine.machine import target
from npuscope.model.load import load
from npuscope.neural_art.price.timing import external_ram_seconds, software_seconds
from npuscope.neural_art.price.traffic import Flow
from npuscope.session import Session
from npuscope.snapshot import analyse

MACHINE = target("3.0")
RATE, WIDTH = 0.25e9, 2
"""Bytes a second, as seen, and bytes of a transfer."""


def ns_per_access(flow: Flow, run: int) -> float:
    return external_ram_seconds(flow, RATE, WIDTH, MACHINE) * 1e9 / (flow.bytes / run)


def test_what_lies_together_comes_at_the_rate_that_was_seen() -> None:
    assert external_ram_seconds(Flow("a", 250, 0, False), RATE, WIDTH, MACHINE) == pytest.approx(1e-6)


@pytest.mark.parametrize(
    ("run", "write", "ns"), [(2, False, 80), (8, False, 80), (4, True, 40), (128, False, 512)]
)
def test_what_does_not_takes_an_access_a_piece(run: int, write: bool, ns: float) -> None:
    assert ns_per_access(Flow("a", 12_800, run, write), run) == pytest.approx(ns)


def test_a_map_of_an_ssd_outside_takes_what_the_tables_leave_for_it() -> None:
    """96 channels of 150 x 150, written as they lie and read two bytes at a time: 88 ms."""
    size = 96 * 150 * 150
    seconds = sum(
        external_ram_seconds(Flow("a", size, run, write), RATE, WIDTH, MACHINE)
        for run, write in ((0, True), (2, False))
    )
    assert seconds == pytest.approx(0.088, rel=0.1)


def test_sums_of_three_bytes_move_one_by_one() -> None:
    assert ns_per_access(Flow("a", 300, 1, True, by_byte=True), 1) == pytest.approx(8)


def test_a_resize_of_few_channels_costs_its_positions() -> None:
    """DeepLabV3's last one, 320 x 320 of two classes, against as many elements of 64 channels."""
    count = 2 * 320 * 320
    few, many = (software_seconds("Resize", count, MACHINE, channels) for channels in (2, 64))
    assert few > 2.5 * many
    assert software_seconds("Exp", count, MACHINE, 2) == software_seconds("Exp", count, MACHINE)


@pytest.mark.parametrize(
    ("shape", "order", "cycles"),
    [((1, 2, 24, 8, 8), (0, 2, 1, 3, 4), 5.0), ((1, 4, 24, 32), (0, 2, 1, 3), 1.5)],
)
def test_a_transpose_of_five_dimensions_is_turned_by_the_cpu(
    shape: tuple[int, ...], order: tuple[int, ...], cycles: float, tmp_path: Path
) -> None:
    net = Net(shape)
    turned = net.node("Transpose", [net.quantized("x", 0.02, 3)], "turned", perm=list(order))
    made = net.node("Sigmoid", [net.quantized(turned, 0.02, 3)], "made")
    path = tmp_path / "model.onnx"
    model = net.model(net.quantized(made, 1 / 256, -128), tuple(shape[axis] for axis in order))
    path.write_bytes(model.SerializeToString())
    report = analyse(Session.open(load(path), MACHINE)).by_name["turned"]
    assert report.placement.name == "HYBRID" and report.cost is not None
    assert report.cost.milliseconds == pytest.approx(3072 * cycles / 800e3)
