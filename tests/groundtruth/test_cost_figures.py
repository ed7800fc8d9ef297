"""Memory and milliseconds of compiled networks, from the figures in tests/data; see docs/accuracy-cost.md."""

from __future__ import annotations

import pytest
from builders.networks.compiled import network
from builders.tools import tool

from npuscope.machine.machine import target
from npuscope.machine.variants import with_epoch_controller, with_flash_clock, with_optimization
from npuscope.session import Session
from npuscope.snapshot import analyse


@pytest.mark.parametrize("name", ["mobilenet_v2_128", "timeseries_conv2d", "mobilenet_v2_224", "yamnet_1024"])
def test_memory_of_simple_chains(name: str) -> None:
    case = next(case for case in tool("compare_cost").CASES if case.name == name and case.weights)
    machine = target(case.toolchain, case.profile)
    machine = machine if case.optimized else with_optimization(machine, "0")
    summary = analyse(Session.open(network(name), machine)).summary
    assert summary.activations_bytes == case.activations
    assert summary.weights_bytes == pytest.approx(case.weights, rel=0.03)


@pytest.mark.parametrize(
    ("name", "measured", "tolerance"),
    [("yolov8n_micro_224", 47.58, 0.1), ("yolov11n_micro_224", 42.94, 0.1), ("mlp_gmpp", 0.024, 0.3)],
)
def test_milliseconds_with_the_epoch_controller(name: str, measured: float, tolerance: float) -> None:
    """Two networks on one board description (external memory at 50 MHz), and one with nearly nothing to do."""
    board = with_epoch_controller(target("4.0", "nominal"))
    if measured > 1:
        board = with_flash_clock(board, 50_000_000)
    snapshot = analyse(Session.open(network(name), board))
    assert snapshot.summary.milliseconds == pytest.approx(measured, rel=tolerance)


@pytest.mark.parametrize(
    ("name", "toolchain", "flash_hz", "milliseconds"),
    [("mobilenet_v2_224", "2.2", None, 20.69), ("yamnet_1024", "2.2", None, 9.88)],
)
def test_milliseconds_of_boards(name: str, toolchain: str, flash_hz: int | None, milliseconds: float) -> None:
    snapshot = analyse(Session.open(network(name), target(toolchain)))
    assert snapshot.summary.milliseconds == pytest.approx(milliseconds, rel=0.15)
